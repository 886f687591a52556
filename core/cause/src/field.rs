//! Where in a manifest, and what a text there must be.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One step of a field path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Segment {
    /// A member of a map.
    Field(Arc<str>),
    /// An item of a list.
    Index(usize),
}

/// Where in an object: `spec.limits[0].requests`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldPath(pub Vec<Segment>);

impl FieldPath {
    /// The object itself.
    #[must_use]
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// A path from dotted text without indices, such as `spec.backend`.
    #[must_use]
    pub fn of(dotted: &str) -> Self {
        Self(dotted.split('.').filter(|part| !part.is_empty()).map(|part| Segment::Field(part.into())).collect())
    }

    /// This path, one member deeper.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        let mut path = self.0.clone();
        path.push(Segment::Field(name.into()));
        Self(path)
    }

    /// This path, one item deeper.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.0.clone();
        path.push(Segment::Index(index));
        Self(path)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if name.contains(['.', '/', ' ', '[']) => write!(f, "[{name:?}]")?,
                Segment::Field(name) if position == 0 => f.write_str(name)?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// What a text value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Syntax {
    /// A network such as `10.0.0.0/8`, or one address.
    Network,
    /// A Gateway API duration such as `30s` or `1h30m`.
    Duration,
    /// RFC 3339.
    Timestamp,
    /// A full semantic version such as `2.1.0`.
    SemanticVersion,
    /// A semver requirement such as `2` or `2.1`.
    VersionRequirement,
    /// An absolute http or https URL.
    Url,
    /// An https URL.
    HttpsUrl,
    /// A host name, where a first label `*` may stand.
    HostName,
    /// A path that begins with `/` and has no dot segments, query or escapes.
    Path,
    /// A header field's name.
    HeaderName,
    /// A quantity of bytes such as `1Mi`.
    Quantity,
    /// A linear-time regular expression.
    Pattern,
    /// A socket address.
    SocketAddress,
    /// A DNS subdomain, as names of objects are.
    ObjectName,
    /// A DNS label, as names of namespaces are.
    ObjectLabel,
}

impl Syntax {
    /// The noun and an example, for messages.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Network => "a network such as 10.0.0.0/8",
            Self::Duration => "a duration above zero such as 30s, 5m or 1h",
            Self::Timestamp => "an RFC 3339 time such as 2026-12-31T23:59:59Z",
            Self::SemanticVersion => "a full version (major.minor.patch) such as 2.1.0",
            Self::VersionRequirement => "a version requirement such as 2 or 2.1",
            Self::Url => "an absolute http or https URL",
            Self::HttpsUrl => "an https URL",
            Self::HostName => "a host name such as api.example.com or *.example.com",
            Self::Path => "a path in its normal form such as /orders",
            Self::HeaderName => "a header name such as X-Api-Key",
            Self::Quantity => "a quantity of bytes such as 512Ki or 1Mi",
            Self::Pattern => "a regular expression without look-around and back-references",
            Self::SocketAddress => "an address and port such as 127.0.0.1:8080",
            Self::ObjectName => "a name of lower-case letters, digits, `-` and `.` such as orders-v1",
            Self::ObjectLabel => "a name of lower-case letters, digits and `-` such as shop",
        }
    }
}
