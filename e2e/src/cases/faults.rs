//! What breaks in a cluster, and that callers do not notice.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::Failure;

use super::processes::{self, kill, operators};
use super::rollouts::{DATA_PLANE, data_planes, deployment, ready_again, rolled_out};
use super::{World, ensure, fixed_route, fresh_route};
use crate::doorward::{NAME, NAMESPACE, OPERATOR, PATIENCE, SHOP, programmed};
use crate::http::Request;
use crate::run::until;

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

/// A deleted pod fails nothing; a killed process only what it had, and until the node notices.
pub(super) fn data_plane_killed(world: &World) -> Result<(), Failure> {
    let traffic = world.traffic();
    let pods = world.cluster.kubectl(&["get", "pods", "-n", NAMESPACE, "-l", DATA_PLANE, "-o", "name"])?;
    let pod = pods.lines().next().ok_or_else(|| Failure::new("there is no data plane"))?;
    world.cluster.kubectl(&["delete", pod, "-n", NAMESPACE])?;
    rolled_out(world, &deployment(world)?)?;
    traffic.unharmed()?;
    let (began, traffic) = (Instant::now(), world.traffic());
    kill(data_planes()?.first())?;
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
    let wanted = operators()?.len();
    for process in operators()? {
        kill(Some(&process))?;
        fresh_route(world, &format!("killed-{process}"))?;
    }
    let killed = operators()?;
    for process in &killed {
        kill(Some(process))?;
    }
    // A container that ended twice is started again only after a while: that is the kubelet's time, not ours.
    until(PATIENCE, "operators run again", || {
        let running = operators().map_err(|failure| failure.to_string())?;
        let is_whole = running.len() == wanted && running.iter().all(|process| !killed.contains(process));
        if is_whole { Ok(()) } else { Err(format!("{killed:?} became {running:?}")) }
    })?;
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
        let left = operators().map_err(|failure| failure.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })?;
    let victims = data_planes()?;
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
    let signal = |name: &str| processes::signal(process.trim(), name);
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
    let many: String = (0..499).map(|number| fixed_route(&format!("many-{number}"), "here")).collect();
    world.cluster.apply(&many)?;
    let traffic = world.traffic();
    put(&json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}))?;
    let poison = "apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {name: poison, namespace: shop, labels: {case: fixed}}\n\
                  spec: {path: {not: [a, text]}, versions: 7}\n";
    until(PATIENCE, "the loosened definition takes the object", || {
        world.cluster.apply(poison).map_err(|failure| failure.to_string())
    })?;
    put(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])?;
    kill(operators()?.first())?;
    fresh_route(world, "beside-poison")?;
    let last = Request::get("api.example.com", "/many-498");
    world.until_answer_in(PATIENCE, "the last of the many serves", &last, 200)?;
    rolled_out(world, OPERATOR)?;
    traffic.unharmed()?;
    world.cluster.kubectl(&["delete", "apiroutes", "-n", SHOP, "-l", "case=fixed", "--wait=false"]).map(drop)
}
