//! From an address to a stream: TCP, TLS with what the files say now, HTTP/2, gRPC.

use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::client::{Grpc, GrpcService};
use tonic::metadata::MetadataValue;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::server::PING;
use crate::subscriber::Options;
use crate::wire::{Delta, FromReplica, MESSAGE, PATH};

/// From the first packet to the answer of the operator.
const CONNECT: Duration = Duration::from_secs(10);

/// Bytes of a file that is read.
const FILE: u64 = 1 << 20;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{} cannot be read: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} holds no certificate authority in PEM", .0.display())]
    NoAuthority(PathBuf),
    #[error("{} holds no token", .0.display())]
    NoToken(PathBuf),
    #[error("the operator cannot be connected to: {0}")]
    Unreachable(#[source] io::Error),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
    #[error("the operator's name is no host name")]
    Name,
    #[error("the operator speaks no HTTP/2: {0}")]
    Http(#[source] hyper::Error),
    #[error("the operator did not answer within {} s", CONNECT.as_secs())]
    Late,
    #[error("the operator refuses: {} ({:?})", .0.message(), .0.code())]
    Refused(Status),
    #[error("the operator ended the stream")]
    Ended,
}

/// A stream to the operator at `address`, which is sent `messages`.
pub(crate) async fn stream(
    options: &Options,
    address: SocketAddr,
    messages: mpsc::Receiver<FromReplica>,
) -> Result<Streaming<Delta>, Failure> {
    timeout(CONNECT, open(options, address, messages)).await.unwrap_or(Err(Failure::Late))
}

async fn open(
    options: &Options,
    address: SocketAddr,
    messages: mpsc::Receiver<FromReplica>,
) -> Result<Streaming<Delta>, Failure> {
    let token = token(&options.token).await?;
    let tls = TlsConnector::from(Arc::new(trusting(&options.ca).await?));
    let name = ServerName::try_from(options.server_name.clone()).map_err(|_| Failure::Name)?;
    let tcp = TcpStream::connect(address).await.map_err(Failure::Unreachable)?;
    tcp.set_nodelay(true).map_err(Failure::Unreachable)?;
    let stream = tls.connect(name, tcp).await.map_err(Failure::Unreachable)?;
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(Failure::Http)?;
    // It ends when the stream and the sender are dropped; the stream tells why.
    tokio::spawn(connection);
    let origin = http::Uri::builder().scheme("https").authority(&*options.server_name).path_and_query("/").build();
    let mut grpc = Grpc::with_origin(Sender(sender), origin.map_err(|_| Failure::Name)?)
        .max_decoding_message_size(MESSAGE)
        .max_encoding_message_size(MESSAGE);
    let mut request = Request::new(ReceiverStream::new(messages));
    request.metadata_mut().insert("authorization", token);
    grpc.ready().await.map_err(Failure::Http)?;
    let answer = grpc.streaming(request, PathAndQuery::from_static(PATH), ProstCodec::default()).await;
    Ok(answer.map_err(Failure::Refused)?.into_inner())
}

async fn token(path: &Path) -> Result<MetadataValue<tonic::metadata::Ascii>, Failure> {
    let text = file(path).await?;
    let token = std::str::from_utf8(&text).unwrap_or_default().trim();
    let value = (!token.is_empty()).then(|| format!("Bearer {token}").parse().ok()).flatten();
    let mut value: MetadataValue<_> = value.ok_or_else(|| Failure::NoToken(path.to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// TLS 1.3 that trusts what the file holds now.
async fn trusting(path: &Path) -> Result<ClientConfig, Failure> {
    let pem = file(path).await?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if roots.is_empty() {
        return Err(Failure::NoAuthority(path.to_owned()));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(Failure::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

async fn file(path: &Path) -> Result<Vec<u8>, Failure> {
    let owned = path.to_owned();
    let read = spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(owned)?.take(FILE).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let read = read.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    read.map_err(|source| Failure::File { path: path.to_owned(), source })
}

/// hyper's sender as tonic wants it.
struct Sender(SendRequest<Body>);

impl GrpcService<Body> for Sender {
    type ResponseBody = Incoming;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Incoming>, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}
