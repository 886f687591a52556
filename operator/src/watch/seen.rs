//! An object of any kind as a tree: what the client library decodes answers into.

use std::borrow::Cow;
use std::sync::Arc;

use cause::ObjectName;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::de::DeserializeSeed as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Object;
use super::tree::{Place, WRITTEN};
use crate::kinds::Kind;

/// A tree with what watching needs of its metadata. `OUTLINE` asks for metadata alone.
#[derive(Clone, Debug)]
pub(crate) struct Seen<const OUTLINE: bool> {
    metadata: ObjectMeta,
    tree: Value,
}

/// Which version of an object this is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.generation`; 0 where the kind has none.
    pub generation: i64,
    /// `metadata.resourceVersion`.
    pub version: Arc<str>,
    /// Whether it is being deleted.
    pub is_ending: bool,
    /// Whether something that its status says is our word.
    pub is_written: bool,
}

impl<'de, const OUTLINE: bool> Deserialize<'de> for Seen<OUTLINE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = Place::Root.deserialize(deserializer)?;
        let text = |field: &str| tree.pointer(&format!("/metadata/{field}")).and_then(Value::as_str).map(str::to_owned);
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            uid: text("uid"),
            generation: tree.pointer("/metadata/generation").and_then(Value::as_i64),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, tree })
    }
}

impl<const OUTLINE: bool> Resource for Seen<OUTLINE> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn metadata_api() -> bool {
        OUTLINE
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<const OUTLINE: bool> Seen<OUTLINE> {
    /// The object, its parts taken apart.
    pub(crate) fn into_object(self, kind: Kind) -> Object {
        let Self { metadata, mut tree } = self;
        let mut status = Value::Null;
        let (mut is_ending, mut is_written) = (false, false);
        if let Some(members) = tree.as_object_mut() {
            if kind.has_our_status() {
                status = members.shift_remove("status").unwrap_or_default();
            }
            if let Some(meta) = members.get_mut("metadata").and_then(Value::as_object_mut) {
                is_ending = meta.contains_key("deletionTimestamp");
                meta.shift_remove("resourceVersion");
                is_written = meta.shift_remove(WRITTEN).is_some();
            }
        }
        let namespace = if kind.is_namespaced() { metadata.namespace.unwrap_or_default() } else { String::new() };
        Object {
            name: ObjectName::new(namespace, metadata.name.unwrap_or_default()),
            marks: Marks {
                uid: metadata.uid.unwrap_or_default().into(),
                generation: metadata.generation.unwrap_or_default(),
                version: metadata.resource_version.unwrap_or_default().into(),
                is_ending,
                is_written,
            },
            value: tree,
            status,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_every_write_changes_is_set_apart() {
        let tree = json!({
            "metadata": {
                "name": "orders", "namespace": "shop", "uid": "u", "generation": 3, "resourceVersion": "42",
                "managedFields": [{"manager": "kubectl"}], "labels": {"tier": 7},
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "a"},
            },
            "spec": {"path": 1}, "status": {"observedGeneration": 2},
        });
        let seen: Seen<false> = serde_json::from_value(tree).unwrap();
        assert_eq!(seen.meta().resource_version.as_deref(), Some("42"));
        let object = seen.into_object(Kind::ApiRoute);
        assert_eq!(object.name, ObjectName::new("shop", "orders"));
        let marks = Marks { uid: "u".into(), generation: 3, version: "42".into(), is_ending: false, is_written: false };
        assert_eq!(object.marks, marks);
        assert_eq!(object.status, json!({"observedGeneration": 2}));
        // Shapes that the kind does not have come through too.
        let metadata = json!({"name": "orders", "namespace": "shop", "uid": "u", "generation": 3, "labels": {"tier": 7},
            "annotations": {"team": "a"}});
        assert_eq!(object.value, json!({"metadata": metadata, "spec": {"path": 1}}));
    }

    #[test]
    fn our_word_in_a_status_is_known_by_who_wrote_it() {
        let check = |managed: Value, expected: bool| {
            let tree = json!({"metadata": {"name": "a", "namespace": "n", "managedFields": managed}});
            // Objects come from bytes that are whole, and from values of a list.
            for seen in [serde_json::from_str::<Seen<false>>(&tree.to_string()), serde_json::from_value(tree.clone())] {
                let object = seen.unwrap().into_object(Kind::Ingress);
                assert_eq!(object.marks.is_written, expected, "{managed}");
                assert_eq!(object.value.pointer("/metadata/managedFields"), None);
            }
        };
        let by =
            |manager: &str| json!({"manager": manager, "operation": "Apply", "fieldsV1": {"f:status": {"f:\"conditions": {}}}});
        check(json!([by("kubectl"), by("doorward-status")]), true);
        check(json!([by("kubectl"), by("doorward-provision"), {"operation": "Update"}]), false);
        check(json!([{"manager": "doorward-status", "operation": "Apply", "fieldsV1": {"f:status": {}}}]), false);
        check(json!([]), false);
        check(Value::Null, false);
    }

    #[test]
    fn the_status_of_others_is_part_of_what_they_say() {
        let tree = json!({"metadata": {"name": "a", "namespace": "n", "deletionTimestamp": "x"}, "status": {"a": 1}});
        let seen: Seen<false> = serde_json::from_value(tree).unwrap();
        let object = seen.into_object(Kind::Service);
        assert!(object.marks.is_ending);
        assert_eq!((object.value.get("status"), object.status), (Some(&json!({"a": 1})), Value::Null));
        let seen: Seen<true> = serde_json::from_value(json!({"metadata": null})).unwrap();
        assert_eq!(seen.into_object(Kind::Secret).name, ObjectName::new("", ""));
    }
}
