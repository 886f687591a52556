//! Orders of arrival, last good versions, contents.

use proptest::prelude::*;
use serde_json::{Value, json};
use translate::{Cluster, Context, Translation, translate};

use super::*;
use crate::watch::Marks;

fn marks(generation: i64, version: u64) -> Marks {
    Marks { uid: "u".into(), generation, version: version.to_string().into(), is_ending: false, is_written: false }
}

pub(super) fn object(name: &str, version: u64, mut value: Value) -> Box<Object> {
    let (namespace, short) = name.split_once('/').unwrap_or(("", name));
    value["metadata"]["name"] = json!(short);
    if !namespace.is_empty() {
        value["metadata"]["namespace"] = json!(namespace);
    }
    let generation = i64::try_from(version).unwrap();
    let name = ObjectName::new(namespace, short);
    Box::new(Object { name, marks: marks(generation, version), value, status: Value::Null })
}

pub(super) fn route(name: &str, version: u64, path: &str) -> Box<Object> {
    let spec = json!({
        "path": path,
        "authentication": {"mode": "Anonymous"},
        "versions": [{"version": "1.0.0", "backend": {"response": {"status": 200}}}],
    });
    object(name, version, json!({"spec": spec}))
}

pub(super) fn everywhere(kind: Kind) -> Source {
    Source { kind, namespace: None }
}

pub(super) fn tell(store: &mut Store, kind: Kind, what: What) -> Change {
    store.take(News { source: everywhere(kind), what })
}

fn translated(store: &Store) -> Translation {
    let cluster = Cluster { default_gateway: ObjectName::new("doorward-system", "doorward"), gateway_api: None };
    translate(store.manifests(), &Context::of_cluster("2026-01-01T00:00:00Z".parse().unwrap(), cluster))
}

/// Translates as rounds do; whether an earlier version took the place of a newer one.
pub(super) fn settle(store: &mut Store) -> bool {
    let translation = translated(store);
    let is_replaced = store.settle(&translation);
    if is_replaced {
        let translation = translated(store);
        assert!(!store.settle(&translation), "settled twice");
    }
    is_replaced
}

#[test]
fn lists_take_away_what_they_do_not_name() {
    let kind = Kind::ApiRoute;
    let mut store = Store::new([everywhere(kind), everywhere(Kind::Gateway)]);
    let names = |store: &Store| store.of_kind(kind).map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    tell(&mut store, kind, What::ListBegins);
    tell(&mut store, kind, What::Listed(route("shop/a", 1, "/a")));
    tell(&mut store, kind, What::Listed(route("shop/b", 2, "/b")));
    assert!(!store.is_complete());
    assert_eq!(tell(&mut store, kind, What::ListEnds), Change::Manifests);
    assert_eq!(store.awaited().map(|source| source.kind).collect::<Vec<_>>(), [Kind::Gateway]);
    // The cluster does without it: nothing is waited for.
    assert_eq!(tell(&mut store, Kind::Gateway, What::Unknown), Change::Manifests);
    assert!(store.is_complete());
    assert_eq!(store.unknown(), BTreeSet::from([Kind::Gateway]));
    // A watch that had a gap lists again.
    tell(&mut store, kind, What::ListBegins);
    tell(&mut store, kind, What::Listed(route("shop/b", 2, "/b")));
    assert_eq!(names(&store), ["shop/a", "shop/b"], "until the list is complete");
    assert_eq!(tell(&mut store, kind, What::ListEnds), Change::Manifests);
    assert_eq!(names(&store), ["shop/b"]);
    assert_eq!(store.manifests().api_routes.len(), 1);
    assert_eq!(tell(&mut store, kind, What::Gone(ObjectName::new("shop", "b"))), Change::Manifests);
    assert_eq!(tell(&mut store, kind, What::Gone(ObjectName::new("shop", "b"))), Change::Nothing);
}

#[test]
fn a_kind_of_ours_that_is_unknown_is_waited_for() {
    let mut store = Store::new([everywhere(Kind::ApiRoute)]);
    assert!(store.missing().is_empty());
    assert_eq!(tell(&mut store, Kind::ApiRoute, What::Unknown), Change::Nothing);
    assert_eq!(store.missing().iter().collect::<Vec<_>>(), [&Kind::ApiRoute]);
    assert!(!store.is_complete());
}

