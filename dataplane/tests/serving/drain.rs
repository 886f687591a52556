//! A gateway that stops.

use std::net::Ipv4Addr;

use dataplane::PortProtocol;
use tokio::net::{TcpListener, TcpStream};

use crate::shop::{Shop, Talk, at, route, soon};

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: shop\r\n\r\n";

#[tokio::test]
async fn calls_in_flight_end_well_and_nothing_new_begins() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let fixed = route("fixed", "/fixed", "{response: {body: ok}}", "");
    let shop = Shop::open(&[route("all", "/", &at(listener.local_addr().unwrap()), ""), fixed].concat()).await;
    let address = shop.address(PortProtocol::Http);
    let mut idle = shop.visit().await;
    idle.ask("GET /fixed HTTP/1.1\r\nHost: shop\r\n\r\n").await.expect(200);
    let mut silent = shop.visit().await;
    let (mut early, mut late) = (shop.visit().await, shop.visit().await);
    early.send(REQUEST).await;
    let mut first = Talk::on(soon(listener.accept()).await.unwrap().0);
    first.head().await.unwrap();
    first.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await;
    let begun = early.head().await.unwrap();
    late.send(REQUEST).await;
    let mut second = Talk::on(soon(listener.accept()).await.unwrap().0);
    second.head().await.unwrap();

    let calls = async {
        assert_eq!(idle.rest().await, b"");
        assert_eq!(silent.rest().await, b"");
        soon(async { while TcpStream::connect(address).await.is_ok() {} }).await;
        first.send("done").await;
        let early_answer = early.body(begun).await;
        assert!(early_answer.whole && early_answer.body == b"halfdone", "{early_answer:?}");
        second.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").await;
        let late_answer = late.answer().await;
        assert_eq!(late_answer.expect(200), "late");
        assert_eq!(late_answer.field("connection"), Some("close"), "{}", late_answer.head);
        assert_eq!((early.rest().await, late.rest().await), (Vec::new(), Vec::new()));
    };
    tokio::join!(shop.close(), calls);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let settings = "\n---\napiVersion: doorward.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {name: c, namespace: shop}\n\
                    spec: {timeouts: {drain: 50ms}}\n";
    let shop = Shop::open(&[&route("all", "/", &at(listener.local_addr().unwrap()), ""), settings].concat()).await;
    let mut endless = shop.visit().await;
    endless.send(REQUEST).await;
    let mut upstream = Talk::on(soon(listener.accept()).await.unwrap().0);
    upstream.head().await.unwrap();
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await;
    let begun = endless.head().await.unwrap();
    // The upstream never goes on, and stops being asked.
    shop.close().await;
    let answer = endless.body(begun).await;
    assert!(!answer.whole && answer.body == b"half", "{answer:?}");
    assert_eq!(upstream.rest().await, b"");
}

#[tokio::test]
async fn whoever_leaves_says_so_before_it_is_gone() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let fixed = route("fixed", "/fixed", "{response: {body: ok}}", "");
    let shop = Shop::open(&[route("all", "/", &at(listener.local_addr().unwrap()), ""), fixed].concat()).await;
    let mut kept = shop.visit().await;
    let fixed = "GET /fixed HTTP/1.1\r\nHost: shop\r\n\r\n";
    let before = kept.ask(fixed).await;
    assert_eq!((before.expect(200).as_str(), before.field("connection")), ("ok", None));
    shop.leave();
    // The workers learn of it one after the other, and serve until then.
    soon(async { while shop.ask(fixed).await.field("connection").is_none() {} }).await;
    let mut streamed = shop.visit().await;
    streamed.send(REQUEST).await;
    let mut upstream = Talk::on(soon(listener.accept()).await.unwrap().0);
    upstream.head().await.unwrap();
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalfdone").await;
    let answer = streamed.answer().await;
    assert_eq!((answer.expect(200).as_str(), answer.field("connection")), ("halfdone", Some("close")));
    assert_eq!(streamed.rest().await, b"");
    let last = kept.ask(fixed).await;
    assert_eq!((last.expect(200).as_str(), last.field("connection")), ("ok", Some("close")));
    assert_eq!(kept.rest().await, b"");
    shop.close().await;
}
