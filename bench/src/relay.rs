//! The bare relay: hyper on one thread, connections kept on both sides, nothing looked at.
//!
//! It is the lower bound of a proxy that is built on hyper; what the gateway costs above it, its features cost.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use crate::Failure;

/// Listens and relays until the process is ended.
///
/// # Errors
/// The address cannot be listened on, or no connection can be accepted any more.
pub(crate) fn run(listen: SocketAddr, backend: SocketAddr) -> Result<(), Failure> {
    let fail = || Failure::of(format!("the relay on {listen}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail())?;
    LocalSet::new()
        .block_on(&runtime, async {
            let listener = TcpListener::bind(listen).await?;
            accept(&listener, backend).await
        })
        .map_err(fail())
}

/// Connections to the backend that no call uses, the last used on top.
#[derive(Clone, Default)]
struct Pool(Rc<RefCell<Vec<Kept>>>);

type Kept = SendRequest<Incoming>;

async fn accept(listener: &TcpListener, backend: SocketAddr) -> io::Result<()> {
    let pool = Pool::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = pool.clone();
        spawn_local(async move {
            let service = service_fn(move |request| relay(request, pool.clone(), backend));
            // An error ends this connection only, and the client sees it.
            drop(Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn relay(mut request: Request<Incoming>, pool: Pool, backend: SocketAddr) -> Result<Response<Returning>, Failure> {
    request.headers_mut().remove(CONNECTION);
    let mut kept = pool.take(backend).await.map_err(Failure::of("no connection to the backend"))?;
    let mut response = kept.send_request(request).await.map_err(Failure::of("no answer of the backend"))?;
    response.headers_mut().remove(CONNECTION);
    Ok(response.map(|body| Returning { body, kept: Some(kept), pool }))
}

impl Pool {
    /// A kept connection that still works, else a new one.
    async fn take(&self, backend: SocketAddr) -> Result<Kept, Box<dyn std::error::Error>> {
        loop {
            let last = self.0.borrow_mut().pop();
            let Some(mut kept) = last else { break };
            if kept.ready().await.is_ok() {
                return Ok(kept);
            }
        }
        let stream = TcpStream::connect(backend).await?;
        stream.set_nodelay(true)?;
        let (kept, connection) = handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        Ok(kept)
    }
}

/// An answer's body that gives its connection back when it is through or given up.
struct Returning {
    body: Incoming,
    kept: Option<Kept>,
    pool: Pool,
}

impl Body for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let Some(kept) = self.kept.take() {
            self.pool.0.borrow_mut().push(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};
    use std::cell::Cell;

    /// A backend that answers with the path it was asked for and counts its connections.
    async fn backend(connections: Rc<Cell<usize>>) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.set(connections.get() + 1);
                let answer = service_fn(|request: Request<Incoming>| async move {
                    let text = format!("{} {}", request.method(), request.uri());
                    Ok::<_, hyper::Error>(Response::new(Full::new(Bytes::from(text))))
                });
                spawn_local(Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Ok(address)
    }

    #[test]
    fn calls_pass_and_connections_are_kept_on_both_sides() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let connections = Rc::new(Cell::new(0));
            let backend = backend(Rc::clone(&connections)).await.unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            spawn_local(async move { accept(&listener, backend).await });

            let stream = TcpStream::connect(address).await.unwrap();
            let (mut client, connection) = handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
            spawn_local(connection);
            for path in ["/a", "/b?c=d", "/e"] {
                let request = Request::builder().uri(path).header("host", "bench.test").body(Full::default()).unwrap();
                client.ready().await.unwrap();
                let response = client.send_request(request).await.unwrap();
                assert_eq!(response.status(), 200);
                let body = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(body, format!("GET {path}"));
            }
            assert_eq!(connections.get(), 1);
        });
    }
}
