//! HTTP/2 without TLS, by prior knowledge.

use bytes::Bytes;
use dataplane::PortProtocol;
use http::{Method, Request, StatusCode, Version};
use tokio::net::TcpStream;

use crate::shop::{Echo, Shop, at, route, soon};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 0x1;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const PRIORITY: u8 = 0x2;

fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
}

/// The reasons of all GOAWAY frames.
fn reasons(mut bytes: &[u8]) -> Vec<u8> {
    let mut reasons = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = bytes {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let payload = rest.get(..length).unwrap_or(rest);
        if *kind == GOAWAY {
            reasons.extend(payload.get(7));
        }
        bytes = rest.get(length..).unwrap_or_default();
    }
    reasons
}

#[tokio::test]
async fn floods_end_the_connection_with_enhance_your_calm() {
    let mut echo = Echo::open().await;
    let shop = Shop::open(&route("all", "/", &at(echo.address), "")).await;
    for (name, frame) in [
        ("SETTINGS", frame(SETTINGS, 0, &[])),
        ("PING", frame(PING, 0, &[7; 8])),
        ("PRIORITY", frame(PRIORITY, 1, &[0, 0, 0, 0, 1])),
    ] {
        let mut client = shop.visit().await;
        client.send([PREFACE, &self::frame(SETTINGS, 0, &[]), &frame.repeat(20_000)].concat()).await;
        assert_eq!(reasons(&client.rest().await), [0xb], "{name}");
    }
    // It is one connection's doing: others are served.
    shop.ask("GET /x HTTP/1.1\r\nHost: shop\r\n\r\n").await.expect(200);
    assert_eq!(echo.targets(), ["/x"]);
    shop.close().await;
}

#[tokio::test]
async fn the_limits_of_http_1_are_announced() {
    let shop = Shop::open(&route("all", "/", "{response: {body: ok}}", "")).await;
    let mut client = shop.visit().await;
    client.send([PREFACE, &frame(SETTINGS, 0, &[])].concat()).await;
    let header = client.bytes(9).await.unwrap();
    assert_eq!((header[3], header[0], header[1]), (SETTINGS, 0, 0));
    let payload = client.bytes(usize::from(header[2])).await.unwrap();
    let settings: Vec<&[u8]> = payload.chunks(6).collect();
    for (name, setting) in [("header list size", [0, 6, 0, 1, 0, 0]), ("concurrent streams", [0, 3, 0, 0, 0, 200])] {
        assert!(settings.contains(&&setting[..]), "{name}: {settings:?}");
    }
    // It would have to answer the gateway's farewell.
    drop(client);
    shop.close().await;
}

/// A client has its part in the end of a connection; one that does not take it is not waited for.
#[tokio::test]
async fn a_client_that_answers_nothing_is_left() {
    let config = "apiVersion: doorward.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {name: doorward, namespace: shop}\nspec: {timeouts: {idle: 1s}}";
    let shop = Shop::open(&[config, &route("all", "/", "{response: {body: ok}}", "")].concat()).await;
    let mut client = shop.visit().await;
    client.send([PREFACE, &frame(SETTINGS, 0, &[])].concat()).await;
    // Sooner than the library's own pings would tell.
    assert_eq!(reasons(&client.rest().await), [0]);
    shop.close().await;
}

