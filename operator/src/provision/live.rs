//! What is there of the objects that Gateways get.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;

use cause::ObjectName;
use futures_util::stream::{SelectAll, Stream, StreamExt as _};
use kube::core::{DynamicObject, TypeMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, ResourceExt as _};
use serde_json::Value;

use super::children::ChildKind;
use super::names::SELECTOR;
use crate::watch::is_gap;

/// Something that is told of the objects of Gateways.
#[derive(Debug)]
pub struct News {
    kind: ChildKind,
    /// Where it was looked; `None` is everywhere.
    scope: Option<Arc<str>>,
    event: Event<DynamicObject>,
}

#[cfg(test)]
impl News {
    /// An event of a watch of all namespaces.
    pub(super) const fn of(kind: ChildKind, event: Event<DynamicObject>) -> Self {
        Self { kind, scope: None, event }
    }
}

/// Tells what is there of the objects of all Gateways in these namespaces (none is all), and each
/// change of it, until it is dropped. It tries again by itself after a failure.
pub fn follow(client: &Client, namespaces: &[Arc<str>]) -> impl Stream<Item = News> + Send + use<> {
    let scopes: Vec<Option<Arc<str>>> =
        if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() };
    let mut all: SelectAll<Pin<Box<dyn Stream<Item = News> + Send>>> = SelectAll::new();
    for kind in ChildKind::ALL {
        for scope in &scopes {
            all.push(Box::pin(one(client.clone(), kind, scope.clone())));
        }
    }
    all
}

fn one(client: Client, kind: ChildKind, scope: Option<Arc<str>>) -> impl Stream<Item = News> + Send {
    let resource = kind.resource();
    let api: Api<DynamicObject> = match &scope {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let events = watcher::watcher(api, watcher::Config::default().labels(SELECTOR)).default_backoff();
    events.filter_map(move |event| {
        let news = match event {
            Ok(event) => Some(News { kind, scope: scope.clone(), event }),
            // All is listed anew.
            Err(error) if is_gap(&error) => {
                tracing::debug!(?kind, "what changed meanwhile of what Gateways have is not told any more");
                None
            }
            Err(error) => {
                tracing::warn!(?kind, error = &error as &dyn std::error::Error, "watching what Gateways have fails");
                None
            }
        };
        std::future::ready(news)
    })
}

/// What is there of the objects of Gateways. The default has heard of nothing yet.
#[derive(Debug, Default)]
pub struct Live {
    objects: BTreeMap<(ChildKind, ObjectName), Value>,
    /// What a list that is not complete has named.
    listing: BTreeMap<(ChildKind, Option<Arc<str>>), BTreeSet<ObjectName>>,
    /// The kinds of which a list was complete once.
    listed: BTreeSet<ChildKind>,
}

impl Live {
    /// Remembers what was told; the Gateways that it concerns.
    pub fn note(&mut self, news: News) -> BTreeSet<ObjectName> {
        let News { kind, scope, event } = news;
        match event {
            Event::Init => {
                self.listing.insert((kind, scope), BTreeSet::new());
                BTreeSet::new()
            }
            Event::InitApply(object) => {
                if let Some(listing) = self.listing.get_mut(&(kind, scope)) {
                    listing.insert(name(&object));
                }
                self.put(kind, object)
            }
            Event::InitDone => {
                let listing = self.listing.remove(&(kind, scope.clone())).unwrap_or_default();
                self.listed.insert(kind);
                let is_gone = |(of, name): &(ChildKind, ObjectName)| {
                    *of == kind && scope.as_ref().is_none_or(|scope| *scope == name.namespace) && !listing.contains(name)
                };
                let gone: Vec<_> = self.objects.keys().filter(|key| is_gone(key)).cloned().collect();
                gone.into_iter().filter_map(|key| owner(&self.objects.remove(&key)?, &key.1)).collect()
            }
            Event::Apply(object) => self.put(kind, object),
            Event::Delete(object) => {
                let key = (kind, name(&object));
                self.objects.remove(&key).and_then(|value| owner(&value, &key.1)).into_iter().collect()
            }
        }
    }

    fn put(&mut self, kind: ChildKind, mut object: DynamicObject) -> BTreeSet<ObjectName> {
        object.metadata.managed_fields = None;
        // In a list of a built-in kind, objects do not say what they are.
        let resource = kind.resource();
        object.types = Some(TypeMeta { api_version: resource.api_version, kind: resource.kind });
        let name = name(&object);
        let Ok(value) = serde_json::to_value(object) else { return BTreeSet::new() };
        let after = owner(&value, &name);
        let before = self.objects.insert((kind, name.clone()), value).and_then(|value| owner(&value, &name));
        after.into_iter().chain(before).collect()
    }

    /// Whether everything that is there has been told once. Before that, absence means nothing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.listed.len() == ChildKind::ALL.len() && self.listing.is_empty()
    }

    /// An object.
    #[must_use]
    pub fn get(&self, kind: ChildKind, name: &ObjectName) -> Option<&Value> {
        self.objects.get(&(kind, name.clone()))
    }

    /// An object with its name.
    pub(super) fn entry(&self, kind: ChildKind, name: &ObjectName) -> Option<(&ObjectName, &Value)> {
        self.objects.get_key_value(&(kind, name.clone())).map(|((_, name), value)| (name, value))
    }

    /// The objects that a Gateway owns, or one of its name that is gone.
    pub(super) fn of<'a>(&'a self, gateway: &'a ObjectName) -> impl Iterator<Item = (ChildKind, &'a ObjectName, &'a Value)> {
        let owned = |(key, value): &(&(ChildKind, ObjectName), &Value)| owner(value, &key.1).as_ref() == Some(gateway);
        self.objects.iter().filter(owned).map(|((kind, name), value)| (*kind, name, value))
    }

    /// The Gateways that own something, whether they are still there or not.
    #[must_use]
    pub fn gateways(&self) -> BTreeSet<ObjectName> {
        self.objects.iter().filter_map(|((_, name), value)| owner(value, name)).collect()
    }
}

