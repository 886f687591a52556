//! Both servers, asked over real sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use observe::refusals::Refusals;
use observe::report::{Report, Verdict};
use observe::status::Status;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const ID: &str = "0SSWS4R4TR00C0BA";

/// A gateway that knows one call.
#[derive(Clone)]
struct Known {
    ready: bool,
}

fn report(request: String) -> Report {
    Report {
        request,
        object: None,
        verdict: Verdict::Allowed,
        status: None,
        code: None,
        title: None,
        detail: None,
        rule: None,
        checks: Vec::new(),
        fix: None,
        decision: None,
        at: Timestamp::UNIX_EPOCH,
        generation: 3,
    }
}

impl Asked for Known {
    fn metrics(&self) -> String {
        "doorward_requests_total 1\n".to_owned()
    }

    fn status(&self) -> Status {
        Status {
            version: "0.1.0".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            started_at: Timestamp::UNIX_EPOCH,
            generation: 3,
            loaded_at: Timestamp::UNIX_EPOCH,
            objects: BTreeMap::new(),
            faults: Vec::new(),
            last_hour: Refusals::default(),
            workers: Vec::new(),
            records_dropped: 0,
        }
    }

    fn ready(&self) -> bool {
        self.ready
    }

    fn decision(&self, id: &str) -> Option<Report> {
        (id == ID).then(|| report("GET /known".to_owned()))
    }

    async fn explain(&self, described: Described) -> Option<Report> {
        (described.method != "GONE").then(|| report(format!("{} {}", described.method, described.target)))
    }
}

async fn start(door: Door, ready: bool) -> SocketAddr {
    let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), door).await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve(Known { ready }));
    address
}

/// Sends bytes and reads until the server closes.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn head(line: &str, host: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n")
}

/// The request as bytes, its status, and what the answer holds.
async fn check(address: SocketAddr, request: &str, status: u16, holds: &str) {
    let answer = exchange(address, request).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}{answer}");
    assert!(answer.contains(holds), "{request}{answer}");
    assert!(answer.contains("cache-control: no-store") && !answer.contains("access-control"), "{answer}");
}

#[tokio::test]
async fn metrics_and_health() {
    let ready = start(Door::Metrics, true).await;
    let unready = start(Door::Metrics, false).await;
    let get = |path: &str| head(&format!("GET {path}"), "metrics.monitoring.svc", "");
    check(ready, &get("/metrics"), 200, "\r\n\r\ndoorward_requests_total 1\n").await;
    check(ready, &get("/livez"), 200, "alive").await;
    check(ready, &get("/readyz"), 200, "\r\n\r\nready").await;
    check(unready, &get("/readyz"), 503, "not ready").await;
    check(unready, &get("/livez"), 200, "alive").await;
    check(ready, &get("/status"), 404, "there are /metrics, /livez and /readyz").await;
    check(ready, &head("POST /metrics", "a", "Content-Length: 0\r\n"), 405, "allow: GET\r\n").await;
    check(ready, &head("OPTIONS /metrics", "a", ""), 405, "application/problem+json").await;
}

#[tokio::test]
async fn management_answers_the_owner() {
    let address = start(Door::Management, true).await;
    let get = |path: &str| head(&format!("GET {path}"), "127.0.0.1:9090", "");
    check(address, &get("/status"), 200, r#""generation":3"#).await;
    check(address, &get(&format!("/decisions/{ID}")), 200, r#""request":"GET /known""#).await;
    check(address, &get("/decisions/01JD8Z6M4T0V"), 404, "only recent calls").await;
    check(address, &get("/decisions/"), 404, "there are /status").await;
    check(address, &get("/metrics"), 404, "there are /status").await;
    check(address, &get("/explain"), 405, "allow: POST\r\n").await;
    check(address, &head("DELETE /status", "localhost", ""), 405, "allow: GET\r\n").await;
}

#[tokio::test]
async fn only_addresses_and_localhost_lead_to_management() {
    let address = start(Door::Management, true).await;
    for (host, status) in [
        ("localhost", 200),
        ("LocalHost:9090", 200),
        ("doorward.localhost", 200),
        ("[::1]:9090", 200),
        ("10.1.2.3", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:9090", 421),
        ("", 421),
    ] {
        check(address, &head("GET /status", host, ""), status, "").await;
    }
    let nameless = exchange(address, "GET /status HTTP/1.0\r\n\r\n").await;
    assert!(nameless.starts_with("HTTP/1.0 421 "), "{nameless}");
}

impl Known {
    /// The answer to a described request.
    async fn described(address: SocketAddr, media_type: &str, body: &str) -> String {
        let more = format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len());
        exchange(address, &(head("POST /explain", "localhost", &more) + body)).await
    }
}

#[tokio::test]
async fn described_requests_are_explained() {
    let address = start(Door::Management, true).await;
    let check = async |media_type: &str, body: &str, status: u16, holds: &str| {
        let answer = Known::described(address, media_type, body).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(holds), "{body}: {answer}");
    };
    let json = "application/json; charset=utf-8";
    let body = r#"{"method":"GET","target":"/orders","from":"127.0.0.1"}"#;
    check(json, body, 200, r#""request":"GET /orders""#).await;
    check("text/plain", body, 415, "Content-Type").await;
    check(json, &body.replace("GET", "GONE"), 503, "has stopped").await;
    check(json, r#"{"method":"GET","secret":"hush"}"#, 400, "line 1").await;
    let answer = Known::described(address, json, r#"{"method":"GET","headers":"hush"}"#).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && !answer.contains("hush"), "{answer}");
    let large = format!(r#"{{"method":"{}"}}"#, "a".repeat(1 << 20));
    check(json, &large, 413, "1 MiB").await;
}

#[tokio::test]
async fn silent_clients_give_way() {
    let address = start(Door::Metrics, true).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        silent.push(stream);
    }
    check(address, &head("GET /livez", "a", ""), 200, "alive").await;
    // The first of them was displaced: its connection ends without an answer.
    let mut rest = Vec::new();
    let ended = silent[0].read_to_end(&mut rest).await;
    assert!(ended.is_err() || rest.is_empty(), "{rest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_cut() {
    let address = start(Door::Metrics, true).await;
    // Time jumps ahead whenever everybody waits.
    let before = tokio::time::Instant::now();
    exchange(address, "GET /livez HTTP/1.1\r\n").await;
    assert!(before.elapsed() >= std::time::Duration::from_secs(5));
    assert!(before.elapsed() < std::time::Duration::from_secs(60));
}
