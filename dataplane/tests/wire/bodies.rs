//! Bodies that break their framing once their head has gone on.

use crate::shop::echo::Heard;
use crate::shop::{Echo, Shop, Talk, at, route};

const CHUNKED: &str = "POST /x HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
const BEHIND: &str = "\r\nGET /behind HTTP/1.1\r\nHost: shop\r\n\r\n";

async fn begin(shop: &Shop, echo: &mut Echo) -> Talk {
    let mut client = shop.visit().await;
    client.send(CHUNKED).await;
    assert_eq!(echo.next().await, Heard::Begun("/x".into()));
    client
}

#[tokio::test]
async fn a_bad_chunk_is_answered_and_aborts_the_upstreams_request() {
    let mut echo = Echo::open().await;
    let shop = Shop::open(&route("all", "/", &at(echo.address), "")).await;
    let extension = format!("1;{}\r\nd\r\n", "e".repeat(5_000));
    let extensions = format!("1;{}\r\nd\r\n", "e".repeat(4_000)).repeat(5);
    for (bytes, code) in [
        ("1\nd\r\n", "framing.bare_lf"),
        ("1;e\nd\r\n", "framing.bare_lf"),
        ("1\r\nd\n", "framing.bare_lf"),
        ("0x0\r\n\r\n", "framing.chunk"),
        ("-0\r\n\r\n", "framing.chunk"),
        ("10000000000000000\r\n", "framing.chunk"),
        ("8000000000000000\r\n", "framing.chunk"),
        ("0000000000000000000000000000000000000000\r\n\r\n", "framing.chunk"),
        ("1 \r\nd\r\n", "framing.chunk"),
        ("\r\n", "framing.chunk"),
        ("1\r\ndd\r\n", "framing.chunk"),
        ("0\r\nX Y: z\r\n\r\n", "framing.trailer"),
        (&extension, "framing.chunk"),
        (&extensions, "framing.chunk"),
    ] {
        let shown: String = bytes.chars().take(60).collect();
        let mut client = begin(&shop, &mut echo).await;
        client.send(format!("{bytes}{BEHIND}")).await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.code()), (400, code), "{shown:?}");
        assert_eq!(answer.field("connection"), Some("close"), "{shown:?}");
        assert_eq!(client.rest().await, b"", "{shown:?}");
        assert_eq!(echo.next().await, Heard::Aborted, "{shown:?}");
        assert_eq!(echo.targets(), Vec::<String>::new(), "{shown:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn a_body_that_ends_early_aborts_the_upstreams_request() {
    let mut echo = Echo::open().await;
    let shop = Shop::open(&route("all", "/", &at(echo.address), "")).await;
    for head in [CHUNKED, "POST /x HTTP/1.1\r\nHost: shop\r\nContent-Length: 10\r\n\r\nabc"] {
        let mut client = shop.visit().await;
        client.send(head).await;
        assert_eq!(echo.next().await, Heard::Begun("/x".into()));
        client.finish().await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.code()), (400, "framing.body_incomplete"), "{head:?}");
        assert_eq!(client.rest().await, b"", "{head:?}");
        assert_eq!(echo.next().await, Heard::Aborted, "{head:?}");
    }
    shop.close().await;
}

#[tokio::test]
async fn chunks_go_on_without_extensions_and_the_connection_is_kept() {
    let mut echo = Echo::open().await;
    let shop = Shop::open(&route("all", "/", &at(echo.address), "")).await;
    let mut client = begin(&shop, &mut echo).await;
    client.send("000000000000000B;a=b;c=\"d\"\r\nhello world\r\n0\r\nX-Trailer: y\r\n\r\n").await;
    let text = client.answer().await.expect(200);
    assert!(text.ends_with("\n\nabchello world"), "{text}");
    assert!(client.ask("GET /next HTTP/1.1\r\nHost: shop\r\n\r\n").await.expect(200).starts_with("GET /next "));
    shop.close().await;
}
