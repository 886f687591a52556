//! `doorward dataplane`: one pod of a Gateway. What it serves comes from operators, or from what it sealed.

mod arguments;
mod replica;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ::dataplane::admin::{Door, Server};
use ::dataplane::{Clock, Gateway, Options, Placement, StartError};
use delivery::{Held, Seal, Sealer, Subscriber, Surroundings, by_name};
use ir::Snapshot;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;

pub(crate) use arguments::Args;
use replica::{Health, Replica};

use crate::failure::{Exit, Failure};
use crate::{signals, words};

/// Serves until it is told to stop.
///
/// # Errors
/// A thread, or the address of management or metrics is not to be had.
pub(crate) async fn run(args: Args) -> Result<Exit, Failure> {
    log_to_stderr();
    let management = door(args.management, Door::Management).await?;
    let metrics = door(args.metrics(), Door::Metrics).await?;
    let seal = seal(&args);
    let held = seal.as_deref().map(restored).unwrap_or_default();
    let options = Options {
        placement: Placement { in_pod: Some(args.listen()), ..Placement::default() },
        workers: args.workers.map_or_else(cores, usize::from),
        clock: Clock::system(),
        log: Box::new(io::stdout()),
    };
    // Nothing is listened on yet: what cannot be bound later is told to the operators, and the rest serves.
    let gateway = Gateway::start(options, &Snapshot::default()).await.map_err(not_started)?;
    gateway.never_call(api_server());
    let (ready, is_ready) = watch::channel(false);
    let health = Health::new(gateway.handle(), is_ready);
    tokio::spawn(management.serve(health.clone()));
    tokio::spawn(metrics.serve(health));
    let subscriber = Subscriber::start(args.subscription(), held.clone(), surroundings(&args));
    let mut replica =
        Replica { gateway, subscriber, sealer: seal.map(Sealer::start), ready, held, refused: Vec::new(), leaving: false };
    replica.take_up().await;
    tokio::select! {
        () = replica.follow() => return Err(Failure::found("the subscription has ended", "")),
        () = signals::asked_to_stop() => {}
    }
    tracing::info!("stopping: connections are taken for {} ms more, then calls in flight end", args.linger.as_millis());
    replica.leave();
    tokio::select! {
        // Whoever sends requests here learns only now that it should not.
        _ = timeout(args.linger, replica.follow()) => {}
        () = signals::asked_to_stop() => {}
    }
    tokio::select! {
        () = replica.end() => Ok(Exit::Fine),
        () = signals::asked_to_stop() => Ok(Exit::Found),
    }
}

/// What the process tells; `DOORWARD_LOG` takes the directives of `tracing`.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("DOORWARD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // It fails where a log is set already, which then goes on.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false).compact().try_init();
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

async fn door(address: SocketAddr, door: Door) -> Result<Server, Failure> {
    Server::bind(address, door).await.map_err(|error| {
        Failure::found(
            format!("{door:?} cannot listen on {address}: {}", words::of(&error)),
            "choose another address with `--management` or `--metrics`",
        )
    })
}

fn not_started(error: StartError) -> Failure {
    Failure::found(format!("the gateway cannot start: {error}"), "")
}

/// Where the last good configuration is kept; `None` where nothing can be kept, which is told and not fatal: an operator
/// may be there.
fn seal(args: &Args) -> Option<Arc<Seal>> {
    match Seal::open(&args.state, &args.seal_key(), &args.gateway) {
        Ok(seal) => Some(Arc::new(seal)),
        Err(error) => {
            tracing::warn!(%error, "the last good configuration is not kept");
            None
        }
    }
}

/// What was sealed, if it can be trusted.
fn restored(seal: &Seal) -> Held {
    match seal.load() {
        Ok(Some(held)) => {
            tracing::info!("serving the sealed configuration until an operator is there");
            held
        }
        Ok(None) => Held::default(),
        Err(error) => {
            tracing::warn!(%error, "the sealed configuration is not used");
            Held::default()
        }
    }
}

/// Where the API server is, as Kubernetes tells every container.
fn api_server() -> Vec<IpAddr> {
    let host = std::env::var("KUBERNETES_SERVICE_HOST").ok();
    host.and_then(|host| host.parse().ok()).into_iter().collect()
}

fn surroundings(args: &Args) -> Surroundings {
    Surroundings {
        resolve: by_name(args.operator.authority.clone()),
        // Without randomness reconnects are spread less.
        dice: Arc::new(|| getrandom::u64().unwrap_or_default()),
    }
}
