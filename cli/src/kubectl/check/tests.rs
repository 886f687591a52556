//! What manifests would mean beside the objects of a cluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use operator::kinds::Kind;
use serde_json::{Value, json};
use translate::{Cluster, Context};

use super::*;

const NOW: &str = "2026-06-01T12:00:00Z";

/// A cluster with a Gateway for all namespaces.
fn cluster(objects: &[(Kind, Value)]) -> Beside {
    let default_gateway = cause::ObjectName::new("doorward-system", "doorward");
    let mut context = Context::of_cluster(NOW.parse().unwrap(), Cluster { default_gateway, gateway_api: None });
    context.outlines = Some(std::collections::BTreeMap::new());
    let mut beside = Beside { files: Vec::new(), context, live: std::collections::BTreeMap::new() };
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
        "metadata": {"name": "doorward", "uid": "uid-class", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"controllerName": "doorward.dev/gateway-controller"},
    });
    let listeners = json!([{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}]);
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {
            "name": "doorward", "namespace": "doorward-system", "uid": "uid-gateway", "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"gatewayClassName": "doorward", "listeners": listeners},
    });
    for (kind, object) in [(Kind::GatewayClass, class), (Kind::Gateway, gateway)].iter().chain(objects) {
        beside.add(*kind, std::slice::from_ref(object));
    }
    beside
}

/// `severity code object: effect` of what is found in a file that goes into `shop`, then what would break.
fn found(text: &str, beside: Beside) -> Vec<String> {
    let file = manifest::read_into("shop", "a.yaml", text.as_bytes(), catalog());
    let found = judged(vec![file], beside, NOW.parse().unwrap());
    let line = |finding: &Finding| {
        let object = finding.fault.object.as_ref().map(ToString::to_string).unwrap_or_default();
        let effect = finding.effect.as_deref().map(|effect| format!(": {effect}")).unwrap_or_default();
        format!("{:?} {} {object}{effect}", finding.fault.severity, finding.fault.code())
    };
    let broken = found.broken.iter().map(|(object, _)| format!("breaks {object}"));
    found.report.findings().iter().map(line).chain(broken).collect()
}

fn route(name: &str, path: &str) -> String {
    format!(
        "apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: {name}}}\nspec:\n  path: {path}\n  \
         authentication: {{mode: Anonymous}}\n  versions: [{{version: 1.0.0, backend: {{response: {{}}}}}}]\n"
    )
}

/// The same as it is in the cluster, served or with an earlier version in its place.
fn live_route(name: &str, path: &str, reason: &str) -> (Kind, Value) {
    let object = json!({
        "apiVersion": "doorward.dev/v1alpha1", "kind": "ApiRoute",
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "path": path, "authentication": {"mode": "Anonymous"},
            "versions": [{"version": "1.0.0", "backend": {"response": {}}}],
        },
        "status": {"conditions": [{"type": "Accepted", "status": "True", "reason": reason}]},
    });
    (Kind::ApiRoute, object)
}

#[test]
fn objects_go_where_kubectl_would_put_them() {
    let gateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: web}\n\
        spec: {gatewayClassName: doorward, listeners: [{name: http, port: 80, protocol: HTTP}]}\n";
    let named = route("orders", "/orders").replace("spec:\n", "spec:\n  parentRefs: [{name: web, namespace: shop}]\n");
    assert_eq!(found(&format!("{gateway}---\n{named}"), cluster(&[])), [""; 0]);
}

#[test]
fn who_came_first_keeps_what_two_claim() {
    let other = live_route("orders", "/orders", "Accepted");
    let conflict = "Error config.conflict ApiRoute shop/a-new";
    assert_eq!(found(&route("a-new", "/orders"), cluster(&[other])), [conflict]);
    // An update of the older one takes nothing from it.
    let both = [live_route("orders", "/orders", "Accepted"), live_route("invoices", "/invoices", "Accepted")];
    assert_eq!(found(&route("orders", "/orders"), cluster(&both)), [""; 0]);
    // One of the younger one does not break the older.
    let mut younger = live_route("a-young", "/young", "Accepted");
    younger.1["metadata"]["creationTimestamp"] = json!("2026-02-01T00:00:00Z");
    let conflict = "Error config.conflict ApiRoute shop/a-young";
    assert_eq!(found(&route("a-young", "/orders"), cluster(&[live_route("orders", "/orders", "Accepted"), younger])), [conflict]);
}

