//! The data planes of the default Gateway as a Deployment, and waiting for it and for the operator's.

use xtask::Failure;

use super::{World, processes};
use crate::doorward::{NAME, NAMESPACE, PATIENCE};
use crate::run::until;

/// What the default Gateway's pods and its other objects are labelled with.
pub(super) const DATA_PLANE: &str = "gateway.networking.k8s.io/gateway-name=doorward";

/// The Deployment of the default Gateway.
pub(super) fn deployment(world: &World) -> Result<String, Failure> {
    let found = world.cluster.kubectl(&["get", "deployments", "-n", NAMESPACE, "-l", DATA_PLANE, "-o", "name"])?;
    found.lines().next().map(str::to_owned).ok_or_else(|| Failure::new("the Gateway has no Deployment"))
}

/// Waits until a Deployment of the release namespace runs as it is written.
pub(super) fn rolled_out(world: &World, deployment: &str) -> Result<(), Failure> {
    world.cluster.kubectl(&["rollout", "status", deployment, "-n", NAMESPACE, "--timeout=120s"]).map(drop)
}

/// Has the default Gateway's pods stay as they are, whatever their template says, or not any more.
pub(super) fn hold(world: &World, held: bool) -> Result<(), Failure> {
    let verb = if held { "pause" } else { "resume" };
    world.cluster.kubectl(&["rollout", verb, &deployment(world)?, "-n", NAMESPACE]).map(drop)
}

/// The data planes of the default Gateway.
pub(super) fn data_planes() -> Result<Vec<String>, Failure> {
    processes::data_planes(&format!("{NAMESPACE}/{NAME}"))
}

/// Waits until the killed process was seen to be gone, and all pods of the data plane are ready.
pub(super) fn ready_again(world: &World) -> Result<(), Failure> {
    let deployment = deployment(world)?;
    until(PATIENCE, "as many data planes run as are wanted", || {
        let wanted = world.cluster.kubectl(&["get", &deployment, "-n", NAMESPACE, "-o", "jsonpath={.spec.replicas}"]);
        let wanted = wanted.map_err(|failure| failure.to_string())?;
        let running = data_planes().map_err(|failure| failure.to_string())?.len().to_string();
        if running == wanted { Ok(()) } else { Err(format!("{running} of {wanted}")) }
    })?;
    rolled_out(world, &deployment)
}
