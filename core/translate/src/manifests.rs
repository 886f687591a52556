//! What a reader found: every object that translation looks at, by kind and name.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, ObjectName};
use crds::standard::{
    ConfigMap, EndpointSlice, Gateway, GatewayClass, HttpRoute, Ingress, IngressClass, Namespace, ReferenceGrant, Secret, Service,
};
use crds::v1alpha1::{AiModel, ApiKey, ApiRoute, GatewayConfig, IdentityProvider};
use ir::{Route, RouteId, SharedMap};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::keys;

/// One object as its reader could read it.
#[derive(Clone, Debug, PartialEq)]
pub enum Written<T> {
    /// It has the shape of its kind.
    Good(Arc<T>),
    /// Its newest text was refused with these faults; this is the last good version of it.
    LastGood(Arc<T>, Vec<Fault>),
    /// It does not have the shape of its kind and never had, for these faults. The tree is what
    /// its text says, for the parts that can be told; `Null` where there is none.
    Broken(Vec<Fault>, Arc<Value>),
}

impl<T> Written<T> {
    /// The version that serves.
    #[must_use]
    pub const fn value(&self) -> Option<&Arc<T>> {
        match self {
            Self::Good(value) | Self::LastGood(value, _) => Some(value),
            Self::Broken(..) => None,
        }
    }

    /// What its reader found wrong with its newest text.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::Good(_) => &[],
            Self::LastGood(_, faults) | Self::Broken(faults, _) => faults,
        }
    }
}

/// The objects of one kind. A missing namespace has become `default`; kinds without namespaces
/// have an empty one.
pub type Objects<T> = BTreeMap<ObjectName, Written<T>>;

/// A kind of object that translation looks at.
pub trait Kind: Clone + PartialEq + DeserializeOwned + Serialize + Send + Sync + 'static {
    /// `kind`, as in manifests.
    const KIND: &'static str;

    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;

    /// This version, which serves in place of a `newest` text that is refused, without what that text takes away whatever
    /// else is wrong with it; `None` where it takes away nothing.
    fn narrowed(&self, newest: &Value) -> Option<Self> {
        let _nothing = newest;
        None
    }
}

/// Looks at the objects of each kind in turn.
pub trait Visit {
    /// The objects of one kind.
    fn visit<T: Kind>(&mut self, objects: &Objects<T>);
}

/// Changes the objects of each kind in turn, with those of other manifests beside them.
pub trait VisitBeside {
    /// The objects of one kind.
    fn visit<T: Kind>(&mut self, objects: &mut Objects<T>, beside: &Objects<T>);
}

