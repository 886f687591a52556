//! From a listening socket to requests: accept, TLS, which protocol, the guard, hyper.

mod connection;
mod flood;
mod guarded;
mod proxy_protocol;
mod tls;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use wire::preface::Preface;

pub(crate) use connection::{Connection, InFlight, Tls};
use guarded::{GuardedIo, Patience};
pub(crate) use tls::server_config;

use crate::gateway;
use crate::runtime::{Port, PortProtocol};
use crate::worker::Worker;

/// Most requests of one HTTP/2 connection at a time.
const STREAMS: u32 = 200;
/// How long an HTTP/2 connection may take for its preface, and then for its first SETTINGS.
const PREFACE: Duration = Duration::from_secs(5);
/// How long bytes that are due may make no progress.
const STALLED: Duration = Duration::from_secs(30);
/// How long an HTTP/2 client on which nothing is served any more has for its part of the closing (RFC 9113 section 6.8).
const GOODBYE: Duration = Duration::from_secs(5);

/// A port as its connections see it.
#[derive(Clone)]
pub(crate) struct Door {
    /// Which port.
    pub(crate) port: Port,
    /// How TLS is spoken, where it is.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    /// Says when the port closes.
    pub(crate) close: Closing,
}

/// Accepts connections until the port is closed.
pub(crate) async fn accept(listener: TcpListener, door: Door, worker: Rc<Worker>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = door.close.clone().closed() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                tokio::task::spawn_local(connect(stream, peer, door.clone(), Rc::clone(&worker)));
            }
            Err(error) => {
                // Out of file descriptors, or the peer was gone already. Give others a turn.
                tracing::warn!(%error, "could not accept a connection");
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Tells connections that their port closes.
#[derive(Clone, Debug)]
pub(crate) struct Closing(tokio::sync::watch::Receiver<bool>);

impl Closing {
    /// A switch and its light.
    pub(crate) fn new() -> (tokio::sync::watch::Sender<bool>, Self) {
        let (sender, receiver) = tokio::sync::watch::channel(false);
        (sender, Self(receiver))
    }

    /// Ends when the port closes, also when whoever could close it is gone.
    pub(crate) async fn closed(mut self) {
        let _ = self.0.wait_for(|closed| *closed).await;
    }

    /// Whether the port may have been told to close: cheap enough to ask at every turn.
    fn has_news(&self) -> bool {
        self.0.has_changed().unwrap_or(true)
    }

    /// Runs a connection to its end; has `shut` tell it when the port closes.
    ///
    /// The port is waited for once, in the connection's own task, and only asked after that.
    async fn run<C: Future>(&self, connection: C, shut: impl FnOnce(std::pin::Pin<&mut C>)) -> C::Output {
        let mut connection = pin!(connection);
        let (mut closed, mut waits, mut shut) = (pin!(self.clone().closed()), false, Some(shut));
        poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            if shut.is_none() || waits && !self.has_news() {
                return Poll::Pending;
            }
            waits = true;
            ready!(closed.as_mut().poll(cx));
            if let Some(shut) = shut.take() {
                shut(connection.as_mut());
            }
            connection.as_mut().poll(cx)
        })
        .await
    }
}

/// One connection, from its first byte.
async fn connect(stream: TcpStream, peer: SocketAddr, door: Door, worker: Rc<Worker>) {
    let _counted = (worker.metrics.connection(), worker.open.enter());
    if stream.set_nodelay(true).is_err() {
        return;
    }
    if let Err(error) = serve(stream, peer, door, &worker).await {
        tracing::debug!(%peer, error, "a connection ended early");
    }
}

async fn serve(mut stream: TcpStream, peer: SocketAddr, door: Door, worker: &Rc<Worker>) -> Result<(), String> {
    let Door { port, tls, close } = door;
    let runtime = worker.runtime();
    let times = runtime.settings.timeouts;
    let peer = if runtime.settings.client_address == ir::ClientAddress::ProxyProtocol {
        let header = timeout(Duration::from_millis(times.header_ms), proxy_protocol::read(&mut stream)).await;
        let header = header.map_err(|_| "none came in time".to_owned()).and_then(|read| read.map_err(|error| error.to_string()));
        let told = header.map_err(|reason| {
            if worker.may_complain() {
                let remedy = "let the load balancer send one, or set `clientAddress.source` of the GatewayConfig to Peer";
                tracing::warn!(%peer, reason, remedy, "a connection without a PROXY protocol header was closed");
            }
            format!("no PROXY protocol header: {reason}")
        });
        told?.unwrap_or(peer)
    } else {
        peer
    };
    drop(runtime);
    let Some(config) = tls else {
        let connection = Rc::new(Connection::new(peer, port, None));
        return speak(stream, connection, worker, close, None).await;
    };
    let handshake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
    let stream = timeout(Duration::from_millis(times.handshake_ms), handshake)
        .await
        .map_err(|_| "no TLS handshake in time".to_owned())?
        .map_err(|error| error.to_string())?;
    let session = stream.get_ref().1;
    let http2 = session.alpn_protocol() == Some(b"h2");
    let tls = Tls { server_name: session.server_name().map(Into::into) };
    let connection = Rc::new(Connection::new(peer, port, Some(tls)));
    speak(stream, connection, worker, close, http2.then_some(Preface::Http2)).await
}

