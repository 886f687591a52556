//! What the status of every object should say now.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use cause::ObjectName;
use delivery::Replicas;
use ir::SharedMap;
use serde::Serialize;
use serde_json::{Value, json};
use translate::{ApiRouteStanding, GatewayStanding, ParentStanding, Standing, Standings};

use super::board::{Basis, Wanted};
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
    pub known: &'a SharedMap<Key, Known>,
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
    /// Gateways of which it is known that they are somebody else's.
    pub foreign: &'a BTreeSet<ObjectName>,
}

/// Where statuses go, one at a time: all of thousands of objects would take much room. What is not asked for is not made.
pub type Consider<'a> = dyn FnMut(Key, Option<Basis>, &dyn Fn() -> Wanted) + 'a;

/// The statuses of all objects.
pub fn compute(facts: &Facts<'_>, consider: &mut Consider<'_>) {
    let mut all = Statuses { facts, consider };
    let Standings {
        gateway_classes,
        gateways,
        api_routes,
        http_routes,
        api_keys,
        ai_models,
        identity_providers,
        gateway_configs,
        // Their statuses have no conditions: they are told by events.
        ingresses: _,
    } = facts.standings;
    // Few first: writes that wait for those of thousands of routes would wait long.
    for (name, standing) in gateway_classes {
        let key = Key::new(Kind::GatewayClass, name.clone());
        all.put(key, None, &|generation| gateways::class(standing, generation));
    }
    for (name, standing) in gateways {
        all.gateway(name, standing);
    }
    for (gateway, holding) in facts.holdings {
        let first = Key::new(Kind::Ingress, ObjectName::new("", ""));
        for (key, _) in holding.objects.range_from(&first).take_while(|(key, _)| key.kind == Kind::Ingress) {
            all.put(key.clone(), None, &|_| gateways::ingress(facts.provisioned.get(gateway)));
        }
    }
    for (name, standing) in api_routes {
        all.api_route(name, standing);
    }
    for (name, standing) in api_keys {
        let issuing = facts.issued.contains(name).then_some(facts.issuing);
        all.simple(Key::new(Kind::ApiKey, name.clone()), (&standing.standing, &standing.status), issuing);
    }
    for (name, standing) in ai_models {
        all.simple(Key::new(Kind::AiModel, name.clone()), (&standing.standing, &standing.status), None);
    }
    for (name, standing) in identity_providers {
        all.simple(Key::new(Kind::IdentityProvider, name.clone()), (&standing.standing, &standing.status), None);
    }
    for (name, standing) in gateway_configs {
        all.simple(Key::new(Kind::GatewayConfig, name.clone()), (&standing.standing, &standing.status), None);
    }
    for (name, parents) in http_routes {
        all.http_route(name, parents);
    }
    all.forsaken_http_routes();
    all.forsaken_ingresses();
    all.forsaken_gateways();
}

struct Statuses<'a, 'c> {
    facts: &'a Facts<'a>,
    consider: &'a mut Consider<'c>,
}

impl Statuses<'_, '_> {
    fn generation(&self, key: &Key) -> Option<i64> {
        self.facts.known.get(key).map(|known| known.marks.generation)
    }

    fn put(&mut self, key: Key, word: Option<&Programmed>, status: &dyn Fn(i64) -> Value) {
        self.put_on(key, None, word, status);
    }

    fn put_on(&mut self, key: Key, basis: Option<Basis>, word: Option<&Programmed>, status: &dyn Fn(i64) -> Value) {
        let Some(known) = self.facts.known.get(&key) else { return };
        (self.consider)(key, basis, &|| {
            let settles = word.and_then(|word| settles(word, known));
            Wanted { status: status(known.marks.generation), settles }
        });
    }

    /// What all Gateways that hold an object say of it.
    fn word(&self, key: &Key) -> Option<Programmed> {
        let words = self.facts.holdings.keys().filter_map(|gateway| self.word_of_deployed(key, gateway));
        words.reduce(Programmed::worse)
    }

    /// As `word_of`, but nobody is missed where a Gateway is refused: it gets no data planes, and its status says so.
    fn word_of_deployed(&self, key: &Key, gateway: &ObjectName) -> Option<Programmed> {
        let standing = self.facts.standings.gateways.get(gateway);
        let is_missed = standing.is_none_or(GatewayStanding::is_deployable);
        self.word_of(key, gateway).filter(|word| is_missed || !matches!(word, Programmed::Nobody { .. }))
    }

    /// What a Gateway says of a route that it takes: its data planes' word, unless none of the listeners serves calls.
    fn word_of_parent(&self, key: &Key, parent: &ParentStanding) -> Option<Programmed> {
        let word = self.word_of(key, &parent.gateway)?;
        let listeners = self.facts.standings.gateways.get(&parent.gateway).map(|gateway| gateway.listeners.as_slice());
        let taking = || listeners.into_iter().flatten().filter(|listener| parent.listeners.contains(&listener.name));
        if taking().any(|listener| listener.programmable.holds) {
            return Some(word);
        }
        let Some(silent) = taking().next() else { return Some(word) };
        let (listener, message) = (Arc::clone(&silent.name), Arc::clone(&silent.programmable.message));
        Some(word.worse(Programmed::Unlistened { gateway: parent.gateway.clone(), listener, message }))
    }

