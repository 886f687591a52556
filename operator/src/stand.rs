//! A stand for what asks an API server: it answers as a test says, and remembers what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use serde_json::Value;
use tokio::net::TcpListener;

/// One request: method, path, and what it said.
pub(crate) type Asked = (String, String, Value);

/// Requests so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Asked>>>);

impl Log {
    /// All of them, which are then forgotten.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A client of an API server that answers a request with a code and an object.
pub(crate) async fn client(answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> (Client, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (log, answer) = (Log::default(), Arc::new(answer));
    let asked = log.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (asked, answer) = (asked.clone(), Arc::clone(&answer));
            let service = service_fn(move |request: Request<Incoming>| {
                let (asked, answer) = (asked.clone(), Arc::clone(&answer));
                async move {
                    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    let one = (method, path, serde_json::from_slice(&body).unwrap_or_default());
                    let (code, value) = answer(&one);
                    asked.0.lock().unwrap().push(one);
                    let body = Full::new(Bytes::from(value.to_string()));
                    Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let config = Config::new(format!("http://{address}").parse().unwrap());
    (Client::try_from(config).unwrap(), log)
}

/// What an API server says of a failure.
pub(crate) fn failure(code: u16, reason: &str) -> (u16, Value) {
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "", "reason": reason, "code": code,
    });
    (code, status)
}
