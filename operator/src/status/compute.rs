//! What the status of every object should say now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use cause::ObjectName;
use delivery::Replicas;
use serde::Serialize;
use serde_json::{Value, json};
use translate::{GatewayStanding, ParentStanding, Standing, Standings};

use super::board::Wanted;
use super::conditions::{self, Condition, Truth};
use super::gateways;
use super::merge::is_ours;
use super::programmed::{Programmed, Witnesses};
use crate::kinds::{GATEWAY_API, Kind};
use crate::provision::{Address, Problem};
use crate::reconcile::Holding;
use crate::store::{Key, Known, Pods};

/// What became of a Gateway's objects in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provisioned {
    /// Where it is reached.
    pub addresses: Vec<Address>,
    /// The addresses that it asks for.
    pub asked: Vec<IpAddr>,
    /// What it does not have and should.
    pub problems: Vec<Problem>,
}

/// Everything that statuses are made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What objects mean.
    pub standings: &'a Standings,
    /// What data planes were sent.
    pub holdings: &'a BTreeMap<ObjectName, Holding>,
    /// What they said.
    pub replicas: &'a Replicas,
    /// Which of them are ready.
    pub pods: &'a Pods,
    /// The objects as they are.
    pub known: &'a BTreeMap<Key, Known>,
    /// What Gateways have in the cluster.
    pub provisioned: &'a BTreeMap<ObjectName, Provisioned>,
    /// Since when it is always the same replicas that are ready and connected.
    pub steady: &'a BTreeMap<ObjectName, Instant>,
    /// Since when this operator runs.
    pub begun: Instant,
    /// Keys whose Secret is being made.
    pub issued: &'a BTreeSet<ObjectName>,
    /// Until when that is not worth a word.
    pub issuing: Instant,
}

/// The statuses of all objects.
#[must_use]
pub fn compute(facts: &Facts<'_>) -> BTreeMap<Key, Wanted> {
    let mut all = Statuses { facts, wanted: BTreeMap::new() };
    let Standings {
        gateway_classes,
        gateways,
        api_routes,
        http_routes,
        api_keys,
        ai_models,
        identity_providers,
        gateway_configs,
    } = facts.standings;
    for (name, standing) in api_routes {
        all.api_route(name, standing);
    }
    for (name, standing) in api_keys {
        let key = Key::new(Kind::ApiKey, name.clone());
        all.simple(key.clone(), &standing.standing, &standing.status);
        if facts.issued.contains(name)
            && let Some(wanted) = all.wanted.get_mut(&key)
        {
            wanted.settles = wanted.settles.max(Some(facts.issuing));
        }
    }
    for (name, standing) in ai_models {
        all.simple(Key::new(Kind::AiModel, name.clone()), &standing.standing, &standing.status);
    }
    for (name, standing) in identity_providers {
        all.simple(Key::new(Kind::IdentityProvider, name.clone()), &standing.standing, &standing.status);
    }
    for (name, standing) in gateway_configs {
        all.simple(Key::new(Kind::GatewayConfig, name.clone()), &standing.standing, &standing.status);
    }
    for (name, standing) in gateway_classes {
        let key = Key::new(Kind::GatewayClass, name.clone());
        all.put(key, None, |generation| gateways::class(standing, generation));
    }
    for (name, standing) in gateways {
        all.gateway(name, standing);
    }
    for (name, parents) in http_routes {
        all.http_route(name, parents);
    }
    all.forsaken_http_routes();
    for (gateway, holding) in facts.holdings {
        for key in holding.objects.keys().filter(|key| key.kind == Kind::Ingress) {
            all.put(key.clone(), None, |_| gateways::ingress(facts.provisioned.get(gateway)));
        }
    }
    all.wanted
}

struct Statuses<'a> {
    facts: &'a Facts<'a>,
    wanted: BTreeMap<Key, Wanted>,
}

