//! A last good version as a Secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::ObjectName;
use crds::standard::Secret;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use sha2::{Digest as _, Sha256};

use crate::kinds::Kind;
use crate::store::{Key, Recalled};

/// The type of these Secrets.
pub(super) const TYPE: &str = "doorward.dev/last-good";
/// What they are found by.
pub(super) const LABEL: (&str, &str) = ("doorward.dev/last-good", "true");
/// The most bytes of a version: a Secret holds 1 MiB.
pub(super) const LONGEST: usize = 1_000_000;

const KIND: &str = "kind";
const NAMESPACE: &str = "namespace";
const NAME: &str = "name";
const UID: &str = "uid";
const OBJECT: &str = "object";

/// The name of an object's Secret.
pub(super) fn name(key: &Key) -> String {
    let digest = Sha256::digest(format!("{} {}", key.kind.name(), key.name));
    let digest = digest.iter().take(10).map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("doorward-last-good-{digest}")
}

/// The Secret of an object whose version says `object`, in JSON. It goes with `owner`.
pub(super) fn secret(key: &Key, uid: &str, object: Vec<u8>, owner: Option<&OwnerReference>) -> Secret {
    let text = |text: &str| ByteString(text.as_bytes().to_vec());
    let labels = [LABEL, ("app.kubernetes.io/name", "doorward"), ("app.kubernetes.io/managed-by", "doorward")];
    Secret {
        metadata: ObjectMeta {
            name: Some(name(key)),
            labels: Some(BTreeMap::from(labels.map(|(name, value)| (name.to_owned(), value.to_owned())))),
            owner_references: owner.map(|owner| vec![owner.clone()]),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        data: Some(BTreeMap::from([
            (KIND.to_owned(), text(key.kind.name())),
            (NAMESPACE.to_owned(), text(&key.name.namespace)),
            (NAME.to_owned(), text(&key.name.name)),
            (UID.to_owned(), text(uid)),
            (OBJECT.to_owned(), ByteString(object)),
        ])),
        ..Secret::default()
    }
}

/// What a Secret says; `None` where it is not one of these.
pub(super) fn read(secret: &Secret) -> Option<Recalled> {
    if secret.type_.as_deref() != Some(TYPE) {
        return None;
    }
    let data = secret.data.as_ref()?;
    let text = |name: &str| std::str::from_utf8(&data.get(name)?.0).ok();
    let key = Key::new(Kind::of(text(KIND)?)?, ObjectName::new(text(NAMESPACE)?, text(NAME)?));
    // A version is under the name of its object, or somebody else wrote it.
    if secret.metadata.name.as_deref() != Some(name(&key).as_str()) {
        return None;
    }
    Some(Recalled { key, uid: Arc::from(text(UID)?), value: serde_json::from_slice(&data.get(OBJECT)?.0).ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        fn check(change: impl Fn(&mut Secret), expected: bool) {
            let key = Key::new(Kind::HttpRoute, ObjectName::new("shop", "web"));
            let value = json!({"spec": {"path": "/one"}});
            let mut written = secret(&key, "uid-1", value.to_string().into_bytes(), None);
            change(&mut written);
            let found = read(&written).map(|recalled| (recalled.key, recalled.uid, recalled.value));
            assert_eq!(found, expected.then(|| (key, "uid-1".into(), value)));
        }
        fn data(secret: &mut Secret, name: &str, value: &str) {
            secret.data.as_mut().unwrap().insert(name.to_owned(), ByteString(value.as_bytes().to_vec()));
        }
        check(|_| {}, true);
        check(|secret| secret.type_ = Some("Opaque".into()), false);
        check(|secret| secret.data = None, false);
        check(|secret| data(secret, KIND, "Node"), false);
        check(|secret| data(secret, NAME, "other"), false);
        check(|secret| data(secret, OBJECT, "{"), false);
        check(|secret| secret.metadata.name = Some("doorward-last-good-0".into()), false);
    }

    #[test]
    fn objects_have_secrets_of_their_own() {
        let name = |kind: Kind, namespace: &str, object: &str| name(&Key::new(kind, ObjectName::new(namespace, object)));
        let names = [
            name(Kind::ApiRoute, "shop", "a"),
            name(Kind::ApiKey, "shop", "a"),
            name(Kind::ApiRoute, "team", "a"),
            name(Kind::ApiRoute, "shop", "b"),
        ];
        assert!(names.iter().all(|name| name.len() == "doorward-last-good-".len() + 20));
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
    }
}
