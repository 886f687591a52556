//! Clients that take too long. Times are short here: what is waited for is the gateway's own clock.

use crate::shop::{Echo, Shop, at, route};

const CONFIG: &str = "---
apiVersion: doorward.dev/v1alpha1
kind: GatewayConfig
metadata: {name: doorward, namespace: shop}
spec: {timeouts: {header: 200ms, idle: 300ms}}";

#[tokio::test]
async fn a_slow_head_is_answered_and_an_idle_connection_ends() {
    let mut echo = Echo::open().await;
    let shop = Shop::open(&[CONFIG, &route("all", "/", &at(echo.address), "")].concat()).await;
    for head in
        ["G", "GET /slow HTTP/1.1\r\n", "GET /slow HTTP/1.1\r\nHost: shop\r\nX: y", "POST /slow HTTP/1.1\r\nHost: shop\r\n"]
    {
        let mut client = shop.visit().await;
        client.send(head).await;
        let answer = client.answer().await;
        assert_eq!((answer.status(), answer.code()), (408, "framing.header_timeout"), "{head:?}");
        assert!(answer.text().contains("200 ms"), "{}", answer.text());
        assert_eq!(client.rest().await, b"", "{head:?}");
    }
    let mut client = shop.visit().await;
    client.send("HEAD /slow HTTP/1.1\r\nHost: shop\r\n").await;
    let answer = client.rest().await;
    let head = String::from_utf8(answer).unwrap();
    assert!(head.starts_with("HTTP/1.1 408 ") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(head.matches("\r\n\r\n").count(), 1, "an answer to HEAD has no body: {head}");

    let mut client = shop.visit().await;
    client.send("GET /first HTTP/1.1\r\nHost: shop\r\n\r\nGET /slow").await;
    assert!(client.answer().await.expect(200).starts_with("GET /first "));
    assert_eq!(client.answer().await.code(), "framing.header_timeout");
    assert_eq!(client.rest().await, b"");

    let mut kept = shop.visit().await;
    kept.ask("GET /first HTTP/1.1\r\nHost: shop\r\n\r\n").await.expect(200);
    assert_eq!(kept.rest().await, b"");
    let mut silent = shop.visit().await;
    assert_eq!(silent.rest().await, b"");
    assert_eq!(echo.targets(), ["/first", "/first"]);
    shop.close().await;
}
