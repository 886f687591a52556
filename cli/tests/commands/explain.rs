//! `doorward explain` by manifests.

use crate::program::{Folder, doorward};

const ROUTE: &str = "\
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {name: orders, namespace: shop}
spec:
  path: /orders
  authentication: {mode: Required, methods: [{apiKey: {header: X-Api-Key}}]}
  addresses: {allow: [127.0.0.0/8]}
  authorization:
    rules: [{name: readers, methods: [GET, HEAD], roles: [reader]}]
  versions: [{version: 1.0.0, backend: {response: {body: hello}}}]
";

#[test]
fn a_call_is_told_check_by_check() {
    let made = doorward(&["key", "new", "app", "--namespace", "shop", "--role", "reader", "--expires-in", "90d", "-q"], "");
    let key = made.err.trim();
    let folder = Folder::new(&[("api.yaml", ROUTE), ("keys.yaml", &made.out)]);
    let bodies = Folder::new(&[("body.json", "{}")]);
    let field = format!("X-Api-Key: {key}");
    let check = |arguments: &[&str], exit: i32, holds: &[&str]| {
        let ran = doorward(&[&["explain", "-f", folder.path()], arguments].concat(), "{}");
        assert_eq!((ran.exit, ran.err.as_str()), (exit, ""), "{arguments:?} {ran:?}");
        for text in holds {
            assert!(ran.out.contains(text), "{text}: {}", ran.out);
        }
        assert!(!ran.out.contains(key), "{}", ran.out);
    };
    let orders = ["--request", "GET /orders"];
    let allowed = ["GET /orders would be allowed", "  identify    ok       header X-Api-Key -> ApiKey shop/app"];
    check(&[&orders[..], &["-H", &field]].concat(), 0, &allowed);
    check(&orders, 1, &["would be refused: 401 credential.missing", "  authorize   -        not reached", "Fix (Caller)"]);
    let file = format!("@{}", bodies.file("body.json").display());
    for body in ["{}", &file, "@-"] {
        let post = ["--request", "POST /orders", "-H", &field, "--body", body];
        check(&post, 1, &["403", "  authorize   refused"]);
    }
    // What was judged by, and what is left to change, at their places.
    let post = ["--request", "POST /orders", "-H", &field];
    check(&post, 1, &["allow list: 127.0.0.0/8", "api.yaml:7\n", "api.yaml:9\n", "not reached"]);
    check(&[&orders[..], &["-H", &field, "--from", "10.0.0.9"]].concat(), 1, &["  screen      refused"]);
    check(&[&orders[..], &["-H", &field, "--at", "2199-01-01T00:00:00Z"]].concat(), 1, &["401 credential.expired"]);
    check(&["--request", "/nowhere"], 1, &["404 route.not_found"]);
    let ran = doorward(&["explain", "-f", folder.path(), "--request", "/orders", "-o", "json"], "");
    let document = ran.json();
    assert_eq!((&document["verdict"], &document["status"]), (&"Refused".into(), &401.into()), "{document}");
    assert_eq!(document["code"], "credential.missing");
    assert_eq!(document["checks"][0]["check"], "locate");
}

#[test]
fn errors_of_manifests_are_mentioned() {
    let folder = Folder::new(&[("api.yaml", &ROUTE.replace("readers, ", "readers, rols: [], "))]);
    let ran = doorward(&["explain", "-f", folder.path(), "--request", "/orders"], "");
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.out.contains("503 config."), "{ran:?}");
    let fix = "Fix (ApiOwner): In `spec.authorization.rules[0]` of ApiRoute shop/orders: Remove `rols`";
    assert!(ran.out.contains(fix) && ran.out.contains("api.yaml:9\n"), "{}", ran.out);
    assert!(ran.err.contains("there is 1 error in"), "{ran:?}");
}

#[test]
fn variables_are_listed() {
    let ran = doorward(&["explain", "--variables"], "");
    let told = |line: &str| line.split_whitespace().take(2).eq(["principal.roles", "list(string)"]);
    assert!(ran.exit == 0 && ran.out.lines().any(told), "{ran:?}");
    let ran = doorward(&["explain", "--variables", "-o", "json"], "");
    assert_eq!(ran.json()["phases"][0]["variables"][0]["name"], "request.method");
}
