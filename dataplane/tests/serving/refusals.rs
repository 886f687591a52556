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

/// A caller learns the state of its key, and the owner which key it is.
#[tokio::test]
async fn the_owner_is_told_whose_key_was_refused() {
    const TEXT: &str = "of-another-gateway-0123456789abcdef";
    let key = |more: &str| {
        format!(
            "\n---\napiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {{name: mobile-app, namespace: shop}}\nspec:\n  \
             secretRef: {{name: mobile-app}}\n{more}\n---\napiVersion: v1\nkind: Secret\n\
             metadata: {{name: mobile-app, namespace: shop}}\nstringData: {{key: {TEXT}}}\n"
        )
    };
    for (more, code, state) in [
        ("  expiresAt: 2020-01-01T00:00:00Z", "credential.expired", "expired"),
        ("  notBefore: 2999-01-01T00:00:00Z", "credential.not_yet_valid", "not valid yet"),
        ("  suspended: true", "credential.suspended", "suspended"),
    ] {
        let shop = Shop::open(&(keyed("a", "X-One") + &key(more))).await;
        let answer = shop.ask(&request("/a", &format!("X-One: {TEXT}"))).await;
        assert_eq!(answer.code(), code, "{more}");
        let report = shop.decision(answer.field("doorward-decision").unwrap()).await;
        let told = serde_json::to_string(&report).unwrap();
        assert!(told.contains(&format!("{state} (ApiKey of shop/mobile-app)")), "{told}");
        assert!(!told.contains(TEXT), "{told}");
        shop.close().await;
    }
}
