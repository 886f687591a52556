//! What breaks in a cluster, and that callers do not notice.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::Failure;

use super::{World, ensure};
use crate::doorward::{NAME, NAMESPACE, OPERATOR, PATIENCE, SHOP, condition, programmed};
use crate::http::Request;
use crate::run::{output, until};

/// The pods and the Deployment of the default Gateway.
const DATA_PLANE: &str = "gateway.networking.k8s.io/gateway-name=doorward";
/// How soon a status is true again after a fault.
const RECOVERY: Duration = Duration::from_secs(10);
/// How long a node may send requests to a process that was killed: until the kubelet and kube-proxy have noticed.
const NOTICE: Duration = Duration::from_secs(5);
/// How long all operators, or the API server, are away.
const NO_OPERATOR: Duration = Duration::from_secs(120);
const NO_API_SERVER: Duration = Duration::from_secs(60);

/// `kubectl rollout restart` of the data plane under traffic.
pub(super) fn rolling_restart(world: &World) -> Result<(), Failure> {
    let traffic = world.traffic();
    let deployment = deployment(world)?;
    world.cluster.kubectl(&["rollout", "restart", &deployment, "-n", NAMESPACE])?;
    rolled_out(world, &deployment)?;
    traffic.unharmed()?;
    let gone = world.cluster.kubectl(&["get", "pods", "-n", NAMESPACE, "-l", DATA_PLANE, "-o", "name"])?;
    ensure(!gone.is_empty(), || "there is no data plane".to_owned())
}

