//! Bodies pass as they come, no faster than their reader takes them, and end as they ended.

use std::net::Ipv4Addr;
use std::time::Duration;

use dataplane::PortProtocol;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::shop::{Message, Shop, Talk, at, route, soon};

const LARGE: usize = 50 << 20;
static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];
/// A writer that gets nothing rid for so long is held back.
const HELD_BACK: Duration = Duration::from_secs(1);

/// A gateway before an upstream that the test itself plays.
async fn stage(more: &str) -> (Shop, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let shop = Shop::open(&route("all", "/", &at(listener.local_addr().unwrap()), more)).await;
    (shop, listener)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    soon(listener.accept()).await.unwrap().0
}

/// Writes up to so many bytes until the reader takes no more; how many were written.
async fn fill(stream: &mut TcpStream, bytes: usize) -> usize {
    let mut written = 0;
    while written < bytes {
        let piece = &PIECE[..PIECE.len().min(bytes - written)];
        match tokio::time::timeout(HELD_BACK, stream.write(piece)).await {
            Ok(count) => written += count.unwrap(),
            Err(_) => return written,
        }
    }
    written
}

/// Reads until so many bytes have come, keeping none.
async fn swallow(stream: &mut TcpStream, mut bytes: usize) {
    let mut piece = vec![0; 256 << 10];
    while bytes > 0 {
        let wanted = piece.len().min(bytes);
        let count = soon(stream.read(&mut piece[..wanted])).await.unwrap();
        assert!(count > 0, "{bytes} bytes are missing");
        bytes -= count;
    }
}

/// Reads a head, byte by byte, so that none of the body is taken.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

#[tokio::test]
async fn an_upload_is_streamed_and_held_back() {
    let (shop, listener) = stage("").await;
    let mut client = TcpStream::connect(shop.address(PortProtocol::Http)).await.unwrap();
    client.write_all(format!("POST /x HTTP/1.1\r\nHost: shop\r\nContent-Length: {LARGE}\r\n\r\nfirst").as_bytes()).await.unwrap();
    let mut upstream = accept(&listener).await;
    assert!(head(&mut upstream).await.contains(&format!("content-length: {LARGE}\r\n")));
    // The first bytes are there before the client has sent the rest.
    swallow(&mut upstream, 5).await;
    let sent = fill(&mut client, LARGE - 5).await;
    assert!(sent < LARGE - 5, "all of it went somewhere, though nobody read it");
    let rest = LARGE - 5 - sent;
    let ((), written) = tokio::join!(swallow(&mut upstream, LARGE - 5), fill(&mut client, rest));
    assert_eq!(written, rest);
    upstream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await.unwrap();
    assert_eq!(Talk::on(client).answer().await.expect(200), "done");
    shop.close().await;
}

#[tokio::test]
async fn a_download_is_streamed_and_held_back() {
    let (shop, listener) = stage("").await;
    let mut client = TcpStream::connect(shop.address(PortProtocol::Http)).await.unwrap();
    client.write_all(b"GET /x HTTP/1.1\r\nHost: shop\r\n\r\n").await.unwrap();
    let mut upstream = accept(&listener).await;
    head(&mut upstream).await;
    upstream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {LARGE}\r\n\r\nfirst").as_bytes()).await.unwrap();
    assert!(head(&mut client).await.starts_with("HTTP/1.1 200 "));
    swallow(&mut client, 5).await;
    let sent = fill(&mut upstream, LARGE - 5).await;
    assert!(sent < LARGE - 5, "all of it went somewhere, though nobody read it");
    let rest = LARGE - 5 - sent;
    let ((), written) = tokio::join!(swallow(&mut client, LARGE - 5), fill(&mut upstream, rest));
    assert_eq!(written, rest);
    shop.close().await;
}

