//! What follows from changes of objects: at the data planes, in statuses, and nowhere else.

use std::time::Duration;

use xtask::Failure;

use super::{World, answered, ensure, open_route};
use crate::doorward::{NAME, NAMESPACE, PATIENCE, SHOP, condition, key};
use crate::http::Request;
use crate::run::until;

/// From the API server's answer to the first request that is judged by a changed key: one second, and one for a machine
/// that runs a whole cluster on two cores.
const KEY_CHANGE: Duration = Duration::from_secs(2);

fn get(path: &str) -> Request {
    Request::get("api.example.com", path)
}

/// Suspension, resumption and deletion of a key.
pub(super) fn keys(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&format!(
        "apiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {{name: tried, namespace: {SHOP}}}\n\
         spec: {{issue: Generate, roles: [orders-reader], secretRef: {{name: tried-key}}}}\n"
    ))?;
    condition(&world.cluster, &["apikey", "tried", "-n", SHOP], "Ready", "True")?;
    let request = get("/orders").with("x-api-key", &key(&world.cluster, SHOP, "tried-key")?);
    world.until_answer_in(KEY_CHANGE, "a new key admits", &request, 200)?;
    let suspend = |value: &str| {
        let patch = format!(r#"{{"spec":{{"suspended":{value}}}}}"#);
        world.cluster.kubectl(&["patch", "apikey", "tried", "-n", SHOP, "--type=merge", "-p", &patch])
    };
    suspend("true")?;
    let refused = world.until_answer_in(KEY_CHANGE, "a suspended key is refused", &request, 401)?;
    let code = refused.field("doorward-code");
    ensure(code == "credential.suspended", || format!("a suspended key is refused as {code}"))?;
    world.cluster.until_value(PATIENCE, &["apikey", "tried", "-n", SHOP], ".status.state", "Suspended")?;
    suspend("false")?;
    world.until_answer_in(KEY_CHANGE, "a resumed key admits", &request, 200)?;
    world.cluster.kubectl(&["delete", "apikey", "tried", "-n", SHOP, "--wait=false"])?;
    world.until_answer_in(KEY_CHANGE, "a deleted key is refused", &request, 401)?;
    until(PATIENCE, "the Secret goes with its key", || {
        let left = world.cluster.kubectl(&["get", "secret", "tried-key", "-n", SHOP, "--ignore-not-found"]);
        left.map_err(|failure| failure.to_string()).and_then(|left| if left.is_empty() { Ok(()) } else { Err(left) })
    })
}

/// A rotation: the new text admits, and for a while the old one does too.
pub(super) fn rotation(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&format!(
        "apiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {{name: turned, namespace: {SHOP}}}\n\
         spec: {{issue: Generate, roles: [orders-reader], secretRef: {{name: turned-key}}, rotation: {{every: 90d, overlap: 10s}}}}\n"
    ))?;
    condition(&world.cluster, &["apikey", "turned", "-n", SHOP], "Ready", "True")?;
    let old = key(&world.cluster, SHOP, "turned-key")?;
    let with = |key: &str| get("/orders").with("x-api-key", key);
    world.until_answer("the first text admits", &with(&old), 200)?;
    world.cluster.kubectl(&["annotate", "apikey", "turned", "-n", SHOP, "doorward.dev/rotate=1"])?;
    let new = until(PATIENCE, "the key is rotated", || {
        let found = key(&world.cluster, SHOP, "turned-key").map_err(|failure| failure.to_string())?;
        if found == old { Err("it is the old one".to_owned()) } else { Ok(found) }
    })?;
    world.until_answer("the new text admits", &with(&new), 200)?;
    let answer = world.send(&with(&old))?;
    ensure(answer.status == 200, || format!("the old text is refused within the overlap: {} {}", answer.status, answer.body))?;
    world.until_answer("the old text ends", &with(&old), 401)?;
    let answer = world.send(&with(&new))?;
    ensure(answer.status == 200, || format!("the new text is refused: {} {}", answer.status, answer.body))?;
    world.cluster.kubectl(&["delete", "apikey", "turned", "-n", SHOP]).map(drop)
}

