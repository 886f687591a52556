//! The operator's socket: TLS, then one gRPC method over HTTP/2.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cause::ObjectName;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::{Grpc, StreamingService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::identity::{Authenticate, Identity, ServerCertificate, Unauthenticated, may_stream};
use crate::publisher::Publisher;
use crate::session;
use crate::wire::{Delta, FORMAT, FromReplica, Hello, MESSAGE, PATH, Said};

/// Connections at once; the newest wait.
const CONNECTIONS: usize = 1024;

/// The TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// From the start of a stream to its hello.
const HELLO: Duration = Duration::from_secs(5);

/// After so long without a word the other side is asked whether it lives, and so long it may take to answer.
pub(crate) const PING: Duration = Duration::from_secs(5);

/// From the handshake to a stream of a pod that is let in: whoever shows no token takes no place of one that does.
const ADMISSION: Duration = Duration::from_secs(10);

/// Deltas that wait for the connection.
const QUEUE: usize = 2;

/// The pause after an accept that failed, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that is taken and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
}

/// Whom and what a server serves.
#[derive(Clone)]
struct Service {
    publisher: Publisher,
    authenticate: Arc<dyn Authenticate>,
    /// Whether a pod was let in on this connection.
    admitted: Arc<AtomicBool>,
}

impl Server {
    /// Takes the socket.
    ///
    /// # Errors
    /// When it cannot be listened on.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await? })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves what `publisher` has to the pods that `authenticate` admits. It goes on until it is dropped; all
    /// streams end with it.
    ///
    /// # Errors
    /// When TLS cannot be set up at all.
    pub async fn serve(
        self,
        publisher: Publisher,
        authenticate: Arc<dyn Authenticate>,
        certificate: ServerCertificate,
    ) -> Result<Infallible, rustls::Error> {
        let tls = TlsAcceptor::from(Arc::new(certificate.config()?));
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { continue };
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let (publisher, authenticate) = (publisher.clone(), Arc::clone(&authenticate));
                    let service = Service { publisher, authenticate, admitted: Arc::default() };
                    connections.spawn(connection(stream, peer, tls.clone(), (service, place)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a data plane cannot be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, tls: TlsAcceptor, (service, _place): (Service, OwnedSemaphorePermit)) {
    let _ = stream.set_nodelay(true);
    let stream = match timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "a TLS handshake took too long"),
    };
    let admitted = Arc::clone(&service.admitted);
    let handler = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let served = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(4)
        .serve_connection(TokioIo::new(stream), handler);
    let stranger = async {
        sleep(ADMISSION).await;
        if admitted.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    };
    tokio::select! {
        ended = served => if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a data plane's connection ended");
        },
        () = stranger => tracing::debug!(%peer, "a connection showed no token"),
    }
}

impl Service {
    async fn answer(self, request: http::Request<Incoming>) -> http::Response<Body> {
        if request.uri().path() != PATH {
            return Status::unimplemented("there is one method").into_http();
        }
        let mut grpc = Grpc::new(ProstCodec::default()).apply_max_message_size_config(Some(MESSAGE), Some(MESSAGE));
        grpc.streaming(self, request).await
    }

    /// Who the pod is, then what it wants; then the stream goes on by itself.
    async fn open(
        self,
        request: Request<Streaming<FromReplica>>,
    ) -> Result<Response<ReceiverStream<Result<Delta, Status>>>, Status> {
        let bearer = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let token = bearer
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| Status::unauthenticated("a data plane shows the token of its pod"))?
            .to_owned();
        let identity = self.authenticate.authenticate(&token).await.map_err(|error| {
            tracing::warn!(%error, "a data plane is not let in");
            match error {
                Unauthenticated::Refused(_) => Status::unauthenticated("the token is not accepted"),
                Unauthenticated::Unavailable(_) => Status::unavailable("the token cannot be reviewed now"),
            }
        })?;
        self.admitted.store(true, Ordering::Relaxed);
        let mut inbound = request.into_inner();
        let (outbound, deltas) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let hello = timeout(HELLO, hello(&mut inbound)).await;
            let hello = hello.unwrap_or_else(|_| Err(Status::deadline_exceeded("a stream begins with hello")));
            let gateway = hello.and_then(|gateway| {
                let admitted = may_stream(&*self.authenticate, &identity, &gateway);
                admitted
                    .then_some(gateway)
                    .ok_or_else(|| Status::permission_denied("a pod streams the Gateway that it belongs to"))
            });
            match gateway {
                Ok(gateway) => {
                    let connected = self.publisher.connect(&gateway, &identity);
                    tokio::select! {
                        () = session::serve(connected, inbound, outbound.clone()) => {}
                        () = outbound.closed() => {}
                        why = revoked(&*self.authenticate, &token, &identity) => {
                            tracing::info!(pod = %identity.pod_name, why, "a stream ends for its token");
                            // A pod that is still one comes back with the token that it has now.
                            let _ = outbound.send_timeout(Err(Status::unauthenticated(why)), HELLO).await;
                        }
                    }
                }
                Err(status) => {
                    tracing::warn!(pod = %identity.pod_name, %status, "a data plane is not served");
                    let _ = outbound.send(Err(status)).await;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(deltas)))
    }
}

/// Why a token is not that of the pod any more, when that comes. While nobody can be asked the stream goes on: a data
/// plane is not to lose its source with the API server.
async fn revoked(authenticate: &dyn Authenticate, token: &str, identity: &Identity) -> &'static str {
    loop {
        sleep(authenticate.again()).await;
        match authenticate.authenticate(token).await {
            Ok(now) if now == *identity => {}
            Ok(_) => return "the token is another pod's",
            Err(Unauthenticated::Refused(_)) => return "the token is not accepted any more",
            Err(Unauthenticated::Unavailable(_)) => {}
        }
    }
}

async fn hello(inbound: &mut Streaming<FromReplica>) -> Result<ObjectName, Status> {
    match inbound.message().await?.and_then(|message| message.said) {
        Some(Said::Hello(Hello { namespace, name, format: FORMAT })) => Ok(ObjectName::new(namespace, name)),
        Some(Said::Hello(_)) => Err(Status::failed_precondition(format!("this operator speaks format {FORMAT}"))),
        Some(Said::Held(_) | Said::Settled(_)) | None => Err(Status::invalid_argument("a stream begins with hello")),
    }
}

impl StreamingService<FromReplica> for Service {
    type Response = Delta;
    type ResponseStream = ReceiverStream<Result<Delta, Status>>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: Request<Streaming<FromReplica>>) -> Self::Future {
        Box::pin(self.clone().open(request))
    }
}
