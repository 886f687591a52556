//! `doorward run`: a gateway from manifests, and from their changes.

mod changes;
mod screen;
mod traces;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use cause::Fault;
use clap::builder::BoolishValueParser;
use dataplane::admin::{Door, Server};
use dataplane::{Clock, Gateway, Options, Placement, StartError};
use files::{Outcome, Session, Watcher};
use ir::{Snapshot, Traces};
use jiff::Timestamp;
use manifest::{Finding, Report};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::failure::{Exit, Failure};
use crate::terminal::tell;
use crate::{address, demo, management, paths, signals, terminal, words};
use screen::Screen;

const EXAMPLES: &str = "\
Examples:
  doorward run ./manifests                               on the ports of their Gateways, or on 8080
  doorward run --http 127.0.0.1:8080 ./manifests         every plain listener there
  doorward run --demo examples/quickstart                with the demo service behind it
  doorward run --http 127.0.0.1:0 --management 127.0.0.1:0 --metrics 127.0.0.1:0 ./manifests
                                                         on free ports, which are printed

Every flag can be given as a variable too: DOORWARD_HTTP, DOORWARD_NO_WATCH=true, ...
Traces go where a GatewayConfig says, or else OTEL_EXPORTER_OTLP_ENDPOINT (http/protobuf).
The access log goes to standard output, one JSON object a line; everything else to standard error.";

/// Where metrics and health listen unless told otherwise.
const METRICS: &str = "127.0.0.1:9091";

/// `doorward run`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Files, folders, or `-` for standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Where plain traffic comes in, instead of the ports of Gateways
    #[arg(long, value_name = "ADDR", env = "DOORWARD_HTTP", value_parser = address::parse)]
    http: Option<SocketAddr>,
    /// Where TLS traffic comes in, instead of the ports of Gateways
    #[arg(long, value_name = "ADDR", env = "DOORWARD_HTTPS", value_parser = address::parse)]
    https: Option<SocketAddr>,
    /// Where the owner asks: status, decisions, explain. It asks for no credential
    #[arg(long, value_name = "ADDR", env = "DOORWARD_MANAGEMENT", default_value = management::ADDRESS, value_parser = address::parse)]
    management: SocketAddr,
    /// Where metrics and health are
    #[arg(long, value_name = "ADDR", env = "DOORWARD_METRICS", default_value = METRICS, value_parser = address::parse)]
    metrics: SocketAddr,
    /// Threads that serve; without this one for each core
    #[arg(long, value_name = "N", env = "DOORWARD_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Serve the manifests as they are now, whatever becomes of their files
    #[arg(long, env = "DOORWARD_NO_WATCH", value_parser = BoolishValueParser::new())]
    no_watch: bool,
    /// Serve the upstreams of the examples too
    #[arg(long, value_name = "ADDR", env = "DOORWARD_DEMO", num_args = 0..=1, require_equals = true,
          default_missing_value = demo::ADDRESS, value_parser = address::parse)]
    demo: Option<SocketAddr>,
}

/// Serves until it is told to stop.
///
/// # Errors
/// Nothing can be read, or an address cannot be listened on.
pub(crate) async fn run(args: Args, quiet: bool) -> Result<Exit, Failure> {
    log_to_stderr();
    let traces = traces::from_variables(|name| std::env::var(name).ok());
    let traces = traces.map_err(|why| Failure::usage(why, "unset it, or write `telemetry.traces` into a GatewayConfig"))?;
    let doors = Doors::open(&args).await?;
    let input = paths::input(args.paths.clone())?;
    // Before the first load, so that no change is missed.
    let watcher = if args.no_watch { None } else { watch(&args.paths) };
    let mut session = Session::new(input, paths::context(Timestamp::now(), Vec::new()));
    let outcome = session.reload(Timestamp::now());
    show_findings(&outcome.report, quiet);
    if outcome.counts.objects.is_empty() {
        return Err(Failure::found(
            format!("nothing can be served: no manifest can be read in {}", paths::shown(&args.paths)),
            format!("doorward check {}", paths::shown(&args.paths)),
        ));
    }
    let options = Options {
        placement: Placement { http: args.http, https: args.https, in_pod: None },
        workers: args.workers.map_or_else(cores, usize::from),
        clock: Clock::system(),
        log: Box::new(io::stdout()),
    };
    let snapshot = traces::with(Arc::clone(&outcome.snapshot), traces.as_ref());
    let gateway = Gateway::start(options, &snapshot).await.map_err(not_started)?;
    tell_owner(&gateway, &outcome);
    if !quiet {
        let screen = Screen {
            paths: &paths::shown(&args.paths),
            counts: &outcome.counts,
            watched: watcher.is_some(),
            traffic: &gateway.addresses(),
            management: doors.management.address(),
            metrics: doors.metrics.address(),
            demo: doors.demo.as_ref().and_then(|demo| demo.local_addr().ok()),
        };
        tell(&screen.text());
    }
    doors.answer(&gateway);
    let serving = Serving { gateway, session, snapshot: outcome.snapshot, report: outcome.report, traces, quiet };
    serving.until_stopped(watcher).await
}

/// What the process warns of; `DOORWARD_LOG` takes the directives of `tracing`.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("DOORWARD_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // It fails where a log is set already, which then goes on.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).compact().try_init();
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn watch(paths: &[PathBuf]) -> Option<Watcher> {
    match Watcher::start(paths) {
        Ok(watcher) => Some(watcher),
        Err(_) => {
            tell("warning: this system cannot watch files: changes are served after a restart only\n");
            None
        }
    }
}

