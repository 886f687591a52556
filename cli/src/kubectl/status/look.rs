//! What `kubectl doorward status` reads of a cluster, and what it says of the rest.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use kube::core::ApiResource;
use observe::status::Status;
use operator::kinds::{GATEWAY_NAME, Kind};
use serde_json::Value;

use super::super::cluster::Cluster;
use super::super::objects::{self, full_name, text};
use super::super::pods::{self, Replica};
use super::problems::{self, problems};
use super::rollout::Rollout;
use super::{OPERATOR, Operator, Overview, ReplicaLine, gateway_line, our_classes};
use crate::failure::{Exit, Failure};

/// Data planes that are asked how they are; beyond them, pods tell enough.
const ASKED: usize = 32;
/// The kinds of ours that have a status.
const OWN: [Kind; 5] = [Kind::ApiRoute, Kind::ApiKey, Kind::AiModel, Kind::IdentityProvider, Kind::GatewayConfig];

/// Looks at everything once.
///
/// # Errors
/// The API server does not answer, allows nothing, or does not have the namespace.
pub(super) async fn look(cluster: &Cluster) -> Result<Overview, Failure> {
    let namespace = cluster.named.as_deref();
    let mut reading = Reading { cluster, notes: Vec::new(), refused: None };
    let mut objects = Vec::new();
    let mut may_list = false;
    for kind in OWN {
        if let Some(found) = reading.list(&kind.resource(), namespace, Absence::Refused).await? {
            may_list = true;
            objects.extend(found);
        }
    }
    if let Some(refused) = reading.refused.take().filter(|_| !may_list) {
        return Err(refused);
    }
    let classes = reading.list(&Kind::GatewayClass.resource(), None, Absence::Nothing).await?;
    let mut gateways = reading.list(&Kind::Gateway.resource(), namespace, Absence::Nothing).await?.unwrap_or_default();
    match &classes {
        Some(classes) => gateways.retain(|gateway| our_classes(classes).contains(&text(gateway, "/spec/gatewayClassName"))),
        None if gateways.is_empty() => {}
        None => reading.notes.push("Gateways of other controllers may be among these".to_owned()),
    }
    objects.extend(reading.list(&Kind::HttpRoute.resource(), namespace, Absence::Nothing).await?.unwrap_or_default());
    let replicas = reading.replicas(namespace).await?;
    let rollouts = reading.labelled(&objects::deployments(), namespace, GATEWAY_NAME).await?.unwrap_or_default();
    if let Some(namespace) = namespace.filter(|_| objects.is_empty() && gateways.is_empty() && replicas.is_empty()) {
        reading.empty(namespace).await?;
    }
    let operators = operators(cluster).await;
    let mut found = problems::of_operators(operators.as_deref());
    found.extend(problems(classes.as_deref(), &gateways, &objects));
    found.extend(problems::of_rollouts(&rollouts, &replicas));
    let lines = gateways.iter().map(|gateway| gateway_line(gateway, &replicas)).collect();
    Ok(Overview { operators, gateways: lines, replicas, problems: found, notes: reading.notes })
}

/// What it means where a cluster does not have a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absence {
    /// There are no objects of it.
    Nothing,
    /// Something is not installed.
    Refused,
}

/// What is read, with what could not be.
struct Reading<'a> {
    cluster: &'a Cluster,
    /// What is not looked at, in sentences.
    notes: Vec<String>,
    /// The first refusal.
    refused: Option<Failure>,
}

impl Reading<'_> {
    /// All objects of a kind; nothing, and a note, where they may not be seen.
    async fn list(
        &mut self,
        what: &ApiResource,
        namespace: Option<&str>,
        absence: Absence,
    ) -> Result<Option<Vec<Value>>, Failure> {
        let listed = match absence {
            Absence::Nothing => self.cluster.list_if_known(what, namespace, "").await,
            Absence::Refused => self.cluster.list(what, namespace, "").await,
        };
        self.seen(listed)
    }

    /// As [`Self::list`], for objects with a label.
    async fn labelled(
        &mut self,
        what: &ApiResource,
        namespace: Option<&str>,
        label: &str,
    ) -> Result<Option<Vec<Value>>, Failure> {
        let listed = self.cluster.list(what, namespace, label).await;
        self.seen(listed)
    }

    fn seen<T>(&mut self, listed: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match listed {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.exit() == Exit::Found => {
                self.notes.push(format!("{}, so they are not looked at", failure.what()));
                self.refused.get_or_insert(failure);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The data planes, with what they say of themselves.
    async fn replicas(&mut self, namespace: Option<&str>) -> Result<Vec<ReplicaLine>, Failure> {
        let listed = pods::replicas(self.cluster, namespace).await;
        let replicas = self.seen(listed)?.unwrap_or_default();
        if replicas.len() > ASKED {
            self.notes.push(format!("only {ASKED} of {} data planes are asked how they are", replicas.len()));
        }
        let cluster = self.cluster;
        Ok(join_all(replicas.into_iter().enumerate().map(async |(at, replica)| {
            let said = if at < ASKED { said(cluster, &replica).await } else { Err("not asked".to_owned()) };
            ReplicaLine { replica, said }
        }))
        .await)
    }

    /// Tells a namespace in which nothing is from one that is not there.
    async fn empty(&mut self, namespace: &str) -> Result<(), Failure> {
        self.notes.push(match self.cluster.has_namespace(namespace).await? {
            Some(true) => format!("nothing of Doorward is in {namespace}"),
            Some(false) => return Err(super::super::cluster::no_namespace(namespace)),
            None => format!("nothing of Doorward is in {namespace}, and you may not see whether there is such a namespace"),
        });
        Ok(())
    }
}

async fn said(cluster: &Cluster, replica: &Replica) -> Result<Status, String> {
    if !replica.is_ready {
        return Err(if replica.waiting.is_empty() { "not ready".to_owned() } else { replica.waiting.clone() });
    }
    let answer = pods::ask(cluster, replica, (Method::GET, "/status"), None).await.map_err(|unasked| unasked.to_string())?;
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
        rollout: Rollout::of(deployment),
        leader: lease.map(|lease| text(lease, "/spec/holderIdentity").to_owned()).unwrap_or_default(),
    }
}
