//! Asking a running gateway, at its management address.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::failure::Failure;
use crate::words;

/// Where management listens unless told otherwise.
pub(crate) const ADDRESS: &str = "127.0.0.1:9090";

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const ANSWER_BYTES: usize = 16 << 20;

/// What a gateway answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) document: Value,
}

impl Answer {
    /// What a problem document says.
    pub(crate) fn detail(&self) -> &str {
        self.document.get("detail").and_then(Value::as_str).unwrap_or("no reason was given")
    }
}

/// Gets a document.
///
/// # Errors
/// No gateway answers there.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Answer, Failure> {
    ask(address, (Method::GET, path), None).await
}

/// Posts a document and gets another.
///
/// # Errors
/// No gateway answers there.
pub(crate) async fn post(address: SocketAddr, path: &str, document: &Value) -> Result<Answer, Failure> {
    ask(address, (Method::POST, path), Some(document)).await
}

async fn ask(address: SocketAddr, (method, path): (Method, &str), document: Option<&Value>) -> Result<Answer, Failure> {
    let asking = timeout(PATIENCE, exchange(address, (method, path), document));
    let answered = asking.await.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
    answered.map_err(|why| {
        Failure::unreachable(
            format!("no gateway answers at {address}: {why}"),
            "start one with `doorward run PATH`, or name its address with `--management ADDR`",
        )
    })
}

async fn exchange(address: SocketAddr, (method, path): (Method, &str), document: Option<&Value>) -> Result<Answer, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| words::of(&error))?;
    over(stream, &address.to_string(), (method, path), document).await
}

/// Asks over a connection that is there already.
///
/// # Errors
/// What is at its other end does not answer as a gateway's management does.
pub(crate) async fn over<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    host: &str,
    (method, path): (Method, &str),
    document: Option<&Value>,
) -> Result<Answer, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| NO_HTTP.to_owned())?;
    let connection = tokio::spawn(connection);
    let body = document.map(|document| Bytes::from(document.to_string()));
    let mut request = Request::builder().method(method).uri(path).header(HOST, host);
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request = request.body(Full::new(body.unwrap_or_default())).map_err(|_| "the path cannot be asked for".to_owned())?;
    let answer = sender.send_request(request).await.map_err(|_| NO_HTTP.to_owned())?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|_| "its answer is cut or too long".to_owned())?;
    drop(sender);
    // It ends with the exchange; how, matters to nobody.
    let _ = connection.await;
    let document = serde_json::from_slice(&body.to_bytes()).map_err(|_| NO_GATEWAY.to_owned())?;
    Ok(Answer { status: head.status, document })
}

const NO_HTTP: &str = "whatever listens there does not answer as a gateway's management does";
const NO_GATEWAY: &str = "what answers there is not a gateway's management";
