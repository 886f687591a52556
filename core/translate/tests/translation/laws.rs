//! What holds for any manifests.

use ir::{AuthenticationMode, Part};
use proptest::prelude::*;
use serde_json::{Value, json};
use translate::translate;

use crate::load::{documents, manifests};

const GOOD: &str = include_str!("../golden/quickstart.in.yaml");

/// What is put in the place of a value.
fn replacement() -> impl Strategy<Value = Value> {
    const TEXTS: [&str; 14] =
        ["", "*", "/", "0s", "-1", "30s", "10.0.0.5/8", "2", "http://a", "Anonymous", "true", "\u{0}", "ä", "shop/orders"];
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        proptest::sample::select(&TEXTS[..]).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ]
}

/// Every place in a document, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            places(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts a value in a place, or takes the place away.
fn change(documents: &mut [Value], place: &str, with: Option<Value>) {
    let mut steps = place.splitn(3, '/').skip(1);
    let Some(document) = steps.next().and_then(|index| index.parse::<usize>().ok()).and_then(|index| documents.get_mut(index))
    else {
        return;
    };
    let path = steps.next().map(|rest| format!("/{rest}")).unwrap_or_default();
    match with {
        Some(value) => {
            if let Some(found) = document.pointer_mut(&path) {
                *found = value;
            }
        }
        None => {
            let Some((parent, last)) = path.rsplit_once('/') else { return };
            match document.pointer_mut(parent) {
                Some(Value::Object(members)) => drop(members.remove(&last.replace("~1", "/").replace("~0", "~"))),
                Some(Value::Array(items)) => {
                    if let Ok(index) = last.parse::<usize>()
                        && index < items.len()
                    {
                        items.remove(index);
                    }
                }
                Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_changed_nothing_panics_and_nothing_opens(
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(replacement())), 1..6),
    ) {
        let mut documents = documents(GOOD);
        for (index, with) in changes {
            let mut found = Vec::new();
            documents.iter().enumerate().for_each(|(number, document)| places(document, &format!("/{number}"), &mut found));
            // Kinds stay: a document without one never reaches translation.
            found.retain(|place| place.matches('/').count() > 1 && !place.ends_with("/kind"));
            change(&mut documents, index.get::<String>(&found), with);
        }
        let (manifests, context) = manifests(&documents);
        let translation = translate(&manifests, &context);
        prop_assert_eq!(&translation, &translate(&manifests, &context));
        for (id, route) in &translation.snapshot.routes {
            prop_assert!(!route.matches.is_empty(), "{id} matches nothing");
            let Part::Ready(serve) = &route.serve else { continue };
            let authentication = &serve.checks.authentication;
            prop_assert_eq!(
                authentication.methods.is_empty(),
                authentication.mode == AuthenticationMode::Anonymous,
                "{} is open", id
            );
            prop_assert!(!serve.versions.is_empty());
            // A written condition is never lost on the way to a route that serves.
            let written = manifests.api_routes[&id.name].value().unwrap();
            prop_assert_eq!(
                written.spec.authorization.as_ref().map_or(0, |authorization| authorization.rules.len()),
                serve.checks.authorization.rules.len()
            );
            prop_assert_eq!(written.spec.limits.as_ref().map_or(0, Vec::len), serve.checks.limits.len());
            let addresses = written.spec.addresses.as_ref();
            prop_assert_eq!(
                addresses.and_then(|addresses| addresses.allow.as_ref()).is_some_and(|allow| !allow.is_empty()),
                !serve.checks.addresses.allow.is_empty()
            );
            prop_assert_eq!(written.spec.hostnames.as_ref().is_some_and(|hosts| !hosts.is_empty()), !route.hostnames.is_empty());
        }
    }
}
