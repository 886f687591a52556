//! Callers that leave, and answers that come before the whole request.

use std::net::Ipv4Addr;

use dataplane::PortProtocol;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::shop::{Echo, Shop, Talk, at, route, soon};

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: shop\r\n\r\n";

/// A gateway before an upstream that the test itself plays.
async fn stage() -> (Shop, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let shop = Shop::open(&route("all", "/", &at(listener.local_addr().unwrap()), "")).await;
    (shop, listener)
}

/// The status that is told of the call for which an upstream was asked.
async fn told(shop: &Shop, head: &str) -> Option<u16> {
    let id = head.lines().find_map(|line| line.strip_prefix("doorward-decision: ")).unwrap().to_owned();
    soon(async {
        loop {
            if let Some(report) = shop.find(&id).await {
                return report.status;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_call_that_is_left_before_its_answer_ends_at_the_upstream_and_leaves_a_record() {
    let (shop, listener) = stage().await;
    // One that closes its connection, and one that resets it.
    for resets in [false, true] {
        let mut client = TcpStream::connect(shop.address(PortProtocol::Http)).await.unwrap();
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut upstream = Talk::on(soon(listener.accept()).await.unwrap().0);
        let head = upstream.head().await.unwrap();
        if resets {
            client.set_zero_linger().unwrap();
        }
        drop(client);
        assert_eq!(upstream.rest().await, b"", "{resets}");
        assert_eq!(told(&shop, &head).await, Some(499), "{resets}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_stream_that_is_cancelled_before_its_answer_leaves_a_record() {
    let (shop, listener) = stage().await;
    let stream = TcpStream::connect(shop.address(PortProtocol::Http)).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("http://shop/x").body(()).unwrap();
    let (answer, _) = client.send_request(request, true).unwrap();
    let mut upstream = Talk::on(soon(listener.accept()).await.unwrap().0);
    let head = upstream.head().await.unwrap();
    drop(answer);
    assert_eq!(upstream.rest().await, b"");
    assert_eq!(told(&shop, &head).await, Some(499));
    shop.close().await;
}

#[tokio::test]
async fn a_client_that_only_sends_no_more_gets_its_whole_answer() {
    let echo = Echo::open().await;
    let shop = Shop::open(&route("all", "/", &at(echo.address), "")).await;
    let mut client = shop.visit().await;
    client.send(REQUEST).await;
    client.finish().await;
    let answer = client.answer().await;
    assert!(answer.whole && answer.expect(200).starts_with("GET /x"), "{answer:?}");
    assert_eq!(client.rest().await, b"");
    shop.close().await;
}

#[tokio::test]
async fn a_refusal_is_read_whatever_the_caller_was_still_sending() {
    let shop = Shop::open(&route("fixed", "/fixed", "{response: {body: ok}}", "")).await;
    for (target, status) in [("/nowhere", 404), ("/fixed", 200)] {
        // A large body: the answer says that the connection ends, which is read to its end.
        let mut client = shop.visit().await;
        let length = 5 << 20;
        client.send(format!("POST {target} HTTP/1.1\r\nHost: shop\r\nContent-Length: {length}\r\n\r\n")).await;
        client.send(vec![b'x'; length]).await;
        let answer = client.answer().await;
        answer.expect(status);
        assert_eq!(answer.field("connection"), Some("close"), "{}", answer.head);
        assert_eq!(client.rest().await, b"");
    }
    // A small one that comes behind its head: the connection goes on.
    let post = "POST /nowhere HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\n";
    let mut client = shop.visit().await;
    client.send(post).await;
    tokio::task::yield_now().await;
    client.send("body").await;
    let answer = client.answer().await;
    answer.expect(404);
    assert_eq!(answer.field("connection"), None, "{}", answer.head);
    client.ask("GET /fixed HTTP/1.1\r\nHost: shop\r\n\r\n").await.expect(200);
    // One that never comes: what is said of it is true.
    client.send(post).await;
    let answer = client.answer().await;
    answer.expect(404);
    assert_eq!(answer.field("connection"), Some("close"), "{}", answer.head);
    client.finish().await;
    assert_eq!(client.rest().await, b"");
    shop.close().await;
}