fn name(object: &DynamicObject) -> ObjectName {
    ObjectName::new(object.namespace().unwrap_or_default(), object.name_any())
}

/// The Gateway that owns an object.
fn owner(object: &Value, name: &ObjectName) -> Option<ObjectName> {
    let owner = super::apply::controller(object)?;
    let is_gateway = owner.get("kind").and_then(Value::as_str) == Some("Gateway");
    let gateway = owner.get("name").and_then(Value::as_str).filter(|_| is_gateway)?;
    Some(ObjectName { namespace: Arc::clone(&name.namespace), name: gateway.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(namespace: &str, name: &str, gateway: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": name, "namespace": namespace, "managedFields": [{"manager": "m"}],
                "ownerReferences": [{"apiVersion": "x", "kind": "Gateway", "name": gateway, "uid": "u", "controller": true}],
            },
        }))
        .unwrap()
    }

    fn news(scope: Option<&str>, event: Event<DynamicObject>) -> News {
        News { kind: ChildKind::Service, scope: scope.map(Arc::from), event }
    }

    fn names(set: &BTreeSet<ObjectName>) -> Vec<String> {
        set.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_told_is_remembered_and_concerns_its_gateway() {
        let mut live = Live::default();
        let mut check = |event, concerned: &[&str], known: &[&str]| {
            let told = live.note(news(None, event));
            assert_eq!(
                (names(&told), names(&live.gateways())),
                (concerned.iter().map(ToString::to_string).collect(), known.iter().map(ToString::to_string).collect())
            );
        };
        check(Event::Init, &[], &[]);
        check(Event::InitApply(object("shop", "a", "web")), &["shop/web"], &["shop/web"]);
        check(Event::InitApply(object("team", "a", "web")), &["team/web"], &["shop/web", "team/web"]);
        check(Event::InitDone, &[], &["shop/web", "team/web"]);
        check(Event::Apply(object("shop", "a", "other")), &["shop/other", "shop/web"], &["shop/other", "team/web"]);
        check(Event::Delete(object("shop", "a", "other")), &["shop/other"], &["team/web"]);
        check(Event::Delete(object("shop", "a", "other")), &[], &["team/web"]);
        // A watch that had a gap lists again; what is not named any more is gone.
        check(Event::Init, &[], &["team/web"]);
        check(Event::InitApply(object("shop", "b", "new")), &["shop/new"], &["shop/new", "team/web"]);
        check(Event::InitDone, &["team/web"], &["shop/new"]);
        let value = live.get(ChildKind::Service, &ObjectName::new("shop", "b")).unwrap();
        assert_eq!(value.pointer("/metadata/managedFields"), None);
        assert!(live.get(ChildKind::Deployment, &ObjectName::new("shop", "b")).is_none());
        assert!(!live.is_complete(), "the other kinds have not been listed");
    }

    #[test]
    fn what_is_listed_is_what_is_watched() {
        let key = (ChildKind::Service, ObjectName::new("shop", "a"));
        let told = |event| {
            let mut live = Live::default();
            live.note(news(None, event));
            live.get(key.0, &key.1).cloned()
        };
        let watched = object("shop", "a", "web");
        let listed = DynamicObject { types: None, ..watched.clone() };
        assert_eq!(told(Event::InitApply(listed)), told(Event::Apply(watched)));
    }

    #[test]
    fn a_list_of_one_namespace_says_nothing_of_another() {
        let mut live = Live::default();
        for (scope, namespace) in [("shop", "shop"), ("team", "team")] {
            live.note(news(Some(scope), Event::Init));
            live.note(news(Some(scope), Event::InitApply(object(namespace, "a", "web"))));
            live.note(news(Some(scope), Event::InitDone));
        }
        assert_eq!(names(&live.gateways()), ["shop/web", "team/web"]);
        live.note(news(Some("team"), Event::Init));
        assert_eq!(names(&live.note(news(Some("team"), Event::InitDone))), ["team/web"]);
        assert_eq!(names(&live.gateways()), ["shop/web"]);
    }
}