impl Statuses<'_> {
    fn generation(&self, key: &Key) -> Option<i64> {
        self.facts.known.get(key).map(|known| known.marks.generation)
    }

    fn put(&mut self, key: Key, word: Option<&Programmed>, status: impl FnOnce(i64) -> Value) {
        let Some(known) = self.facts.known.get(&key) else { return };
        let settles = word.and_then(|word| settles(word, known));
        self.wanted.insert(key, Wanted { status: status(known.marks.generation), settles });
    }

    /// What all Gateways that hold an object say of it.
    fn word(&self, key: &Key) -> Option<Programmed> {
        let words = self.facts.holdings.keys().filter_map(|gateway| self.word_of(key, gateway));
        words.reduce(Programmed::worse)
    }

    fn word_of(&self, key: &Key, gateway: &ObjectName) -> Option<Programmed> {
        let holding = self.facts.holdings.get(gateway)?;
        let witnesses = Witnesses { replicas: self.facts.replicas, pods: self.facts.pods };
        let steady = self.facts.steady.get(gateway).copied().unwrap_or(self.facts.begun);
        witnesses.ask(key, self.generation(key)?, (gateway, holding), steady)
    }

    /// An object whose status has conditions, and what its kind says beside them.
    fn simple(&mut self, key: Key, standing: &Standing, status: &impl Serialize) {
        let word = self.word(&key);
        let conditions = conditions::of_standing(standing, word.as_ref());
        self.put(key, word.as_ref(), |generation| with_conditions(status, &conditions, generation));
    }

    fn api_route(&mut self, name: &ObjectName, standing: &translate::ApiRouteStanding) {
        let key = Key::new(Kind::ApiRoute, name.clone());
        let Some(generation) = self.generation(&key) else { return };
        let mut word: Option<Programmed> = None;
        let mut parents = Vec::new();
        for parent in &standing.parents {
            let said = self.word_of(&key, &parent.gateway);
            let mut conditions =
                vec![Condition::of("Accepted", &parent.accepted), Condition::of("ResolvedRefs", &parent.resolved_refs)];
            if let Some(said) = said.filter(|_| parent.accepted.holds) {
                conditions.push(conditions::programmed(&said));
                word = Some(match word {
                    Some(word) => word.worse(said),
                    None => said,
                });
            }
            parents.push(json!({
                "parentRef": parent_ref(parent),
                "controllerName": translate::CONTROLLER,
                "conditions": conditions::list(&conditions, generation),
            }));
        }
        let unheld = || conditions_of_unserved(&standing.standing);
        let conditions = match &word {
            Some(word) => conditions::of_standing(&standing.standing, Some(word)),
            None => unheld(),
        };
        self.put(key, word.as_ref(), |generation| {
            let mut status = with_conditions(&standing.status, &conditions, generation);
            status["parents"] = Value::Array(parents);
            status
        });
    }

    fn gateway(&mut self, name: &ObjectName, standing: &GatewayStanding) {
        let key = Key::new(Kind::Gateway, name.clone());
        let word = self.word_of(&key, name);
        let provisioned = self.facts.provisioned.get(name);
        self.put(key, word.as_ref(), |generation| gateways::gateway(standing, provisioned, word.as_ref(), generation));
    }

    /// HTTPRoutes that named a Gateway of ours and do so no more: what we said of them goes.
    fn forsaken_http_routes(&mut self) {
        let first = Key::new(Kind::HttpRoute, ObjectName::new("", ""));
        let routes = self.facts.known.range(first..).take_while(|(key, _)| key.kind == Kind::HttpRoute);
        let forsaken = routes.filter(|(key, known)| {
            let parents = known.status.get("parents").and_then(Value::as_array);
            !self.facts.standings.http_routes.contains_key(&key.name) && parents.into_iter().flatten().any(is_ours)
        });
        let forsaken: Vec<Key> = forsaken.map(|(key, _)| key.clone()).collect();
        for key in forsaken {
            self.put(key, None, |_| json!({"parents": []}));
        }
    }

    fn http_route(&mut self, name: &ObjectName, standings: &[ParentStanding]) {
        let key = Key::new(Kind::HttpRoute, name.clone());
        self.put(key, None, |generation| {
            let parents = standings.iter().map(|parent| {
                let conditions =
                    [Condition::of("Accepted", &parent.accepted), Condition::of("ResolvedRefs", &parent.resolved_refs)];
                let mut reference = parent_ref(parent);
                reference["group"] = json!(GATEWAY_API);
                reference["kind"] = json!("Gateway");
                if let Some(port) = parent.port {
                    reference["port"] = json!(port);
                }
                json!({
                    "parentRef": reference,
                    "controllerName": translate::CONTROLLER,
                    "conditions": conditions::list(&conditions, generation),
                })
            });
            json!({"parents": parents.collect::<Vec<_>>()})
        });
    }
}

/// A route that no Gateway has.
fn conditions_of_unserved(standing: &Standing) -> Vec<Condition> {
    let mut conditions = conditions::of_standing(standing, None);
    for condition in &mut conditions {
        let is_claimed = condition.reason == "NotNeeded" || (condition.kind == "Ready" && condition.truth == Truth::True);
        if is_claimed {
            condition.truth = Truth::Unknown;
            condition.reason = "Pending".to_owned();
            condition.message = "No Gateway has it yet.".to_owned();
        }
    }
    conditions
}

/// How long to wait for something better than this: briefly for what was just sent, longer where
/// what is written already is good and only a replica has yet to say so.
fn settles(word: &Programmed, known: &Known) -> Option<Instant> {
    let (Programmed::Waiting { until, .. } | Programmed::Nobody { until, .. }) = word else { return None };
    let is_served = said(&known.status, "Programmed", known.marks.generation);
    Some(if is_served { until.met } else { until.soon })
}

/// Whether a condition is `True` at this generation.
fn said(status: &Value, kind: &str, generation: i64) -> bool {
    let mut conditions = status.get("conditions").and_then(Value::as_array).into_iter().flatten();
    conditions.any(|condition| {
        let text = |field: &str| condition.get(field).and_then(Value::as_str);
        text("type") == Some(kind)
            && text("status") == Some("True")
            && condition.get("observedGeneration").and_then(Value::as_i64) == Some(generation)
    })
}

fn with_conditions(status: &impl Serialize, list: &[Condition], generation: i64) -> Value {
    let mut status = serde_json::to_value(status).unwrap_or_else(|_| json!({}));
    status["observedGeneration"] = json!(generation);
    status["conditions"] = conditions::list(list, generation);
    status
}

fn parent_ref(parent: &ParentStanding) -> Value {
    let mut reference = json!({"name": &*parent.gateway.name, "namespace": &*parent.gateway.namespace});
    if let Some(section) = &parent.section {
        reference["sectionName"] = json!(&**section);
    }
    reference
}