/// Finds out the protocol, then serves it.
async fn speak<S>(
    mut stream: S,
    connection: Rc<Connection>,
    worker: &Rc<Worker>,
    close: Closing,
    known: Option<Preface>,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let times = worker.runtime().settings.timeouts;
    let idle = Duration::from_millis(times.idle_ms);
    let mut first = BytesMut::new();
    let protocol = loop {
        match wire::preface::preface(&first) {
            Preface::Undecided => {}
            decided @ (Preface::Http1 | Preface::Http2) => break decided,
        }
        // Before the first byte the connection is idle; behind it a preface has 5 s.
        let patience = if first.is_empty() && known.is_none() { idle } else { PREFACE };
        let silent = first.is_empty();
        let read = tokio_util::io::read_buf(&mut stream, &mut first);
        let count = tokio::select! {
            read = timeout(patience, read) => read.map_err(|_| "nothing was sent in time".to_owned())?.map_err(|error| error.to_string())?,
            () = close.clone().closed(), if silent => return Ok(()),
        };
        if count == 0 {
            return Ok(());
        }
    };
    match (known, protocol) {
        (_, Preface::Http2) => speak_http2(stream, first, connection, worker, close).await,
        (Some(_), Preface::Http1 | Preface::Undecided) => Err("HTTP/2 was agreed on and not spoken".to_owned()),
        (None, Preface::Http1 | Preface::Undecided) => {
            let patience = Patience { header: Duration::from_millis(times.header_ms), idle, stalled: STALLED };
            speak_http1(stream, first, connection, worker, (close, patience)).await
        }
    }
}

async fn speak_http1<S>(
    stream: S,
    first: BytesMut,
    connection: Rc<Connection>,
    worker: &Rc<Worker>,
    (close, patience): (Closing, Patience),
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let protocol = if connection.tls.is_some() { PortProtocol::Https } else { PortProtocol::Http };
    let limits = worker.runtime().wire_limits(protocol);
    let io = GuardedIo::new(stream, first, limits, Rc::clone(&connection), patience);
    let service = service_fn(|request| {
        // Counted before the answer is first asked for: until then the client's end would read as its leaving.
        let (in_flight, worker) = (connection.begin(), Rc::clone(worker));
        async move { Ok::<_, Infallible>(gateway::handle(in_flight, worker, request).await) }
    });
    let serving = http1::Builder::new().max_headers(128).serve_connection(TokioIo::new(io), service);
    close.run(serving, http1::Connection::graceful_shutdown).await.map_err(|error| error.to_string())
}

async fn speak_http2<S>(
    stream: S,
    first: BytesMut,
    connection: Rc<Connection>,
    worker: &Rc<Worker>,
    close: Closing,
) -> Result<(), String>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let head = Duration::from_millis(worker.runtime().settings.timeouts.header_ms);
    let io = flood::FloodIo::new(stream, first, flood::Patience { settings: PREFACE, head });
    let service = service_fn(|request| {
        let (in_flight, worker) = (connection.begin(), Rc::clone(worker));
        async move { Ok::<_, Infallible>(gateway::handle(in_flight, worker, request).await) }
    });
    let limits = worker.runtime().wire_limits(PortProtocol::Http);
    let serving = http2::Builder::new(LocalTasks)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        // The library answers what is larger without a word; what is a little too large is answered with its cause.
        .max_header_list_size(u32::try_from(limits.fields_bytes).unwrap_or(u32::MAX).saturating_mul(2))
        .keep_alive_interval(Some(STALLED))
        .keep_alive_timeout(STALLED)
        .serve_connection(TokioIo::new(io), service);
    // A connection that answers pings and asks for nothing is idle all the same.
    let idle = Duration::from_millis(worker.runtime().settings.timeouts.idle_ms);
    let ending = async {
        tokio::select! {
            () = close.closed() => {}
            () = worker.leaving.begins() => {}
            () = connection.idle_for(idle) => {}
        }
    };
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = ending => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                ended = serving => ended,
                () = connection.idle_for(GOODBYE) => return Err("the client did not answer the end of the connection".to_owned()),
            }
        }
    };
    ended.map_err(|error| error.to_string())
}

/// Runs hyper's tasks on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct LocalTasks;

impl<F> hyper::rt::Executor<F> for LocalTasks
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}