/// More and fewer replicas by the Gateway's GatewayConfig under traffic.
pub(super) fn scaling(world: &World) -> Result<(), Failure> {
    let config = |replicas: u8| {
        format!(
            "apiVersion: doorward.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {{name: sized, namespace: {NAMESPACE}}}\n\
             spec: {{deployment: {{replicas: {replicas}}}}}\n"
        )
    };
    let parameters = |value: &str| {
        let patch = format!(r#"{{"spec":{{"infrastructure":{value}}}}}"#);
        world.cluster.kubectl(&["patch", "gateway", NAME, "-n", NAMESPACE, "--type=merge", "-p", &patch])
    };
    let replicas = |expected: &str| {
        let object = ["deployment", "-l", DATA_PLANE, "-n", NAMESPACE];
        world.cluster.until_value(PATIENCE, &object, ".items[0].status.readyReplicas", expected)
    };
    let traffic = world.traffic();
    world.cluster.apply(&config(3))?;
    parameters(r#"{"parametersRef":{"group":"doorward.dev","kind":"GatewayConfig","name":"sized"}}"#)?;
    replicas("3")?;
    world.cluster.apply(&config(1))?;
    replicas("1")?;
    parameters("null")?;
    replicas("2")?;
    traffic.unharmed()?;
    programmed(&world.cluster, NAMESPACE, NAME)?;
    world.cluster.kubectl(&["delete", "gatewayconfig", "sized", "-n", NAMESPACE]).map(drop)
}

/// Somebody else writes what is the operator's: replicas, a child, a status. It is put right, and nobody is refused.
pub(super) fn conflicting_writers(world: &World) -> Result<(), Failure> {
    let traffic = world.traffic();
    let deployment = deployment(world)?;
    world.cluster.kubectl(&["scale", &deployment, "-n", NAMESPACE, "--replicas=1"])?;
    world.cluster.until_value(PATIENCE, &[&deployment, "-n", NAMESPACE], ".spec.replicas", "2")?;
    rolled_out(world, &deployment)?;
    world.cluster.kubectl(&["delete", "poddisruptionbudgets", "-n", NAMESPACE, "-l", DATA_PLANE])?;
    let budget = ["poddisruptionbudgets", "-n", NAMESPACE, "-l", DATA_PLANE];
    world.cluster.until_value(PATIENCE, &budget, ".items[*].metadata.name", "doorward-doorward")?;
    let lie = r#"{"status":{"conditions":[{"type":"Ready","status":"False","reason":"Lie","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}"#;
    world.cluster.kubectl(&["patch", "apiroute", "orders", "-n", SHOP, "--subresource=status", "--type=merge", "-p", lie])?;
    let began = Instant::now();
    condition(&world.cluster, &["apiroute", "orders", "-n", SHOP], "Ready", "True")?;
    ensure(began.elapsed() < RECOVERY, || format!("the status was true only after {} s", began.elapsed().as_secs()))?;
    traffic.unharmed()
}

/// `helm upgrade` to other settings of operator and data planes, and `helm rollback`, under traffic.
pub(super) fn upgrade(world: &World) -> Result<(), Failure> {
    let traffic = world.traffic();
    let chart = xtask::places::root()?.join("charts/doorward");
    let chart = chart.to_string_lossy();
    let change = ["--set", "podAnnotations.tried=yes", "--set", "gatewayConfig.deployment.resources.requests.memory=65Mi"];
    let upgrade = ["helm", "upgrade", NAME, &*chart, "-n", NAMESPACE, "--reuse-values", "--wait", "--timeout=120s"];
    let memory = |expected: &str| {
        let deployment = deployment(world)?;
        let at = ".spec.template.spec.containers[0].resources.requests.memory";
        world.cluster.until_value(PATIENCE, &[&deployment, "-n", NAMESPACE], at, expected)?;
        rolled_out(world, &deployment)
    };
    world.cluster.run_inside(&[&upgrade[..], &change].concat())?;
    memory("65Mi")?;
    world.cluster.run_inside(&["helm", "rollback", NAME, "-n", NAMESPACE, "--wait", "--timeout=120s"])?;
    memory("64Mi")?;
    rolled_out(world, OPERATOR)?;
    traffic.unharmed()
}

/// A deleted pod fails nothing; a killed process only what it had, and until the node notices.
pub(super) fn data_plane_killed(world: &World) -> Result<(), Failure> {
    let traffic = world.traffic();
    let pods = world.cluster.kubectl(&["get", "pods", "-n", NAMESPACE, "-l", DATA_PLANE, "-o", "name"])?;
    let pod = pods.lines().next().ok_or_else(|| Failure::new("there is no data plane"))?;
    world.cluster.kubectl(&["delete", pod, "-n", NAMESPACE])?;
    rolled_out(world, &deployment(world)?)?;
    traffic.unharmed()?;
    let (began, traffic) = (Instant::now(), world.traffic());
    kill(processes("dataplane")?.first())?;
    let killed = began.elapsed();
    ready_again(world)?;
    let outcome = traffic.outcome()?;
    let late = (killed + NOTICE).as_secs_f64();
    let missed: Vec<_> = outcome.failures.iter().filter(|(at, _)| *at > late).collect();
    ensure(missed.is_empty(), || format!("requests fail {} s after the process was killed: {missed:?}", NOTICE.as_secs()))
}

/// The leader and then every operator killed under traffic and churn.
pub(super) fn operator_killed(world: &World) -> Result<(), Failure> {
    let traffic = world.traffic();
    for process in processes("operator")? {
        kill(Some(&process))?;
        fresh_route(world, &format!("killed-{process}"))?;
    }
    for process in processes("operator")? {
        kill(Some(&process))?;
    }
    fresh_route(world, "killed-all")?;
    rolled_out(world, OPERATOR)?;
    programmed(&world.cluster, NAMESPACE, NAME)?;
    traffic.unharmed()
}

/// No operator for two minutes, and every data plane's process killed meanwhile: they serve what they sealed.
pub(super) fn no_operator(world: &World) -> Result<(), Failure> {
    let replicas = world.cluster.kubectl(&["get", OPERATOR, "-n", NAMESPACE, "-o", "jsonpath={.spec.replicas}"])?;
    let scale = |replicas: &str| world.cluster.kubectl(&["scale", OPERATOR, "-n", NAMESPACE, &format!("--replicas={replicas}")]);
    scale("0")?;
    let kept = without_operator(world);
    scale(&replicas)?;
    rolled_out(world, OPERATOR)?;
    kept?;
    fresh_route(world, "after-no-operator")
}

fn without_operator(world: &World) -> Result<(), Failure> {
    let began = Instant::now();
    until(PATIENCE, "the operators end", || {
        let left = processes("operator").map_err(|failure| failure.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })?;
    let victims = processes("dataplane")?;
    ensure(!victims.is_empty(), || "there is no data plane".to_owned())?;
    for victim in &victims {
        kill(Some(victim))?;
        ready_again(world)?;
    }
    world.until_answer("restarted data planes answer", &world.orders(), 200)?;
    let traffic = world.traffic();
    thread::sleep(NO_OPERATOR.saturating_sub(began.elapsed()));
    traffic.unharmed()
}

/// The API server stopped for a minute under traffic.
pub(super) fn api_server_away(world: &World) -> Result<(), Failure> {
    let place = world.cluster.place().ok_or_else(|| Failure::new("only a cluster of ours has an API server to stop"))?;
    let process = place.read("pids/kube-apiserver");
    let signal = |name: &str| output(Command::new("kill").args([&format!("-{name}"), process.trim()]));
    let traffic = world.traffic();
    signal("STOP")?;
    thread::sleep(NO_API_SERVER);
    signal("CONT")?;
    until(PATIENCE, "the API server is back", || {
        world.cluster.kubectl(&["get", "--raw", "/readyz", "--request-timeout=2s"]).map_err(|failure| failure.to_string())
    })?;
    fresh_route(world, "after-outage")?;
    traffic.unharmed()
}

/// An object that no reader can decode, among many good ones: the definition is loosened to let it in.
pub(super) fn poisoned(world: &World) -> Result<(), Failure> {
    const DEFINITION: &str = "apiroutes.doorward.dev";
    let definition = world.cluster.get(&["crd", DEFINITION])?;
    let put = |schema: &Value| {
        let patch = json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": schema}]);
        world.cluster.kubectl(&["patch", "crd", DEFINITION, "--type=json", "-p", &patch.to_string()])
    };
    let many: String = (0..499).map(|number| route(&format!("many-{number}"))).collect();
    world.cluster.apply(&many)?;
    let traffic = world.traffic();
    put(&json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}))?;
    let poison = "apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {name: poison, namespace: shop, labels: {case: many}}\n\
                  spec: {path: {not: [a, text]}, versions: 7}\n";
    until(PATIENCE, "the loosened definition takes the object", || {
        world.cluster.apply(poison).map_err(|failure| failure.to_string())
    })?;
    put(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])?;
    kill(processes("operator")?.first())?;
    fresh_route(world, "beside-poison")?;
    let last = Request::get("api.example.com", "/many-498");
    world.until_answer_in(PATIENCE, "the last of the many serves", &last, 200)?;
    rolled_out(world, OPERATOR)?;
    traffic.unharmed()?;
    world.cluster.kubectl(&["delete", "apiroutes", "-n", SHOP, "-l", "case=many", "--wait=false"]).map(drop)
}