#[tokio::test]
async fn an_answer_that_is_cut_has_no_good_end() {
    let (shop, listener) = stage("").await;
    for answer in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let mut client = shop.visit().await;
        client.send("GET /x HTTP/1.1\r\nHost: shop\r\n\r\n").await;
        let mut upstream = accept(&listener).await;
        head(&mut upstream).await;
        upstream.write_all(format!("HTTP/1.1 200 OK\r\n{answer}").as_bytes()).await.unwrap();
        let head = client.head().await.unwrap();
        // Cut only once the client has its beginning: before that it would be another answer.
        drop(upstream);
        let Message { whole, body, .. } = client.body(head).await;
        assert!(!whole && (body.is_empty() || body == b"hello"), "{answer:?}: {body:?}");
        assert_eq!(client.rest().await, b"", "{answer:?}");
    }
    shop.close().await;
}

/// What shows to be cut before anything of it was passed on is refused, and what shows later is cut behind what came.
#[tokio::test]
async fn an_answer_that_is_cut_at_once_is_another_answer() {
    let (shop, listener) = stage("").await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (answer, status, code, text) in [
        ("zz\r\n", 502, "upstream.protocol", ""),
        ("5\r\nhello\r\nzz\r\n", 502, "upstream.protocol", ""),
        ("5\r\nhello\r\n5\r\nagain\r\n1\r\n!\r\nzz\r\n", 200, "", "helloagain!"),
    ] {
        let mut client = shop.visit().await;
        client.send("GET /x HTTP/1.1\r\nHost: shop\r\n\r\n").await;
        let mut upstream = accept(&listener).await;
        head(&mut upstream).await;
        upstream.write_all([chunked, answer].concat().as_bytes()).await.unwrap();
        let told = client.answer().await;
        assert_eq!((told.status(), told.code(), told.whole), (status, code, status == 502), "{answer:?}");
        if status == 200 {
            assert_eq!(told.text(), text, "{answer:?}");
        }
    }
    shop.close().await;
}

#[tokio::test]
async fn a_stream_whose_answer_is_cut_is_reset_and_its_connection_goes_on() {
    let (shop, listener) = stage("").await;
    let stream = TcpStream::connect(shop.address(PortProtocol::Http)).await.unwrap();
    let (sender, connection) = soon(h2::client::handshake(stream)).await.unwrap();
    let driving = tokio::spawn(connection);
    for ends_well in [false, true, false] {
        let request = http::Request::get("http://shop/x").body(()).unwrap();
        let (answer, _) = soon(sender.clone().ready()).await.unwrap().send_request(request, true).unwrap();
        let mut upstream = accept(&listener).await;
        head(&mut upstream).await;
        upstream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhello").await.unwrap();
        let mut body = soon(answer).await.unwrap().into_body();
        assert_eq!(soon(body.data()).await.unwrap().unwrap(), "hello");
        if ends_well {
            upstream.write_all(b"world").await.unwrap();
        }
        drop(upstream);
        let rest = soon(body.data()).await;
        assert_eq!(rest.is_some_and(|rest| rest.is_ok_and(|rest| rest == "world")), ends_well);
        assert_eq!(soon(body.trailers()).await.is_ok(), ends_well);
    }
    driving.abort();
    shop.close().await;
}

#[tokio::test]
async fn an_upstream_that_fails_is_told_from_one_that_is_slow() {
    let (shop, listener) = stage("traffic: {timeout: 200ms}").await;
    let request = "GET /x HTTP/1.1\r\nHost: shop\r\n\r\n";
    let mut client = shop.visit().await;
    client.send(request).await;
    let mut slow = accept(&listener).await;
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.code()), (504, "upstream.timeout"));
    // The upstream is told by the end of its connection.
    head(&mut slow).await;
    assert_eq!(Talk::on(slow).rest().await, b"");
    // The client's connection is none the worse.
    client.send(request).await;
    let mut resetting = accept(&listener).await;
    head(&mut resetting).await;
    drop(resetting);
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.code()), (502, "upstream.reset"));
    drop(listener);
    let answer = client.ask(request).await;
    assert_eq!((answer.status(), answer.code()), (502, "upstream.unreachable"));
    shop.close().await;
}