#[test]
fn only_what_a_translation_would_see_is_a_change() {
    let mut store = Store::default();
    let check = |store: &mut Store, kind: Kind, object: Box<Object>, expected: Change| {
        let name = object.name.clone();
        assert_eq!(tell(store, kind, What::Changed(object)), expected, "{kind:?} {name}");
    };
    let service = |name: &str, version: u64, port: u32| object(name, version, json!({"spec": {"ports": [{"port": port}]}}));
    let mut used = route("shop/a", 1, "/a");
    used.value["spec"]["versions"][0]["backend"] = json!({"services": [{"name": "used", "port": 80}]});
    check(&mut store, Kind::ApiRoute, used.clone(), Change::Manifests);
    settle(&mut store);
    check(&mut store, Kind::ApiRoute, used.clone(), Change::Nothing);
    used.marks.version = "2".into();
    check(&mut store, Kind::ApiRoute, used, Change::Marks);
    check(&mut store, Kind::Service, service("shop/other", 3, 80), Change::Marks);
    check(&mut store, Kind::Service, service("shop/used", 4, 80), Change::Manifests);
    let slice = |name: &str, service: &str| {
        object(
            name,
            5,
            json!({"metadata": {"labels": {"kubernetes.io/service-name": service}}, "addressType": "IPv4", "endpoints": []}),
        )
    };
    check(&mut store, Kind::EndpointSlice, slice("shop/x", "other"), Change::Marks);
    check(&mut store, Kind::EndpointSlice, slice("shop/y", "used"), Change::Manifests);
    check(&mut store, Kind::EndpointSlice, slice("team/y", "used"), Change::Marks);
}

#[test]
fn a_refused_update_leaves_the_last_good_version_until_it_is_mended() {
    let mut store = Store::default();
    let path = |store: &Store| {
        let written = store.manifests().api_routes.values().next().unwrap();
        let route = written.value().map(|route| route.spec.path.clone().unwrap());
        (route, written.faults().len(), matches!(written, Written::LastGood(..)))
    };
    let good = |text: &str| (Some(text.to_owned()), 0, false);
    tell(&mut store, Kind::ApiRoute, What::Changed(route("shop/a", 1, "/one")));
    assert!(!settle(&mut store));
    assert_eq!(path(&store), good("/one"));
    // Its text means nothing that can be served.
    tell(&mut store, Kind::ApiRoute, What::Changed(route("shop/a", 2, "no slash")));
    assert!(settle(&mut store));
    assert_eq!(path(&store), (Some("/one".into()), 1, true));
    // The same text again is nothing new, whoever writes a status.
    assert_eq!(tell(&mut store, Kind::ApiRoute, What::Changed(route("shop/a", 3, "no slash"))), Change::Marks);
    assert_eq!(path(&store), (Some("/one".into()), 1, true));
    // It has not the shape of its kind.
    let odd = object("shop/a", 4, json!({"spec": {"versions": "odd"}}));
    assert_eq!(tell(&mut store, Kind::ApiRoute, What::Changed(odd)), Change::Manifests);
    settle(&mut store);
    assert_eq!(path(&store), (Some("/one".into()), 1, true));
    tell(&mut store, Kind::ApiRoute, What::Changed(route("shop/a", 5, "/two")));
    assert!(!settle(&mut store));
    assert_eq!(path(&store), good("/two"));
    // Another object of the same name has no earlier version.
    let mut other = route("shop/a", 6, "no slash");
    other.marks.uid = "other".into();
    tell(&mut store, Kind::ApiRoute, What::Changed(other));
    assert!(!settle(&mut store));
    assert_eq!(path(&store), good("no slash"));
}

#[test]
fn a_refused_update_of_a_key_suspends_it_all_the_same() {
    let mut store = Store::default();
    let key = |version: u64, spec: Value| {
        let mut spec = spec;
        spec["secretRef"] = json!({"name": "app"});
        object("shop/app", version, json!({"spec": spec}))
    };
    let mut check = |version: u64, spec: Value, suspended: Option<bool>, is_kept: bool| {
        tell(&mut store, Kind::ApiKey, What::Changed(key(version, spec.clone())));
        // The Secret is not there, which is not the key's own fault.
        settle(&mut store);
        let written = store.manifests().api_keys.values().next().unwrap();
        let found = written.value().and_then(|key| key.spec.suspended);
        assert_eq!((found, matches!(written, Written::LastGood(..))), (suspended, is_kept), "{spec}");
    };
    let wrong = json!(["10.0.0.1/8"]);
    check(1, json!({}), None, false);
    check(2, json!({"suspended": true, "addresses": {"deny": wrong}}), Some(true), true);
    check(3, json!({"addresses": {"deny": wrong}}), None, true);
    check(4, json!({"suspended": true, "addresses": "odd"}), Some(true), true);
    check(5, json!({}), None, false);
}

#[test]
fn one_odd_object_stops_no_other() {
    let mut store = Store::default();
    tell(&mut store, Kind::ApiRoute, What::Changed(object("shop/odd", 1, json!({"spec": 7}))));
    tell(&mut store, Kind::ApiRoute, What::Changed(route("shop/good", 2, "/good")));
    settle(&mut store);
    let good = |name: &str| store.manifests().api_routes.get(&ObjectName::new("shop", name)).unwrap().value().is_some();
    assert_eq!((good("odd"), good("good")), (false, true));
}

