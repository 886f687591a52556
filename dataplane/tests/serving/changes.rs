//! Configurations that are swapped under connections and calls.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use tokio::net::TcpListener;

use crate::shop::{Echo, Shop, Talk, at, route, soon};

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: shop\r\n\r\n";
const GENERATIONS: usize = 50;

fn generation(number: usize, upstream: &str) -> String {
    route(
        "all",
        "/",
        upstream,
        &format!("traffic: {{headers: {{response: {{set: [{{name: X-Generation, value: '{number}'}}]}}}}}}"),
    )
}

#[tokio::test]
async fn no_call_fails_while_configurations_change() {
    let echo = Echo::open().await;
    let upstream = at(echo.address);
    let shop = Shop::open(&generation(0, &upstream)).await;
    let done = AtomicBool::new(false);
    // One call is in flight from the first generation to the last.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let slow = route("slow", "/slow", &at(listener.local_addr().unwrap()), "");
    shop.apply(&[&generation(0, &upstream)[..], &slow].concat()).await;
    let mut waiting = shop.visit().await;
    waiting.send("GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n").await;
    let mut held = Talk::on(soon(listener.accept()).await.unwrap().0);
    held.head().await.unwrap();

    let call = async |fresh: bool| {
        let (mut count, mut client) = (0, shop.visit().await);
        while !done.load(Ordering::Relaxed) {
            if fresh {
                client = shop.visit().await;
            }
            let answer = client.ask(REQUEST).await;
            answer.expect(200);
            assert!(answer.whole && answer.field("x-generation").is_some(), "{}", answer.head);
            count += 1;
        }
        count
    };
    let change = async {
        let mut kept = shop.visit().await;
        for number in 1..=GENERATIONS {
            // Its manifest is gone: what is in flight ends as it began.
            shop.apply(&generation(number, &upstream)).await;
            let answer = kept.ask(REQUEST).await;
            assert_eq!(answer.field("x-generation"), Some(number.to_string().as_str()), "{}", answer.head);
        }
        done.store(true, Ordering::Relaxed);
    };
    let calls = join_all((0..8).map(|number| call(number % 4 == 3)));
    let ((), counts) = tokio::join!(change, calls);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    held.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkept").await;
    assert_eq!(waiting.answer().await.expect(200), "kept");
    assert!(waiting.ask("GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n").await.expect(200).starts_with("GET /slow "));
    shop.close().await;
}

const KEY: &str = "
---
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

fn keyed() -> String {
    let route = route("all", "/", "{response: {body: ok}}", "");
    route.replace("{mode: Anonymous}", "{methods: [{apiKey: {header: X-Api-Key}}]}")
}

#[tokio::test]
async fn a_key_that_is_taken_away_is_unknown_to_the_next_request() {
    let shop = Shop::open(&[&keyed(), KEY].concat()).await;
    let request = "GET /x HTTP/1.1\r\nHost: shop\r\nX-Api-Key: a-key-of-another-gateway\r\n\r\n";
    let mut kept = shop.visit().await;
    assert_eq!(kept.ask(request).await.expect(200), "ok");
    shop.apply(&keyed()).await;
    let answer = kept.ask(request).await;
    assert_eq!((answer.status(), answer.code()), (401, "credential.unknown"));
    shop.apply(&[&keyed(), KEY].concat()).await;
    assert_eq!(kept.ask(request).await.expect(200), "ok");
    shop.close().await;
}

#[tokio::test]
async fn a_closed_route_says_so_whatever_the_credential() {
    let broken = keyed()
        .replace("[{apiKey: {header: X-Api-Key}}]", "[{apiKey: {header: X-Api-Key}}, {jwt: {providerRef: {name: nobody}}}]");
    let shop = Shop::open(&[&broken, KEY].concat()).await;
    let mut kept = shop.visit().await;
    for field in ["X: y", "X-Api-Key: a-key-of-another-gateway", "X-Api-Key: unknown-to-all-of-them", "Authorization: Bearer x"] {
        let answer = kept.ask(&format!("GET /x HTTP/1.1\r\nHost: shop\r\n{field}\r\n\r\n")).await;
        assert_eq!(answer.status(), 503, "{field}: {}", answer.head);
        assert!(answer.code().starts_with("config."), "{field}: {}", answer.head);
        assert_eq!(answer.field("www-authenticate"), None, "{field}");
        assert!(!answer.text().contains("\"credentials\""), "{}", answer.text());
    }
    shop.close().await;
}

/// Of two routes that claim the same, the one that serves answers, whatever its name is.
#[tokio::test]
async fn what_gives_way_takes_no_call() {
    let dated = |name: &str, day: u8| {
        let metadata = format!("{{name: {name}, creationTimestamp: '2026-01-{day:02}T00:00:00Z'");
        route(name, "/", &format!("{{response: {{body: {name}}}}}"), "").replace(&format!("{{name: {name}"), &metadata)
    };
    let shop = Shop::open(&[dated("zebra", 1), dated("ant", 2)].concat()).await;
    assert_eq!(shop.ask(REQUEST).await.expect(200), "zebra");
    shop.apply(&[dated("zebra", 3), dated("ant", 2)].concat()).await;
    assert_eq!(shop.ask(REQUEST).await.expect(200), "ant");
    shop.close().await;
}