    fn word_of(&self, key: &Key, gateway: &ObjectName) -> Option<Programmed> {
        let holding = self.facts.holdings.get(gateway)?;
        let witnesses = Witnesses { replicas: self.facts.replicas, pods: self.facts.pods };
        let steady = self.facts.steady.get(gateway).copied().unwrap_or(self.facts.begun);
        witnesses.ask(key, self.generation(key)?, (gateway, holding), steady)
    }

    /// An object whose status has conditions, and what its kind says beside them. What is being `issuing` until then is not
    /// worth a write.
    fn simple(&mut self, key: Key, (standing, status): (&Standing, &impl Serialize), issuing: Option<Instant>) {
        let Some(known) = self.facts.known.get(&key) else { return };
        let word = self.word(&key);
        (self.consider)(key, None, &|| {
            let conditions = conditions::of_standing(standing, word.as_ref());
            let status = with_conditions(status, &conditions, known.marks.generation);
            Wanted { status, settles: word.as_ref().and_then(|word| settles(word, known)).max(issuing) }
        });
    }

    fn api_route(&mut self, name: &ObjectName, standing: &Arc<ApiRouteStanding>) {
        let key = Key::new(Kind::ApiRoute, name.clone());
        let accepting = standing.parents.iter().map(|parent| Some(parent).filter(|parent| parent.accepted.holds));
        let words: Vec<Option<Programmed>> =
            accepting.map(|parent| parent.and_then(|parent| self.word_of_parent(&key, parent))).collect();
        let word = words.iter().flatten().cloned().reduce(Programmed::worse);
        let is_in_order = word.as_ref().is_none_or(|word| *word == Programmed::Yes);
        let basis =
            is_in_order.then(|| Basis { standing: Arc::clone(standing), served: words.iter().map(Option::is_some).collect() });
        self.put_on(key, basis, word.as_ref(), &|generation| {
            let conditions = match &word {
                Some(word) => conditions::of_standing(&standing.standing, Some(word)),
                None => conditions_of_unserved(&standing.standing),
            };
            let parents = standing.parents.iter().zip(&words).map(|(parent, word)| {
                let mut conditions =
                    vec![Condition::of("Accepted", &parent.accepted), Condition::of("ResolvedRefs", &parent.resolved_refs)];
                conditions.extend(word.as_ref().map(conditions::programmed));
                json!({
                    "parentRef": parent_ref(parent),
                    "controllerName": translate::CONTROLLER,
                    "conditions": conditions::list(&conditions, generation),
                })
            });
            let mut status = with_conditions(&standing.status, &conditions, generation);
            status["parents"] = Value::Array(parents.collect());
            status
        });
    }

    fn gateway(&mut self, name: &ObjectName, standing: &GatewayStanding) {
        let key = Key::new(Kind::Gateway, name.clone());
        let word = self.word_of(&key, name);
        let provisioned = self.facts.provisioned.get(name);
        self.put(key, word.as_ref(), &|generation| gateways::gateway(standing, provisioned, word.as_ref(), generation));
    }

    /// HTTPRoutes that named a Gateway of ours and do so no more: what we said of them goes.
    fn forsaken_http_routes(&mut self) {
        let first = Key::new(Kind::HttpRoute, ObjectName::new("", ""));
        let routes = self.facts.known.range_from(&first).take_while(|(key, _)| key.kind == Kind::HttpRoute);
        let unnamed = routes.filter(|(key, _)| !self.facts.standings.http_routes.contains_key(&key.name));
        let forsaken = unnamed.filter(|(_, known)| {
            let status = known.status.value();
            status.get("parents").and_then(Value::as_array).into_iter().flatten().any(is_ours)
        });
        let forsaken: Vec<Key> = forsaken.map(|(key, _)| key.clone()).collect();
        for key in forsaken {
            self.put(key, None, &|_| json!({"parents": []}));
        }
    }

    /// Ingresses that no Gateway of ours serves any more: the addresses that we wrote go, once. What others wrote stays,
    /// for an apply that says nothing takes away nothing of theirs.
    fn forsaken_ingresses(&mut self) {
        let first = Key::new(Kind::Ingress, ObjectName::new("", ""));
        let ingresses = self.facts.known.range_from(&first).take_while(|(key, _)| key.kind == Kind::Ingress);
        let holdings = self.facts.holdings;
        let is_served = |key: &Key| holdings.values().any(|holding| holding.objects.contains_key(key));
        let forsaken: Vec<Key> =
            ingresses.filter(|(key, known)| known.marks.is_written && !is_served(key)).map(|(key, _)| key.clone()).collect();
        for key in forsaken {
            self.put(key, None, &|_| json!({}));
        }
    }

    /// Gateways that are somebody else's now: what we wrote goes, as with Ingresses.
    fn forsaken_gateways(&mut self) {
        for name in self.facts.foreign {
            let key = Key::new(Kind::Gateway, name.clone());
            if self.facts.known.get(&key).is_some_and(|known| known.marks.is_written) {
                self.put(key, None, &|_| json!({}));
            }
        }
    }

    fn http_route(&mut self, name: &ObjectName, standings: &[ParentStanding]) {
        let key = Key::new(Kind::HttpRoute, name.clone());
        self.put(key, None, &|generation| {
            let parents = standings.iter().map(|parent| {
                let mut conditions =
                    vec![Condition::of("Accepted", &parent.accepted), Condition::of("ResolvedRefs", &parent.resolved_refs)];
                conditions.extend(parent.partially_invalid.as_ref().map(|partly| Condition::of("PartiallyInvalid", partly)));
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
    let is_served = said(&known.status.value(), "Programmed", known.marks.generation);
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
