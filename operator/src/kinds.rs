//! The kinds that are watched, and how.

use kube::core::ApiResource;

/// A kind that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `doorward.dev`.
    ApiRoute,
    /// `doorward.dev`.
    ApiKey,
    /// `doorward.dev`.
    AiModel,
    /// `doorward.dev`.
    IdentityProvider,
    /// `doorward.dev`.
    GatewayConfig,
    /// Gateway API.
    GatewayClass,
    /// Gateway API.
    Gateway,
    /// Gateway API.
    HttpRoute,
    /// Gateway API.
    ReferenceGrant,
    /// `networking.k8s.io`.
    Ingress,
    /// `networking.k8s.io`.
    IngressClass,
    /// The core group.
    Service,
    /// `discovery.k8s.io`.
    EndpointSlice,
    /// The core group; only its metadata.
    Secret,
    /// The core group; only its metadata.
    ConfigMap,
    /// The core group.
    Namespace,
    /// The core group; only those of our data planes.
    Pod,
}

/// Label of whatever belongs to a Gateway: its name (Gateway API, GEP-1762).
pub const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// The group of Gateway API.
pub const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// How a kind is asked for.
struct Definition {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
}

const fn definition(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Definition {
    Definition { group, version, kind, plural }
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 17] = [
        Self::ApiRoute,
        Self::ApiKey,
        Self::AiModel,
        Self::IdentityProvider,
        Self::GatewayConfig,
        Self::GatewayClass,
        Self::Gateway,
        Self::HttpRoute,
        Self::ReferenceGrant,
        Self::Ingress,
        Self::IngressClass,
        Self::Service,
        Self::EndpointSlice,
        Self::Secret,
        Self::ConfigMap,
        Self::Namespace,
        Self::Pod,
    ];

    const fn definition(self) -> Definition {
        match self {
            Self::ApiRoute => definition(crds::GROUP, crds::VERSION, "ApiRoute", "apiroutes"),
            Self::ApiKey => definition(crds::GROUP, crds::VERSION, "ApiKey", "apikeys"),
            Self::AiModel => definition(crds::GROUP, crds::VERSION, "AiModel", "aimodels"),
            Self::IdentityProvider => definition(crds::GROUP, crds::VERSION, "IdentityProvider", "identityproviders"),
            Self::GatewayConfig => definition(crds::GROUP, crds::VERSION, "GatewayConfig", "gatewayconfigs"),
            Self::GatewayClass => definition(GATEWAY_API, "v1", "GatewayClass", "gatewayclasses"),
            Self::Gateway => definition(GATEWAY_API, "v1", "Gateway", "gateways"),
            Self::HttpRoute => definition(GATEWAY_API, "v1", "HTTPRoute", "httproutes"),
            // Every version of Gateway API that has HTTPRoute v1 serves this one.
            Self::ReferenceGrant => definition(GATEWAY_API, "v1beta1", "ReferenceGrant", "referencegrants"),
            Self::Ingress => definition("networking.k8s.io", "v1", "Ingress", "ingresses"),
            Self::IngressClass => definition("networking.k8s.io", "v1", "IngressClass", "ingressclasses"),
            Self::Service => definition("", "v1", "Service", "services"),
            Self::EndpointSlice => definition("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
            Self::Secret => definition("", "v1", "Secret", "secrets"),
            Self::ConfigMap => definition("", "v1", "ConfigMap", "configmaps"),
            Self::Namespace => definition("", "v1", "Namespace", "namespaces"),
            Self::Pod => definition("", "v1", "Pod", "pods"),
        }
    }

    /// `kind`, as in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.definition().kind
    }

    /// The kind of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The API group; empty for the core group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        self.definition().group
    }

    /// How requests name it.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        let Definition { group, version, kind, plural } = self.definition();
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        ApiResource { group: group.into(), version: version.into(), api_version, kind: kind.into(), plural: plural.into() }
    }

    /// Whether its objects lie in namespaces.
    #[must_use]
    pub const fn is_namespaced(self) -> bool {
        !matches!(self, Self::GatewayClass | Self::IngressClass | Self::Namespace)
    }

    /// Whether only metadata is watched. What is referenced is read one by one.
    #[must_use]
    pub const fn is_outline(self) -> bool {
        matches!(self, Self::Secret | Self::ConfigMap)
    }

    /// The labels that an object must have to be watched.
    #[must_use]
    pub const fn selector(self) -> Option<&'static str> {
        match self {
            Self::Pod => Some(GATEWAY_NAME),
            Self::ApiRoute
            | Self::ApiKey
            | Self::AiModel
            | Self::IdentityProvider
            | Self::GatewayConfig
            | Self::GatewayClass
            | Self::Gateway
            | Self::HttpRoute
            | Self::ReferenceGrant
            | Self::Ingress
            | Self::IngressClass
            | Self::Service
            | Self::EndpointSlice
            | Self::Secret
            | Self::ConfigMap
            | Self::Namespace => None,
        }
    }

    /// Whether a cluster may do without it: somebody else's definitions, which may come later.
    #[must_use]
    pub fn is_optional(self) -> bool {
        self.group() == GATEWAY_API
    }

    /// Whether its status is ours to write, and so no part of what it says.
    #[must_use]
    pub const fn has_our_status(self) -> bool {
        match self {
            Self::ApiRoute
            | Self::ApiKey
            | Self::AiModel
            | Self::IdentityProvider
            | Self::GatewayConfig
            | Self::GatewayClass
            | Self::Gateway
            | Self::HttpRoute
            | Self::Ingress => true,
            Self::ReferenceGrant
            | Self::IngressClass
            | Self::Service
            | Self::EndpointSlice
            | Self::Secret
            | Self::ConfigMap
            | Self::Namespace
            | Self::Pod => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permissions::{CLUSTER, Permission, WATCHED};

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.name()), Some(kind));
        }
        assert_eq!(Kind::of("Node"), None);
    }

    #[test]
    fn what_is_watched_and_written_is_permitted_and_nothing_is_by_wildcard() {
        let granted = |rows: &[Permission], group: &str, resource: &str, verb: &str| {
            rows.iter().any(|row| row.group == group && row.resources.contains(&resource) && row.verbs.contains(&verb))
        };
        for kind in Kind::ALL {
            let rows = if kind.is_namespaced() { WATCHED } else { CLUSTER };
            let resource = kind.resource();
            for verb in ["list", "watch"] {
                assert!(granted(rows, &resource.group, &resource.plural, verb), "{kind:?} {verb}");
            }
            let status = format!("{}/status", resource.plural);
            assert_eq!(granted(rows, &resource.group, &status, "patch"), kind.has_our_status(), "{kind:?}");
        }
        for row in CLUSTER.iter().chain(WATCHED).chain(crate::permissions::RELEASE).chain(crate::permissions::API_SERVER) {
            assert!(!row.resources.contains(&"*") && !row.verbs.contains(&"*") && row.group != "*", "{row:?}");
        }
    }
}
