//! Typed names: a route's name is never taken for a key's.

use std::fmt;

use cause::{ObjectName, ObjectRef};
use serde::{Deserialize, Serialize};

macro_rules! named {
    ($($(#[$doc:meta])* $id:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $id(pub ObjectName);

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

named! {
    /// An ApiKey.
    KeyId;
    /// An IdentityProvider.
    ProviderId;
    /// An AiModel.
    ModelId;
    /// A TLS Secret.
    CertificateId;
}

/// A kind whose objects are routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RouteKind {
    /// Doorward's own.
    ApiRoute,
    /// Gateway API's.
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    /// Kubernetes'.
    Ingress,
}

impl RouteKind {
    /// The kind, as manifests write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiRoute => "ApiRoute",
            Self::HttpRoute => "HTTPRoute",
            Self::Ingress => "Ingress",
        }
    }
}

/// One route: an object, or one rule of an object that has several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RouteId {
    /// The object's kind.
    pub kind: RouteKind,
    /// The object's name.
    pub name: ObjectName,
    /// Which of its rules, from 0; always 0 for kinds without rules.
    pub rule: u16,
}

impl RouteId {
    /// An ApiRoute.
    #[must_use]
    pub const fn api(name: ObjectName) -> Self {
        Self { kind: RouteKind::ApiRoute, name, rule: 0 }
    }

    /// The object that the route comes from.
    #[must_use]
    pub fn object(&self) -> ObjectRef {
        ObjectRef::new(self.kind.name(), self.name.clone())
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RouteKind::ApiRoute => self.name.fmt(f),
            RouteKind::HttpRoute | RouteKind::Ingress => write!(f, "{} {} rule {}", self.kind.name(), self.name, self.rule),
        }
    }
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceId {
    /// The Service.
    pub name: ObjectName,
    /// The Service's port.
    pub port: u16,
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// One listener of a Gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ListenerId {
    /// The Gateway.
    pub gateway: ObjectName,
    /// The listener's name.
    pub name: std::sync::Arc<str>,
}

impl fmt::Display for ListenerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.gateway, self.name)
    }
}
