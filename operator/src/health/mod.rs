//! Whether the operator lives and is ready, and its metrics: one small server.

mod figures;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub use figures::{Figures, Gateway};

/// Time for the head of a request.
const HEADER: Duration = Duration::from_secs(5);
/// Connections at once.
const CONNECTIONS: usize = 64;
const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers `/livez`, `/readyz`, `/status` and `/metrics` for as long as it is polled.
pub async fn serve(listener: TcpListener, figures: Arc<Figures>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection to health and metrics is not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let figures = Arc::clone(&figures);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&request, &figures);
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to health and metrics ended");
            }
            drop(permit);
        });
    }
}

/// The listening socket and where it is.
///
/// # Errors
/// The address cannot be listened on.
pub async fn bind(address: SocketAddr) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn answer<B>(request: &Request<B>, figures: &Figures) -> Response<Full<Bytes>> {
    if request.method() != Method::GET {
        return text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "this path has GET only\n".to_owned());
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, PLAIN, "alive\n".to_owned()),
        "/readyz" => match figures.awaited() {
            None => text(StatusCode::OK, PLAIN, "ready\n".to_owned()),
            Some(what) => text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("not ready: {what}\n")),
        },
        "/status" => text(StatusCode::OK, JSON, format!("{:#}\n", figures.to_status())),
        "/metrics" => text(StatusCode::OK, METRICS, figures.to_text()),
        _ => text(StatusCode::NOT_FOUND, PLAIN, "there are /livez, /readyz, /status and /metrics\n".to_owned()),
    }
}

fn text(status: StatusCode, media_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn paths_answer_and_readiness_says_what_it_waits_for() {
        let figures = Figures::default();
        let check = async |figures: &Figures, method: Method, path: &str, status: u16, begin: &str| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            let answer = answer(&request, figures);
            assert_eq!(answer.status().as_u16(), status, "{path}");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(body.starts_with(begin.as_bytes()), "{path}: {body:?}");
        };
        check(&figures, Method::GET, "/livez", 200, "alive").await;
        check(&figures, Method::GET, "/readyz", 503, "not ready: it is starting").await;
        figures.await_for(Some("Secret objects".to_owned()));
        check(&figures, Method::GET, "/readyz", 503, "not ready: Secret objects").await;
        figures.await_for(None);
        check(&figures, Method::GET, "/readyz", 200, "ready").await;
        check(&figures, Method::POST, "/readyz", 405, "this path").await;
        check(&figures, Method::GET, "/status", 200, "{").await;
        check(&figures, Method::GET, "/", 404, "there are").await;
        check(&figures, Method::GET, "/metrics", 200, "# HELP doorward_operator_leader ").await;
    }
}
