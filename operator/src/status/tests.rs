//! Who must have said what, and what conditions say then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use cause::ObjectName;
use delivery::{Refusal, Replica, Replicas, Revision};
use ir::{ResourceId, RouteId, SharedMap};
use serde_json::{Value, json};
use translate::{
    ApiRouteStanding, GatewayConfigStanding, GatewayStanding, ListenerStanding, ParentStanding, Standing, Standings, Verdict,
};

use super::compute::{Facts, Provisioned, compute};
use super::conditions::{self, Condition};
use super::merge::merge;
use super::programmed::{Programmed, Until, Witnesses};
use crate::kinds::Kind;
use crate::provision::{Address, label_value};
use crate::reconcile::{Held, Holding};
use crate::store::{Key, Known, Pods, StatusText, Store};
use crate::watch::{Marks, News, Object, Source, What};

fn name() -> ObjectName {
    ObjectName::new("shop", "orders")
}

fn gateway() -> ObjectName {
    ObjectName::new("edge", "web")
}

/// Pods of a Gateway as `a+` (ready) and `b-` (not ready).
fn pods(text: &str) -> Pods {
    pods_of(&gateway(), text)
}

fn pods_of(gateway: &ObjectName, text: &str) -> Pods {
    let mut store = Store::default();
    for word in text.split_whitespace() {
        let (pod, ready) = word.split_at(1);
        let value = json!({
            "metadata": {"labels": {"gateway.networking.k8s.io/gateway-name": label_value(&gateway.name)}},
            "status": {"conditions": [{"type": "Ready", "status": if ready == "+" { "True" } else { "False" }}]},
        });
        let marks = Marks { uid: pod.into(), generation: 0, version: "1".into(), is_ending: false, is_written: false };
        let object = Object { name: ObjectName::new(&*gateway.namespace, pod), marks, value, status: Value::Null };
        store.take(News { source: Source { kind: Kind::Pod, namespace: None }, what: What::Changed(Box::new(object)) });
    }
    store.pods().clone()
}

/// Replicas as `a5` (serves revision 5), `a5!` (and refuses the route), `a?` (has said nothing).
fn replicas(text: &str) -> Replicas {
    replicas_of(gateway(), text)
}

fn replicas_of(gateway: ObjectName, text: &str) -> Replicas {
    let one = |word: &str| {
        let (pod, said) = word.split_at(1);
        let route = ResourceId::Route(RouteId::api(name()));
        let refused = said.ends_with('!').then(|| Refusal { resource: route, reason: "no such word".into() });
        let replica = Replica {
            uid: pod.into(),
            connected: true,
            applied: said.trim_end_matches('!').parse().ok().map(Revision),
            refused: refused.into_iter().collect(),
        };
        (Arc::from(pod), replica)
    };
    BTreeMap::from([(gateway, text.split_whitespace().map(one).collect())])
}

#[test]
fn pods_are_of_the_gateway_of_their_label_however_long_its_name_is() {
    let check = |own: &ObjectName, other: &ObjectName, expected: Option<&str>| {
        let key = Key::new(Kind::ApiRoute, name());
        let held = Held { generation: 3, revision: Revision(5), since: Instant::now() };
        let holding = Holding::of(Revision(9), [(key.clone(), held)]);
        let witnesses = Witnesses { replicas: &replicas_of(own.clone(), "a5"), pods: &pods_of(other, "a+") };
        let word = witnesses.ask(&key, 3, (own, &holding), Instant::now()).unwrap();
        let found = matches!(word, Programmed::Yes).then_some("yes");
        assert_eq!(found, expected, "{own} {other} {word:?}");
    };
    let long = |length: usize| ObjectName::new("edge", "a".repeat(length));
    check(&gateway(), &gateway(), Some("yes"));
    check(&long(63), &long(63), Some("yes"));
    check(&long(64), &long(64), Some("yes"));
    check(&long(253), &long(253), Some("yes"));
    check(&long(64), &long(65), None);
    check(&long(64), &ObjectName::new("other", "a".repeat(64)), None);
}

