//! The demo service: upstreams of the examples, so that trying the gateway needs nothing else.
//!
//! - `/v1/orders`, `/v2/orders`: an orders API in two versions ([`orders`])
//! - `/openai/v1/...`: a model that speaks OpenAI's dialect ([`model`], [`completion`])
//! - `/echo`: what arrived ([`echo`]); `/slow?ms=500`: an answer after a while; `/status/503`: that status
//!
//! It keeps nothing: the same request has the same answer.

mod answer;
mod completion;
mod echo;
mod model;
mod orders;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::address;
use crate::failure::{Exit, Failure};
use crate::terminal::tell;
use answer::{Answer, error, json};

/// Where it listens unless told otherwise.
pub(crate) const ADDRESS: &str = "127.0.0.1:9093";

/// Most bytes of a request's body.
const BODY_BYTES: usize = 1 << 20;
/// The longest that `/slow` waits.
const SLOWEST_MS: u64 = 60_000;

const EXAMPLES: &str = "\
Examples:
  doorward demo                                  the demo service on 127.0.0.1:9093
  doorward run --demo examples/quickstart        a gateway with the demo service behind it
  curl http://127.0.0.1:9093/echo                what the service sees of a call";

/// `doorward demo`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// Where it listens; port 0 prints the one chosen
    #[arg(value_name = "ADDR", default_value = ADDRESS, value_parser = address::parse)]
    address: SocketAddr,
}

/// Serves until the process is told to stop.
///
/// # Errors
/// The address cannot be bound.
pub(crate) async fn run(args: &Args) -> Result<Exit, Failure> {
    let listener = bind(args.address).await?;
    let bound = listener.local_addr().map_err(|error| unbound(args.address, &error))?;
    tell(&format!("  demo        http://{}        Ctrl-C stops\n", address::reachable(bound)));
    tokio::select! {
        () = serve(listener) => {}
        () = crate::signals::asked_to_stop() => {}
    }
    Ok(Exit::Fine)
}

/// Takes the address.
///
/// # Errors
/// It cannot be bound.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| unbound(address, &error))
}

fn unbound(address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::found(
        format!("the demo service cannot listen on {address}: {}", crate::words::of(error)),
        "choose another address: `--demo=127.0.0.1:0` with `doorward run`, `doorward demo 127.0.0.1:0` alone",
    )
}

/// Serves for ever, each connection in a task of its own.
pub(crate) async fn serve(listener: TcpListener) {
    loop {
        // A connection that fails before it is accepted is its client's affair.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(respond(request).await) });
            let mut builder = http1::Builder::new();
            let serving = builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
            // How a connection ends concerns nobody here.
            let _ = serving.await;
        });
    }
}

/// A request whose body has been read.
#[derive(Debug)]
struct Received {
    head: http::request::Parts,
    body: Bytes,
}

impl Received {
    /// The value of a query parameter, as it is written.
    fn query(&self, name: &str) -> Option<&str> {
        let pairs = self.head.uri.query().unwrap_or_default().split('&');
        pairs.filter_map(|pair| pair.split_once('=')).find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

async fn respond(request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    match Limited::new(body, BODY_BYTES).collect().await {
        Ok(body) => route(Received { head, body: body.to_bytes() }).await,
        Err(_) => error(StatusCode::PAYLOAD_TOO_LARGE, "the demo service reads at most 1 MiB"),
    }
}

async fn route(request: Received) -> Answer {
    let path = request.head.uri.path().to_owned();
    let mut segments = path.trim_start_matches('/').split('/');
    let rest = |first: &str| path.trim_start_matches('/').strip_prefix(first).unwrap_or_default().to_owned();
    match segments.next().unwrap_or_default() {
        "" => json(StatusCode::OK, &contents()),
        "v1" => orders::answer(orders::Version::One, &rest("v1"), &request),
        "v2" => orders::answer(orders::Version::Two, &rest("v2"), &request),
        "openai" => model::answer(&rest("openai"), &request),
        "echo" => echo::answer(&request),
        "slow" => slow(&request).await,
        "status" => status(segments.next().unwrap_or_default(), &request.head.method),
        _ => error(StatusCode::NOT_FOUND, "the demo service has nothing here; GET / lists what it has"),
    }
}

fn contents() -> serde_json::Value {
    serde_json::json!({
        "service": "doorward demo",
        "paths": {
            "/v1/orders": "orders in version 1: GET, POST, GET and DELETE /v1/orders/7",
            "/v2/orders": "the same in version 2",
            "/openai/v1/chat/completions": "a demo model, also as a stream",
            "/openai/v1/embeddings": "a demo model",
            "/openai/v1/models": "the demo models",
            "/echo": "what arrived",
            "/slow?ms=500": "an answer after a while",
            "/status/503": "that status",
        },
    })
}

async fn slow(request: &Received) -> Answer {
    let milliseconds = request.query("ms").unwrap_or("1000").parse::<u64>();
    match milliseconds.ok().filter(|milliseconds| *milliseconds <= SLOWEST_MS) {
        Some(milliseconds) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            json(StatusCode::OK, &serde_json::json!({"waitedMs": milliseconds}))
        }
        None => error(StatusCode::BAD_REQUEST, "`ms` is a number from 0 to 60000"),
    }
}

fn status(text: &str, method: &Method) -> Answer {
    match text.parse::<u16>().ok().and_then(|code| StatusCode::from_u16(code).ok()).filter(|status| !status.is_informational()) {
        Some(status) if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED || method == Method::HEAD => {
            answer::empty(status)
        }
        Some(status) => json(status, &serde_json::json!({"status": status.as_u16()})),
        None => error(StatusCode::BAD_REQUEST, "`/status/` is followed by a status from 200 to 999"),
    }
}
