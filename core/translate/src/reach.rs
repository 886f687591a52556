//! Hosts that no data plane of a cluster calls.

use std::net::IpAddr;

use cause::{FaultCause, FieldPath};
use policy::reach::{OWN, is_own};

use crate::report::Report;
use crate::world::World;

/// Warns of a host that no data plane of a cluster calls, whatever a GatewayConfig lets names lead to.
pub(crate) fn warn(world: &World<'_>, host: &str, at: &FieldPath, report: &mut Report) {
    let is_local = host == "localhost" || host.ends_with(".localhost");
    if world.context.is_standalone() || !(is_local || host.parse::<IpAddr>().is_ok_and(is_own)) {
        return;
    }
    let reason = format!("`{host}` is {OWN}, which data planes of a cluster do not call: name a Service that selects pods");
    report.warn(at, FaultCause::NoEffect { reason: reason.into() });
}