/// The sockets beside those of traffic, taken and not answering yet.
struct Doors {
    management: Server,
    metrics: Server,
    demo: Option<TcpListener>,
}

impl Doors {
    async fn open(args: &Args) -> Result<Self, Failure> {
        if !args.management.ip().is_loopback() {
            tell(&format!(
                "warning: management on {} shows whoever reaches it every call and its cause, without a credential\n",
                args.management
            ));
        }
        let demo = match args.demo {
            Some(address) => Some(demo::bind(address).await?),
            None => None,
        };
        Ok(Self {
            management: door(args.management, Door::Management).await?,
            metrics: door(args.metrics, Door::Metrics).await?,
            demo,
        })
    }

    /// Begins to answer.
    fn answer(self, gateway: &Gateway) {
        tokio::spawn(self.management.serve(gateway.handle()));
        tokio::spawn(self.metrics.serve(gateway.handle()));
        if let Some(demo) = self.demo {
            tokio::spawn(demo::serve(demo));
        }
    }
}

async fn door(address: SocketAddr, door: Door) -> Result<Server, Failure> {
    let (name, flag) = match door {
        Door::Management => ("management", "--management"),
        Door::Metrics => ("metrics", "--metrics"),
    };
    Server::bind(address, door).await.map_err(|error| {
        Failure::found(
            format!("{name} cannot listen on {address}: {}", words::of(&error)),
            format!("choose another address, such as `{flag} {}`", SocketAddr::new(address.ip(), 0)),
        )
    })
}

fn not_started(error: StartError) -> Failure {
    match error {
        StartError::Bind { address, source } if source.kind() == io::ErrorKind::PermissionDenied => Failure::found(
            format!("the gateway may not listen on {address}: ports below 1024 need privileges"),
            format!("choose another address, such as `--http {}`", SocketAddr::new(address.ip(), 8080)),
        ),
        StartError::Bind { address, source } => Failure::found(
            format!("the gateway cannot listen on {address}: {}", words::of(&source)),
            format!("choose another address, such as `--http {}`", SocketAddr::new(address.ip(), 0)),
        ),
        StartError::Reserved(port) => Failure::found(format!("port {port} cannot be served from a pod"), "choose another"),
        StartError::System(why) => Failure::found(format!("the gateway cannot start: {why}"), ""),
    }
}

/// What `status` and metrics say of the manifests.
fn tell_owner(gateway: &Gateway, outcome: &Outcome) {
    let objects: BTreeMap<String, usize> =
        outcome.counts.objects.iter().map(|(kind, count)| (kind.to_string(), *count)).collect();
    let faults: Vec<Fault> = outcome.report.findings().iter().map(|finding| finding.fault.clone()).collect();
    gateway.handle().tell(objects, &faults);
}

/// Findings as `check` prints them, on standard error.
fn show_findings(report: &Report, quiet: bool) {
    if report.findings().is_empty() {
        return;
    }
    let mut text = report.to_text(terminal::colour(&io::stderr()));
    if !quiet {
        text.push_str(&format!("\n{}\n", report.summary().to_text()));
    }
    tell(&text);
}

/// A gateway that serves, and what it serves.
struct Serving {
    gateway: Gateway,
    session: Session,
    snapshot: Arc<Snapshot>,
    report: Report,
    traces: Option<Traces>,
    quiet: bool,
}

impl Serving {
    async fn until_stopped(mut self, mut watcher: Option<Watcher>) -> Result<Exit, Failure> {
        let mut stop = std::pin::pin!(signals::asked_to_stop());
        loop {
            tokio::select! {
                () = changed(watcher.as_mut()) => self = self.reload().await?,
                () = stop.as_mut() => break,
            }
        }
        if !self.quiet {
            tell("  stopping: calls in progress end first; Ctrl-C again stops at once\n");
        }
        let mut exit = Exit::Fine;
        let hurry = async {
            signals::asked_to_stop().await;
            exit = Exit::Found;
        };
        self.gateway.drain(hurry).await;
        Ok(exit)
    }

    /// Reads the manifests again and serves what they say now.
    async fn reload(self) -> Result<Self, Failure> {
        let Self { gateway, mut session, snapshot, report, traces, quiet } = self;
        let reading = tokio::task::spawn_blocking(move || (session.reload(Timestamp::now()), session));
        let (outcome, session) =
            reading.await.map_err(|_| Failure::found("reading the manifests failed", "report this, with the manifests"))?;
        if outcome.changed
            && let Err(error) = gateway.apply(&traces::with(Arc::clone(&outcome.snapshot), traces.as_ref())).await
        {
            tell(&format!("error: {}\n", not_started(error)));
        }
        tell_owner(&gateway, &outcome);
        let fresh = fresh(&report, &outcome.report);
        if !quiet && (outcome.changed || report.summary() != outcome.report.summary() || !fresh.findings().is_empty()) {
            tell(&changes::line(&snapshot, &outcome.snapshot, &outcome.report.summary()));
        }
        show_findings(&fresh, true);
        Ok(Self { gateway, session, snapshot: outcome.snapshot, report: outcome.report, traces, quiet })
    }
}

async fn changed(watcher: Option<&mut Watcher>) {
    match watcher {
        Some(watcher) => watcher.changed().await,
        None => std::future::pending().await,
    }
}

/// The findings that the earlier report does not have, wherever in their file they stand.
fn fresh(earlier: &Report, report: &Report) -> Report {
    let is_known = |finding: &&Finding| {
        !earlier.findings().iter().any(|known| known.fault == finding.fault && known.file() == finding.file())
    };
    Report::new(&[], report.findings().iter().filter(is_known).cloned().collect())
}
