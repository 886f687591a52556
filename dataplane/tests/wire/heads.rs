//! Heads that are refused, one connection each: behind a good request, before one that must not be read.

use crate::shop::{Echo, Shop, Talk, at, route};

const GOOD: &str = "GET /before HTTP/1.1\r\nHost: shop\r\n\r\n";
const BEHIND: &str = "GET /behind HTTP/1.1\r\nHost: shop\r\n\r\n";

/// Sends `bytes` between two good requests: the first is answered as ever, the bytes are refused, and the last is
/// not read.
async fn check(shop: &Shop, echo: &mut Echo, bytes: &str, expected: (u16, &str)) {
    let shown: String = bytes.chars().take(80).collect();
    let mut client = shop.visit().await;
    client.send(format!("{GOOD}{bytes}{BEHIND}")).await;
    assert!(client.answer().await.expect(200).starts_with("GET /before "), "{shown:?}");
    refused(&mut client, &shown, expected).await;
    assert_eq!(echo.targets(), ["/before"], "{shown:?}");
}

async fn refused(client: &mut Talk, shown: &str, expected: (u16, &str)) {
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.code()), expected, "{shown:?}");
    assert_eq!(answer.field("connection"), Some("close"), "{shown:?}");
    assert!(answer.field("doorward-decision").is_some(), "{shown:?}");
    assert!(answer.text().contains(expected.1), "{shown:?}");
    assert_eq!(client.rest().await, b"", "{shown:?}");
}

/// A POST with these field lines.
fn post(fields: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: shop\r\n{fields}\r\n\r\n")
}

async fn refusing(rows: &[(String, u16, &str)]) {
    let mut echo = Echo::open().await;
    let shop = Shop::open(&route("all", "/", &at(echo.address), "")).await;
    for (bytes, status, code) in rows {
        check(&shop, &mut echo, bytes, (*status, code)).await;
    }
    shop.close().await;
}

#[tokio::test]
async fn lengths_that_can_be_read_in_two_ways() {
    refusing(&[
        (post("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400, "framing.cl_te"),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 5"), 400, "framing.cl_te"),
        (post("Content-Length: 0\r\nContent-Length: 0"), 400, "framing.content_length"),
        (post("Content-Length: 0, 0"), 400, "framing.content_length"),
        (post("Content-Length: +1"), 400, "framing.content_length"),
        (post("Content-Length:"), 400, "framing.content_length"),
        (post("Content-Length: 9223372036854775808"), 400, "framing.content_length"),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 400, "framing.transfer_encoding"),
        (post("Transfer-Encoding: identity, chunked"), 400, "framing.transfer_encoding"),
        (post("Transfer-Encoding: gzip"), 400, "framing.transfer_encoding"),
        ("POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(), 400, "framing.transfer_encoding"),
        (post("Connection: Content-Length\r\nContent-Length: 0"), 400, "framing.nomination"),
        (post("Connection: close, transfer-encoding"), 400, "framing.nomination"),
        (post("Connection: Host"), 400, "framing.nomination"),
    ])
    .await;
}

#[tokio::test]
async fn lines_and_fields() {
    refusing(&[
        (post("X: a\r\n b"), 400, "framing.folded_field"),
        ("GET /x HTTP/1.1\nHost: shop\n\n".into(), 400, "framing.bare_lf"),
        ("GET /x HTTP/1.1\r\nHost: shop\nX: y\r\n\r\n".into(), 400, "framing.bare_lf"),
        (post(": a"), 400, "framing.field_name"),
        (post("X : a"), 400, "framing.field_name"),
        (post("a b: c"), 400, "framing.field_name"),
        (post("X: a\0b"), 400, "framing.field_value"),
        (post("X: a\rb"), 400, "framing.field_value"),
        ("GET  /x HTTP/1.1\r\nHost: shop\r\n\r\n".into(), 400, "framing.request_line"),
        ("GET /x\r\n\r\n".into(), 505, "framing.version"),
        ("\x16\x03\x01\r\n\r\n".into(), 400, "framing.request_line"),
        ("GET /x HTTP/1.32\r\nHost: shop\r\n\r\n".into(), 505, "framing.version"),
        ("GET /x HTTP/2.0\r\nHost: shop\r\n\r\n".into(), 505, "framing.version"),
        ("BREW /x HTTP/1.1\r\nHost: shop\r\n\r\n".into(), 501, "framing.method"),
        ("get /x HTTP/1.1\r\nHost: shop\r\n\r\n".into(), 501, "framing.method"),
        ("CONNECT shop:443 HTTP/1.1\r\nHost: shop\r\n\r\n".into(), 501, "framing.method"),
        (format!("GET /x HTTP/1.1\r\nHost: shop\r\n{}\r\n", "X: y\r\n".repeat(100)), 431, "framing.too_many_fields"),
        (post(&format!("X: {}", "y".repeat(64 << 10))), 431, "framing.fields_too_large"),
        (format!("GET /{} HTTP/1.1\r\nHost: shop\r\n\r\n", "x".repeat(8_192)), 414, "framing.target_too_long"),
        (format!("GET /{} HTTP/1.1\r\nHost: shop\r\n\r\n", "x".repeat(64 << 10)), 414, "framing.target_too_long"),
    ])
    .await;
}

