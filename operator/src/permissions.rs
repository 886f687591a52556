//! What the operator may do in a cluster: every verb on every resource that the code calls, as data.
//! The chart's roles are these rows; nothing else is asked for.

/// Some verbs on some resources of one API group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The API group; empty is the core group.
    pub group: &'static str,
    /// Resources in the plural, with `/status` and such.
    pub resources: &'static [&'static str],
    /// What is done to them.
    pub verbs: &'static [&'static str],
    /// Why, for whoever reviews the chart.
    pub reason: &'static str,
}

const FOLLOW: &[&str] = &["list", "watch"];
const READ: &[&str] = &["get", "list", "watch"];
/// By server-side apply, which needs both to make an object.
const WRITE: &[&str] = &["get", "create", "patch", "delete"];

const fn permission(
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    reason: &'static str,
) -> Permission {
    Permission { group, resources, verbs, reason }
}

/// What holds in the whole cluster whatever namespaces are watched: kinds without a namespace.
pub const CLUSTER: &[Permission] = &[
    permission("gateway.networking.k8s.io", &["gatewayclasses"], FOLLOW, "which Gateways are ours"),
    permission("gateway.networking.k8s.io", &["gatewayclasses"], &["patch"], "that no class goes while Gateways use it"),
    permission("gateway.networking.k8s.io", &["gatewayclasses/status"], &["patch"], "whether the class is accepted"),
    permission("networking.k8s.io", &["ingressclasses"], FOLLOW, "which Ingresses are ours"),
    permission("apiextensions.k8s.io", &["customresourcedefinitions"], &["get"], "which version of Gateway API there is"),
    permission("", &["namespaces"], FOLLOW, "labels that selectors of routes and listeners name"),
    permission("authentication.k8s.io", &["tokenreviews"], &["create"], "whether a data plane is who it says"),
];

/// What holds in each watched namespace, or in the whole cluster where none is named.
pub const WATCHED: &[Permission] = &[
    permission(
        "doorward.dev",
        &["apiroutes", "apikeys", "aimodels", "identityproviders", "gatewayconfigs"],
        FOLLOW,
        "what is to be served",
    ),
    permission(
        "doorward.dev",
        &["apiroutes/status", "apikeys/status", "aimodels/status", "identityproviders/status", "gatewayconfigs/status"],
        &["patch"],
        "whether it is served, and if not why",
    ),
    permission("gateway.networking.k8s.io", &["gateways", "httproutes", "referencegrants"], FOLLOW, "what is to be served"),
    permission(
        "gateway.networking.k8s.io",
        &["gateways/status", "httproutes/status"],
        &["patch"],
        "whether it is served, and if not why",
    ),
    permission("networking.k8s.io", &["ingresses"], FOLLOW, "what is to be served"),
    permission("networking.k8s.io", &["ingresses/status"], &["patch"], "under which address it is served"),
    permission("", &["services"], FOLLOW, "backends"),
    permission("", &["configmaps", "secrets"], READ, "what objects refer to; they are watched as metadata"),
    permission("discovery.k8s.io", &["endpointslices"], FOLLOW, "addresses of backends"),
    permission("", &["pods"], FOLLOW, "which data planes are ready"),
    permission("", &["serviceaccounts"], FOLLOW, "what data planes of Gateways have"),
    permission("apps", &["deployments"], FOLLOW, "what data planes of Gateways have"),
    permission("policy", &["poddisruptionbudgets"], FOLLOW, "what data planes of Gateways have"),
    permission("networking.k8s.io", &["networkpolicies"], FOLLOW, "what data planes of Gateways have"),
    permission("autoscaling", &["horizontalpodautoscalers"], FOLLOW, "what data planes of Gateways have"),
    permission("", &["serviceaccounts", "services", "configmaps"], WRITE, "data planes of Gateways"),
    permission("apps", &["deployments"], WRITE, "data planes of Gateways"),
    permission("policy", &["poddisruptionbudgets"], WRITE, "data planes of Gateways"),
    permission("networking.k8s.io", &["networkpolicies"], WRITE, "data planes of Gateways"),
    permission("autoscaling", &["horizontalpodautoscalers"], WRITE, "data planes of Gateways"),
    permission("", &["secrets"], &["create", "update"], "keys that are generated"),
    permission("events.k8s.io", &["events"], &["create", "patch"], "what became of an object"),
];

/// What holds in namespace `default` too, where that is not watched.
pub const API_SERVER: &[Permission] = &[
    permission("discovery.k8s.io", &["endpointslices"], &["list"], "where API servers are: no URL of a manifest leads there"),
    permission("", &["services"], &["list"], "where API servers are: no URL of a manifest leads there"),
];

/// What holds in the release namespace alone.
pub const RELEASE: &[Permission] = &[
    permission("coordination.k8s.io", &["leases"], &["get", "create", "update"], "which replica writes"),
    permission("", &["secrets"], &["get", "create", "update"], "the authority of the config stream"),
    permission("", &["secrets"], &["list", "create", "update", "delete"], "last good versions of refused objects"),
    permission("", &["services"], &["get"], "what the operators' own objects go with"),
];
