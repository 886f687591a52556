//! Which of two keys holds a text that one of them had before a rotation.

use cause::ObjectName;
use ir::KeyId;
use policy::key_text;

use crate::load::{documents, line, manifests};

const NEW: &str = "the text that is good now";
const OLD: &str = "the text that was replaced";
const LATER: &str = "2999-01-01T00:00:00Z";
const OVER: &str = "2001-01-01T00:00:00Z";

fn key(name: &str, created: &str, text: &str, earlier: Option<(&str, &str)>) -> String {
    let mut entries = format!("key: {text}");
    if let Some((text, until)) = earlier {
        let digest: String = key_text::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        entries.push_str(&format!(", previous-sha256: '{digest}', previous-until: '{until}'"));
    }
    format!(
        "---\n{{kind: ApiKey, metadata: {{name: {name}, creationTimestamp: '{created}'}}, spec: {{secretRef: {{name: {name}}}}}}}\n\
         ---\n{{kind: Secret, metadata: {{name: {name}}}, stringData: {{{entries}}}}}\n"
    )
}

#[test]
fn a_text_is_of_the_older_key_while_it_is_good() {
    /// `expected` is the findings, whether each key has a hash, and how many earlier texts it has.
    fn check(keys: [&str; 2], expected: &[&str], held: [(bool, usize); 2]) {
        let (manifests, context) = manifests(&documents(&["{kind: Context, cluster: true}\n", keys[0], keys[1]].concat()));
        let translation = translate::translate(&manifests, &context);
        assert_eq!(translation.faults.iter().map(line).collect::<Vec<_>>(), expected, "{keys:?}");
        let of = |name: &str| {
            let key = &translation.snapshot.keys[&KeyId(ObjectName::new("default", name))];
            (key.hash.is_some(), key.earlier.len())
        };
        assert_eq!([of("a"), of("b")], held, "{keys:?}");
    }
    let (first, second) = ("2025-01-01T00:00:00Z", "2025-02-02T00:00:00Z");
    let duplicate = |name: &str| format!("Error config.duplicate_key ApiKey default/{name} spec.secretRef");
    let replaced = |name: &str| format!("Warning config.no_effect ApiKey default/{name} spec.secretRef");
    let rotated = |name: &str, created: &str, until: &str| key(name, created, NEW, Some((OLD, until)));
    check([&rotated("a", first, LATER), &key("b", second, "something else that is long", None)], &[], [(true, 1), (true, 0)]);
    check([&rotated("a", first, LATER), &key("b", second, OLD, None)], &[&duplicate("b")], [(true, 1), (false, 0)]);
    check([&rotated("a", second, LATER), &key("b", first, OLD, None)], &[&replaced("a")], [(true, 0), (true, 0)]);
    check([&rotated("a", first, OVER), &key("b", second, OLD, None)], &[], [(true, 1), (true, 0)]);
    let both = key("b", second, "something else that is long", Some((OLD, LATER)));
    check([&rotated("a", first, LATER), &both], &[&replaced("b")], [(true, 1), (true, 0)]);
}