/// Nothing that our pods asked the API server for was forbidden, in all that was tried before.
pub(super) fn rights(world: &World) -> Result<(), Failure> {
    let place = world.cluster.place().ok_or_else(|| Failure::new("only a cluster of ours has an audit log"))?;
    let (mut seen, mut forbidden) = (0, Vec::new());
    for line in place.read("logs/audit.log").lines() {
        let event: Value = serde_json::from_str(line).map_err(|error| Failure::new(format!("audit log: {error}")))?;
        let user = event["user"]["username"].as_str().unwrap_or_default();
        if !user.starts_with("system:serviceaccount:") || !user.contains(NAME) {
            continue;
        }
        seen += 1;
        if event["annotations"]["authorization.k8s.io/decision"] == "forbid" {
            forbidden.push(format!("{user}: {} {}", event["verb"], event["requestURI"]));
        }
    }
    forbidden.sort();
    forbidden.dedup();
    ensure(seen > 0, || "the audit log holds no request of ours".to_owned())?;
    ensure(forbidden.is_empty(), || format!("forbidden: {forbidden:#?}"))
}

fn route(name: &str) -> String {
    format!(
        "---\napiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: {name}, namespace: {SHOP}, labels: {{case: many}}}}\n\
         spec:\n  path: /{name}\n  authentication: {{mode: Anonymous}}\n  \
         versions: [{{version: 1.0.0, backend: {{response: {{status: 200, body: here}}}}}}]\n"
    )
}

/// A route that is made after a fault: it serves, and its status says so, soon.
fn fresh_route(world: &World, name: &str) -> Result<(), Failure> {
    world.cluster.apply(&route(name))?;
    world.until_answer_in(RECOVERY, "a new route serves", &Request::get("api.example.com", &format!("/{name}")), 200)?;
    let began = Instant::now();
    condition(&world.cluster, &["apiroute", name, "-n", SHOP], "Ready", "True")?;
    ensure(began.elapsed() < RECOVERY, || format!("its status was true only after {} s", began.elapsed().as_secs()))?;
    world.cluster.kubectl(&["delete", "apiroute", name, "-n", SHOP]).map(drop)
}

fn deployment(world: &World) -> Result<String, Failure> {
    let found = world.cluster.kubectl(&["get", "deployments", "-n", NAMESPACE, "-l", DATA_PLANE, "-o", "name"])?;
    found.lines().next().map(str::to_owned).ok_or_else(|| Failure::new("the Gateway has no Deployment"))
}

fn rolled_out(world: &World, deployment: &str) -> Result<(), Failure> {
    world.cluster.kubectl(&["rollout", "status", deployment, "-n", NAMESPACE, "--timeout=120s"]).map(drop)
}

/// Waits until the killed process was seen to be gone, and all pods of the data plane are ready.
fn ready_again(world: &World) -> Result<(), Failure> {
    let deployment = deployment(world)?;
    until(PATIENCE, "as many data planes run as are wanted", || {
        let wanted = world.cluster.kubectl(&["get", &deployment, "-n", NAMESPACE, "-o", "jsonpath={.spec.replicas}"]);
        let wanted = wanted.map_err(|failure| failure.to_string())?;
        let running = processes("dataplane").map_err(|failure| failure.to_string())?.len().to_string();
        if running == wanted { Ok(()) } else { Err(format!("{running} of {wanted}")) }
    })?;
    rolled_out(world, &deployment)
}

/// The operators, or the default Gateway's data planes, as the cluster numbers their processes.
fn processes(what: &str) -> Result<Vec<String>, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(format!("/proc cannot be read: {error}"));
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // One that ended meanwhile has no command line any more.
        let command = fs::read(path.join("cmdline")).unwrap_or_default();
        let words: Vec<_> = command.split(|byte| *byte == 0).collect();
        let is_ours = words.first().is_some_and(|word| word.ends_with(b"/doorward")) && words.get(1) == Some(&what.as_bytes());
        let gateway = words.iter().find_map(|word| word.strip_prefix(b"--gateway="));
        if is_ours && gateway.is_none_or(|gateway| gateway == format!("{NAMESPACE}/{NAME}").as_bytes()) {
            found.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    Ok(found)
}

fn kill(process: Option<&String>) -> Result<(), Failure> {
    let process = process.ok_or_else(|| Failure::new("there is no such process"))?;
    output(Command::new("kill").args(["-KILL", process])).map(drop)
}
