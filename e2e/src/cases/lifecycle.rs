//! The charts' life under traffic: upgrade, rollback, two builds beside each other, removal.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;
use xtask::Failure;

use super::rollouts::{deployment, hold, rolled_out};
use super::{RECOVERY, World, ensure, fresh_route, leftovers, open_route};
use crate::doorward::{self, NAME, NAMESPACE, OPERATOR, PATIENCE, SHOP, condition, programmed};
use crate::http::Request;
use crate::run::until;

/// Names an archive of an older build; without it, the present one under another name stands for it.
const OLDER: &str = "DOORWARD_OLDER_IMAGE";
/// The tag under which the older build runs.
const OLDER_TAG: &str = "older";

/// `helm upgrade` to other settings of operator and data planes, and `helm rollback`, under traffic.
pub(super) fn upgrade(world: &World) -> Result<(), Failure> {
    let traffic = world.traffic();
    let memory = |expected: &str| {
        let deployment = deployment(world)?;
        let at = ".spec.template.spec.containers[0].resources.requests.memory";
        world.cluster.until_value(PATIENCE, &[&deployment, "-n", NAMESPACE], at, expected)?;
        rolled_out(world, &deployment)
    };
    set(world, &["podAnnotations.tried=yes", "gatewayConfig.deployment.resources.requests.memory=65Mi"])?;
    memory("65Mi")?;
    world.cluster.run_inside(&["helm", "rollback", NAME, "-n", NAMESPACE, "--wait", "--timeout=120s"])?;
    memory("64Mi")?;
    rolled_out(world, OPERATOR)?;
    traffic.unharmed()
}

/// Operators of one build and data planes of another, in both directions: what serves goes on, what is new is served, and
/// statuses are true in between and after.
pub(super) fn skew(world: &World) -> Result<(), Failure> {
    let (repository, tag) = world.cluster.image().rsplit_once(':').unwrap_or((world.cluster.image(), "latest"));
    tag_older(world, repository, tag)?;
    let traffic = world.traffic();
    for (step, to) in [OLDER_TAG, tag].into_iter().enumerate() {
        hold(world, true)?;
        set(world, &[&format!("image.tag={to}")])?;
        rolled_out(world, OPERATOR)?;
        let of_operator = images(world, "app.kubernetes.io/component=operator")?;
        let of_planes = images(world, super::rollouts::DATA_PLANE)?;
        ensure(of_operator.is_disjoint(&of_planes), || format!("both run {of_operator:?}"))?;
        fresh_route(world, &format!("skewed-{step}"))?;
        condition(&world.cluster, &["apiroute", "orders", "-n", SHOP], "Ready", "True")?;
        hold(world, false)?;
        let expected = of_operator;
        until(PATIENCE, "data planes are of the operator's build", || {
            let found = images(world, super::rollouts::DATA_PLANE).map_err(|failure| failure.to_string())?;
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })?;
        rolled_out(world, &deployment(world)?)?;
        let rolled = Instant::now();
        programmed(&world.cluster, NAMESPACE, NAME)?;
        condition(&world.cluster, &["apiroute", "orders", "-n", SHOP], "Ready", "True")?;
        ensure(rolled.elapsed() < RECOVERY, || format!("statuses were true only after {} s", rolled.elapsed().as_secs()))?;
    }
    traffic.unharmed()
}

/// Gives the older build its name on the node, and leaves the present one its own.
fn tag_older(world: &World, repository: &str, tag: &str) -> Result<(), Failure> {
    let name = |tag: &str| format!("docker.io/library/{repository}:{tag}");
    let ctr = |words: &[&str]| world.cluster.run_inside(&[&["ctr", "-n", "k8s.io", "images"], words].concat()).map(drop);
    let (present, older, kept) = (name(tag), name(OLDER_TAG), name("kept"));
    let Some(archive) = std::env::var_os(OLDER) else { return ctr(&["tag", "--force", &present, &older]) };
    // The archive gives its image the present one's name.
    ctr(&["tag", "--force", &present, &kept])?;
    world.cluster.import(Path::new(&archive))?;
    ctr(&["tag", "--force", &present, &older])?;
    ctr(&["tag", "--force", &kept, &present])?;
    ctr(&["rm", &kept])
}

