//! `kubectl doorward status`: is everything served, by whom, and if not why.

mod look;
mod problems;
mod rollout;
mod screen;

use jiff::Timestamp;
use observe::status::Status;
use serde_json::{Value, json};

use super::cluster::{Cluster, Reach};
use super::objects::{full_name, list, number, of_status, text};
use super::pods::Replica;
use super::{Form, show};
use crate::failure::{Exit, Failure};
use problems::Problem;
use rollout::Rollout;

const EXAMPLES: &str = "\
Examples:
  kubectl doorward status                          everything, in all namespaces
  kubectl doorward status -n shop                  one team's objects
  kubectl doorward status -o json | jq .problems   for scripts
  kubectl doorward status --wait 2m                once nothing needs attention, or after that time

Exit codes: 0 nothing needs attention, 1 something does, 2 wrong usage, 3 the cluster does not answer.";

/// What selects the operator's own objects.
pub(super) const OPERATOR: &str = "app.kubernetes.io/part-of=doorward,app.kubernetes.io/component=operator";
/// How often things are looked at again with `--wait`.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// `kubectl doorward status`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Look again until nothing needs attention, at most so long, such as 90s or 2m
    #[arg(long, value_name = "SPAN", value_parser = span)]
    wait: Option<std::time::Duration>,
    /// How it is printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

fn span(text: &str) -> Result<std::time::Duration, String> {
    let milliseconds = translate::parse::lifetime(text);
    milliseconds.map(std::time::Duration::from_millis).map_err(|_| "expected a span of time such as 90s or 2m".to_owned())
}

/// The operator of one release.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Operator {
    name: String,
    image: String,
    rollout: Rollout,
    leader: String,
}

/// A Gateway of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct GatewayLine {
    name: String,
    class: String,
    addresses: Vec<String>,
    /// With how many routes each takes. One route may be on several.
    listeners: Vec<(String, i64)>,
    programmed: String,
    reason: String,
    ready: usize,
    replicas: usize,
}

/// A data plane, and what it says of itself where it could be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ReplicaLine {
    replica: Replica,
    said: Result<Status, String>,
}

/// How Doorward is in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Overview {
    /// Nothing where nobody may see them: they are the platform's, not a team's.
    operators: Option<Vec<Operator>>,
    gateways: Vec<GatewayLine>,
    replicas: Vec<ReplicaLine>,
    problems: Vec<Problem>,
    /// What was not looked at.
    notes: Vec<String>,
}

/// Prints how Doorward is; exits with 1 where something needs attention.
///
/// # Errors
/// The API server does not answer or does not allow it.
pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    let cluster = Cluster::of(&args.reach).await?;
    let until = args.wait.map(|span| std::time::Instant::now() + span);
    let overview = loop {
        let overview = look::look(&cluster).await?;
        match until {
            Some(until) if !overview.problems.is_empty() && std::time::Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Some(_) | None => break overview,
        }
    };
    show(args.output, || overview.document(), |style| overview.text(style, Timestamp::now()))?;
    Ok(if overview.problems.is_empty() { Exit::Fine } else { Exit::Found })
}

/// The names of the classes that name our controller.
pub(super) fn our_classes(classes: &[Value]) -> Vec<&str> {
    let ours = classes.iter().filter(|class| text(class, "/spec/controllerName") == translate::CONTROLLER);
    ours.map(|class| text(class, "/metadata/name")).collect()
}

fn gateway_line(gateway: &Value, replicas: &[ReplicaLine]) -> GatewayLine {
    let namespace = text(gateway, "/metadata/namespace");
    let own = || {
        let of_gateway =
            |line: &&ReplicaLine| line.replica.namespace == namespace && line.replica.gateway == text(gateway, "/metadata/name");
        replicas.iter().filter(of_gateway)
    };
    let programmed = of_status(gateway, "Programmed");
    let attached = |name: &str| {
        let told = list(gateway, "/status/listeners").iter().find(|listener| text(listener, "/name") == name);
        (name.to_owned(), told.map_or(0, |listener| number(listener, "/attachedRoutes")))
    };
    GatewayLine {
        name: full_name(gateway),
        class: text(gateway, "/spec/gatewayClassName").to_owned(),
        addresses: list(gateway, "/status/addresses").iter().map(|address| text(address, "/value").to_owned()).collect(),
        listeners: list(gateway, "/spec/listeners").iter().map(|listener| text(listener, "/name")).map(attached).collect(),
        programmed: programmed.map_or("Unknown", |condition| condition.status).to_owned(),
        reason: programmed.map_or("Pending", |condition| condition.reason).to_owned(),
        ready: own().filter(|line| line.replica.is_ready).count(),
        replicas: own().count(),
    }
}

impl Overview {
    /// For scripts.
    fn document(&self) -> Value {
        json!({
            "operators": self.operators.iter().flatten().map(|operator| json!({
                "name": operator.name, "image": operator.image, "ready": operator.rollout.ready, "replicas": operator.rollout.wanted,
                "leader": operator.leader,
            })).collect::<Vec<_>>(),
            "gateways": self.gateways.iter().map(|gateway| json!({
                "name": gateway.name, "class": gateway.class, "addresses": gateway.addresses,
                "listeners": gateway.listeners.iter().map(|(name, routes)| json!({"name": name, "attachedRoutes": routes}))
                    .collect::<Vec<_>>(),
                "programmed": gateway.programmed, "reason": gateway.reason, "ready": gateway.ready, "replicas": gateway.replicas,
            })).collect::<Vec<_>>(),
            "replicas": self.replicas.iter().map(ReplicaLine::document).collect::<Vec<_>>(),
            "problems": self.problems.iter().map(Problem::document).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

impl ReplicaLine {
    fn document(&self) -> Value {
        let Replica { namespace, name, gateway, is_ready, restarts, image, waiting: _ } = &self.replica;
        let mut document = json!({
            "name": format!("{namespace}/{name}"), "gateway": format!("{namespace}/{gateway}"), "ready": is_ready,
            "restarts": restarts, "image": image,
        });
        match &self.said {
            Ok(status) => {
                document["version"] = status.version.as_str().into();
                document["generation"] = status.generation.into();
                document["loadedAt"] = status.loaded_at.to_string().into();
            }
            Err(why) => document["unasked"] = why.as_str().into(),
        }
        document
    }
}

#[cfg(test)]
mod tests;
