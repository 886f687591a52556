//! The gateway as a whole: threads that serve, sockets that listen, and the configuration that is
//! swapped under them without dropping a connection.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;

use cause::{Fault, Severity};
use ir::RouteId;
use jiff::Timestamp;
use observe::decision::DecisionId;
use observe::observer::{self, Observer, ObserverHandle, Process};
use observe::report::Report;
use observe::status::{Status, StatusFault};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::listen;
use crate::runtime::{Placement, Port, PortProtocol, Runtime, Serving, compile, compile_after};
use crate::state::{KeySetCell, State};
use crate::threads::{self, Command, Crew};

/// How a gateway is started.
pub struct Options {
    /// Where listeners are bound.
    pub placement: Placement,
    /// Threads that serve; at least 1.
    pub workers: usize,
    /// Time.
    pub clock: Clock,
    /// Where the access log goes.
    pub log: Box<dyn Write + Send>,
}

/// Why a gateway does not start, or does not take a configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; {}", advice(.address, .source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A listener asks for a port that stands in for one of the pod's own.
    #[error("port {0} cannot be served from a pod; choose another")]
    Reserved(u16),
    /// A thread or the randomness of the system is not to be had.
    #[error("cannot start: {0}")]
    System(String),
}

impl StartError {
    /// What is wrong, without what to type at a terminal.
    fn reason(&self) -> String {
        match self {
            Self::Bind { address, source } => format!("cannot listen on {address}: {source}"),
            Self::Reserved(_) | Self::System(_) => self.to_string(),
        }
    }
}

fn advice(address: &SocketAddr, source: &std::io::Error) -> String {
    if source.kind() == std::io::ErrorKind::AddrInUse {
        format!("something else listens there; try `--http {}:0`", address.ip())
    } else if source.kind() == std::io::ErrorKind::PermissionDenied {
        format!("ports below 1024 need privileges; try `--http {}:8080`", address.ip())
    } else {
        "choose another with `--http` or `--https`".to_owned()
    }
}

/// A gateway that serves.
pub struct Gateway {
    handle: GatewayHandle,
    placement: Placement,
    crew: Crew,
    issuers: Option<JoinHandle<()>>,
    stop_issuers: watch::Sender<bool>,
    observer: Observer,
    bound: Mutex<BTreeMap<Port, Bound>>,
    /// Routes that are closed here alone, and why.
    closed: Mutex<Vec<(RouteId, String)>>,
    /// Ports of the configuration that could not be bound, and why.
    unbound: Mutex<BTreeMap<Port, String>>,
    generation: Mutex<u64>,
    ready: watch::Sender<bool>,
}

/// What of a gateway can be asked from anywhere.
#[derive(Clone)]
pub struct GatewayHandle {
    pub(crate) serving: Arc<Serving>,
    pub(crate) state: Arc<State>,
    pub(crate) clock: Clock,
    pub(crate) observer: ObserverHandle,
    pub(crate) commands: Vec<mpsc::UnboundedSender<Command>>,
    ready: watch::Receiver<bool>,
    process: Arc<Process>,
    told: Arc<Mutex<Told>>,
    spans: mpsc::Sender<(Arc<str>, Bytes)>,
}

/// What of the present configuration whoever read the manifests has told.
#[derive(Debug, Default)]
struct Told {
    loaded_at: Timestamp,
    objects: BTreeMap<String, usize>,
    faults: Vec<StatusFault>,
}

/// Batches of spans that may wait to be sent.
const EXPORTS: usize = 16;
/// How long a look-back waits for calls that have just ended.
const CATCH_UP: Duration = Duration::from_millis(500);

/// What of calls is seen from outside, by the configuration.
fn seen(settings: &ir::Settings, spans: &mpsc::Sender<(Arc<str>, Bytes)>) -> observer::Settings {
    let spans = settings.traces.as_ref().map(|traces| {
        let (endpoint, spans) = (Arc::clone(&traces.endpoint), spans.clone());
        let export = Box::new(move |batch| spans.try_send((Arc::clone(&endpoint), batch)).is_ok());
        observe::otlp::Spans::new("doorward", env!("CARGO_PKG_VERSION"), export)
    });
    observer::Settings { access_log: settings.access_log == ir::AccessLog::Json, docs: Arc::clone(&settings.docs), spans }
}

impl GatewayHandle {
    fn configured(&self, generation: u64, settings: &ir::Settings) {
        let now = self.clock.now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.loaded_at = now;
        self.observer.metrics.configured(generation, now, told.faults.iter().map(|fault| fault.severity));
        self.observer.change(seen(settings, &self.spans));
    }

