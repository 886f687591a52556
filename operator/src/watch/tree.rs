//! The tree of an object without who wrote which of its fields: that is most of an object's text, and nobody here asks for it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

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
            Self::Root => false,
            Self::Metadata => member == "managedFields",
            // `kubectl apply` keeps the object here once more.
            Self::Annotations => member == "kubectl.kubernetes.io/last-applied-configuration",
        }
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
            let value = match self.inside(&name) {
                Some(place) => members.next_value_seed(place)?,
                None => members.next_value()?,
            };
            tree.insert(name, value);
        }
        Ok(Value::Object(tree))
    }
}
