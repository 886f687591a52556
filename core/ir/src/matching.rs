//! Which requests a route takes, in Gateway API's terms.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A host name, or `*.` before one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum HostPattern {
    /// Exactly this host, in lower case.
    Exact(Arc<str>),
    /// Any host below this suffix, which is stored without `*.`, in lower case.
    Wildcard(Arc<str>),
}

impl HostPattern {
    /// Whether this pattern takes the host, given in lower case without port.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *host,
            Self::Wildcard(suffix) => {
                host.strip_suffix(&**suffix).and_then(|rest| rest.strip_suffix('.')).is_some_and(|label| !label.is_empty())
            }
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// One alternative of a route: all of its conditions hold together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Match {
    /// The path.
    pub path: PathMatch,
    /// The methods; empty takes all.
    pub methods: Vec<Arc<str>>,
    /// Header fields, names in lower case.
    pub headers: Vec<ValueMatch>,
    /// Query parameters.
    pub query: Vec<ValueMatch>,
    /// Whether a wildcard of the route's hosts stands for one label alone, as Ingress has it; else
    /// for one or more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single_label: bool,
}

impl Match {
    /// Everything below a path.
    #[must_use]
    pub const fn of(path: PathMatch) -> Self {
        Self { path, methods: Vec::new(), headers: Vec::new(), query: Vec::new(), single_label: false }
    }
}

/// How a path is compared, in its one normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PathMatch {
    /// The whole path.
    Exact(Arc<str>),
    /// Whole segments from the start; without a trailing slash except `/` itself.
    Prefix(Arc<str>),
    /// A linear-time regular expression over the whole path.
    Regex(Arc<str>),
}

/// One named value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ValueMatch {
    /// The header's or parameter's name.
    pub name: Arc<str>,
    /// What the value must be.
    pub value: ValuePattern,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ValuePattern {
    /// Exactly this.
    Exact(Arc<str>),
    /// A linear-time regular expression over the whole value.
    Regex(Arc<str>),
}
