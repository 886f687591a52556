//! Names of Kubernetes objects, cheap to clone because they travel in evidence.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// `namespace/name` of an object whose kind the context tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// The namespace; `default` where the manifest named none, empty for kinds without one.
    pub namespace: Arc<str>,
    /// `metadata.name`.
    pub name: Arc<str>,
}

impl ObjectName {
    /// A name from its two parts.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An object with its kind: `ApiRoute shop/orders`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// `kind`, as in the manifest.
    pub kind: Arc<str>,
    /// The object's name.
    pub name: ObjectName,
}

impl ObjectRef {
    /// A reference from a kind and a name.
    pub fn new(kind: impl Into<Arc<str>>, name: ObjectName) -> Self {
        Self { kind: kind.into(), name }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}
