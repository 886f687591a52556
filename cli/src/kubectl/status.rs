//! `kubectl doorward status`: is everything served, by whom, and if not why.

mod problems;
mod screen;

use futures_util::future::join_all;
use http::{Method, StatusCode};
use jiff::Timestamp;
use observe::status::Status;
use operator::kinds::Kind;
use serde_json::{Value, json};

use super::cluster::{Cluster, Reach};
use super::objects::{self, full_name, list, number, of_status, text};
use super::pods::{self, Replica};
use super::{Form, show};
use crate::failure::{Exit, Failure};
use problems::{Problem, problems};

const EXAMPLES: &str = "\
Examples:
  kubectl doorward status                          everything, in all namespaces
  kubectl doorward status -n shop                  one team's objects
  kubectl doorward status -o json | jq .problems   for scripts
  kubectl doorward status --wait 2m                once nothing needs attention, or after that time

Exit codes: 0 nothing needs attention, 1 something does, 2 wrong usage, 3 the cluster does not answer.";

/// What selects the operator's own objects.
pub(super) const OPERATOR: &str = "app.kubernetes.io/part-of=doorward,app.kubernetes.io/component=operator";
/// Data planes that are asked how they are; beyond them, pods tell enough.
const ASKED: usize = 32;
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
    ready: i64,
    wanted: i64,
    leader: String,
}

/// A Gateway of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
struct GatewayLine {
    name: String,
    class: String,
    addresses: Vec<String>,
    listeners: usize,
    routes: i64,
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
}

/// Prints how Doorward is; exits with 1 where something needs attention.
///
/// # Errors
/// The API server does not answer or does not allow it.
pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    let cluster = Cluster::of(&args.reach).await?;
    let until = args.wait.map(|span| std::time::Instant::now() + span);
    let overview = loop {
        let overview = look(&cluster).await?;
        match until {
            Some(until) if !overview.problems.is_empty() && std::time::Instant::now() < until => tokio::time::sleep(PAUSE).await,
            Some(_) | None => break overview,
        }
    };
    show(args.output, || overview.document(), |style| overview.text(style, Timestamp::now()))?;
    Ok(if overview.problems.is_empty() { Exit::Fine } else { Exit::Found })
}

async fn look(cluster: &Cluster) -> Result<Overview, Failure> {
    let namespace = cluster.named.as_deref();
    let classes = cluster.list_if_allowed(&Kind::GatewayClass.resource(), None).await?;
    let mut gateways = cluster.list_if_allowed(&Kind::Gateway.resource(), namespace).await?.unwrap_or_default();
    if let Some(classes) = &classes {
        let ours = our_classes(classes);
        gateways.retain(|gateway| ours.contains(&text(gateway, "/spec/gatewayClassName")));
    }
    let mut objects = Vec::new();
    for kind in [Kind::ApiRoute, Kind::ApiKey, Kind::AiModel, Kind::IdentityProvider, Kind::GatewayConfig] {
        objects.extend(cluster.list(&kind.resource(), namespace, "").await?);
    }
    objects.extend(cluster.list_if_allowed(&Kind::HttpRoute.resource(), namespace).await?.unwrap_or_default());
    let replicas = pods::replicas(cluster, namespace).await?;
    let replicas = join_all(replicas.into_iter().enumerate().map(async |(at, replica)| {
        let said = if at < ASKED { said(cluster, &replica).await } else { Err("not asked".to_owned()) };
        ReplicaLine { replica, said }
    }))
    .await;
    let operators = operators(cluster).await;
    let mut found = problems::of_operators(operators.as_deref());
    found.extend(problems(classes.as_deref(), &gateways, &objects));
    let lines = gateways.iter().map(|gateway| gateway_line(gateway, &replicas)).collect();
    Ok(Overview { operators, gateways: lines, replicas, problems: found })
}

/// The names of the classes that name our controller.
pub(super) fn our_classes(classes: &[Value]) -> Vec<&str> {
    let ours = classes.iter().filter(|class| text(class, "/spec/controllerName") == translate::CONTROLLER);
    ours.map(|class| text(class, "/metadata/name")).collect()
}

async fn said(cluster: &Cluster, replica: &Replica) -> Result<Status, String> {
    if !replica.is_ready {
        return Err("not ready".to_owned());
    }
    let answer = pods::ask(cluster, replica, (Method::GET, "/status"), None).await?;
    match answer.status {
        StatusCode::OK => serde_json::from_value(answer.document).map_err(|_| "of another version than this program".to_owned()),
        _ => Err(answer.detail().to_owned()),
    }
}

/// The operators of all releases, or those of the named namespace for whoever may not look elsewhere.
async fn operators(cluster: &Cluster) -> Option<Vec<Operator>> {
    let deployments = match cluster.list(&objects::deployments(), None, OPERATOR).await {
        Ok(deployments) => deployments,
        Err(_) => {
            let own = cluster.list(&objects::deployments(), Some(cluster.named.as_deref()?), OPERATOR).await.ok()?;
            // That there is none here says nothing of elsewhere.
            Some(own).filter(|own| !own.is_empty())?
        }
    };
    let found = deployments.iter().map(async |deployment| {
        let namespace = text(deployment, "/metadata/namespace");
        let lease = cluster.get(&objects::leases(), namespace, operator::leader::LEASE).await.ok().flatten();
        operator_of(deployment, lease.as_ref())
    });
    Some(join_all(found).await)
}

fn operator_of(deployment: &Value, lease: Option<&Value>) -> Operator {
    Operator {
        name: full_name(deployment),
        image: text(deployment, "/spec/template/spec/containers/0/image").to_owned(),
        ready: number(deployment, "/status/readyReplicas"),
        wanted: number(deployment, "/spec/replicas"),
        leader: lease.map(|lease| text(lease, "/spec/holderIdentity").to_owned()).unwrap_or_default(),
    }
}

fn gateway_line(gateway: &Value, replicas: &[ReplicaLine]) -> GatewayLine {
    let namespace = text(gateway, "/metadata/namespace");
    let own = || {
        let of_gateway =
            |line: &&ReplicaLine| line.replica.namespace == namespace && line.replica.gateway == text(gateway, "/metadata/name");
        replicas.iter().filter(of_gateway)
    };
    let programmed = of_status(gateway, "Programmed");
    GatewayLine {
        name: full_name(gateway),
        class: text(gateway, "/spec/gatewayClassName").to_owned(),
        addresses: list(gateway, "/status/addresses").iter().map(|address| text(address, "/value").to_owned()).collect(),
        listeners: list(gateway, "/spec/listeners").len(),
        routes: list(gateway, "/status/listeners").iter().map(|listener| number(listener, "/attachedRoutes")).sum(),
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
                "name": operator.name, "image": operator.image, "ready": operator.ready, "replicas": operator.wanted,
                "leader": operator.leader,
            })).collect::<Vec<_>>(),
            "gateways": self.gateways.iter().map(|gateway| json!({
                "name": gateway.name, "class": gateway.class, "addresses": gateway.addresses, "listeners": gateway.listeners,
                "attachedRoutes": gateway.routes, "programmed": gateway.programmed, "reason": gateway.reason,
                "ready": gateway.ready, "replicas": gateway.replicas,
            })).collect::<Vec<_>>(),
            "replicas": self.replicas.iter().map(ReplicaLine::document).collect::<Vec<_>>(),
            "problems": self.problems.iter().map(Problem::document).collect::<Vec<_>>(),
        })
    }
}

impl ReplicaLine {
    fn document(&self) -> Value {
        let Replica { namespace, name, gateway, is_ready, restarts, image } = &self.replica;
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
