//! What needs attention, why, and what to type next.

use operator::kinds::GATEWAY_NAME;
use serde_json::{Value, json};

use super::super::objects::{Condition, condition, full_name, label, list, of_status, partly_served, text};
use super::{Operator, ReplicaLine, Rollout};

/// One thing that needs attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Kind and name.
    pub(super) object: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) since: String,
    /// The command that tells more or mends it.
    pub(super) next: String,
}

impl Problem {
    /// For scripts.
    pub(super) fn document(&self) -> Value {
        json!({
            "object": self.object, "reason": self.reason, "message": self.message, "since": self.since, "next": self.next,
        })
    }

    /// A condition of an object that should be true.
    fn of(object: &Value, part: &str, condition: Condition<'_>) -> Self {
        let kind = text(object, "/kind");
        let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
        let scope = if namespace.is_empty() { String::new() } else { format!("-n {namespace} ") };
        Self {
            object: format!("{kind} {}{part}", full_name(object)),
            reason: condition.reason.to_owned(),
            message: condition.message.to_owned(),
            since: condition.since.to_owned(),
            next: format!("kubectl {scope}describe {} {name}", kind.to_lowercase()),
        }
    }
}

const NOT_SEEN: Condition<'static> =
    Condition { status: "Unknown", reason: "Pending", message: "no operator has looked at it yet", since: "" };

/// What needs attention of operators; nothing is said of those that nobody may see.
pub(super) fn of_operators(operators: Option<&[Operator]>) -> Vec<Problem> {
    let problem = |object: String, message: String, next: String| Problem {
        object,
        reason: "OperatorUnavailable".to_owned(),
        message,
        since: String::new(),
        next,
    };
    match operators {
        None => Vec::new(),
        Some([]) => vec![problem(
            "the operator".to_owned(),
            "none is installed: what serves goes on, but no change of a manifest takes effect".to_owned(),
            "helm install doorward charts/doorward -n doorward-system --create-namespace".to_owned(),
        )],
        Some(operators) => operators
            .iter()
            .filter(|operator| !operator.rollout.is_done() || operator.rollout.wanted == 0)
            .map(|operator| {
                let (namespace, name) = operator.name.split_once('/').unwrap_or_default();
                problem(
                    format!("Deployment {}", operator.name),
                    operator.rollout.message(),
                    format!("kubectl -n {namespace} describe pods -l app.kubernetes.io/component=operator; kubectl -n {namespace} logs deployment/{name}"),
                )
            })
            .collect(),
    }
}

/// What needs attention of the Deployments of data planes: one that does not get on while its earlier pods serve shows
/// nowhere else.
pub(super) fn of_rollouts(deployments: &[Value], replicas: &[ReplicaLine]) -> Vec<Problem> {
    let unfinished = deployments.iter().map(|deployment| (deployment, Rollout::of(deployment))).filter(|(_, it)| !it.is_done());
    unfinished
        .map(|(deployment, rollout)| {
            let (namespace, gateway) = (text(deployment, "/metadata/namespace"), label(deployment, GATEWAY_NAME));
            let waiting = replicas
                .iter()
                .map(|line| &line.replica)
                .filter(|replica| replica.namespace == namespace && replica.gateway == gateway && !replica.waiting.is_empty())
                .map(|replica| format!("; {}: {}", replica.name, replica.waiting));
            Problem {
                object: format!("Deployment {}", full_name(deployment)),
                reason: rollout.reason().to_owned(),
                message: rollout.message() + &waiting.collect::<String>(),
                since: rollout.since.clone(),
                next: format!("kubectl -n {namespace} describe pods -l {GATEWAY_NAME}={gateway}"),
            }
        })
        .collect()
}

/// What needs attention of classes, Gateways and what is served; nothing is said of classes that nobody may see.
pub(super) fn problems(classes: Option<&[Value]>, gateways: &[Value], objects: &[Value]) -> Vec<Problem> {
    let mut found = Vec::new();
    let is_ours = |class: &&Value| text(class, "/spec/controllerName") == translate::CONTROLLER;
    let ours: Vec<&Value> = classes.unwrap_or_default().iter().filter(is_ours).collect();
    if classes.is_some() && ours.is_empty() {
        found.push(Problem {
            object: "the GatewayClass".to_owned(),
            reason: "Missing".to_owned(),
            message: format!("no GatewayClass names the controller {}, so no Gateway is served", translate::CONTROLLER),
            since: String::new(),
            next: "kubectl get gatewayclasses; helm upgrade doorward charts/doorward -n doorward-system --set gatewayClass.create=true"
                .to_owned(),
        });
    }
    for class in ours {
        found.extend(unless_true(class, "", of_status(class, "Accepted")));
    }
    for gateway in gateways {
        found.extend(of_gateway(gateway));
    }
    for object in objects {
        if text(object, "/kind") == "HTTPRoute" {
            found.extend(of_http_route(object));
        } else {
            found.extend(unless_true(object, "", of_status(object, "Ready")));
        }
    }
    found
}

fn unless_true(object: &Value, part: &str, condition: Option<Condition<'_>>) -> Option<Problem> {
    let condition = condition.unwrap_or(NOT_SEEN);
    (!condition.is_true()).then(|| Problem::of(object, part, condition))
}

/// The Gateway first; its listeners only where it is itself accepted, because they say the same otherwise.
fn of_gateway(gateway: &Value) -> Vec<Problem> {
    let whole = ["Accepted", "Programmed"].into_iter().find_map(|kind| unless_true(gateway, "", of_status(gateway, kind)));
    let listeners = list(gateway, "/status/listeners").iter().filter_map(|listener| {
        let part = format!(" listener {}", text(listener, "/name"));
        let kinds = ["Accepted", "ResolvedRefs", "Programmed"].into_iter();
        kinds
            .filter_map(|kind| condition(gateway, listener, kind))
            .find(|it| !it.is_true())
            .map(|it| Problem::of(gateway, &part, it))
    });
    whole.into_iter().chain(listeners).collect()
}

/// What our Gateways say of a route; other controllers' words are not ours to repeat.
fn of_http_route(route: &Value) -> Vec<Problem> {
    let ours = list(route, "/status/parents").iter().filter(|parent| text(parent, "/controllerName") == translate::CONTROLLER);
    ours.filter_map(|parent| {
        let part = format!(" at Gateway {}", text(parent, "/parentRef/name"));
        let first =
            ["Accepted", "ResolvedRefs"].into_iter().find_map(|kind| unless_true(route, &part, condition(route, parent, kind)));
        first.or_else(|| Some(Problem::of(route, &part, partly_served(route, parent)?)))
    })
    .collect()
}
