//! Refusals for one and the same cause, again and again.

use crate::shop::{Message, Shop};

fn keyed(name: &str, header: &str) -> String {
    format!(
        "
---
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {{name: {name}, namespace: shop}}
spec:
  hostnames: [shop]
  path: /{name}
  versions: [{{version: 1.0.0, backend: {{response: {{body: hello}}}}}}]
  authentication: {{methods: [{{apiKey: {{header: {header}}}}}]}}
"
    )
}

fn request(path: &str, field: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop\r\n{field}\r\n\r\n")
}

/// The text of a refusal without the id of its call, which it has to name.
fn less_its_id(answer: &Message) -> String {
    let decision = answer.field("doorward-decision").unwrap();
    let body = answer.text();
    assert!(body.contains(&format!("urn:doorward:decision:{decision}\"")), "{body}");
    format!("{}\n{body}", answer.field("www-authenticate").unwrap_or_default()).replace(decision, "")
}

#[tokio::test]
async fn each_refusal_is_told_for_its_own_call() {
    let shop = Shop::open(&(keyed("a", "X-One") + &keyed("b", "X-Two"))).await;
    let mut client = shop.visit().await;
    let requests = [
        request("/a", "X-One: nobody-issued-this-key"),
        request("/b", "X-Two: nobody-issued-this-key"),
        request("/a", "X-One: short"),
        request("/a", "X-None: 0"),
        request("/b", "X-None: 0"),
        request("/a/none", "Authorization: Basic abc"),
    ];
    let mut first = Vec::new();
    for request in &requests {
        first.push(less_its_id(&client.ask(request).await));
    }
    for (index, told) in first.iter().enumerate() {
        assert!(!first[..index].contains(told), "{told}");
    }
    for _ in 0..3 {
        for (request, told) in requests.iter().zip(&first) {
            assert_eq!(less_its_id(&client.ask(request).await), *told);
        }
    }
    // In another configuration, the same place may mean something else.
    shop.apply(&(keyed("a", "X-Two") + &keyed("b", "X-Two"))).await;
    assert_ne!(less_its_id(&client.ask(&requests[3]).await), first[3]);
    shop.close().await;
}
