//! The statuses of Gateway API's own kinds.

use std::net::IpAddr;

use serde_json::{Value, json};
use translate::{ClassStanding, GatewayStanding, ListenerStanding};

use super::compute::Provisioned;
use super::conditions::{self, Condition, Truth};
use super::features::SUPPORTED;
use super::programmed::Programmed;
use crate::provision::Address;

/// A GatewayClass.
pub(super) fn class(standing: &ClassStanding, generation: i64) -> Value {
    let accepted = Condition::of("Accepted", &standing.accepted);
    let version = standing.supported_version.as_ref().map(|verdict| Condition::of("SupportedVersion", verdict));
    let list: Vec<Condition> = std::iter::once(accepted).chain(version).collect();
    let features: Vec<Value> = SUPPORTED.iter().map(|name| json!({"name": name})).collect();
    json!({"conditions": conditions::list(&list, generation), "supportedFeatures": features})
}

/// A Gateway.
pub(super) fn gateway(
    standing: &GatewayStanding,
    provisioned: Option<&Provisioned>,
    word: Option<&Programmed>,
    generation: i64,
) -> Value {
    let accepted = Condition::of("Accepted", &standing.accepted);
    let programmed = programmed(standing, provisioned, word);
    let listeners: Vec<Value> =
        standing.listeners.iter().map(|listener| self::listener(listener, &programmed, generation)).collect();
    let addresses = provisioned.map(|provisioned| provisioned.addresses.as_slice()).unwrap_or_default();
    json!({
        "addresses": addresses.iter().map(address).collect::<Vec<_>>(),
        "conditions": conditions::list(&[accepted, programmed], generation),
        "listeners": listeners,
    })
}

/// `Programmed` of a Gateway: it has all that it needs in the cluster, and its data planes say so.
fn programmed(standing: &GatewayStanding, provisioned: Option<&Provisioned>, word: Option<&Programmed>) -> Condition {
    let condition = |truth, reason: &str, message: String| Condition::new("Programmed", truth, reason, message);
    if !standing.accepted.holds {
        return condition(Truth::False, "Invalid", standing.accepted.message.to_string());
    }
    if !standing.is_programmable() {
        return condition(Truth::False, "Invalid", "No listener can be served.".to_owned());
    }
    if let Some(problem) = provisioned.and_then(|provisioned| provisioned.problems.first()) {
        let is_address = problem.is_of_service() && provisioned.is_some_and(|provisioned| !provisioned.asked.is_empty());
        let reason = if is_address { "AddressNotUsable" } else { problem.reason() };
        return condition(Truth::False, reason, problem.to_string());
    }
    if let Some(unusable) = provisioned.and_then(unusable) {
        return condition(Truth::False, "AddressNotUsable", unusable);
    }
    match word {
        Some(Programmed::Yes) if provisioned.is_none_or(|provisioned| provisioned.addresses.is_empty()) => {
            condition(Truth::False, "AddressNotAssigned", "Its Service has no address yet.".to_owned())
        }
        Some(word) => conditions::programmed(word),
        None => condition(Truth::Unknown, "Pending", "It was not translated yet.".to_owned()),
    }
}

/// Why an address that is asked for is not had, once others are.
fn unusable(provisioned: &Provisioned) -> Option<String> {
    if provisioned.addresses.is_empty() {
        return None;
    }
    let is_had = |asked: &IpAddr| provisioned.addresses.contains(&Address::Ip(asked.to_string()));
    let missing = provisioned.asked.iter().find(|asked| !is_had(asked))?;
    Some(format!("spec.addresses asks for {missing}, which its Service was not given; a Service is given one address."))
}

fn listener(standing: &ListenerStanding, gateway: &Condition, generation: i64) -> Value {
    let programmed = if standing.programmable.holds {
        Condition { kind: "Programmed", ..gateway.clone() }
    } else {
        Condition::of("Programmed", &standing.programmable)
    };
    let list = [
        Condition::of("Accepted", &standing.accepted),
        Condition::of("Conflicted", &standing.conflicted),
        programmed,
        Condition::of("ResolvedRefs", &standing.resolved_refs),
    ];
    let kinds: Vec<Value> = standing.supported_kinds.iter().map(|(group, kind)| json!({"group": group, "kind": kind})).collect();
    json!({
        "name": &*standing.name,
        "attachedRoutes": standing.attached_routes,
        "supportedKinds": kinds,
        "conditions": conditions::list(&list, generation),
    })
}

/// An Ingress: where the Gateway that serves it is reached.
pub(super) fn ingress(provisioned: Option<&Provisioned>) -> Value {
    let addresses = provisioned.map(|provisioned| provisioned.addresses.as_slice()).unwrap_or_default();
    let point = |address: &Address| match address {
        Address::Ip(value) => json!({"ip": value}),
        Address::Host(value) => json!({"hostname": value}),
    };
    json!({"loadBalancer": {"ingress": addresses.iter().map(point).collect::<Vec<_>>()}})
}

fn address(address: &Address) -> Value {
    match address {
        Address::Ip(value) => json!({"type": "IPAddress", "value": value}),
        Address::Host(value) => json!({"type": "Hostname", "value": value}),
    }
}
