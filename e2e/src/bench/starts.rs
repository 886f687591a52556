//! Cold starts with all routes there: from a process's beginning until its pod is ready.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::Failure;
use xtask::progress::Step;

use super::api::Watch;
use super::manifests::Route;
use super::processes::{Process, Role, uptime};
use super::report::Report;
use super::{Scene, written};
use crate::doorward::{NAMESPACE, OPERATOR};
use crate::http::{Connection, Request};
use crate::run::{output, until};

/// The longest start, in seconds.
const BAR: f64 = 5.0;
/// How long is waited for one.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks for a new process.
const LOOK: Duration = Duration::from_millis(10);

/// Deletes and kills, one after the other, and tells how long each took to come back.
pub(super) fn starts(scene: &mut Scene, report: &mut Report) -> Result<(), Failure> {
    report.title("Cold start, from the process's beginning");
    let pods = |role: Role| {
        let list = ["get", "pods", "-n", NAMESPACE, "-l", role.labels(), "-o", "name"];
        Ok::<_, Failure>(scene.cluster.kubectl(&list)?.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let (planes, operators) = (pods(Role::DataPlane)?, pods(Role::Operator)?);
    let counts = (planes.len(), operators.len());
    let plane = planes.first().ok_or_else(|| Failure::new("there is no data plane"))?;

    let step = Step::begin("a deleted data plane");
    let start = Start::watch(scene, Role::DataPlane)?;
    delete(scene, std::slice::from_ref(plane))?;
    report.judge("data plane in a new pod, until ready", "s", start.until_ready()?, BAR);
    step.end("");
    rolled_out(scene, counts)?;

    let step = Step::begin("a killed data plane");
    let start = Start::watch(scene, Role::DataPlane)?;
    let victim = start.before.first().map(|process| process.id.to_string());
    let found = match victim {
        Some(victim) => {
            output(Command::new("kill").args(["-KILL", &victim]))?;
            start.until_ready()?
        }
        None => None,
    };
    report.judge("data plane in its old pod, until ready", "s", found, BAR);
    step.end("");
    rolled_out(scene, counts)?;

    let step = Step::begin("deleted operators");
    let start = Start::watch(scene, Role::Operator)?;
    delete(scene, &operators)?;
    let (route, mut writer) = (scene.fresh(), scene.api.connection());
    written(&mut writer, &route.create())?;
    report.judge("operator, all being new, until ready", "s", start.until_ready()?, BAR);
    let began = start.first();
    let served = until_served(scene, &route)?;
    report.tell("operator, until a route made meanwhile serves", "s", began.map(|began| served - began));
    let keys = BTreeSet::from([route.key()]);
    until(PATIENCE, "a new operator writes a status", || {
        if scene.routes.ready(&keys) == 1 { Ok(()) } else { Err("it does not".to_owned()) }
    })?;
    report.tell("operator, until the status of that route is written", "s", began.map(|began| uptime() - began));
    written(&mut writer, &route.delete())?;
    step.end("");
    rolled_out(scene, counts)
}

/// What is known before something starts.
struct Start {
    role: Role,
    before: Vec<Process>,
    containers: BTreeSet<String>,
    told: Receiver<(Instant, String)>,
    _watch: Watch,
}

impl Start {
    fn watch(scene: &Scene, role: Role) -> Result<Self, Failure> {
        let (tell, told) = channel();
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={}", role.labels());
        let watch = scene.api.watch(&path, move |now, _, pod| {
            // Nobody listens any more once it was found.
            drop(ready_container(pod).map(|container| tell.send((now, container))));
        })?;
        let before = role.processes()?;
        // Whatever is ready already is told first.
        let mut containers = BTreeSet::new();
        while containers.len() < before.len() {
            let (_, container) = told.recv_timeout(PATIENCE).map_err(|_| Failure::new("the pods are not all ready"))?;
            containers.insert(container);
        }
        Ok(Self { role, before, containers, told, _watch: watch })
    }

    /// When the first new process began.
    fn first(&self) -> Option<f64> {
        let now = self.role.processes().ok()?;
        now.into_iter().filter(|process| !self.before.contains(process)).map(|process| process.began).reduce(f64::min)
    }

    /// Seconds from the first new process's beginning until the first new container is ready; none where processes cannot be seen.
    fn until_ready(&self) -> Result<Option<f64>, Failure> {
        if self.before.is_empty() {
            return Ok(None);
        }
        let began = Instant::now();
        let first = loop {
            match self.first() {
                Some(first) => break first,
                None if began.elapsed() > PATIENCE => return Err(Failure::new(format!("no new {} starts", self.role.name()))),
                None => thread::sleep(LOOK),
            }
        };
        loop {
            let late = |_| Failure::new(format!("a new {} is not ready in time", self.role.name()));
            let (then, container) = self.told.recv_timeout(PATIENCE).map_err(late)?;
            if !self.containers.contains(&container) {
                return Ok(Some(uptime() - then.elapsed().as_secs_f64() - first));
            }
        }
    }
}

/// The id of a pod's one container, if that is ready.
fn ready_container(pod: &Value) -> Option<String> {
    let container = &pod["status"]["containerStatuses"][0];
    (container["ready"] == true).then(|| container["containerID"].as_str().unwrap_or_default().to_owned())
}

fn delete(scene: &Scene, pods: &[String]) -> Result<(), Failure> {
    let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
    scene.cluster.kubectl(&[&["delete", "-n", NAMESPACE, "--wait=false"], &pods[..]].concat()).map(drop)
}

/// When a call to the route is answered with 200.
fn until_served(scene: &Scene, route: &Route) -> Result<f64, Failure> {
    let (mut gateway, call): (Connection, Request) = (Connection::new(scene.gateway, PATIENCE), route.call());
    until(PATIENCE, "the route serves", || match gateway.send(&call)?.status {
        200 => Ok(uptime()),
        status => Err(status.to_string()),
    })
}

/// Waits until everything is as before: as many processes as there were `(data planes, operators)`, where they can be seen.
fn rolled_out(scene: &Scene, (planes, operators): (usize, usize)) -> Result<(), Failure> {
    let list = ["get", "deployments", "-n", NAMESPACE, "-l", Role::DataPlane.labels(), "-o", "name"];
    let deployments = scene.cluster.kubectl(&list)?;
    for deployment in deployments.lines().chain([OPERATOR]) {
        scene.cluster.kubectl(&["rollout", "status", deployment, "-n", NAMESPACE, "--timeout=120s"])?;
    }
    until(PATIENCE, "old processes are gone", || {
        for (role, expected) in [(Role::DataPlane, planes), (Role::Operator, operators)] {
            let running = role.processes().map_err(|failure| failure.to_string())?.len();
            if running > 0 && running != expected {
                return Err(format!("{running} of the {} runs, {expected} are wanted", role.name()));
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_container_that_is_ready_is_known_by_its_id() {
        let check = |ready: bool, expected: Option<&str>| {
            let pod = json!({"status": {"containerStatuses": [{"ready": ready, "containerID": "containerd://7"}]}});
            assert_eq!(ready_container(&pod).as_deref(), expected);
        };
        check(true, Some("containerd://7"));
        check(false, None);
    }
}