#[test]
fn every_replica_that_is_ready_must_have_said_so() {
    let begun = Instant::now();
    let key = Key::new(Kind::ApiRoute, name());
    let held = Held { generation: 3, revision: Revision(5), since: begun };
    let holding = Holding::of(Revision(9), [(key.clone(), held)]);
    let check = |ready: &str, said: &str, generation: i64, expected: &str| {
        let witnesses = Witnesses { replicas: &replicas(said), pods: &pods(ready) };
        let word = witnesses.ask(&key, generation, (&gateway(), &holding), begun);
        let found = match word.unwrap() {
            Programmed::Yes => "yes".to_owned(),
            Programmed::Waiting { ready, serving, .. } => format!("{serving} of {ready}"),
            Programmed::Nobody { .. } => "nobody".to_owned(),
            Programmed::Unlistened { listener, .. } => format!("no {listener}"),
            Programmed::Refused { pod, reason } => format!("{pod}: {reason}"),
        };
        assert_eq!(found, expected, "{ready} | {said} | {generation}");
    };
    check("a+ b+", "a5 b7", 3, "yes");
    check("a+ b+", "a5 b4", 3, "1 of 2");
    check("a+ b+", "a5 b?", 3, "1 of 2");
    check("a+ b+", "a5", 3, "1 of 2");
    // One that is not ready does not count, whatever it says.
    check("a+ b-", "a5", 3, "yes");
    check("a+ b-", "a5 b5!", 3, "yes");
    check("a- b-", "a5 b5", 3, "nobody");
    check("", "", 3, "nobody");
    check("a+ b+ c+", "a5 b5! c5", 3, "b: no such word");
    // A refusal of an earlier state says nothing of this one.
    check("a+ b+", "a5 b4!", 3, "1 of 2");
    // The object has changed since it was sent.
    check("a+", "a5", 4, "0 of 1");
    let witnesses = Witnesses { replicas: &replicas("a5"), pods: &pods("a+") };
    let other = Key::new(Kind::ApiKey, name());
    assert_eq!(witnesses.ask(&other, 3, (&gateway(), &holding), begun), None, "it was not sent");
}

fn verdict(holds: bool, reason: &'static str) -> Verdict {
    Verdict { holds, reason, message: reason.to_lowercase().into() }
}