/// Rotations while earlier texts are good still: up to four of those admit beside the newest, a fifth ends the oldest, and
/// status tells of all.
pub(super) fn rotations(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&format!(
        "apiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {{name: often, namespace: {SHOP}}}\n\
         spec: {{issue: Generate, roles: [orders-reader], secretRef: {{name: often-key}}, rotation: {{every: 90d, overlap: 1h}}}}\n"
    ))?;
    condition(&world.cluster, &["apikey", "often", "-n", SHOP], "Ready", "True")?;
    let with = |key: &str| get("/orders").with("x-api-key", key);
    let mut texts = vec![key(&world.cluster, SHOP, "often-key")?];
    for turn in 1..=EARLIER_TEXTS + 1 {
        let rotate = format!("doorward.dev/rotate={turn}");
        world.cluster.kubectl(&["annotate", "--overwrite", "apikey", "often", "-n", SHOP, &rotate])?;
        texts.push(until(PATIENCE, "the key is rotated", || {
            let found = key(&world.cluster, SHOP, "often-key").map_err(|failure| failure.to_string())?;
            if texts.contains(&found) { Err("it is an old one".to_owned()) } else { Ok(found) }
        })?);
    }
    let (ended, good) = texts.split_at(1);
    for text in good {
        world.until_answer("a text within its overlap admits", &with(text), 200)?;
    }
    let refused = world.until_answer("the oldest of too many is ended", &with(&ended[0]), 401)?;
    let code = refused.field("doorward-code");
    ensure(code == "credential.rotated", || format!("an ended text is refused as {code}"))?;
    until(PATIENCE, "status lists the earlier texts", || {
        let found = world.cluster.get(&["apikey", "often", "-n", SHOP]).map_err(|failure| failure.to_string())?;
        let listed = found["status"]["earlierTexts"].as_array().map_or(0, Vec::len);
        if listed == EARLIER_TEXTS + 1 { Ok(()) } else { Err(found["status"].to_string()) }
    })?;
    world.cluster.kubectl(&["delete", "apikey", "often", "-n", SHOP]).map(drop)
}

/// Earlier texts of a key that are good at once.
const EARLIER_TEXTS: usize = 4;

/// A route before its service.
pub(super) fn missing_backend(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&open_route("early", "late"))?;
    let route = ["apiroute", "early", "-n", SHOP];
    condition(&world.cluster, &route, "ResolvedRefs", "False")?;
    let reason = ".status.conditions[?(@.type==\"ResolvedRefs\")].reason";
    world.cluster.until_value(PATIENCE, &route, reason, "BackendNotFound")?;
    let refused = world.until_answer("the route is closed", &get("/early"), 503)?;
    ensure(refused.field("doorward-code").starts_with("config."), || format!("{refused:?}"))?;
    world.cluster.apply(&format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: late, namespace: {SHOP}}}\n\
         spec: {{selector: {{app: orders}}, ports: [{{port: 80, targetPort: http}}]}}\n"
    ))?;
    world.until_answer("the route opens", &get("/early"), 200)?;
    condition(&world.cluster, &route, "Ready", "True")?;
    world.cluster.kubectl(&["delete", "apiroute/early", "service/late", "-n", SHOP]).map(drop)
}

/// A broken update of one route: it keeps its last good version and says so, and no other is touched.
pub(super) fn broken(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&open_route("fragile", "orders"))?;
    let route = ["apiroute", "fragile", "-n", SHOP];
    condition(&world.cluster, &route, "Ready", "True")?;
    let traffic = world.traffic();
    let patch = r#"{"spec":{"authorization":{"rules":[{"name":"wrong","when":"nobody.knows(this)"}]}}}"#;
    world.cluster.kubectl(&["patch", "apiroute", "fragile", "-n", SHOP, "--type=merge", "-p", patch])?;
    condition(&world.cluster, &route, "Accepted", "False")?;
    condition(&world.cluster, &route, "Stalled", "True")?;
    let reason = ".status.conditions[?(@.type==\"Accepted\")].reason";
    world.cluster.until_value(PATIENCE, &route, reason, "ServingLastGood")?;
    let answer = world.send(&get("/fragile"))?;
    ensure(answer.status == 200, || format!("the last good version does not serve: {} {}", answer.status, answer.body))?;
    condition(&world.cluster, &["apiroute", "orders", "-n", SHOP], "Ready", "True")?;
    traffic.unharmed()?;
    world.cluster.kubectl(&["delete", "apiroute", "fragile", "-n", SHOP]).map(drop)
}

/// What pipelines look at after the operator has done its work.
pub(super) fn no_difference(world: &World) -> Result<(), Failure> {
    let path = xtask::places::root()?.join("examples/kubernetes/quickstart.yaml");
    let difference = world.cluster.kubectl(&["diff", "--server-side", "--field-manager=pipeline", "-f", &path.to_string_lossy()]);
    difference.map_err(|failure| Failure::new(format!("a difference after reconciling: {failure}")))?;
    let before = world.cluster.get(&["gateway", NAME, "-n", NAMESPACE])?["metadata"]["resourceVersion"].clone();
    let traffic = world.traffic();
    world.cluster.kubectl(&["apply", "-f", &path.to_string_lossy()])?;
    traffic.unharmed()?;
    let after = world.cluster.get(&["gateway", NAME, "-n", NAMESPACE])?["metadata"]["resourceVersion"].clone();
    ensure(before == after, || format!("applying the same again wrote to the Gateway: {before} to {after}"))
}

/// Deletion of a route.
pub(super) fn gone(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&open_route("brief", "orders"))?;
    world.until_answer("the route serves", &get("/brief"), 200)?;
    world.cluster.kubectl(&["delete", "apiroute", "brief", "-n", SHOP])?;
    until(PATIENCE, "the route ends", || answered(&get("/brief"), world.gateway, 404))?;
    world.cluster.until_value(PATIENCE, &["gateway", NAME, "-n", NAMESPACE], ".status.listeners[0].attachedRoutes", "2")
}
