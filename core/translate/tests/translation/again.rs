//! Memory changes no translation: whatever changed, it is what a first translation says.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::ToSpan as _;
use translate::{Context, Kind, Manifests, Memory, Objects, VisitBeside, translate, translate_again};

use crate::load::{documents, manifests};

/// Does something with the object at a place, counted over all kinds.
struct At<F> {
    place: usize,
    change: F,
}

/// What is done with one object.
trait Change {
    fn change<T: Kind>(&self, objects: &mut Objects<T>, name: &cause::ObjectName);
}

impl<F: Change> VisitBeside for At<F> {
    fn visit<T: Kind>(&mut self, objects: &mut Objects<T>, _: &Objects<T>) {
        if let Some(name) = objects.keys().nth(self.place).cloned() {
            self.change.change(objects, &name);
        }
        self.place = self.place.wrapping_sub(objects.len());
    }
}

/// It goes.
struct Remove;

impl Change for Remove {
    fn change<T: Kind>(&self, objects: &mut Objects<T>, name: &cause::ObjectName) {
        objects.remove(name);
    }
}

/// It is written again, the same.
struct Rewrite;

impl Change for Rewrite {
    fn change<T: Kind>(&self, objects: &mut Objects<T>, name: &cause::ObjectName) {
        let again = objects[name].value().map(|value| translate::Written::Good(Arc::new(T::clone(value))));
        objects.extend(again.map(|again| (name.clone(), again)));
    }
}

fn changed(all: &Manifests, place: usize, change: impl Change) -> Manifests {
    let mut changed = all.clone();
    changed.each_beside(&Manifests::default(), &mut At { place, change });
    changed
}

fn check(memory: &mut Memory, manifests: &Manifests, context: &Context, what: &str) {
    let again = translate_again(manifests, context, memory);
    assert!(again == translate(manifests, context), "{what}: memory changed the translation");
}

#[test]
fn memory_changes_no_translation() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.to_str().unwrap().ends_with(".in.yaml") {
            continue;
        }
        let documents = documents(&std::fs::read_to_string(&path).unwrap());
        let (all, mut context) = manifests(&documents);
        let mut memory = Memory::default();
        check(&mut memory, &all, &context, "all");
        for place in 0..documents.len() {
            let what = format!("{} object {place}", path.display());
            check(&mut memory, &changed(&all, place, Remove), &context, &what);
            check(&mut memory, &all, &context, &what);
            check(&mut memory, &changed(&all, place, Rewrite), &context, &what);
            context.now = context.now.checked_add(300.hours()).unwrap();
            check(&mut memory, &all, &context, &what);
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried} objects");
}

#[test]
fn what_did_not_change_is_not_made_again() {
    let text = include_str!("../golden/cluster-gateways.in.yaml");
    let (all, context) = manifests(&documents(text));
    let mut memory = Memory::default();
    let first = translate_again(&all, &context, &mut memory);
    let mut others = all.clone();
    let name = cause::ObjectName::new("shop", "by-default");
    others.api_routes.remove(&name);
    let second = translate_again(&others, &context, &mut memory);
    assert_eq!(second.snapshot.routes.len() + 1, first.snapshot.routes.len());
    for (id, route) in &second.snapshot.routes {
        assert!(Arc::ptr_eq(route, &first.snapshot.routes[id]), "{id}");
        let said = |translation: &translate::Translation| Arc::clone(&translation.standings.api_routes[&id.name]);
        assert!(Arc::ptr_eq(&said(&first), &said(&second)), "{id}");
    }
    for (id, key) in &second.snapshot.keys {
        assert!(Arc::ptr_eq(key, &first.snapshot.keys[id]), "{id}");
    }
}