/// `Ready=True/Ready Accepted=True/Accepted ...`
fn line(conditions: &[Condition]) -> String {
    let list = conditions::list(conditions, 3);
    let text = |condition: &Value, field: &str| condition[field].as_str().unwrap().to_owned();
    let words = list.as_array().unwrap().iter().map(|condition| {
        assert_eq!(condition["observedGeneration"], json!(3));
        format!("{}={}/{}", text(condition, "type"), text(condition, "status"), text(condition, "reason"))
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn conditions_say_what_holds_an_object_back() {
    let until = Until { soon: Instant::now(), met: Instant::now() };
    let waiting = Programmed::Waiting { gateway: gateway(), ready: 2, serving: 1, until };
    let nobody = Programmed::Nobody { gateway: gateway(), until };
    let refused = Programmed::Refused { pod: "a".into(), reason: "r".into() };
    let check = |accepted: &Verdict, resolved: &Verdict, stalled: Option<Verdict>, word: Option<&Programmed>, expected: &str| {
        let standing = Standing { accepted: accepted.clone(), resolved_refs: resolved.clone(), stalled };
        assert_eq!(line(&conditions::of_standing(&standing, word)), expected);
    };
    let (yes, resolved) = (verdict(true, "Accepted"), verdict(true, "ResolvedRefs"));
    let good = "Accepted=True/Accepted ResolvedRefs=True/ResolvedRefs";
    check(&yes, &resolved, None, Some(&Programmed::Yes), &format!("Ready=True/Ready {good} Programmed=True/Programmed"));
    check(&yes, &resolved, None, None, &format!("Ready=True/Ready {good} Programmed=True/NotNeeded"));
    let expected = format!("Ready=Unknown/Pending {good} Programmed=Unknown/Pending Reconciling=True/Pending");
    check(&yes, &resolved, None, Some(&waiting), &expected);
    check(&yes, &resolved, None, Some(&nobody), &format!("Ready=False/NoResources {good} Programmed=False/NoResources"));
    let expected = format!("Ready=False/Refused {good} Programmed=False/Refused Stalled=True/Refused");
    check(&yes, &resolved, None, Some(&refused), &expected);
    let missing = verdict(false, "BackendNotFound");
    let expected =
        "Ready=False/BackendNotFound Accepted=True/Accepted ResolvedRefs=False/BackendNotFound Programmed=True/Programmed";
    check(&yes, &missing, None, Some(&Programmed::Yes), expected);
    let last_good = verdict(false, "ServingLastGood");
    let expected = "Ready=False/ServingLastGood Accepted=False/ServingLastGood ResolvedRefs=True/ResolvedRefs \
                    Programmed=False/ServingLastGood Stalled=True/ServingLastGood";
    check(&last_good, &resolved, Some(last_good.clone()), Some(&Programmed::Yes), expected);
}

#[test]
fn of_two_words_the_worse_one_counts() {
    let until = Until { soon: Instant::now(), met: Instant::now() };
    let waiting = || Programmed::Waiting { gateway: gateway(), ready: 2, serving: 1, until };
    let refused = || Programmed::Refused { pod: "a".into(), reason: "r".into() };
    assert_eq!(Programmed::Yes.worse(waiting()), waiting());
    assert_eq!(waiting().worse(Programmed::Yes), waiting());
    assert_eq!(refused().worse(waiting()), refused());
    assert_eq!(waiting().worse(refused()), refused());
}

/// What is said of one object, of which this is known, where translation has these standings and data planes this.
fn said_of(
    key: &Key,
    known: Known,
    standings: &Standings,
    (holdings, provisioned): (&BTreeMap<ObjectName, Holding>, &BTreeMap<ObjectName, Provisioned>),
) -> Option<Value> {
    let facts = Facts {
        standings,
        holdings,
        replicas: &Replicas::new(),
        pods: &Pods::default(),
        known: &SharedMap::from_iter([(key.clone(), known)]),
        provisioned,
        steady: &BTreeMap::new(),
        begun: Instant::now(),
        issued: &BTreeSet::new(),
        issuing: Instant::now(),
        foreign: &BTreeSet::from([ObjectName::new("edge", "left")]),
    };
    let mut found = None;
    compute(&facts, &mut |put, _, wanted| {
        assert_eq!(&put, key);
        assert_eq!(found.replace(wanted().status), None, "twice");
    });
    found
}

#[test]
fn an_http_route_that_names_no_gateway_of_ours_any_more_is_forsaken() {
    let check = |controller: &str, is_named: bool, expected: Option<usize>| {
        let key = Key::new(Kind::HttpRoute, name());
        let status = json!({"parents": [{"parentRef": {"name": "web"}, "controllerName": controller}]});
        let known = Known { marks: Marks { uid: "u".into(), ..Marks::default() }, status: StatusText::of(&status) };
        let parents = BTreeMap::from([(name(), Vec::new())]);
        let standings = Standings { http_routes: if is_named { parents } else { BTreeMap::new() }, ..Standings::default() };
        let found = said_of(&key, known, &standings, (&BTreeMap::new(), &BTreeMap::new()));
        assert_eq!(found.map(|status| status["parents"].as_array().unwrap().len()), expected, "{controller} {is_named}");
    };
    check(translate::CONTROLLER, false, Some(0));
    check(translate::CONTROLLER, true, Some(0));
    check("example.com/other", false, None);
}

#[test]
fn an_ingress_has_the_addresses_of_the_gateway_that_serves_it_and_loses_them_with_it() {
    let check = |is_served: bool, is_written: bool, expected: Option<Value>| {
        let key = Key::new(Kind::Ingress, name());
        let held = Held { generation: 1, revision: Revision(1), since: Instant::now() };
        let holding = Holding::of(Revision(1), is_served.then(|| (key.clone(), held)));
        let provisioned = Provisioned { addresses: vec![Address::Ip("10.0.0.1".into())], ..Provisioned::default() };
        let around = (BTreeMap::from([(gateway(), holding)]), BTreeMap::from([(gateway(), provisioned)]));
        let present = json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.9"}]}});
        let known = Known { marks: Marks { is_written, ..Marks::default() }, status: StatusText::of(&present) };
        let found = said_of(&key, known, &Standings::default(), (&around.0, &around.1));
        let written = found.and_then(|status| merge(Kind::Ingress, &status, &present, jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(written, expected, "{is_served} {is_written}");
    };
    let addresses = || Some(json!({"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}));
    check(true, false, addresses());
    check(true, true, addresses());
    check(false, true, Some(json!({})));
    // Somebody else's.
    check(false, false, None);
}

/// What a Gateway's holding has of one object.
fn held(key: &Key) -> BTreeMap<ObjectName, Holding> {
    let held = Held { generation: 0, revision: Revision(1), since: Instant::now() };
    BTreeMap::from([(gateway(), Holding::of(Revision(1), [(key.clone(), held)]))])
}

fn good() -> Standing {
    Standing { accepted: verdict(true, "Accepted"), resolved_refs: verdict(true, "ResolvedRefs"), stalled: None }
}

/// `True/Ready` of a condition.
fn condition(status: &Value, kind: &str) -> String {
    let found = status["conditions"].as_array().unwrap().iter().find(|condition| condition["type"] == kind).unwrap();
    format!("{}/{}", found["status"].as_str().unwrap(), found["reason"].as_str().unwrap())
}

/// A Gateway that is accepted or not, with listeners that can be served or not.
fn gateway_standing(accepted: Verdict, listeners: &[(&str, bool)]) -> GatewayStanding {
    let listener = |(name, serves): &(&str, bool)| ListenerStanding {
        name: (*name).into(),
        supported_kinds: Vec::new(),
        attached_routes: 0,
        accepted: verdict(true, "Accepted"),
        resolved_refs: verdict(true, "ResolvedRefs"),
        conflicted: verdict(false, "NoConflicts"),
        programmable: verdict(*serves, if *serves { "Programmed" } else { "Invalid" }),
    };
    GatewayStanding { config: None, accepted, listeners: listeners.iter().map(listener).collect() }
}

#[test]
fn a_route_is_not_ready_at_listeners_that_serve_nothing() {
    let check = |listeners: &[(&str, bool)], taking: &[&str], expected: &str| {
        let key = Key::new(Kind::ApiRoute, name());
        let parent = ParentStanding {
            index: None,
            gateway: gateway(),
            section: None,
            port: None,
            listeners: taking.iter().map(|name| Arc::from(*name)).collect(),
            accepted: verdict(true, "Accepted"),
            resolved_refs: verdict(true, "ResolvedRefs"),
            partially_invalid: None,
        };
        let route = ApiRouteStanding { standing: good(), parents: vec![parent], status: Default::default() };
        let standings = Standings {
            api_routes: SharedMap::from_iter([(name(), Arc::new(route))]),
            gateways: BTreeMap::from([(gateway(), gateway_standing(verdict(true, "Accepted"), listeners))]),
            ..Standings::default()
        };
        let status = said_of(&key, Known::default(), &standings, (&held(&key), &BTreeMap::new())).unwrap();
        assert_eq!(condition(&status, "Programmed"), expected, "{listeners:?} {taking:?}");
        assert_eq!(condition(&status, "Ready"), expected, "{listeners:?} {taking:?}");
        assert_eq!(condition(&status["parents"][0], "Programmed"), expected, "{listeners:?} {taking:?}");
    };
    check(&[("http", true)], &["http"], "False/NoResources");
    check(&[("https", false)], &["https"], "False/ListenerNotProgrammed");
    check(&[("http", true), ("https", false)], &["https"], "False/ListenerNotProgrammed");
    check(&[("http", true), ("https", false)], &["http", "https"], "False/NoResources");
}

#[test]
fn a_refused_gateway_is_no_fault_of_what_it_would_have_used() {
    let check = |accepted: Verdict, expected: &str| {
        let key = Key::new(Kind::GatewayConfig, name());
        let standings = Standings {
            gateway_configs: BTreeMap::from([(name(), GatewayConfigStanding { standing: good(), status: Default::default() })]),
            gateways: BTreeMap::from([(gateway(), gateway_standing(accepted.clone(), &[("http", true)]))]),
            ..Standings::default()
        };
        let status = said_of(&key, Known::default(), &standings, (&held(&key), &BTreeMap::new())).unwrap();
        assert_eq!(condition(&status, "Ready"), expected, "{accepted:?}");
    };
    check(verdict(false, "UnsupportedAddress"), "True/Ready");
    check(verdict(true, "Accepted"), "False/NoResources");
    check(verdict(false, "ServingLastGood"), "False/NoResources");
}

#[test]
fn what_was_said_of_a_gateway_goes_when_it_is_somebody_elses() {
    let check = |name: &str, is_written: bool, is_ours: bool, expected: Option<Value>| {
        let name = ObjectName::new("edge", name);
        let key = Key::new(Kind::Gateway, name.clone());
        let ours = is_ours.then(|| (name, gateway_standing(verdict(true, "Accepted"), &[])));
        let standings = Standings { gateways: ours.into_iter().collect(), ..Standings::default() };
        let known = Known { marks: Marks { is_written, ..Marks::default() }, ..Known::default() };
        let found = said_of(&key, known, &standings, (&BTreeMap::new(), &BTreeMap::new()));
        assert_eq!(found.filter(|status| *status == json!({})), expected, "{key:?} {is_written} {is_ours}");
    };
    check("left", true, false, Some(json!({})));
    check("left", false, false, None);
    // A class that is not there yet, or is made anew, says nothing of whose a Gateway is.
    check("web", true, false, None);
    check("web", true, true, None);
}

#[test]
fn an_http_route_of_which_some_rules_serve_says_so_at_each_gateway() {
    let check = |partly: Option<Verdict>, expected: &[&str]| {
        let key = Key::new(Kind::HttpRoute, name());
        let parent = ParentStanding {
            index: Some(0),
            gateway: gateway(),
            section: None,
            port: None,
            listeners: Vec::new(),
            accepted: verdict(true, "Accepted"),
            resolved_refs: verdict(true, "ResolvedRefs"),
            partially_invalid: partly,
        };
        let standings = Standings { http_routes: BTreeMap::from([(name(), vec![parent])]), ..Standings::default() };
        let status = said_of(&key, Known::default(), &standings, (&BTreeMap::new(), &BTreeMap::new())).unwrap();
        let conditions = status["parents"][0]["conditions"].as_array().unwrap().iter();
        let words = conditions.map(|one| format!("{}={}", one["type"].as_str().unwrap(), one["status"].as_str().unwrap()));
        assert_eq!(words.collect::<Vec<_>>(), expected);
    };
    check(None, &["Accepted=True", "ResolvedRefs=True"]);
    check(Some(verdict(true, "UnsupportedValue")), &["Accepted=True", "ResolvedRefs=True", "PartiallyInvalid=True"]);
}
