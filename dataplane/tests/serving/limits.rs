//! N allowed means N, whatever the number of threads and configurations.

use futures_util::future::join_all;

use crate::shop::{Shop, route};

const REQUEST: &str = "GET /x HTTP/1.1\r\nHost: shop\r\n\r\n";
const CONNECTIONS: usize = 100;
const REQUESTS: usize = 4;

fn limited(body: &str) -> String {
    route("all", "/", &format!("{{response: {{body: {body}}}}}"), "limits: [{name: hundred, requests: 100, window: 1h}]")
}

#[tokio::test]
async fn limits_are_exact_under_concurrency_and_survive_changes() {
    let shop = Shop::open_with(&limited("one"), 4).await;
    let mut clients = join_all((0..CONNECTIONS).map(|_| shop.visit())).await;
    join_all(clients.iter_mut().map(|client| client.send(REQUEST.repeat(REQUESTS)))).await;
    let answers = join_all(clients.iter_mut().map(async |client| {
        let mut answers = Vec::new();
        for _ in 0..REQUESTS {
            answers.push(client.answer().await);
        }
        answers
    }))
    .await;
    let (mut admitted, mut refused) = (0, 0);
    for answer in answers.iter().flatten() {
        assert!(answer.field("ratelimit").is_some() && answer.field("ratelimit-policy").is_some(), "{}", answer.head);
        match (answer.status(), answer.code()) {
            (200, "") => admitted += 1,
            (429, "limit.requests") => {
                assert!(answer.field("retry-after").is_some(), "{}", answer.head);
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((admitted, refused), (100, CONNECTIONS * REQUESTS - 100));
    shop.apply(&limited("two")).await;
    assert_eq!(clients[0].ask(REQUEST).await.code(), "limit.requests");
    // Another limit has counters of its own; the configuration is the new one.
    shop.apply(&limited("three").replace("hundred", "other")).await;
    assert_eq!(clients[0].ask(REQUEST).await.expect(200), "three");
    shop.close().await;
}

#[tokio::test]
async fn every_answer_of_a_limited_route_tells_of_its_limit() {
    let route = |more: &str, per: &str| {
        format!(
            "\n---\napiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: all, namespace: shop}}\nspec:\n  \
             path: /x\n  versions: [{{version: 1.0.0, backend: {{response: {{}}}}}}, {{version: 2.0.0, backend: {{response: {{}}}}}}]\n  \
             limits: [{{name: ten, requests: 10, window: 1h, per: [{per}]}}]\n  {more}\n"
        )
    };
    let keys = "authentication: {methods: [{apiKey: {header: X-Api-Key}}]}";
    let denied = "authentication: {mode: Anonymous}\n  authorization: {rules: [{name: none, effect: Deny}]}";
    let elsewhere = "authentication: {mode: Anonymous}\n  addresses: {deny: [127.0.0.0/8]}";
    let open = "authentication: {mode: Anonymous}";
    for (more, per, path, code, told) in [
        // Nobody is known whose calls a limit per caller would count.
        (keys, "Principal", "/x", "credential.missing", false),
        (keys, "ClientAddress", "/x", "credential.missing", true),
        (denied, "Principal", "/x", "access.rule_denied", true),
        (elsewhere, "ClientAddress", "/x", "address.denied", true),
        (open, "ClientAddress", "/x/v7", "version.unknown", true),
        // A version that is not there is not counted.
        (open, "Version", "/x/v7", "version.unknown", false),
    ] {
        let shop = Shop::open(&route(more, per)).await;
        for _ in 0..2 {
            let answer = shop.ask(&REQUEST.replace("/x", path)).await;
            assert_eq!(answer.code(), code, "{more}");
            let fields = [answer.field("ratelimit"), answer.field("ratelimit-policy")];
            // What is refused before takes nothing.
            let expected = if told { [Some("\"ten\";r=10;t=0"), Some("\"ten\";q=10;w=3600")] } else { [None; 2] };
            assert_eq!(fields, expected, "{more} {per}");
        }
        shop.close().await;
    }
}
