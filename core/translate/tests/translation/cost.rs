//! What a change costs among many routes: `cargo test --release -p doorward-translate cost -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::Duration;

use cause::ObjectName;
use serde_json::json;
use translate::{Cluster, Context, Manifests, Memory, Written, translate_again};

/// Routes, in 50 namespaces with a Service each.
const ROUTES: usize = 5_000;

/// What this thread has computed so far: on a busy machine the time of day says little.
fn computed() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn object<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Written<T> {
    Written::Good(Arc::new(serde_json::from_value(value).unwrap()))
}

const RULE: &str = "principal.team == 'shop' || request.path != '/x'";

fn route(index: usize, limit: u32) -> (ObjectName, serde_json::Value) {
    let (name, namespace) = (format!("api-{index}"), format!("team-{}", index % 50));
    let value = json!({
        "apiVersion": "doorward.dev/v1alpha1",
        "kind": "ApiRoute",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "hostnames": ["api.example.com"],
            "path": format!("/api-{index}"),
            "versions": [
                {"version": "1.0.0", "stage": "Deprecated", "backend": {"services": [{"name": "web", "port": 80}]}},
                {"version": "2.0.0", "backend": {"services": [{"name": "web", "port": 80}]}},
            ],
            "authentication": {"methods": [{"apiKey": {"header": "X-Api-Key"}}]},
            "authorization": {"rules": [{"name": "readers", "methods": ["GET"], "when": RULE}]},
            "limits": [{"name": "per-key", "per": ["Principal"], "requests": limit, "window": "1m"}],
        },
    });
    (ObjectName::new(namespace.as_str(), name.as_str()), value)
}

fn world() -> Manifests {
    let mut all = Manifests::default();
    all.gateway_classes.insert(
        ObjectName::new("", "doorward"),
        object(json!({"metadata": {"name": "doorward"}, "spec": {"controllerName": translate::CONTROLLER}})),
    );
    all.gateways.insert(
        ObjectName::new("doorward-system", "doorward"),
        object(json!({
            "metadata": {"name": "doorward", "namespace": "doorward-system"},
            "spec": {"gatewayClassName": "doorward", "listeners": [
                {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}},
            ]},
        })),
    );
    for index in 0..50 {
        let namespace = format!("team-{index}");
        let service = json!({"metadata": {"name": "web", "namespace": namespace}, "spec": {"ports": [{"port": 80}]}});
        all.services.insert(ObjectName::new(namespace.as_str(), "web"), object(service));
        let name = format!("key-{index}");
        let key = json!({"metadata": {"name": name, "namespace": namespace}, "spec": {"secretRef": {"name": name}}});
        all.api_keys.insert(ObjectName::new(namespace.as_str(), name.as_str()), object(key));
    }
    for index in 0..ROUTES {
        let (name, value) = route(index, 100);
        all.api_routes.insert(name, object(value));
    }
    all
}

#[test]
#[ignore = "measures, so it needs a release build and a quiet machine"]
fn a_change_costs_what_one_route_costs() {
    let cluster = Cluster { default_gateway: ObjectName::new("doorward-system", "doorward"), gateway_api: None };
    let context = Context::of_cluster("2026-06-01T00:00:00Z".parse().unwrap(), cluster);
    let (mut all, mut memory) = (world(), Memory::default());
    let begun = computed();
    let first = translate_again(&all, &context, &mut memory);
    println!("all {ROUTES} routes: {:?}", computed() - begun);
    assert_eq!(first.snapshot.routes.len(), ROUTES);
    let gateway = ObjectName::new("doorward-system", "doorward");
    let mut before = first.for_gateway(&gateway);
    let (mut translated, mut projected, mut differed) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..50_usize {
        let (name, value) = route(index, 101);
        all.api_routes.insert(name, object(value));
        let begun = computed();
        let again = translate_again(&all, &context, &mut memory);
        translated.push(computed() - begun);
        let begun = computed();
        let now = again.for_gateway(&gateway);
        projected.push(computed() - begun);
        let begun = computed();
        let delta = ir::Delta::between(&before, &now);
        differed.push(computed() - begun);
        assert_eq!(delta.upserts.len(), 1, "one route changed, change {index}");
        before = now;
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    println!("one change: translated in {:?}", median(&mut translated));
    println!("one change: projected in {:?}, differences in {:?}", median(&mut projected), median(&mut differed));
    assert!(median(&mut translated) < Duration::from_millis(30), "a change must be one step of many on its way");
}
