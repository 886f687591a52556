//! What there is in a cluster: no case may leave anything there, or take anything away.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use xtask::Failure;

use crate::cluster::Cluster;
use crate::run::until;

/// How long what was deleted may take to go: namespaces go last.
const GOING: Duration = Duration::from_secs(60);

/// Kinds of which the cluster itself makes and removes objects as time goes by.
const FLEETING: [&str; 7] = [
    "Pod",
    "ReplicaSet.apps",
    "ControllerRevision.apps",
    "Endpoints",
    "EndpointSlice.discovery.k8s.io",
    "Lease.coordination.k8s.io",
    "IPAddress.networking.k8s.io",
];
/// What Helm keeps of each revision.
const RECORD: &str = "/sh.helm.release.v1.";

/// All objects but events, each as `KIND.GROUP NAMESPACE/NAME` or `KIND.GROUP NAME`.
///
/// # Errors
/// kubectl fails.
pub(super) fn inventory(cluster: &Cluster) -> Result<BTreeSet<String>, Failure> {
    Ok(objects(cluster)?.iter().map(name).collect())
}

fn objects(cluster: &Cluster) -> Result<Vec<Value>, Failure> {
    let kinds = cluster.kubectl(&["api-resources", "--verbs=list,delete", "--output=name"])?;
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    let mut found = cluster.get(&[&kinds.join(","), "--all-namespaces"])?;
    Ok(found["items"].as_array_mut().map(std::mem::take).unwrap_or_default())
}

fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let group = text(&object["apiVersion"]);
    let group = group.rsplit_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{kind}{group} {namespace}/{name}"),
        None => format!("{kind}{group} {name}"),
    }
}

/// What has to be the same before and after a case, once all that is being deleted is gone.
///
/// # Errors
/// Something stays that is being deleted.
pub(super) fn lasting(cluster: &Cluster) -> Result<BTreeSet<String>, Failure> {
    until(GOING, "what is being deleted goes", || {
        let objects = objects(cluster).map_err(|failure| failure.to_string())?;
        let lasting: Vec<&Value> = objects.iter().filter(|object| lasts(object)).collect();
        let is_going = |object: &&&Value| object["metadata"].get("deletionTimestamp").is_some();
        match lasting.iter().find(is_going) {
            Some(object) => Err(name(object)),
            None => Ok(lasting.into_iter().map(name).collect()),
        }
    })
}

fn lasts(object: &Value) -> bool {
    let name = name(object);
    let kind = name.split(' ').next().unwrap_or_default();
    !FLEETING.contains(&kind) && !name.contains(RECORD)
}

/// Waits until there is what there was before.
///
/// # Errors
/// Something is left over or missing.
pub(super) fn gone(cluster: &Cluster, before: &BTreeSet<String>) -> Result<(), Failure> {
    until(GOING, "nothing is left over", || {
        let objects = objects(cluster).map_err(|failure| failure.to_string())?;
        let now: BTreeSet<String> = objects.iter().filter(|object| lasts(object)).map(name).collect();
        let (left, missing): (Vec<_>, Vec<_>) = (now.difference(before).collect(), before.difference(&now).collect());
        if left.is_empty() && missing.is_empty() { Ok(()) } else { Err(format!("left over: {left:?}, missing: {missing:?}")) }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_named_by_kind_group_and_place() {
        let check = |object: Value, expected: &str| assert_eq!(name(&object), expected, "{object}");
        check(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}), "Namespace a");
        let route =
            json!({"apiVersion": "doorward.dev/v1alpha1", "kind": "ApiRoute", "metadata": {"name": "r", "namespace": "a"}});
        check(route, "ApiRoute.doorward.dev a/r");
    }
}