    /// Tells what the manifests hold and what is wrong with them, for `status` and metrics.
    pub fn tell(&self, objects: BTreeMap<String, usize>, faults: &[Fault]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.objects = objects;
        told.faults = faults.iter().filter(|fault| fault.severity != Severity::Notice).map(StatusFault::from).collect();
        let severities = faults.iter().map(|fault| fault.severity);
        self.observer.metrics.configured(self.serving.runtime().generation, told.loaded_at, severities);
    }

    /// All counters in Prometheus' text format.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.observer.metrics.text(self.clock.now())
    }

    /// How the gateway is.
    #[must_use]
    pub fn status(&self) -> Status {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        Status {
            version: self.process.version.to_string(),
            at: now,
            started_at: self.process.started_at,
            generation: self.serving.runtime().generation,
            loaded_at: told.loaded_at,
            objects: told.objects.clone(),
            faults: told.faults.clone(),
            last_hour: self.observer.last_hour.refusals(now, TOP),
            workers: self.observer.metrics.workers(),
            records_dropped: self.observer.metrics.records_dropped(),
        }
    }

    /// Whether it takes requests.
    #[must_use]
    pub fn ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// The call of this decision id, if it is still kept. Waits a moment for calls that have just
    /// ended; not for workers.
    #[must_use]
    pub fn decision(&self, id: &str) -> Option<Report> {
        let id = DecisionId::parse(id)?;
        if self.observer.decisions.get(id).is_none() && !self.observer.catch_up(CATCH_UP) {
            tracing::warn!("the log is behind; a call that has just ended may not be found");
        }
        let record = self.observer.decisions.get(id)?;
        Some(Report::of_call(&record, &self.serving.runtime().settings.docs))
    }
}

/// Causes that `status` names.
const TOP: usize = 5;

/// A port that is listened on.
struct Bound {
    address: SocketAddr,
    close: watch::Sender<bool>,
}

impl Gateway {
    /// Starts threads, binds ports and serves `snapshot`.
    ///
    /// # Errors
    /// When a port cannot be bound or a thread cannot be started.
    pub async fn start(options: Options, snapshot: &ir::Snapshot) -> Result<Self, StartError> {
        let (fetcher, cells) = mpsc::unbounded_channel::<Arc<KeySetCell>>();
        let state = Arc::new(State::new(Some(fetcher)));
        let runtime = Arc::new(compile(snapshot, &options.placement, &state, 1));
        let serving = Arc::new(Serving::new(Arc::clone(&runtime)));
        let workers = options.workers.max(1);
        let (stop_issuers, stopped) = watch::channel(false);
        let (spans, batches) = mpsc::channel(EXPORTS);
        let issuers = threads::errands(cells, batches, (options.clock.clone(), Arc::clone(state.guard())), stopped)?;
        let process = Process { version: env!("CARGO_PKG_VERSION").into(), started_at: options.clock.now() };
        let (observer, recorders) = Observer::start(workers, seen(&snapshot.settings, &spans), options.log, &process)
            .map_err(|error| StartError::System(error.to_string()))?;
        let crew = Crew::start(&runtime, &state, &options.clock, recorders)?;
        let (ready, is_ready) = watch::channel(false);
        let handle = GatewayHandle {
            serving,
            state,
            clock: options.clock,
            observer: observer.handle(),
            commands: crew.commands(),
            ready: is_ready,
            process: Arc::new(process),
            told: Arc::default(),
            spans,
        };
        let gateway = Self {
            handle,
            placement: options.placement,
            crew,
            issuers: Some(issuers),
            stop_issuers,
            observer,
            bound: Mutex::default(),
            closed: Mutex::new(closed(&runtime)),
            unbound: Mutex::default(),
            generation: Mutex::new(1),
            ready,
        };
        gateway.listen(&runtime)?;
        gateway.handle.configured(1, &snapshot.settings);
        let _ = gateway.ready.send(true);
        Ok(gateway)
    }

    /// Serves `snapshot` from the next request on. Requests in flight end as they began.
    ///
    /// # Errors
    /// When a new port cannot be bound; everything else of the snapshot serves all the same.
    pub async fn apply(&self, snapshot: &ir::Snapshot) -> Result<(), StartError> {
        let generation = {
            let mut generation = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
            *generation += 1;
            *generation
        };
        // It is held until no worker needs it, so that none spends its time on freeing it.
        let before = self.handle.serving.runtime();
        let runtime = Arc::new(compile_after(Some(&before), snapshot, (&self.placement, &self.handle.state), generation));
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = closed(&runtime);
        self.handle.serving.swap(Arc::clone(&runtime));
        self.crew.swap(&runtime).await;
        drop(before);
        self.handle.state.retain_key_sets();
        self.handle.configured(generation, &snapshot.settings);
        self.listen(&runtime)
    }