#[test]
fn contents_are_read_where_they_are_referred_to_and_again_when_they_change() {
    let mut store = Store::default();
    let key = object("shop/app", 1, json!({"spec": {"secretRef": {"name": "app"}}}));
    let metadata = |version: u64| object("shop/app", version, json!({}));
    let content = |wanted: Wanted, key: Option<&str>| {
        let value = key.map(|key| json!({"metadata": {"name": "app", "namespace": "shop"}, "stringData": {"key": key}}));
        Content { wanted, value }
    };
    tell(&mut store, Kind::Secret, What::Changed(metadata(5)));
    settle(&mut store);
    assert_eq!((store.wanted(), store.lacks_content()), (Vec::new(), false), "nothing refers to it");
    tell(&mut store, Kind::ApiKey, What::Changed(key));
    settle(&mut store);
    assert!(store.lacks_content());
    let wanted = store.wanted();
    assert_eq!(wanted.iter().map(|wanted| &*wanted.version).collect::<Vec<_>>(), ["5"]);
    assert_eq!(store.wanted(), Vec::new(), "it is being read");
    assert_eq!(store.fill(content(wanted[0].clone(), Some("sixteen-characters"))), Change::Manifests);
    settle(&mut store);
    assert_eq!((store.wanted(), store.lacks_content(), store.manifests().secrets.len()), (Vec::new(), false, 1));
    // Another version is read while the earlier one serves.
    assert_eq!(tell(&mut store, Kind::Secret, What::Changed(metadata(6))), Change::Marks);
    let wanted = store.wanted();
    assert_eq!((wanted.len(), store.lacks_content()), (1, false));
    // It may be gone by then.
    assert_eq!(store.fill(content(wanted[0].clone(), None)), Change::Manifests);
    assert_eq!(store.manifests().secrets.len(), 0);
    tell(&mut store, Kind::Secret, What::Changed(metadata(7)));
    let wanted = store.wanted();
    store.fill(content(wanted[0].clone(), Some("sixteen-characters")));
    // Nothing refers to it any more: it is forgotten.
    tell(&mut store, Kind::ApiKey, What::Gone(ObjectName::new("shop", "app")));
    settle(&mut store);
    assert_eq!(store.manifests().secrets.len(), 0);
}

/// What happens to a few objects, in the order of each object.
fn histories() -> Vec<(Kind, Vec<What>)> {
    let gone = |name: &str| What::Gone(ObjectName::new("shop", name));
    let service = |version| object("shop/s", version, json!({"spec": {"ports": [{"port": version}]}}));
    vec![
        (Kind::ApiRoute, vec![What::Changed(route("shop/a", 1, "/a")), What::Changed(route("shop/a", 2, "/b"))]),
        (Kind::ApiRoute, vec![What::Changed(route("shop/b", 3, "/b")), gone("b"), What::Changed(route("shop/b", 4, "/c"))]),
        (Kind::ApiRoute, vec![What::Changed(route("shop/c", 5, "/c")), gone("c")]),
        (Kind::Service, vec![What::Changed(service(6)), What::Changed(service(7))]),
        (Kind::Namespace, vec![What::Changed(object("shop", 8, json!({"metadata": {"labels": {"tier": "gold"}}})))]),
        (Kind::ApiKey, vec![What::Changed(object("shop/k", 9, json!({"spec": {"secretRef": {"name": "k"}}})))]),
    ]
}

proptest! {
    #[test]
    fn any_order_of_arrival_ends_in_the_same_store(choices in proptest::collection::vec(0_usize..100, 40), pauses in 0_u32..64) {
        let told = |choices: &[usize], pauses: u32| {
            let mut store = Store::default();
            let mut left = histories();
            let mut at = 0;
            while !left.is_empty() {
                let index = choices.get(at).copied().unwrap_or_default() % left.len();
                let (kind, news) = &mut left[index];
                tell(&mut store, *kind, news.remove(0));
                if news.is_empty() {
                    left.remove(index);
                }
                if pauses >> (at % 6) & 1 == 1 {
                    settle(&mut store);
                }
                at += 1;
            }
            settle(&mut store);
            (translated(&store), store.manifests().clone(), store.known.clone())
        };
        let (expected, manifests, known) = told(&[], 0);
        let found = told(&choices, pauses);
        prop_assert_eq!(found.1, manifests);
        prop_assert_eq!(found.2, known);
        prop_assert_eq!(found.0.snapshot, expected.snapshot);
    }
}

#[test]
fn what_only_experimental_definitions_know_closes_its_route() {
    let kind = Kind::HttpRoute;
    let rule = |more: Value| {
        let mut rule = json!({"backendRefs": [{"name": "b", "port": 80}]});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"spec": {"parentRefs": [{"name": "doorward"}], "rules": [{}, rule]}})
    };
    for (more, field) in [
        (json!({}), None),
        (json!({"retry": {"attempts": 2}}), Some("spec.rules[1].retry")),
        (json!({"sessionPersistence": {"type": "Cookie"}}), Some("spec.rules[1].sessionPersistence")),
    ] {
        let mut store = Store::new([everywhere(kind)]);
        tell(&mut store, kind, What::Changed(object("shop/r", 1, rule(more))));
        let written = store.manifests().http_routes.get(&ObjectName::new("shop", "r")).unwrap();
        let found = if let Written::Broken(faults, _) = written { Some(faults[0].field.to_string()) } else { None };
        assert_eq!(found.as_deref(), field);
    }
}