#[test]
fn a_refused_update_leaves_the_last_good_version() {
    let misspelt = route("orders", "/orders").replace("mode:", "mod:");
    let own = route("orders", "/orders").replace("spec:\n", "spec:\n  addresses: {allow: [10.0.0.1/8]}\n");
    let dangling = route("orders", "/orders").replace("{response: {}}", "{services: [{name: gone, port: 80}]}");
    let kept = "Warning config.serving_last_good ApiRoute shop/orders";
    let closed = "shop/orders answers 503 config.malformed until this is mended; nothing else is affected";
    let missing = "Error config.backend_not_found ApiRoute shop/orders: shop/orders answers 503 config.backend_not_found \
        until this is mended; nothing else is affected";
    let check = |text: &str, live: Option<&str>, expected: &[&str]| {
        let objects: Vec<_> = live.map(|reason| live_route("orders", "/orders", reason)).into_iter().collect();
        assert_eq!(found(text, cluster(&objects)), expected, "{text} {live:?}");
    };
    check(&misspelt, Some("Accepted"), &[kept, "Error config.unknown_field ApiRoute shop/orders"]);
    check(&own, Some("Accepted"), &[kept, "Error config.malformed ApiRoute shop/orders"]);
    check(&own, None, &[&format!("Error config.malformed ApiRoute shop/orders: {closed}")]);
    // What an object refers to is missing for its earlier version too, as the operator has it.
    check(&dangling, Some("Accepted"), &[missing]);
    // One that is refused already, while a version that nobody here can read serves.
    let mut refused = live_route("orders", "/orders", "ServingLastGood");
    refused.1["spec"]["addresses"] = json!({"allow": ["10.0.0.1/8"]});
    let goes_on = "Error config.malformed ApiRoute shop/orders: the last good version of ApiRoute shop/orders goes on serving";
    assert_eq!(found(&own, cluster(&[refused])), [goes_on]);
}

#[test]
fn the_operator_makes_the_secrets_that_keys_ask_for() {
    let key = "apiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {name: mobile}\n\
        spec: {issue: Generate, secretRef: {name: mobile-key}}\n";
    let check = |secret: Option<&str>, expected: &[&str]| {
        let mut beside = cluster(&[]);
        let owner = |owner: &str| {
            let reference =
                json!({"apiVersion": "doorward.dev/v1alpha1", "kind": "ApiKey", "name": owner, "uid": "u", "controller": true});
            serde_json::from_value::<ObjectMeta>(json!({"ownerReferences": [reference]})).unwrap()
        };
        let name = cause::ObjectName::new("shop", "mobile-key");
        beside.context.outlines = Some(secret.map(|secret| (name, owner(secret))).into_iter().collect());
        assert_eq!(found(key, beside), expected, "{secret:?}");
    };
    check(None, &[]);
    let effect = "the key shop/mobile is unknown to the gateway until this is mended; nothing else is affected";
    check(Some("other"), &[&format!("Error config.secret_not_owned ApiKey shop/mobile: {effect}")]);
    // One of an earlier key of this name goes with it.
    check(Some("mobile"), &[]);
    let provided = key.replace("issue: Generate", "issue: Provided");
    let found = found(&provided, cluster(&[]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("Error config.secret_not_found ApiKey shop/mobile"), "{found:?}");
}

#[test]
fn what_manifests_take_from_others_is_told() {
    let orders = live_route("orders", "/orders", "Accepted");
    let class = "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: doorward}\n\
        spec: {controllerName: example.com/other}\n";
    assert_eq!(found(class, cluster(&[orders])), ["breaks ApiRoute shop/orders"]);
}

#[test]
fn shipped_examples_are_well() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/kubernetes");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let errors = found(&std::fs::read_to_string(&path).unwrap(), cluster(&[]));
            let errors: Vec<_> = errors.iter().filter(|line| !line.starts_with("Notice")).collect();
            assert_eq!(errors, [""; 0], "{}", path.display());
            count += 1;
        }
    }
    assert!(count > 0);
}
