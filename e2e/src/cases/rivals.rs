//! Somebody else writes what is the operator's.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::Failure;

use super::rollouts::{DATA_PLANE, deployment, rolled_out};
use super::{RECOVERY, World, ensure};
use crate::doorward::{NAMESPACE, PATIENCE, SHOP, condition};
use crate::run::output_of_input;

/// How long the operator is watched for writes that it need not do.
const QUIET: Duration = Duration::from_secs(3);

/// Replicas, a child and statuses, by a plain edit and by a field manager that takes the fields for its own: all are put
/// right, nobody is refused, and the operator does not go on writing.
pub(super) fn conflicting_writers(world: &World) -> Result<(), Failure> {
    let traffic = world.traffic();
    let deployment = deployment(world)?;
    world.cluster.kubectl(&["scale", &deployment, "-n", NAMESPACE, "--replicas=1"])?;
    world.cluster.until_value(PATIENCE, &[&deployment, "-n", NAMESPACE], ".spec.replicas", "2")?;
    rolled_out(world, &deployment)?;
    let name = deployment.rsplit('/').next().unwrap_or_default();
    let taken = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": NAMESPACE},
                       "spec": {"replicas": 1}});
    take(world, &taken, &[])?;
    world.cluster.until_value(PATIENCE, &[&deployment, "-n", NAMESPACE], ".spec.replicas", "2")?;
    rolled_out(world, &deployment)?;
    world.cluster.kubectl(&["delete", "poddisruptionbudgets", "-n", NAMESPACE, "-l", DATA_PLANE])?;
    let budget = ["poddisruptionbudgets", "-n", NAMESPACE, "-l", DATA_PLANE];
    world.cluster.until_value(PATIENCE, &budget, ".items[*].metadata.name", "doorward-doorward")?;
    statuses(world)?;
    let generations = || {
        let [route, of_pods] =
            [world.cluster.get(&["apiroute", "orders", "-n", SHOP])?, world.cluster.get(&[&deployment, "-n", NAMESPACE])?];
        Ok::<_, Failure>((route["metadata"]["resourceVersion"].clone(), of_pods["metadata"]["generation"].clone()))
    };
    let settled = generations()?;
    thread::sleep(QUIET);
    let later = generations()?;
    ensure(settled == later, || format!("the operator goes on writing: {settled:?} became {later:?}"))?;
    traffic.unharmed()
}

/// A lie about a route, told in both ways.
fn statuses(world: &World) -> Result<(), Failure> {
    let lie = json!({"conditions": [{"type": "Ready", "status": "False", "reason": "Lie", "message": "",
                                     "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    let patch = json!({"status": lie}).to_string();
    let route = ["apiroute", "orders", "-n", SHOP];
    let told = json!({"apiVersion": "doorward.dev/v1alpha1", "kind": "ApiRoute", "metadata": {"name": "orders", "namespace": SHOP},
                      "status": lie});
    for is_patch in [true, false] {
        if is_patch {
            world.cluster.kubectl(&[&["patch"], &route[..], &["--subresource=status", "--type=merge", "-p", &patch]].concat())?;
        } else {
            take(world, &told, &["--subresource=status"])?;
        }
        let began = Instant::now();
        condition(&world.cluster, &route, "Ready", "True")?;
        ensure(began.elapsed() < RECOVERY, || format!("the status was true only after {} s", began.elapsed().as_secs()))?;
    }
    Ok(())
}

/// Applies some fields as another manager, which takes them from whoever has them.
fn take(world: &World, object: &Value, more: &[&str]) -> Result<(), Failure> {
    let mut command = world.cluster.command("kubectl")?;
    command.args(["apply", "--server-side", "--force-conflicts", "--field-manager=rival", "-f", "-"]).args(more);
    output_of_input(&mut command, &object.to_string()).map(drop)
}