/// The images of running pods.
fn images(world: &World, label: &str) -> Result<BTreeSet<String>, Failure> {
    let found = world.cluster.get(&["pods", "-n", NAMESPACE, "-l", label, "--field-selector=status.phase=Running"])?;
    let pods = found["items"].as_array().cloned().unwrap_or_default();
    // One that is asked to end serves what it has and is no part of what is wanted.
    let stays = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let image = |pod: &Value| pod["spec"]["containers"][0]["image"].as_str().map(str::to_owned);
    Ok(pods.iter().filter(stays).filter_map(image).collect())
}

fn set(world: &World, values: &[&str]) -> Result<(), Failure> {
    let chart = xtask::places::root()?.join("charts/doorward");
    let chart = chart.to_string_lossy();
    let upgrade = ["helm", "upgrade", NAME, &*chart, "-n", NAMESPACE, "--reuse-values", "--wait", "--timeout=120s"];
    let values = values.iter().flat_map(|value| ["--set", value]);
    world.cluster.run_inside(&upgrade.into_iter().chain(values).collect::<Vec<_>>()).map(drop)
}

/// An update that is refused stands while all operators, and then all data planes, are restarted: its last good version
/// serves all the time.
pub(super) fn refused_update(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&open_route("halted", "orders"))?;
    let (route, request) = (["apiroute", "halted", "-n", SHOP], Request::get("api.example.com", "/halted"));
    condition(&world.cluster, &route, "Ready", "True")?;
    world.until_answer("the good version serves", &request, 200)?;
    let patch = r#"{"spec":{"authorization":{"rules":[{"name":"wrong","when":"nobody.knows(this)"}]}}}"#;
    world.cluster.kubectl(&["patch", "apiroute", "halted", "-n", SHOP, "--type=merge", "-p", patch])?;
    let is_halted = || {
        let reason = ".status.conditions[?(@.type==\"Accepted\")].reason";
        world.cluster.until_value(PATIENCE, &route, reason, "ServingLastGood")
    };
    is_halted()?;
    let traffic = crate::traffic::Traffic::start(world.gateway, request, 200);
    for deployment in [OPERATOR, &*deployment(world)?] {
        world.cluster.kubectl(&["rollout", "restart", deployment, "-n", NAMESPACE])?;
        rolled_out(world, deployment)?;
        is_halted()?;
    }
    fresh_route(world, "beside-halted")?;
    traffic.unharmed()?;
    world.cluster.kubectl(&["delete", "apiroute", "halted", "-n", SHOP]).map(drop)
}

/// `helm uninstall` leaves the kinds and users' objects, and nothing else; what is installed then serves them again.
pub(super) fn uninstall(world: &World) -> Result<(), Failure> {
    world.cluster.run_inside(&["helm", "uninstall", NAME, "-n", NAMESPACE, "--wait", "--timeout=120s"])?;
    let left = until(PATIENCE, "nothing is left but kinds and users' objects", || {
        let found = leftovers::inventory(&world.cluster).map_err(|failure| failure.to_string())?;
        let left: Vec<String> = found.into_iter().filter(|object| object.contains(NAME) && !stays(object)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:#?}")) }
    });
    // What operators asked for while their rights went is nobody's fault.
    let asked = world.cluster.place().map_or(Ok(()), |place| place.write("logs/audit.log", "").map(drop));
    // Nothing of a user's waits for an operator that has gone.
    let deleted = world
        .cluster
        .apply(&open_route("orphan", "orders"))
        .and_then(|_| world.cluster.kubectl(&["delete", "apiroute", "orphan", "-n", SHOP, "--timeout=10s"]));
    doorward::install(&world.cluster, None)?;
    left?;
    asked?;
    deleted?;
    world.until_answer_in(PATIENCE, "the quickstart answers again", &world.orders(), 200)?;
    condition(&world.cluster, &["apiroute", "orders", "-n", SHOP], "Ready", "True")
}

/// What stays by design: the kinds, the other chart's record, the namespace with what every namespace has.
fn stays(object: &str) -> bool {
    let (kind, name) = object.split_once(' ').unwrap_or_default();
    let of_each_namespace = [format!("{NAMESPACE}/default"), format!("{NAMESPACE}/kube-root-ca.crt")];
    match kind {
        "CustomResourceDefinition.apiextensions.k8s.io" => name.ends_with(".doorward.dev"),
        "APIService.apiregistration.k8s.io" => name.ends_with(".doorward.dev"),
        "Namespace" => name == NAMESPACE,
        "Secret" => name.contains("/sh.helm.release.v1.doorward-crds."),
        _ => name.starts_with(&format!("{SHOP}/")) || of_each_namespace.iter().any(|each| each == name),
    }
}