#[tokio::test]
async fn a_header_block_that_does_not_end_ends_the_connection() {
    let config = "apiVersion: doorward.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {name: doorward, namespace: shop}\nspec: {timeouts: {header: 200ms}}";
    let shop = Shop::open(&[config, &route("all", "/", "{response: {body: ok}}", "")].concat()).await;
    let begun = [PREFACE, &frame(SETTINGS, 0, &[])].concat();
    let (unended, block) = (frame(HEADERS, 1, &[0x82]), frame(HEADERS, 1, &[0x82; 100]));
    for (name, bytes) in [("no CONTINUATION", &unended[..]), ("half a frame", &block[..20])] {
        let mut client = shop.visit().await;
        client.send([&begun, bytes].concat()).await;
        // It ends by the gateway's own clock: the client closes nothing.
        assert_eq!(reasons(&client.rest().await), Vec::<u8>::new(), "{name}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_ends() {
    let config = "apiVersion: doorward.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {name: doorward, namespace: shop}\nspec: {timeouts: {idle: 200ms}}";
    let shop = Shop::open(&[config, &route("all", "/", "{response: {body: ok}}", "")].concat()).await;
    let stream = TcpStream::connect(shop.address(PortProtocol::Http)).await.unwrap();
    let (sender, connection): (h2::client::SendRequest<Bytes>, _) = soon(h2::client::handshake(stream)).await.unwrap();
    // It answers pings and could be asked for more, so it ends by the gateway's own clock.
    let ended = soon(connection).await;
    assert!(ended.as_ref().map_or_else(|error| error.is_go_away(), |()| true), "{ended:?}");
    drop(sender);
    shop.close().await;
}

async fn call(shop: &Shop, request: Request<()>, body: Option<&'static [u8]>) -> (StatusCode, String, String) {
    let stream = TcpStream::connect(shop.address(PortProtocol::Http)).await.unwrap();
    let (sender, connection) = soon(h2::client::handshake(stream)).await.unwrap();
    let driving = tokio::spawn(connection);
    let mut sender = soon(sender.ready()).await.unwrap();
    let (answer, mut upload) = sender.send_request(request, body.is_none()).unwrap();
    if let Some(body) = body {
        upload.send_data(Bytes::from_static(body), true).unwrap();
    }
    let (head, mut body) = soon(answer).await.unwrap().into_parts();
    let mut bytes = Vec::new();
    while let Some(data) = soon(body.data()).await {
        bytes.extend_from_slice(&data.unwrap());
    }
    driving.abort();
    let code = head.headers.get("doorward-code").map(|code| code.to_str().unwrap().to_owned()).unwrap_or_default();
    (head.status, code, String::from_utf8(bytes).unwrap())
}

fn request(method: Method, uri: &str, fields: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder().method(method).uri(uri).version(Version::HTTP_2);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

#[tokio::test]
async fn requests_are_served_and_refused_as_in_http_1() {
    let mut echo = Echo::open().await;
    let shop = Shop::open(&route("all", "/", &at(echo.address), "")).await;
    let (status, _, text) = call(
        &shop,
        request(Method::POST, "http://shop/a/../b?c=d", &[("x-forwarded-for", "6.6.6.6"), ("x_y", "z")]),
        Some(b"hello"),
    )
    .await;
    assert_eq!(status, 200);
    assert!(text.starts_with("POST /b?c=d HTTP/1.1\r\n") && text.ends_with("\n\nhello"), "{text}");
    assert!(text.contains("host: shop\r\n") && text.contains("x-forwarded-for: 127.0.0.1\r\n"), "{text}");
    assert!(!text.contains("6.6.6.6") && !text.contains("x_y"), "{text}");
    echo.targets();
    let many = vec![("x", "y"); 101];
    for (request, status, code) in [
        (request(Method::GET, "http://shop/a%2fb", &[]), 400, "framing.path"),
        (request(Method::from_bytes(b"BREW").unwrap(), "http://shop/a", &[]), 501, "framing.method"),
        (request(Method::GET, "http://shop/a", &[("host", "other")]), 400, "framing.http2"),
        (request(Method::GET, "http://shop/a", &many), 431, "framing.too_many_fields"),
        (request(Method::GET, &format!("http://shop/{}", "a".repeat(8_192)), &[]), 414, "framing.target_too_long"),
    ] {
        let shown = format!("{} {code}", request.method());
        let (found, found_code, _) = call(&shop, request, None).await;
        assert_eq!((found.as_u16(), found_code.as_str()), (status, code), "{shown}");
    }
    assert_eq!(echo.targets(), Vec::<String>::new());
    shop.close().await;
}

#[tokio::test]
async fn whoever_leaves_lets_connections_end_well() {
    let shop = Shop::open(&route("all", "/", "{response: {body: ok}}", "")).await;
    let mut client = shop.visit().await;
    client.send([PREFACE, &frame(SETTINGS, 0, &[])].concat()).await;
    // Its SETTINGS: it serves.
    let header = client.bytes(9).await.unwrap();
    client.bytes(usize::from(header[2])).await.unwrap();
    shop.leave();
    assert_eq!(reasons(&client.rest().await).first(), Some(&0));
    shop.close().await;
}
