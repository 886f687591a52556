//! What the screen says of clusters that are well and that are not.

use observe::printable::Style;

use super::*;

const NOW: &str = "2026-06-01T12:00:00Z";

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 4,
        "lastTransitionTime": "2026-06-01T11:57:00Z",
    })
}

fn class() -> Value {
    json!({
        "kind": "GatewayClass", "metadata": {"name": "doorward", "generation": 4},
        "spec": {"controllerName": "doorward.dev/gateway-controller"},
        "status": {"conditions": [condition("Accepted", "True", "Accepted", "")]},
    })
}

fn gateway(programmed: &Value, listener: &Value) -> Value {
    json!({
        "kind": "Gateway", "metadata": {"name": "web", "namespace": "shop", "generation": 4},
        "spec": {"gatewayClassName": "doorward", "listeners": [{"name": "http"}, {"name": "https"}]},
        "status": {
            "addresses": [{"value": "10.1.2.3"}, {"value": "web.example.com"}],
            "conditions": [condition("Accepted", "True", "Accepted", ""), programmed],
            "listeners": [
                {"name": "http", "attachedRoutes": 2, "conditions": [condition("Programmed", "True", "Programmed", "")]},
                {"name": "https", "attachedRoutes": 5, "conditions": [listener]},
            ],
        },
    })
}

fn route(ready: &Value) -> Value {
    json!({"kind": "ApiRoute", "metadata": {"name": "orders", "namespace": "shop", "generation": 4}, "status": {"conditions": [ready]}})
}

fn replica(name: &str, is_ready: bool) -> ReplicaLine {
    let said = Status {
        version: "0.1.0".to_owned(),
        at: NOW.parse().unwrap(),
        started_at: NOW.parse().unwrap(),
        generation: 42,
        loaded_at: "2026-06-01T11:59:30Z".parse().unwrap(),
        objects: std::collections::BTreeMap::new(),
        faults: Vec::new(),
        last_hour: observe::refusals::Refusals::default(),
        workers: Vec::new(),
        records_dropped: 0,
    };
    let replica = Replica {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        gateway: "web".to_owned(),
        is_ready,
        restarts: 0,
        image: "doorward:0.1.0".to_owned(),
    };
    ReplicaLine { replica, said: if is_ready { Ok(said) } else { Err("not ready".to_owned()) } }
}

fn operator(ready: i64, leader: &str) -> Operator {
    Operator {
        name: "doorward-system/doorward-operator".to_owned(),
        image: "doorward:0.1.0".to_owned(),
        ready,
        wanted: 2,
        leader: leader.to_owned(),
    }
}

fn overview(operators: Vec<Operator>, gateways: &[Value], objects: &[Value], replicas: Vec<ReplicaLine>) -> Overview {
    let mut found = problems::of_operators(Some(&operators));
    found.extend(problems(Some(&[class()]), gateways, objects));
    let lines = gateways.iter().map(|gateway| gateway_line(gateway, &replicas)).collect();
    Overview { operators: Some(operators), gateways: lines, replicas, problems: found }
}

#[test]
fn a_cluster_that_is_well() {
    let programmed = condition("Programmed", "True", "Programmed", "");
    let overview = overview(
        vec![operator(2, "doorward-operator-a")],
        &[gateway(&programmed, &programmed)],
        &[route(&condition("Ready", "True", "Serving", ""))],
        vec![replica("web-doorward-1", true), replica("web-doorward-2", true)],
    );
    let expected = "\
operator doorward-system/doorward-operator (doorward:0.1.0): 2 of 2 ready, led by doorward-operator-a

GATEWAY    CLASS      ADDRESS                    ROUTES   PROGRAMMED   REASON       READY
shop/web   doorward   10.1.2.3,web.example.com   7        True         Programmed   2/2

REPLICA               READY   VERSION   GENERATION   LOADED     RESTARTS
shop/web-doorward-1   True    0.1.0     42           30 s ago   0
shop/web-doorward-2   True    0.1.0     42           30 s ago   0

nothing needs attention
";
    assert_eq!(overview.text(Style::Plain, NOW.parse().unwrap()), expected);
    let document = overview.document();
    assert_eq!((&document["problems"], &document["replicas"][0]["generation"]), (&json!([]), &json!(42)));
}

#[test]
fn what_is_wrong_is_named_with_what_to_type_next() {
    let overview = overview(
        vec![operator(0, "")],
        &[gateway(
            &condition("Programmed", "False", "Pending", "replica web-doorward-2 has not acknowledged generation 4"),
            &condition("ResolvedRefs", "False", "InvalidCertificateRef", "Secret shop/web-tls does not exist"),
        )],
        &[route(&condition("Ready", "False", "BackendNotFound", "Service shop/orders-v1 does not exist"))],
        vec![replica("web-doorward-1", true), replica("web-doorward-2", false)],
    );
    let expected = "\
4 things need attention:
  Deployment doorward-system/doorward-operator: OperatorUnavailable
    0 of 2 replicas are ready
    next: kubectl -n doorward-system describe pods -l app.kubernetes.io/component=operator; kubectl -n doorward-system \
logs deployment/doorward-operator
  Gateway shop/web: Pending for 3 min
    replica web-doorward-2 has not acknowledged generation 4
    next: kubectl -n shop describe gateway web
  Gateway shop/web listener https: InvalidCertificateRef for 3 min
    Secret shop/web-tls does not exist
    next: kubectl -n shop describe gateway web
  ApiRoute shop/orders: BackendNotFound for 3 min
    Service shop/orders-v1 does not exist
    next: kubectl -n shop describe apiroute orders
";
    let text = overview.text(Style::Plain, NOW.parse().unwrap());
    assert_eq!(text.split("\n\n").last(), Some(expected));
    assert!(text.contains("1/2") && text.contains("no leader"), "{text}");
}

#[test]
fn each_kind_is_judged_by_its_own_conditions() {
    let check = |classes: &[Value], objects: &[Value], expected: &[(&str, &str)]| {
        let found = problems(Some(classes), &[], objects);
        let found: Vec<_> = found.iter().map(|problem| (problem.object.as_str(), problem.reason.as_str())).collect();
        assert_eq!(found, expected);
    };
    check(&[], &[], &[("the GatewayClass", "Missing")]);
    check(&[class()], &[json!({"kind": "ApiKey", "metadata": {"name": "a", "namespace": "b"}})], &[("ApiKey b/a", "Pending")]);
    let mut old = route(&condition("Ready", "True", "Serving", ""));
    old["metadata"]["generation"] = json!(5);
    check(&[class()], &[old], &[("ApiRoute shop/orders", "Pending")]);
    let parent = |controller: &str, accepted: &str| {
        json!({
            "controllerName": controller, "parentRef": {"name": "web"},
            "conditions": [condition("Accepted", accepted, "NotAllowedByListeners", ""), condition("ResolvedRefs", "True", "ResolvedRefs", "")],
        })
    };
    let http = |parents: &[Value]| json!({"kind": "HTTPRoute", "metadata": {"name": "r", "namespace": "s", "generation": 4}, "status": {"parents": parents}});
    check(&[class()], &[http(&[parent("other.dev/c", "False"), parent("doorward.dev/gateway-controller", "True")])], &[]);
    check(
        &[class()],
        &[http(&[parent("doorward.dev/gateway-controller", "False")])],
        &[("HTTPRoute s/r at Gateway web", "NotAllowedByListeners")],
    );
    assert_eq!(problems(None, &[], &[]), []);
    assert_eq!(problems::of_operators(None), []);
    assert_eq!(problems::of_operators(Some(&[])).len(), 1);
}