    /// The addresses that are listened on.
    #[must_use]
    pub fn addresses(&self) -> Vec<(Port, SocketAddr)> {
        let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        bound.iter().map(|(port, bound)| (*port, bound.address)).collect()
    }

    /// Has URLs of manifests never lead to these addresses in a cluster, such as the API server's, from the next
    /// configuration on. Counts once.
    pub fn never_call(&self, addresses: Vec<IpAddr>) {
        self.handle.state.never_call(addresses);
    }

    /// The routes that the snapshot has as good and this gateway cannot compile, and why: whoever made the snapshot is of
    /// another version.
    #[must_use]
    pub fn closed(&self) -> Vec<(RouteId, String)> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The ports of the configuration that are not listened on, and why.
    #[must_use]
    pub fn unbound(&self) -> BTreeMap<Port, String> {
        self.unbound.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What can be asked from anywhere.
    #[must_use]
    pub fn handle(&self) -> GatewayHandle {
        self.handle.clone()
    }

    /// Has clients go elsewhere, while everything is still served: answers of HTTP/1.1 end their connections (RFC 9112
    /// section 9.6), and connections of HTTP/2 are ended gracefully (RFC 9113 section 6.8).
    pub fn leave(&self) {
        self.crew.leave();
    }

    /// Stops listening and lets calls in flight end, for as long as `timeouts.drain` says or until `hurry` ends. What is
    /// in flight then is cut.
    pub async fn drain(mut self, hurry: impl Future<Output = ()>) {
        let _ = self.ready.send(false);
        {
            let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
            for port in bound.values() {
                let _ = port.close.send(true);
            }
            bound.clear();
        }
        self.crew.drain(hurry).await;
        let _ = self.stop_issuers.send(true);
        if let Some(issuers) = self.issuers.take() {
            let _ = tokio::task::spawn_blocking(move || issuers.join()).await;
        }
        let observer = self.observer;
        let _ = tokio::task::spawn_blocking(move || observer.stop()).await;
    }

    /// Binds new ports and closes those that are gone.
    fn listen(&self, runtime: &Runtime) -> Result<(), StartError> {
        let wanted = runtime.ports.all();
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        bound.retain(|port, open| {
            let keep = wanted.contains(port);
            if !keep {
                let _ = open.close.send(true);
            }
            keep
        });
        let (mut failed, mut unbound) = (Ok(()), BTreeMap::new());
        for port in wanted {
            if bound.contains_key(&port) {
                continue;
            }
            match self.bind(port) {
                Ok(open) => {
                    bound.insert(port, open);
                }
                Err(error) => {
                    unbound.insert(port, error.reason());
                    failed = Err(error);
                }
            }
        }
        *self.unbound.lock().unwrap_or_else(PoisonError::into_inner) = unbound;
        failed
    }

    /// Binds a port once for each worker: the kernel spreads connections over them (SO_REUSEPORT).
    fn bind(&self, port: Port) -> Result<Bound, StartError> {
        let wanted = self.placement.address(port).ok_or(StartError::Reserved(port.number))?;
        let cannot = |source| StartError::Bind { address: wanted, source };
        let first = socket(wanted).map_err(cannot)?;
        let address = first.local_addr().map_err(cannot)?;
        let mut sockets = vec![first];
        for _ in 1..self.crew.len() {
            sockets.push(socket(address).map_err(cannot)?);
        }
        let tls = match port.protocol {
            PortProtocol::Http => None,
            PortProtocol::Https => Some(
                listen::server_config(Arc::clone(&self.handle.serving), port)
                    .map_err(|error| StartError::System(error.to_string()))?,
            ),
        };
        let (close, closing) = listen::Closing::new();
        self.crew.listen(sockets, &listen::Door { port, tls, close: closing });
        Ok(Bound { address, close })
    }
}

/// The routes that are good as they are written and closed in what was compiled of them.
fn closed(runtime: &Runtime) -> Vec<(RouteId, String)> {
    runtime.parts.closed.iter().map(|(id, why)| (id.clone(), why.clone())).collect()
}

fn socket(address: SocketAddr) -> std::io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

impl crate::admin::Asked for GatewayHandle {
    fn metrics(&self) -> String {
        self.metrics()
    }

    fn status(&self) -> Status {
        self.status()
    }

    fn ready(&self) -> bool {
        self.ready()
    }

    fn decision(&self, id: &str) -> Option<Report> {
        self.decision(id)
    }

    async fn explain(&self, described: crate::explain::Described) -> Option<Report> {
        self.explain(described).await
    }
}
