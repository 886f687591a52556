//! What the screen says of clusters that are well and that are not.

use observe::printable::Style;

use super::problems::problems;
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
        waiting: String::new(),
    };
    ReplicaLine { replica, said: if is_ready { Ok(said) } else { Err("not ready".to_owned()) } }
}

/// How many pods a Deployment wants, and has ready, of the newest version and of any.
fn deployment([wanted, ready, newest, all]: [i64; 4]) -> Value {
    json!({
        "metadata": {"name": "web-doorward", "namespace": "shop", "labels": {"gateway.networking.k8s.io/gateway-name": "web"}},
        "spec": {"replicas": wanted},
        "status": {
            "readyReplicas": ready, "updatedReplicas": newest, "replicas": all,
            "conditions": [{
                "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                "lastUpdateTime": "2026-06-01T11:57:00Z",
            }],
        },
    })
}

fn operator(ready: i64, leader: &str) -> Operator {
    Operator {
        name: "doorward-system/doorward-operator".to_owned(),
        image: "doorward:0.1.0".to_owned(),
        rollout: Rollout::of(&json!({
            "spec": {"replicas": 2}, "status": {"readyReplicas": ready, "updatedReplicas": 2, "replicas": 2},
        })),
        leader: leader.to_owned(),
    }
}

fn overview(operators: Vec<Operator>, gateways: &[Value], objects: &[Value], replicas: Vec<ReplicaLine>) -> Overview {
    let mut found = problems::of_operators(Some(&operators));
    found.extend(problems(Some(&[class()]), gateways, objects));
    let lines = gateways.iter().map(|gateway| gateway_line(gateway, &replicas)).collect();
    Overview { operators: Some(operators), gateways: lines, replicas, problems: found, notes: Vec::new() }
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

GATEWAY    CLASS      ADDRESS                    ROUTES           PROGRAMMED   REASON       READY
shop/web   doorward   10.1.2.3,web.example.com   http:2 https:5   True         Programmed   2/2

REPLICA               READY   VERSION   GENERATION   LOADED     RESTARTS
shop/web-doorward-1   True    0.1.0     42           30 s ago   0
shop/web-doorward-2   True    0.1.0     42           30 s ago   0

nothing needs attention
";
    assert_eq!(overview.text(Style::Plain, NOW.parse().unwrap()), expected);
    let document = overview.document();
    assert_eq!((&document["problems"], &document["replicas"][0]["generation"]), (&json!([]), &json!(42)));
    let expected = json!([{"name": "http", "attachedRoutes": 2}, {"name": "https", "attachedRoutes": 5}]);
    assert_eq!((&document["gateways"][0]["listeners"], &document["notes"]), (&expected, &json!([])));
}

#[test]
fn what_was_not_looked_at_is_told() {
    let mut overview = overview(vec![operator(2, "a")], &[], &[], Vec::new());
    overview.notes = vec!["you may not list gateways in shop, so they are not looked at".to_owned()];
    let text = overview.text(Style::Plain, NOW.parse().unwrap());
    let expected =
        "note: you may not list gateways in shop, so they are not looked at\nnothing of what was looked at needs attention\n";
    assert!(text.ends_with(expected), "{text}");
    assert_eq!(overview.document()["notes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_rollout_that_does_not_get_on_needs_attention_while_earlier_pods_serve() {
    let mut stuck = replica("web-doorward-2", false);
    stuck.replica.waiting = "ImagePullBackOff".to_owned();
    let replicas = [replica("web-doorward-1", true), stuck];
    let found = problems::of_rollouts(&[deployment([1, 1, 1, 2])], &replicas);
    let [problem] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((problem.object.as_str(), problem.reason.as_str()), ("Deployment shop/web-doorward", "ProgressDeadlineExceeded"));
    let expected = "1 of 1 replicas are ready, and 1 of an earlier version still runs; web-doorward-2: ImagePullBackOff";
    assert_eq!((problem.message.as_str(), problem.since.as_str()), (expected, "2026-06-01T11:57:00Z"));
    assert!(problem.next.contains("-l gateway.networking.k8s.io/gateway-name=web"), "{}", problem.next);
    let mut done = deployment([1, 1, 1, 1]);
    done["status"]["conditions"] = json!([]);
    assert_eq!(problems::of_rollouts(&[done], &replicas), []);
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
    let mut partly = parent("doorward.dev/gateway-controller", "True");
    if let Some(conditions) = partly["conditions"].as_array_mut() {
        conditions.push(condition("PartiallyInvalid", "True", "UnsupportedValue", ""));
    }
    check(&[class()], &[http(&[partly])], &[("HTTPRoute s/r at Gateway web", "UnsupportedValue")]);
    assert_eq!(problems(None, &[], &[]), []);
    assert_eq!(problems::of_operators(None), []);
    assert_eq!(problems::of_operators(Some(&[])).len(), 1);
}
