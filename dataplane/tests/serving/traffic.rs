//! Where requests go, and how they and their answers are changed.

use dataplane::PortProtocol;

use crate::shop::{Echo, Shop, at, route};
use crate::standard::service;

#[tokio::test]
async fn services_get_requests_by_weight() {
    let mut echoes = [Echo::open().await, Echo::open().await, Echo::open().await];
    let backend =
        "{services: [{name: a, port: 80, weight: 75}, {name: b, port: 80, weight: 25}, {name: c, port: 80, weight: 0}]}";
    let [a, b, c] = [0, 1, 2].map(|index: usize| service(["a", "b", "c"][index], echoes[index].address));
    let shop = Shop::open(&[route("all", "/", backend, ""), a, b, c].concat()).await;
    let mut client = shop.visit().await;
    for _ in 0..400 {
        client.ask("GET /x HTTP/1.1\r\nHost: shop\r\n\r\n").await.expect(200);
    }
    let [a, b, c] = echoes.each_mut().map(|echo| echo.targets().len());
    assert_eq!((a + b, c), (400, 0));
    // Almost seven standard deviations either way; equal weights would be eleven away.
    assert!((240..=360).contains(&a), "{a} of 400 are not 75 in 100");
    shop.close().await;
}

#[tokio::test]
async fn requests_and_answers_are_shaped() {
    let echo = Echo::open().await;
    let upstream = at(echo.address);
    let prefix = "traffic:
    rewrite: {hostname: orders.internal, path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1}}
    headers:
      request: {set: [{name: X-Shop, value: blue}], add: [{name: X-Tag, value: two}], remove: [X-Internal]}
      response: {set: [{name: Content-Length-Of, value: none}], add: [{name: X-Served-By, value: doorward}]}";
    let full = "traffic: {rewrite: {path: {type: ReplaceFullPath, replaceFullPath: /fixed}}}";
    let redirect = "{redirect: {scheme: https, hostname: other.example, port: 443, statusCode: 301, path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}";
    let response = "{response: {status: 410, headers: [{name: Content-Type, value: text/plain}], body: gone}}";
    let shop = Shop::open(
        &[
            route("prefix", "/orders", &upstream, prefix),
            route("full", "/full", &upstream, full),
            route("redirect", "/old", redirect, ""),
            route("response", "/gone", response, ""),
        ]
        .concat(),
    )
    .await;
    let mut client = shop.visit().await;
    let answer =
        client.ask("GET /orders/7?a=b HTTP/1.1\r\nHost: shop\r\nX-Internal: 1\r\nX-Shop: red\r\nX-Tag: one\r\n\r\n").await;
    let text = answer.expect(200);
    assert!(text.starts_with("GET /v1/7?a=b HTTP/1.1\r\n"), "{text}");
    for line in ["host: orders.internal", "x-forwarded-host: shop", "x-shop: blue", "x-tag: one", "x-tag: two"] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(!text.contains("x-internal") && !text.contains("red"), "{text}");
    assert_eq!((answer.field("x-served-by"), answer.field("content-length-of")), (Some("doorward"), Some("none")));
    let text = client.ask("GET /full/7?a=b HTTP/1.1\r\nHost: shop\r\n\r\n").await.expect(200);
    assert!(text.starts_with("GET /fixed?a=b HTTP/1.1\r\n"), "{text}");
    let moved = client.ask("GET /old/7?a=b HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    moved.expect(301);
    assert_eq!(moved.field("location"), Some("https://other.example/new/7?a=b"), "{}", moved.head);
    let gone = client.ask("GET /gone HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    assert_eq!((gone.expect(410).as_str(), gone.field("content-type")), ("gone", Some("text/plain")));
    assert_eq!(client.ask("GET /nowhere HTTP/1.1\r\nHost: shop\r\n\r\n").await.code(), "route.not_found");
    shop.close().await;
}

/// What the gateway says itself in a request is said once, whatever the caller says, and a route may change it.
#[tokio::test]
async fn what_the_gateway_says_is_said_once() {
    let echo = Echo::open().await;
    let changes = "traffic:
    headers:
      request:
        set: [{name: X-Forwarded-Proto, value: wss}, {name: Traceparent, value: ours}]
        add: [{name: X-Forwarded-Host, value: other}]
        remove: [X-Forwarded-For]";
    let routes = [route("same", "/same", &at(echo.address), ""), route("changed", "/changed", &at(echo.address), changes)];
    let shop = Shop::open(&routes.concat()).await;
    let mut client = shop.visit().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let known = format!("Traceparent: 00-{trace}-b7ad6b7169203331-01\r\n");
    for fields in ["", "Traceparent: junk\r\n", "traceparent: a\r\nTRACEPARENT: b\r\n", &known] {
        for (path, expected) in [
            (
                "/same",
                [("x-forwarded-for", &["127.0.0.1"][..]), ("x-forwarded-proto", &["http"]), ("x-forwarded-host", &["shop"])],
            ),
            (
                "/changed",
                [("x-forwarded-for", &[][..]), ("x-forwarded-proto", &["wss"]), ("x-forwarded-host", &["shop", "other"])],
            ),
        ] {
            let answer = client.ask(&format!("GET {path} HTTP/1.1\r\nHost: shop\r\n{fields}\r\n")).await;
            let text = answer.expect(200);
            let said = |name: &str| -> Vec<&str> {
                text.lines()
                    .filter_map(|line| line.split_once(": "))
                    .filter(|(found, _)| *found == name)
                    .map(|(_, value)| value)
                    .collect()
            };
            for (name, values) in expected {
                assert_eq!(said(name), values, "{path} {fields} {name}: {text}");
            }
            let decision = answer.field("doorward-decision").unwrap();
            let (decisions, traces) = (said("doorward-decision"), said("traceparent"));
            assert_eq!((decisions, traces.len()), (vec![decision], 1), "{text}");
            if path == "/same" {
                assert_eq!((traces[0].len(), traces[0].contains(trace)), (55, fields == known), "{text}");
            } else {
                assert_eq!(traces, ["ours"], "{text}");
            }
        }
    }
    shop.close().await;
}

#[tokio::test]
async fn what_goes_in_circles_ends_with_its_cause() {
    let shop = Shop::open(&route("all", "/", "{response: {body: ok}}", "")).await;
    let own = shop.address(PortProtocol::Http);
    let hidden = "traffic: {headers: {request: {remove: [CDN-Loop]}}}";
    let through = "traffic: {rewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /end}}}";
    let routes = [
        route("url", "/url", &at(own), ""),
        route("hidden", "/hidden", &at(own), hidden),
        route("service", "/service", "{services: [{name: own, port: 80}]}", ""),
        service("own", own),
        route("through", "/through", &at(own), through),
        route("end", "/end", "{response: {body: end}}", ""),
    ];
    shop.apply(&routes.concat()).await;
    for path in ["url", "hidden", "service"] {
        let text = shop.ask(&format!("GET /{path} HTTP/1.1\r\nHost: shop\r\n\r\n")).await.expect(508);
        assert!(text.contains("\"upstream.loop\""), "{path}: {text}");
    }
    let ask = |fields: &str| format!("GET /through HTTP/1.1\r\nHost: shop\r\n{fields}\r\n");
    for fields in ["", "CDN-Loop: elsewhere; x=y\r\n", "CDN-Loop: elsewhere\r\nCDN-Loop: doorward\r\n"] {
        assert_eq!(shop.ask(&ask(fields)).await.expect(200), "end", "{fields}");
    }
    shop.close().await;
}
