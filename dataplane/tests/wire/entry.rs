//! What the upstream gets of a request: no field that a client may not say, and the one form of its path.

use crate::shop::{Echo, Shop, at, route};

#[tokio::test]
async fn spoofed_fields_do_not_reach_the_upstream() {
    let echo = Echo::open().await;
    let shop = Shop::open(&route("all", "/", &at(echo.address), "")).await;
    let spoofed = [
        "X-Forwarded-For: 6.6.6.6",
        "x-forwarded-host: evil",
        "X-FORWARDED-PROTO: evil",
        "X-Forwarded-Anything: evil",
        "Forwarded: for=6.6.6.6",
        "X-Real-IP: 6.6.6.6",
        "Doorward-Principal: evil",
        "doorward-decision: evil",
        "Doorward-Anything: evil",
        "X-Envoy-Original-Path: /evil",
        "X-HTTP-Method-Override: DELETE",
        "X-Method-Override: DELETE",
        "X-HTTP-Method: DELETE",
        "Proxy-Connection: keep-alive",
        "Keep-Alive: timeout=666",
        "X_Forwarded_For: 6.6.6.6",
        "Doorward_Principal: evil",
        "X-User: evil",
        "Connection: keep-alive, X-User",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    ];
    let kept = "X-Kept: yes\r\nTE: trailers";
    let request = format!("GET /x HTTP/1.1\r\nHost: shop\r\n{}\r\n{kept}\r\n\r\n", spoofed.join("\r\n"));
    let text = shop.ask(&request).await.expect(200).to_ascii_lowercase();
    for word in ["6.6.6.6", "evil", "delete", "666", "x-user", "h2c", "http2-settings", "_", "keep-alive"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    for line in ["x-forwarded-for: 127.0.0.1", "x-forwarded-host: shop", "x-forwarded-proto: http", "x-kept: yes"] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert_eq!(text.matches("doorward-decision: ").count(), 1, "{text}");
    shop.close().await;
}

#[tokio::test]
async fn a_nominated_credential_counts_as_absent() {
    let echo = Echo::open().await;
    let manifests = route("all", "/", &at(echo.address), "")
        .replace("{mode: Anonymous}", "{methods: [{apiKey: {header: X-Api-Key}}]}")
        + "---
apiVersion: doorward.dev/v1alpha1
kind: ApiKey
metadata: {name: app, namespace: shop}
spec: {secretRef: {name: app}}
---
apiVersion: v1
kind: Secret
metadata: {name: app, namespace: shop}
stringData: {key: a-key-of-another-gateway}
";
    let shop = Shop::open(&manifests).await;
    let check = async |connection: &str, status: u16, code: &str| {
        let fields = format!("X-Api-Key: a-key-of-another-gateway\r\nConnection: {connection}");
        let answer = shop.ask(&format!("GET /x HTTP/1.1\r\nHost: shop\r\n{fields}\r\n\r\n")).await;
        assert_eq!((answer.status(), answer.code()), (status, code), "{connection}");
        answer.text()
    };
    let text = check("keep-alive", 200, "").await;
    assert!(!text.contains("a-key-of-another-gateway") && text.contains("doorward-principal: "), "{text}");
    check("X-Api-Key", 401, "credential.missing").await;
    // What the gateway adds cannot be nominated.
    let text = check("doorward-principal, x-forwarded-for", 200, "").await;
    assert!(text.contains("doorward-principal: ") && text.contains("x-forwarded-for: 127.0.0.1"), "{text}");
    shop.close().await;
}

#[tokio::test]
async fn the_upstream_gets_the_path_that_was_matched() {
    let echo = Echo::open().await;
    let secret = route("secret", "/secret", "{response: {body: secret}}", "");
    let shop = Shop::open(&[route("all", "/", &at(echo.address), ""), secret].concat()).await;
    for (sent, got) in [
        ("/a/../b", "/b"),
        ("/a/./b", "/a/b"),
        ("//a///b/", "/a/b/"),
        ("/%61%2D%7e?q=%2f..", "/a-~?q=%2f.."),
        ("/a%20b%c3%a9", "/a%20b%C3%A9"),
        ("/secretx", "/secretx"),
        ("/secret/../open", "/open"),
        ("/%2e%2e/a", "/a"),
    ] {
        let text = shop.ask(&format!("GET {sent} HTTP/1.1\r\nHost: shop\r\n\r\n")).await.expect(200);
        assert!(text.starts_with(&format!("GET {got} HTTP/1.1\r\n")), "{sent}: {text}");
    }
    for sent in ["/secret", "/open/../secret", "/%73ecret/x", "/./secret/", "//secret"] {
        assert_eq!(shop.ask(&format!("GET {sent} HTTP/1.1\r\nHost: shop\r\n\r\n")).await.expect(200), "secret", "{sent}");
    }
    shop.close().await;
}
