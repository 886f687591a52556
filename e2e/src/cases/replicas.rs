//! One replica of several that cannot do what the others do.

use std::time::Instant;

use serde_json::{Value, json};
use xtask::Failure;

use super::{RECOVERY, World, answered, ensure, processes};
use crate::doorward::{self, PATIENCE};
use crate::http::Request;
use crate::port::Held;
use crate::run::until;
use crate::traffic::Traffic;

/// The namespace, and the Gateway in it.
const TRIO: &str = "trio";
/// The listeners' ports, which the pods have too: the one that is served, and the one that a replica cannot take.
const PORTS: [u16; 2] = [7001, 7002];

/// A refusal by one of three replicas: the Gateway's status names that pod and its reason, nobody who calls notices, and
/// the status is true again soon after the cause has gone.
pub(super) fn one_of_three(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {TRIO}}}\n---\n\
         apiVersion: doorward.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {{name: {TRIO}, namespace: {TRIO}}}\n\
         spec: {{deployment: {{replicas: 3, resources: {{requests: {{cpu: 10m}}}}}}}}\n---\n\
         apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: fixed, namespace: {TRIO}}}\n\
         spec:\n  parentRefs: [{{name: {TRIO}}}]\n  path: /fixed\n  authentication: {{mode: Anonymous}}\n  \
         versions: [{{version: 1.0.0, backend: {{response: {{status: 200, body: here}}}}}}]\n"
    ))?;
    world.cluster.apply(&gateway(&PORTS[..1]).to_string())?;
    doorward::programmed(&world.cluster, TRIO, TRIO)?;
    let address = doorward::address(&world.cluster, TRIO, TRIO)?;
    let fixed = Request::get("a.example.com", "/fixed");
    until(PATIENCE, "the three answer", || answered(&fixed, address, 200))?;
    // The pods stay as they are: else a new port of the pods would replace the one that is to refuse.
    world.cluster.kubectl(&["rollout", "pause", "deployment/trio-doorward", "-n", TRIO])?;
    let planes = processes::data_planes(&format!("{TRIO}/{TRIO}"))?;
    ensure(planes.len() == 3, || format!("there are {} data planes", planes.len()))?;
    let pod = processes::pod(&planes[0])?;
    let traffic = Traffic::start(address, fixed, 200);
    let held = Held::beside(&planes[0], PORTS[1])?;
    world.cluster.apply(&gateway(&PORTS).to_string())?;
    until(PATIENCE, "the status names the replica and its reason", || refused(world, &pod))?;
    drop(held);
    let freed = Instant::now();
    doorward::programmed(&world.cluster, TRIO, TRIO)?;
    ensure(freed.elapsed() < RECOVERY, || format!("the status was true only after {} s", freed.elapsed().as_secs()))?;
    traffic.unharmed()?;
    world.cluster.kubectl(&["delete", "gateway", TRIO, "-n", TRIO])?;
    world.cluster.kubectl(&["delete", "namespace", TRIO]).map(drop)
}

fn gateway(ports: &[u16]) -> Value {
    let listener = |port: &u16| json!({"name": format!("http-{port}"), "port": port, "protocol": "HTTP"});
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": TRIO, "namespace": TRIO},
        "spec": {
            "gatewayClassName": "doorward",
            "infrastructure": {"parametersRef": {"group": "doorward.dev", "kind": "GatewayConfig", "name": TRIO}},
            "listeners": ports.iter().map(listener).collect::<Vec<_>>(),
        },
    })
}

/// Whether the Gateway says at its present generation that this pod refuses, and why.
fn refused(world: &World, pod: &str) -> Result<(), String> {
    let found = world.cluster.get(&["gateway", TRIO, "-n", TRIO]).map_err(|failure| failure.to_string())?;
    let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let says_so = |condition: &Value| {
        let message = condition["message"].as_str().unwrap_or_default();
        condition["type"] == "Programmed"
            && condition["status"] == "False"
            && condition["reason"] == "Refused"
            && condition["observedGeneration"] == found["metadata"]["generation"]
            && message.contains(pod)
            && message.contains("cannot listen")
    };
    if conditions.iter().any(says_so) { Ok(()) } else { Err(format!("{pod} should refuse: {}", found["status"]["conditions"])) }
}