macro_rules! manifests {
    (@name $kind:ident) => { stringify!($kind) };
    (@name $kind:ident $name:literal) => { $name };
    ($($(#[$doc:meta])* $field:ident: $kind:ident $(as $name:literal)? $(narrowed by $narrowed:path)?;)*) => {
        /// Every object that translation looks at.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Manifests {
            $($(#[$doc])* pub $field: Objects<$kind>,)*
        }

        $(impl Kind for $kind {
            const KIND: &'static str = manifests!(@name $kind $($name)?);

            fn metadata(&self) -> &ObjectMeta {
                &self.metadata
            }

            $(fn narrowed(&self, newest: &Value) -> Option<Self> {
                $narrowed(self, newest)
            })?
        })*

        impl Manifests {
            /// Shows the objects of each kind.
            pub fn each(&self, visitor: &mut impl Visit) {
                $(visitor.visit(&self.$field);)*
            }

            /// Gives the objects of each kind to be changed, with the others of that kind.
            pub fn each_beside(&mut self, beside: &Self, visitor: &mut impl VisitBeside) {
                $(visitor.visit(&mut self.$field, &beside.$field);)*
            }
        }
    };
}

manifests! {
    /// APIs.
    api_routes: ApiRoute;
    /// Credentials of consumers.
    api_keys: ApiKey narrowed by keys::narrowed;
    /// Models.
    ai_models: AiModel;
    /// Issuers of tokens.
    identity_providers: IdentityProvider;
    /// How data planes behave.
    gateway_configs: GatewayConfig;
    /// Whose Gateways are whose.
    gateway_classes: GatewayClass;
    /// Where requests come in.
    gateways: Gateway;
    /// Gateway API's routes.
    http_routes: HttpRoute as "HTTPRoute";
    /// Kubernetes' routes.
    ingresses: Ingress;
    /// Whose Ingresses are whose.
    ingress_classes: IngressClass;
    /// Backends.
    services: Service;
    /// Addresses of backends.
    endpoint_slices: EndpointSlice;
    /// Credentials and certificates.
    secrets: Secret;
    /// Certificate authorities.
    config_maps: ConfigMap;
    /// Namespaces, for their labels.
    namespaces: Namespace;
    /// Who may refer into which namespace.
    reference_grants: ReferenceGrant;
}

/// The controller that GatewayClasses of ours name.
pub const CONTROLLER: &str = "doorward.dev/gateway-controller";

/// What translation cannot read from manifests.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// The time, for what has expired.
    pub now: Timestamp,
    /// The cluster that the manifests are of; `None` where they are files.
    pub cluster: Option<Cluster>,
    /// What is said to exist elsewhere.
    pub assume: Vec<Assumption>,
    /// What served until now, of files: of two routes that claim the same, the one that did serves on.
    pub served: SharedMap<RouteId, Arc<Route>>,
    /// The Secrets of a cluster, where whoever asks reads nothing but their metadata and no operator has yet made those that
    /// keys ask for.
    pub outlines: Option<BTreeMap<ObjectName, ObjectMeta>>,
}

impl Context {
    /// Of files, with no cluster behind them.
    #[must_use]
    pub fn of_files(now: Timestamp, assume: Vec<Assumption>) -> Self {
        Self { now, cluster: None, assume, served: SharedMap::default(), outlines: None }
    }

    /// Of a cluster.
    #[must_use]
    pub fn of_cluster(now: Timestamp, cluster: Cluster) -> Self {
        Self { now, cluster: Some(cluster), assume: Vec::new(), served: SharedMap::default(), outlines: None }
    }

    /// Whether an object is said to exist elsewhere.
    pub(crate) fn assumes(&self, kind: &str, name: &ObjectName) -> bool {
        self.assume.iter().any(|assumption| assumption.covers(kind, name))
    }

    /// The metadata of a Secret of which nothing else is known.
    pub(crate) fn outline(&self, secret: &ObjectName) -> Option<&ObjectMeta> {
        self.outlines.as_ref()?.get(secret)
    }

    /// Whether the manifests are files and no cluster stands behind them.
    #[must_use]
    pub const fn is_standalone(&self) -> bool {
        self.cluster.is_none()
    }
}

/// What translation must know of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The Gateway of routes that name none.
    pub default_gateway: ObjectName,
    /// The version of Gateway API's definitions there (`gateway.networking.k8s.io/bundle-version`),
    /// where it is known.
    pub gateway_api: Option<Arc<str>>,
}

/// An object, or all of a kind, that exists although no manifest says so. References to it are
/// not faults; what needs its content is closed all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assumption {
    /// The kind, in any case.
    pub kind: Arc<str>,
    /// `name` in any namespace, or `namespace/name`; `None` is all of the kind.
    pub name: Option<Arc<str>>,
    /// The one namespace of which nothing is said, because all of it is known.
    pub but: Option<Arc<str>>,
}

impl Assumption {
    /// All of a kind.
    #[must_use]
    pub fn all_of(kind: &str) -> Self {
        Self { kind: kind.into(), name: None, but: None }
    }

    /// Whether it says that this object exists.
    #[must_use]
    pub fn covers(&self, kind: &str, name: &ObjectName) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
            && self.but.as_ref().is_none_or(|known| *known != name.namespace)
            && self.name.as_ref().is_none_or(|given| match given.split_once('/') {
                Some((namespace, object)) => *namespace == *name.namespace && *object == *name.name,
                None => **given == *name.name,
            })
    }
}
