//! Requests that try to be judged as one thing and served as another.

use crate::shop::{Echo, Shop, at};

const KEY: &str = "a-key-of-another-gateway";

fn manifests(upstream: &str) -> String {
    let versions = format!("versions: [{{version: 1.0.0, backend: {upstream}}}, {{version: 2.0.0, backend: {upstream}}}]");
    format!(
        "
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {{name: open, namespace: shop}}
spec:
  path: /open
  {versions}
  authentication: {{mode: Anonymous}}
  authorization:
    rules:
      - {{name: everyone, methods: [GET]}}
      - {{name: internal, effect: Deny, when: \"request.path.startsWith('/open/internal')\"}}
      - {{name: debug, effect: Deny, when: \"'debug' in request.query\"}}
      - {{name: admins, effect: Deny, when: \"'role' in request.query && request.query['role'] == 'admin'\"}}
---
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {{name: guarded, namespace: shop}}
spec:
  path: /open/admin
  versions: [{{version: 1.0.0, backend: {upstream}}}]
  authentication: {{methods: [{{apiKey: {{header: X-Api-Key}}}}]}}
---
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {{name: either, namespace: shop}}
spec:
  path: /either
  versions: [{{version: 1.0.0, backend: {upstream}}}]
  authentication: {{mode: Optional, methods: [{{apiKey: {{query: key}}}}, {{apiKey: {{bearer: {{}}}}}}]}}
---
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {{name: away, namespace: shop}}
spec:
  path: /away
  versions: [{{version: 1.0.0, backend: {{redirect: {{hostname: other.example}}}}}}]
  authentication: {{methods: [{{apiKey: {{query: key}}}}]}}
---
apiVersion: doorward.dev/v1alpha1
kind: ApiKey
metadata: {{name: app, namespace: shop}}
spec: {{secretRef: {{name: app}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: app, namespace: shop}}
stringData: {{key: {KEY}}}
"
    )
}

#[tokio::test]
async fn what_is_judged_is_what_is_served() {
    let echo = Echo::open().await;
    let shop = Shop::open(&manifests(&at(echo.address))).await;
    let padding = "a&".repeat(300);
    let rows: [(&str, &str, u16); 13] = [
        ("/open/x", "", 200),
        ("/open/v1/x", "", 200),
        ("/open/admin", "", 401),
        ("/open/v1/admin", "", 404),
        ("/open/internal", "", 403),
        ("/open/v1/internal", "", 403),
        (&format!("/open/x?{padding}debug=1"), "", 403),
        ("/open/x?role=user", "", 200),
        ("/open/x?role=user&role=admin", "", 500),
        ("/either", "", 200),
        ("/either", "Authorization: Bearer\r\n", 401),
        ("/either", "Authorization: Bearer\ta-key-of-nobody-at-all\r\n", 401),
        (&format!("/either?{padding}key=a-key-of-nobody-at-all"), "", 401),
    ];
    for (target, fields, status) in rows {
        let answer = shop.ask(&format!("GET {target} HTTP/1.1\r\nHost: shop\r\n{fields}\r\n")).await;
        assert_eq!(answer.status(), status, "{target} {fields}: {}", answer.head);
    }
    shop.close().await;
}

#[tokio::test]
async fn a_credential_goes_nowhere_else() {
    let echo = Echo::open().await;
    let shop = Shop::open(&manifests(&at(echo.address))).await;
    let padding = "a&".repeat(300);
    for (target, fields) in [
        (format!("/either?{padding}key={KEY}"), String::new()),
        ("/either".to_owned(), format!("Authorization: bearer {KEY}\r\n")),
        ("/either".to_owned(), format!("Authorization: Bearer\t{KEY}\r\n")),
        (format!("/away?key={KEY}&b=1"), String::new()),
    ] {
        let answer = shop.ask(&format!("GET {target} HTTP/1.1\r\nHost: shop\r\n{fields}\r\n")).await;
        assert!(matches!(answer.status(), 200 | 302), "{target}: {}", answer.head);
        assert!(!answer.head.contains(KEY) && !answer.text().contains(KEY), "{target}: {}", answer.head);
    }
    shop.close().await;
}
