//! What our pods ask the API server for, beside what they may ask for: from its audit log.

use std::collections::BTreeSet;

use serde_json::Value;
use xtask::Failure;

use super::{World, ensure};
use crate::doorward::NAME;
use crate::place::Place;

/// One verb on one resource: group, resource with its part, verb.
type Right = (String, String, String);

/// Nothing that our pods asked for was forbidden, in all that was tried before.
pub(super) fn lacking(world: &World) -> Result<(), Failure> {
    let events = events(place(world)?)?;
    ensure(!events.is_empty(), || "the audit log holds no request of ours".to_owned())?;
    let refused = events.iter().filter(|event| event["annotations"]["authorization.k8s.io/decision"] == "forbid");
    let refused: BTreeSet<String> =
        refused.map(|event| format!("{}: {} {}", event["user"]["username"], event["verb"], event["requestURI"])).collect();
    ensure(refused.is_empty(), || format!("forbidden: {refused:#?}"))
}

/// Everything that the chart grants the operator was used by something that was tried before.
pub(super) fn unused(world: &World) -> Result<(), Failure> {
    let mut used: BTreeSet<Right> = BTreeSet::new();
    for event in events(place(world)?)? {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &event["objectRef"];
        let resource = match object["subresource"].as_str() {
            Some(part) => format!("{}/{part}", text(&object["resource"])),
            None => text(&object["resource"]),
        };
        let right = |verb: &str| (text(&object["apiGroup"]), resource.clone(), verb.to_owned());
        used.insert(right(&text(&event["verb"])));
        // A server-side apply that makes an object needs the right to create it, too.
        if event["verb"] == "patch" && event["responseStatus"]["code"] == 201 {
            used.insert(right("create"));
        }
    }
    let granted = granted(world)?;
    ensure(!granted.is_empty(), || "the operator has no rights".to_owned())?;
    let unused: Vec<&Right> = granted.difference(&used).collect();
    ensure(unused.is_empty(), || format!("granted and never used: {unused:#?}"))
}

/// What the roles of the operator's chart say.
fn granted(world: &World) -> Result<BTreeSet<Right>, Failure> {
    let label = ["-l", "app.kubernetes.io/instance=doorward,app.kubernetes.io/component=operator"];
    let found = world.cluster.get(&[&["clusterroles,roles", "--all-namespaces"], &label[..]].concat())?;
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let mut granted = BTreeSet::new();
    for rule in found["items"].as_array().into_iter().flatten().flat_map(|role| role["rules"].as_array().into_iter().flatten()) {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                granted.extend(list(&rule["verbs"]).into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
            }
        }
    }
    Ok(granted)
}

fn events(place: &Place) -> Result<Vec<Value>, Failure> {
    let mut events = Vec::new();
    // A log that was emptied while it is written begins with as many zeros.
    for line in place.read("logs/audit.log").trim_start_matches('\0').lines() {
        let event: Value = serde_json::from_str(line).map_err(|error| Failure::new(format!("audit log: {error}")))?;
        let user = event["user"]["username"].as_str().unwrap_or_default();
        if user.starts_with("system:serviceaccount:") && user.contains(NAME) {
            events.push(event);
        }
    }
    Ok(events)
}

fn place(world: &World) -> Result<&Place, Failure> {
    world.cluster.place().ok_or_else(|| Failure::new("only a cluster of ours has an audit log"))
}
