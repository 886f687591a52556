//! The tree of an object without who wrote which of its fields: that is most of an object's text, and nobody here asks for
//! more of it than whether we did.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::status::MANAGER;

/// Where in an object members are.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// The object itself.
    Root,
    /// Its metadata.
    Metadata,
    /// The annotations there.
    Annotations,
}

impl Place {
    /// Where a member's own members are, if any of them is not read.
    fn inside(self, member: &str) -> Option<Self> {
        match (self, member) {
            (Self::Root, "metadata") => Some(Self::Metadata),
            (Self::Metadata, "annotations") => Some(Self::Annotations),
            (Self::Root | Self::Metadata | Self::Annotations, _) => None,
        }
    }

    fn is_unread(self, member: &str) -> bool {
        match self {
            Self::Root | Self::Metadata => false,
            // `kubectl apply` keeps the object here once more.
            Self::Annotations => member == "kubectl.kubernetes.io/last-applied-configuration",
        }
    }
}

/// The member of metadata that says who wrote which fields. In a tree it is there where fields of the status are ours, and
/// says no more.
pub(super) const WRITTEN: &str = "managedFields";

/// Who wrote some fields.
#[derive(Deserialize)]
struct Writer<'a> {
    #[serde(borrow, default)]
    manager: Option<Cow<'a, str>>,
    #[serde(rename = "fieldsV1", default)]
    fields: Option<Fields>,
}

/// Which ones.
#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "f:status", default)]
    status: Option<BTreeMap<String, IgnoredAny>>,
}

impl Writer<'_> {
    fn is_us(&self) -> bool {
        // Who took back all that it said stays in the list, with nothing.
        let says = self.fields.as_ref().and_then(|fields| fields.status.as_ref()).is_some_and(|status| !status.is_empty());
        says && self.manager.as_deref() == Some(MANAGER)
    }
}

impl<'de> DeserializeSeed<'de> for Place {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// An API server has checked metadata: it and its annotations are maps or absent.
impl<'de> Visitor<'de> for Place {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut tree = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if self.is_unread(&name) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            if matches!(self, Self::Metadata) && name == WRITTEN {
                if members.next_value::<Option<Vec<Writer<'_>>>>()?.is_some_and(|writers| writers.iter().any(Writer::is_us)) {
                    tree.insert(name, Value::Bool(true));
                }
                continue;
            }
            let value = match self.inside(&name) {
                Some(place) => members.next_value_seed(place)?,
                None => members.next_value()?,
            };
            tree.insert(name, value);
        }
        Ok(Value::Object(tree))
    }
}
