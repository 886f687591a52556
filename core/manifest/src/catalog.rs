//! The kinds that are known, and what each asks of a manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::nearest;

use crate::schema::{Schema, SchemaDefect, compile};

/// One kind, as the caller describes it.
#[derive(Clone, Copy, Debug)]
pub struct KindSpec<'a> {
    /// The group; empty for Kubernetes' core.
    pub group: &'a str,
    /// The versions that are read alike.
    pub versions: &'a [&'a str],
    /// The kind.
    pub kind: &'a str,
    /// Whether its objects live in a namespace.
    pub is_namespaced: bool,
    /// Whether a field with nothing in it counts as absent, as it does for the kinds that
    /// Kubernetes itself defines and not for those of a CustomResourceDefinition.
    pub is_native: bool,
    /// A structural OpenAPI v3 schema, or a JSON Schema whose `$ref` stay inside it.
    pub schema: &'a serde_json::Value,
}

/// A known kind.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) versions: Vec<Arc<str>>,
    pub(crate) is_namespaced: bool,
    pub(crate) is_native: bool,
    pub(crate) schema: Schema,
}

/// The registry of kinds. Building it compiles schemas, so build it once.
#[derive(Debug)]
pub struct Catalog {
    own_group: Arc<str>,
    own_version: Arc<str>,
    kinds: BTreeMap<(Arc<str>, Arc<str>), Kind>,
    /// By group and kind.
    not_served: BTreeMap<(Arc<str>, Arc<str>), Arc<str>>,
}

/// What an `apiVersion` and `kind` name.
pub(crate) enum Named<'a> {
    Known(&'a Kind),
    /// Of our group, or meant to be, with what was likely meant.
    Unknown(Option<Arc<str>>),
    /// Our group and kind, or nearly, at another version or group: `apiVersion` is wrong.
    WrongVersion(Arc<str>),
    Foreign,
    /// A kind that others serve and Doorward does not, with a sentence that says so.
    NotServed(Arc<str>),
}

impl Catalog {
    /// An empty catalogue of a group and its version: an unknown kind there is a fault, and one
    /// of any other group is passed over.
    #[must_use]
    pub fn new(own_group: &str, own_version: &str) -> Self {
        Self { own_group: own_group.into(), own_version: own_version.into(), kinds: BTreeMap::new(), not_served: BTreeMap::new() }
    }

    /// Adds a kind.
    ///
    /// # Errors
    ///
    /// The schema does not compile.
    pub fn insert(&mut self, spec: &KindSpec<'_>) -> Result<(), SchemaDefect> {
        let kind = Kind {
            versions: spec.versions.iter().map(|version| Arc::from(*version)).collect(),
            is_namespaced: spec.is_namespaced,
            is_native: spec.is_native,
            schema: compile(spec.schema)?,
        };
        self.kinds.insert((spec.group.into(), spec.kind.into()), kind);
        Ok(())
    }

    /// Knows a kind that somebody may expect to be served, with a sentence that says that it is not, and what is instead.
    pub fn decline(&mut self, group: &str, kind: &str, why: &str) {
        self.not_served.insert((group.into(), kind.into()), why.into());
    }

    /// Whether this is the group whose unknown kinds are faults.
    pub(crate) fn is_own(&self, group: &str) -> bool {
        *self.own_group == *group
    }

    pub(crate) fn named(&self, group: &str, version: &str, kind: &str) -> Named<'_> {
        let own = || self.kinds.keys().filter(|(group, _)| *group == self.own_group).map(|(_, kind)| &**kind);
        let own_api = || Arc::from(format!("{}/{}", self.own_group, self.own_version));
        if let Some(known) = self.kinds.get(&(group.into(), kind.into())) {
            if known.versions.iter().any(|known| &**known == version) {
                return Named::Known(known);
            }
            return if group == &*self.own_group { Named::WrongVersion(own_api()) } else { Named::Foreign };
        }
        if let Some(why) = self.not_served.get(&(group.into(), kind.into())) {
            return Named::NotServed(Arc::clone(why));
        }
        if group == &*self.own_group {
            return self.misplaced(kind).unwrap_or_else(|| Named::Unknown(nearest(kind, own())));
        }
        let is_mistyped = nearest(group, [&*self.own_group]).is_some();
        if own().any(|own| own == kind) && (is_mistyped || group.is_empty()) {
            return Named::WrongVersion(own_api());
        }
        if is_mistyped { Named::Unknown(nearest(kind, own())) } else { Named::Foreign }
    }

    /// A kind of another group that stands in ours.
    fn misplaced(&self, kind: &str) -> Option<Named<'_>> {
        if let Some((_, why)) = self.not_served.iter().find(|((_, known), _)| **known == *kind) {
            return Some(Named::NotServed(Arc::clone(why)));
        }
        let ((group, _), known) = self.kinds.iter().find(|((_, known), _)| **known == *kind)?;
        let version = known.versions.last()?;
        Some(Named::WrongVersion(if group.is_empty() { Arc::clone(version) } else { format!("{group}/{version}").into() }))
    }
}
