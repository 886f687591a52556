//! What an operator writes down, and what the next one makes of it.

use serde_json::json;

use super::super::tests::{everywhere, object, route, settle, tell};
use super::*;
use crate::watch::What;

/// An operator that saw these versions of route `shop/a`, each settled.
fn operator(versions: &[(u64, &str)]) -> Store {
    let mut store = Store::new([everywhere(Kind::ApiRoute)]);
    tell(&mut store, Kind::ApiRoute, What::ListBegins);
    for (version, path) in versions {
        tell(&mut store, Kind::ApiRoute, What::Listed(route("shop/a", *version, path)));
        settle(&mut store);
    }
    tell(&mut store, Kind::ApiRoute, What::ListEnds);
    store
}

/// What is written down, as it is read again.
fn written_down(store: &Store) -> Vec<Recalled> {
    let kept = store.kept().into_iter();
    kept.map(|(key, kept)| Recalled { key, uid: Arc::clone(&kept.uid), value: kept.value().unwrap() }).collect()
}

fn served(store: &Store) -> Option<String> {
    store.manifests().api_routes.values().next()?.value()?.spec.path.clone()
}

#[test]
fn only_what_serves_in_place_of_a_newer_version_is_written_down() {
    let check = |versions: &[(u64, &str)], expected: Option<&str>| {
        let written = written_down(&operator(versions));
        let paths: Vec<Option<&str>> = written.iter().map(|kept| kept.value.pointer("/spec/path")?.as_str()).collect();
        assert_eq!(paths, expected.map(Some).into_iter().collect::<Vec<_>>(), "{versions:?}");
    };
    check(&[(1, "/one")], None);
    check(&[(1, "no slash")], None);
    check(&[(1, "/one"), (2, "no slash")], Some("/one"));
    check(&[(1, "/one"), (2, "no slash"), (3, "none either")], Some("/one"));
    check(&[(1, "/one"), (2, "no slash"), (3, "/two")], None);
    check(&[(1, "/one"), (2, "/two"), (3, "no slash")], Some("/two"));
    let mut gone = operator(&[(1, "/one"), (2, "no slash")]);
    tell(&mut gone, Kind::ApiRoute, What::Gone(ObjectName::new("shop", "a")));
    assert!(gone.kept().is_empty());
}

#[test]
fn what_was_written_down_serves_again_for_the_same_object_alone() {
    let before = written_down(&operator(&[(1, "/one"), (2, "no slash")]));
    let check = |newest: &str, change: &dyn Fn(&mut Recalled), expected: &str| {
        let mut recalled = before.clone();
        recalled.iter_mut().for_each(change);
        let mut store = Store::new([everywhere(Kind::ApiRoute)]);
        tell(&mut store, Kind::ApiRoute, What::ListBegins);
        tell(&mut store, Kind::ApiRoute, What::Listed(route("shop/a", 2, newest)));
        tell(&mut store, Kind::ApiRoute, What::ListEnds);
        store.recall(recalled);
        settle(&mut store);
        assert_eq!(served(&store).as_deref(), Some(expected), "{newest}");
    };
    check("no slash", &|_| {}, "/one");
    // It was mended meanwhile.
    check("/two", &|_| {}, "/two");
    // It was deleted and made again.
    check("no slash", &|recalled| recalled.uid = "other".into(), "no slash");
    check("no slash", &|recalled| recalled.value = json!({"spec": 7}), "no slash");
    // What is gone stays gone.
    let mut empty = Store::new([everywhere(Kind::ApiRoute)]);
    assert_eq!(empty.recall(before.clone()), Change::Nothing);
    settle(&mut empty);
    assert_eq!(served(&empty), None);
}

#[test]
fn a_text_without_the_shape_of_its_kind_gives_way_too_and_is_mended_by_the_next() {
    let before = written_down(&operator(&[(1, "/one"), (2, "no slash")]));
    let mut store = Store::new([everywhere(Kind::ApiRoute)]);
    tell(&mut store, Kind::ApiRoute, What::Listed(object("shop/a", 3, json!({"spec": 7}))));
    assert_eq!(store.recall(before), Change::Manifests);
    settle(&mut store);
    assert_eq!((served(&store).as_deref(), store.kept().len()), (Some("/one"), 1));
    tell(&mut store, Kind::ApiRoute, What::Changed(route("shop/a", 4, "/two")));
    settle(&mut store);
    assert_eq!((served(&store).as_deref(), store.kept().len()), (Some("/two"), 0));
}

#[test]
fn versions_are_the_same_as_long_as_nothing_else_serves() {
    let mut store = operator(&[(1, "/one"), (2, "no slash")]);
    let key = Key::new(Kind::ApiRoute, ObjectName::new("shop", "a"));
    let first = store.kept().remove(&key).unwrap();
    assert!(first.is_same(store.kept().get(&key).unwrap()));
    tell(&mut store, Kind::ApiRoute, What::Changed(route("shop/a", 3, "none either")));
    settle(&mut store);
    assert!(first.is_same(store.kept().get(&key).unwrap()));
    for (version, path) in [(4, "/two"), (5, "no slash")] {
        tell(&mut store, Kind::ApiRoute, What::Changed(route("shop/a", version, path)));
        settle(&mut store);
    }
    assert!(!first.is_same(store.kept().get(&key).unwrap()));
    assert!(!format!("{first:?}").contains("/one"));
}