#[tokio::test]
async fn hosts_and_targets() {
    let host = |host: &str| (format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400, "framing.host");
    let target = |target: &str| (format!("GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n"), 400, "framing.target");
    let path = |path: &str| (format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n"), 400, "framing.path");
    let long = "a".repeat(256);
    refusing(&[
        ("GET /x HTTP/1.1\r\n\r\n".into(), 400, "framing.host"),
        ("GET /x HTTP/1.1\r\nHost: shop\r\nHost: shop\r\n\r\n".into(), 400, "framing.host"),
        host(""),
        host("user@shop"),
        host("shop/x"),
        host("shop?x"),
        host("shop:port"),
        host("shop:65536"),
        host("sh op"),
        host("shop,other"),
        host(&long),
        target("http://evil/x"),
        target("https://shop/x"),
        target("http://user@shop/x"),
        target("/x#fragment"),
        target("x"),
        target("*"),
        path("/a%2fb"),
        path("/a%5Cb"),
        path("/a%00b"),
        path("/a%1fb"),
        path("/a%7fb"),
        path("/%c0%afb"),
        path("/a/..;/b"),
        path("/a%2f..%2fb;x"),
        path("/a%zz"),
    ])
    .await;
}

/// What was read is what is looked back at, also where it was no request.
#[tokio::test]
async fn what_was_refused_is_told() {
    let shop = Shop::open(&route("all", "/", "{response: {status: 200}}", "")).await;
    for (bytes, status, told) in [
        ("POST /x?key=secret HTTP/1.1\r\nHost: shop\r\nContent-Length: +1\r\n\r\n", 400, "POST /x?key=REDACTED"),
        ("GET /a%20b#secret HTTP/1.1\r\nHost: shop\r\n\r\n", 400, "GET /a%20b#..."),
        ("GET http://me:secret@evil/x HTTP/1.1\r\nHost: shop\r\n\r\n", 400, "GET /x"),
        ("BREW /pot HTTP/1.1\r\nHost: shop\r\n\r\n", 501, "BREW /pot"),
        ("HEAD /x HTTP/1.1\r\nHost: shop\r\nHost: shop\r\n\r\n", 400, "HEAD /x"),
        ("GET \r\n\r\n", 400, "GET of an unreadable target"),
        ("\u{16}\u{3}\u{1}secret\r\n\r\n", 400, "a request without a readable method and target"),
    ] {
        let mut client = shop.visit().await;
        client.send(bytes).await;
        let head = client.head().await.unwrap();
        client.rest().await;
        let id = head.lines().find_map(|line| line.strip_prefix("doorward-decision: ")).unwrap();
        let report = shop.decision(id).await;
        assert_eq!((report.status, &*report.request), (Some(status), told), "{bytes:?}");
        let shown = serde_json::to_string(&report).unwrap();
        assert!(!shown.contains("secret") && !shown.contains("refused.invalid"), "{shown}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_refused_head_request_has_no_body() {
    let shop = Shop::open(&route("all", "/", "{response: {status: 200}}", "")).await;
    let mut client = shop.visit().await;
    client.send(format!("HEAD /x HTTP/1.1\r\nHost: shop\r\nHost: shop\r\n\r\n{BEHIND}")).await;
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 400 ") && head.contains("doorward-code: framing.host"), "{head}");
    assert_eq!(client.rest().await, b"");
    shop.close().await;
}

#[tokio::test]
async fn what_the_limits_allow_passes() {
    let mut echo = Echo::open().await;
    let named = route("named", "/", "{response: {body: named}}", "hostnames: [shop.example]");
    let shop = Shop::open(&[route("all", "/all", &at(echo.address), ""), named].concat()).await;
    let check = async |request: String, expected: &str| {
        let shown: String = request.chars().take(80).collect();
        let answer = shop.ask(&request).await;
        let text = answer.expect(200);
        assert!(text.starts_with(expected), "{shown:?}: {text}");
    };
    let head = "GET /all HTTP/1.1\r\nHost: shop\r\n";
    check(format!("{head}{}\r\n", "X: y\r\n".repeat(99)), "GET /all HTTP/1.1\r\n").await;
    let filled = 32_768 - "Host: shop\r\n".len() - "X: \r\n".len();
    check(format!("{head}X: {}\r\n\r\n", "y".repeat(filled)), "GET /all HTTP/1.1\r\n").await;
    let target = format!("/all/{}", "x".repeat(8_192 - "/all/".len()));
    check(format!("GET {target} HTTP/1.1\r\nHost: shop\r\n\r\n"), &format!("GET {target} HTTP/1.1\r\n")).await;
    // An absolute form goes on in origin form.
    check("GET http://SHOP/all?a=b HTTP/1.1\r\nHost: shop\r\n\r\n".into(), "GET /all?a=b HTTP/1.1\r\n").await;
    check("GET /all HTTP/1.0\r\n\r\n".into(), "GET /all HTTP/1.1\r\n").await;
    check("GET / HTTP/1.0\r\nHost: shop.example\r\n\r\n".into(), "named").await;
    check("GET / HTTP/1.1\r\nHost: SHOP.Example:8080\r\n\r\n".into(), "named").await;
    assert_eq!(echo.targets().len(), 5);
    // Without Host, a request of HTTP/1.0 reaches no route that names hosts.
    assert_eq!(shop.ask("GET / HTTP/1.0\r\n\r\n").await.status(), 404);
    shop.close().await;
}
