//! Who may refer into which namespace (Gateway API, ReferenceGrant).

use cause::{FaultCause, ObjectName, ObjectRef};
use crds::standard::ReferenceGrant;

use crate::manifests::Manifests;

/// The kinds that are referred to across namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Service,
    Secret,
    IdentityProvider,
    AiModel,
}

impl Target {
    /// `kind`, as in manifests.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Secret => "Secret",
            Self::IdentityProvider => "IdentityProvider",
            Self::AiModel => "AiModel",
        }
    }

    const fn group(self) -> &'static str {
        match self {
            Self::Service | Self::Secret => "",
            Self::IdentityProvider | Self::AiModel => crds::GROUP,
        }
    }
}

/// The kinds that refer across namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Referrer {
    ApiRoute,
    HttpRoute,
    Gateway,
}

impl Referrer {
    const fn kind(self) -> &'static str {
        match self {
            Self::ApiRoute => "ApiRoute",
            Self::HttpRoute => "HTTPRoute",
            Self::Gateway => "Gateway",
        }
    }

    const fn group(self) -> &'static str {
        match self {
            Self::ApiRoute => crds::GROUP,
            Self::HttpRoute | Self::Gateway => "gateway.networking.k8s.io",
        }
    }
}

/// All grants that can be read; one that cannot admits nobody.
#[derive(Debug)]
pub(crate) struct Grants<'a> {
    grants: Vec<(&'a ObjectName, &'a ReferenceGrant)>,
}

impl<'a> Grants<'a> {
    pub(crate) fn new(manifests: &'a Manifests) -> Self {
        let readable = |(name, written): (&'a ObjectName, &'a crate::Written<ReferenceGrant>)| Some((name, &**written.value()?));
        Self { grants: manifests.reference_grants.iter().filter_map(readable).collect() }
    }

    /// Whether an object of this kind and namespace may refer to the target.
    pub(crate) fn check(&self, from: Referrer, own: &ObjectName, to: Target, name: &ObjectName) -> Result<(), FaultCause> {
        let admits =
            |(at, grant): &(&ObjectName, &ReferenceGrant)| {
                at.namespace == name.namespace
                    && grant.spec.from.iter().any(|entry| {
                        entry.group == from.group() && entry.kind == from.kind() && *entry.namespace == *own.namespace
                    })
                    && grant.spec.to.iter().any(|entry| {
                        entry.group == to.group()
                            && entry.kind == to.kind()
                            && entry.name.as_ref().is_none_or(|only| **only == *name.name)
                    })
            };
        if own.namespace == name.namespace || self.grants.iter().any(admits) {
            Ok(())
        } else {
            Err(FaultCause::ReferenceNotPermitted { target: ObjectRef::new(to.kind(), name.clone()) })
        }
    }
}
