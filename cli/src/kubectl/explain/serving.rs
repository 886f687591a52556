//! The data planes that can be asked, with the rights that there are.

use std::collections::BTreeMap;
use std::fmt;

use operator::kinds::Kind;

use super::super::cluster::Cluster;
use super::super::objects::{full_name, text};
use super::super::pods::{self, Replica, Unasked};
use super::super::status::our_classes;
use crate::failure::{Exit, Failure};

/// Most Gateways that a sentence names.
const NAMED: usize = 8;

/// The name of a Gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    namespace: String,
    name: String,
}

impl Name {
    /// Of `NAMESPACE/NAME`, or a name in this namespace.
    pub(super) fn of(text: &str, namespace: &str) -> Self {
        let (namespace, name) = text.split_once('/').unwrap_or((namespace, text));
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The data planes that are ready, by their Gateways.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Serving {
    pub(super) gateways: BTreeMap<Name, Vec<Replica>>,
}

impl Serving {
    /// Those of one Gateway, or all that may be seen: in the namespace that is meant alone where not elsewhere.
    ///
    /// # Errors
    /// There are none, or none may be seen.
    pub(super) async fn find(cluster: &Cluster, gateway: Option<&Name>) -> Result<Self, Failure> {
        let scope = gateway.map(|gateway| gateway.namespace.as_str()).or(cluster.named.as_deref());
        let replicas = match (pods::replicas(cluster, scope).await, scope) {
            (Err(failure), None) if failure.is_forbidden() => match pods::replicas(cluster, Some(&cluster.namespace)).await {
                Ok(own) if own.is_empty() => return Err(only_here(&cluster.namespace)),
                Ok(own) => own,
                Err(failure) if failure.is_forbidden() => return Err(nowhere(&cluster.namespace)),
                Err(failure) => return Err(failure),
            },
            (replicas, Some(namespace)) => or_lacking(replicas, namespace)?,
            (replicas, None) => replicas?,
        };
        let found = Self::of(replicas, gateway);
        if !found.gateways.is_empty() {
            return Ok(found);
        }
        match gateway {
            Some(gateway) if !exists(cluster, gateway).await? => Err(missing(gateway, &all(cluster).await?)),
            Some(_) => Err(Silent::default().failure(gateway)),
            None if scope.is_none() && all(cluster).await?.is_empty() => {
                Err(Failure::found("the cluster has no Gateway of Doorward", "kubectl doorward status"))
            }
            None => Err(Silent::default().failure(None)),
        }
    }

    fn of(replicas: Vec<Replica>, gateway: Option<&Name>) -> Self {
        let mut gateways: BTreeMap<Name, Vec<Replica>> = BTreeMap::new();
        for replica in replicas.into_iter().filter(|replica| replica.is_ready) {
            let name = Name { namespace: replica.namespace.clone(), name: replica.gateway.clone() };
            if gateway.is_none_or(|gateway| *gateway == name) {
                gateways.entry(name).or_default().push(replica);
            }
        }
        Self { gateways }
    }
}

/// Whether there is such a Gateway; one that may not be seen is taken to be there.
async fn exists(cluster: &Cluster, gateway: &Name) -> Result<bool, Failure> {
    match cluster.get(&Kind::Gateway.resource(), &gateway.namespace, &gateway.name).await {
        Ok(found) => Ok(found.is_some()),
        Err(failure) if failure.exit() == Exit::Found => Ok(true),
        Err(failure) => Err(failure),
    }
}

/// The Gateways of ours that may be seen.
async fn all(cluster: &Cluster) -> Result<Vec<String>, Failure> {
    let what = Kind::Gateway.resource();
    let gateways = match cluster.list_if_allowed(&what, None).await? {
        Some(gateways) => gateways,
        None => cluster.list_if_allowed(&what, Some(&cluster.namespace)).await?.unwrap_or_default(),
    };
    let classes = cluster.list_if_allowed(&Kind::GatewayClass.resource(), None).await?;
    let ours = classes.as_deref().map(our_classes);
    let is_ours = |class: &str| ours.as_ref().is_none_or(|ours| ours.contains(&class));
    Ok(gateways.iter().filter(|gateway| is_ours(text(gateway, "/spec/gatewayClassName"))).map(full_name).collect())
}

fn missing(gateway: &Name, all: &[String]) -> Failure {
    let [first, ..] = all else {
        return Failure::usage(format!("there is no Gateway {gateway}, and no other one of Doorward"), "kubectl doorward status");
    };
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    let names = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    Failure::usage(
        format!("there is no Gateway {gateway}; there {} {names}{more}", if all.len() == 1 { "is" } else { "are" }),
        format!("kubectl doorward explain --gateway {first} ..."),
    )
}

/// A refusal of the list of pods, as the rights that are missing.
fn or_lacking<T>(listed: Result<T, Failure>, namespace: &str) -> Result<T, Failure> {
    listed.map_err(|failure| if failure.is_forbidden() { lacking("list pods", namespace) } else { failure })
}

/// How whoever may grant rights in a namespace grants those that are needed there.
fn grant(namespace: &str) -> String {
    format!(
        "have somebody who may grant rights in {namespace} run: kubectl -n {namespace} create rolebinding doorward-explain \
         --clusterrole=doorward-system:doorward-explain --user=YOU"
    )
}

fn lacking(right: &str, namespace: &str) -> Failure {
    Failure::found(format!("you may not {right} in {namespace}, and data planes are asked so"), grant(namespace))
}

/// Nothing may be seen beyond a namespace without data planes.
fn only_here(namespace: &str) -> Failure {
    elsewhere(format!("no data plane is in {namespace}, and you may not list pods elsewhere"))
}

/// Nothing may be seen where it was looked; where data planes are is not known.
fn nowhere(namespace: &str) -> Failure {
    elsewhere(format!("you may not list pods, neither in all namespaces nor in {namespace}, and data planes are asked so"))
}

fn elsewhere(what: String) -> Failure {
    let next = format!("kubectl doorward explain --gateway NAMESPACE/NAME ..., where you may; else {}", grant("NAMESPACE"));
    Failure::found(what, next)
}

/// The data planes that did not answer.
#[derive(Debug, Default)]
pub(super) struct Silent {
    /// Each with why.
    pub(super) told: Vec<String>,
    /// The namespace of one that may not be asked.
    forbidden: Option<String>,
}

impl Silent {
    pub(super) fn add(&mut self, replica: &Replica, why: Unasked) {
        self.told.push(format!("{}: {why}", replica.name));
        if why == Unasked::NotAllowed {
            self.forbidden.get_or_insert_with(|| replica.namespace.clone());
        }
    }

    /// Why nobody answers for a Gateway, or for any.
    pub(super) fn failure(&self, gateway: Option<&Name>) -> Failure {
        if let Some(namespace) = &self.forbidden {
            return lacking("create pods/portforward", namespace);
        }
        let whose = gateway.map_or_else(|| "any Gateway".to_owned(), |gateway| format!("Gateway {gateway}"));
        let what = if self.told.is_empty() {
            format!("no data plane of {whose} is ready")
        } else {
            format!("no data plane of {whose} answers: {}", self.told.join(", "))
        };
        Failure::unreachable(what, "kubectl doorward status")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica(namespace: &str, gateway: &str, is_ready: bool) -> Replica {
        Replica {
            namespace: namespace.to_owned(),
            name: format!("{gateway}-1"),
            gateway: gateway.to_owned(),
            is_ready,
            restarts: 0,
            image: String::new(),
            waiting: String::new(),
        }
    }

    #[test]
    fn ready_data_planes_are_found_by_their_gateways() {
        let there = || vec![replica("shop", "web", true), replica("infra", "web", true), replica("infra", "edge", false)];
        let names = |gateway: Option<&str>| {
            let named = gateway.map(|name| Name::of(name, "shop"));
            Serving::of(there(), named.as_ref()).gateways.keys().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(None), ["infra/web", "shop/web"]);
        assert_eq!(names(Some("web")), ["shop/web"]);
        assert_eq!(names(Some("infra/web")), ["infra/web"]);
        assert!(names(Some("infra/edge")).is_empty());
    }

    #[test]
    fn a_gateway_that_is_not_there_is_told_with_those_that_are() {
        let check = |all: &[&str], expected: &str| {
            let all: Vec<String> = all.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(missing(&Name::of("nope", "shop"), &all).to_string(), expected);
        };
        check(&[], "there is no Gateway shop/nope, and no other one of Doorward\n  next: kubectl doorward status");
        check(
            &["infra/edge", "shop/web"],
            "there is no Gateway shop/nope; there are infra/edge, shop/web\n  next: kubectl doorward explain --gateway infra/edge ...",
        );
    }

    #[test]
    fn silence_is_told_with_its_reasons_and_missing_rights_with_their_grant() {
        let web = Name::of("web", "shop");
        let check = |why: &[Unasked], gateway: Option<&Name>, exit: Exit, expected: &str| {
            let mut silent = Silent::default();
            why.iter().for_each(|why| silent.add(&replica("infra", "web", true), why.clone()));
            let failure = silent.failure(gateway);
            assert_eq!(failure.exit(), exit, "{failure}");
            assert!(failure.to_string().contains(expected), "{failure}");
        };
        check(&[], None, Exit::Unreachable, "no data plane of any Gateway is ready\n");
        let gone = Unasked::Silent("gone".to_owned());
        check(
            std::slice::from_ref(&gone),
            Some(&web),
            Exit::Unreachable,
            "no data plane of Gateway shop/web answers: web-1: gone\n",
        );
        let grant =
            "kubectl -n infra create rolebinding doorward-explain --clusterrole=doorward-system:doorward-explain --user=YOU";
        check(&[gone, Unasked::NotAllowed], None, Exit::Found, grant);
        let listed = |failure: Failure| or_lacking::<()>(Err(failure), "infra").unwrap_err().to_string();
        assert_eq!(listed(Failure::found("it is overloaded", "")), "it is overloaded");
        let failure = listed(Failure::forbidden("no", ""));
        assert!(failure.starts_with("you may not list pods in infra") && failure.contains(grant), "{failure}");
        for failure in [only_here("shop"), nowhere("shop")] {
            assert!(failure.to_string().contains("--gateway NAMESPACE/NAME ..., where you may; else have"), "{failure}");
        }
    }
}
