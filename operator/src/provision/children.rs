//! Which objects a Gateway gets, and what they say.

use std::collections::BTreeMap;
use std::time::Duration;

use cause::ObjectName;
use crds::standard::Gateway;
use crds::v1alpha1 as written;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
    ResourceMetricSource,
};
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::ApiResource;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{names, pods, service};

/// Replicas of which nothing is said.
pub(super) const REPLICAS: i32 = 2;
/// Percent of the requested CPU, where nothing is said.
const UTILIZATION: i32 = 70;
/// The annotation that says what an object was made of.
pub(super) const APPLIED: &str = "doorward.dev/applied";

/// The kinds that a Gateway gets, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChildKind {
    /// Who its pods are.
    ServiceAccount,
    /// Whom its pods trust as an operator.
    ConfigMap,
    /// Where its clients come in.
    Service,
    /// Its pods.
    Deployment,
    /// Who may reach its pods, where that is asked for.
    NetworkPolicy,
    /// How many pods may be taken away at once.
    PodDisruptionBudget,
    /// How many pods there are, where that follows the load.
    HorizontalPodAutoscaler,
}

impl ChildKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Service,
        Self::Deployment,
        Self::NetworkPolicy,
        Self::PodDisruptionBudget,
        Self::HorizontalPodAutoscaler,
    ];

    /// How requests name it.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        match self {
            Self::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::HorizontalPodAutoscaler => ApiResource::erase::<HorizontalPodAutoscaler>(&()),
        }
    }
}

/// One object that a Gateway gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Its kind.
    pub kind: ChildKind,
    /// Its name.
    pub name: ObjectName,
    /// What it is to say.
    pub value: Value,
}

/// The image of data planes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Repository with tag or digest.
    pub reference: String,
    /// `Always`, `IfNotPresent` or `Never`; `None` is what Kubernetes does.
    pub pull_policy: Option<String>,
    /// Secrets to pull it with, in the Gateway's namespace.
    pub pull_secrets: Vec<String>,
}

/// What is the same for all Gateways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The image.
    pub image: Image,
    /// The Service of the config stream, as `https://NAME.NAMESPACE.svc:9092`.
    pub stream: String,
    /// Whom to trust there, in PEM.
    pub bundle: String,
}

/// What a Gateway's GatewayConfig says of its deployment.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// `spec.deployment`; `None` is all defaults.
    pub deployment: Option<&'a written::Deployment>,
    /// How long calls in flight may go on when a pod ends.
    pub drain: Duration,
    /// The port at which certificates of Ingresses are shown, beside those of the Gateway's own
    /// listeners. Its pods listen there as soon as they are told; only the Service must know.
    pub ingress_tls: Option<u16>,
    /// Whether the Gateway is accepted. One that is refused is made nothing, and keeps what it has.
    pub is_accepted: bool,
}

/// What all children of a Gateway have in common.
pub(super) struct Family<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) own: ObjectName,
    pub(super) name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    owner: OwnerReference,
}

/// Every object that a Gateway gets. `None` for a Gateway without a name or uid, which no API server
/// has. The number of replicas is left out where it follows the load.
#[must_use]
pub fn children(gateway: &Gateway, wanted: &Wanted<'_>, around: &Surroundings) -> Option<Vec<Child>> {
    let family = Family::of(gateway)?;
    let autoscaling = wanted.deployment.and_then(|deployment| deployment.autoscaling.as_ref());
    let mut children = vec![
        family.child(ChildKind::ServiceAccount, &account(&family)),
        family.child(ChildKind::ConfigMap, &trust(&family, &around.bundle)),
        family.child(ChildKind::Deployment, &pods::deployment(&family, wanted, around)),
        family.child(ChildKind::PodDisruptionBudget, &budget(&family)),
    ];
    if let Some(service) = service::service(&family, wanted) {
        children.push(family.child(ChildKind::Service, &service));
    }
    if wanted.deployment.and_then(|deployment| deployment.network_policy) == Some(written::NetworkPolicy::Listeners) {
        children.push(family.child(ChildKind::NetworkPolicy, &service::network_policy(&family, wanted)));
    }
    if let Some(autoscaling) = autoscaling {
        children.push(family.child(ChildKind::HorizontalPodAutoscaler, &autoscaler(&family, autoscaling)));
    }
    let mut children = children.into_iter().collect::<Option<Vec<Child>>>()?;
    children.sort_by_key(|child| child.kind);
    Some(children)
}

impl<'a> Family<'a> {
    fn of(gateway: &'a Gateway) -> Option<Self> {
        let own = ObjectName::new(gateway.metadata.namespace.as_deref()?, gateway.metadata.name.as_deref()?);
        let owner = OwnerReference {
            api_version: "gateway.networking.k8s.io/v1".to_owned(),
            kind: "Gateway".to_owned(),
            name: own.name.to_string(),
            uid: gateway.metadata.uid.clone()?,
            controller: Some(true),
            block_owner_deletion: None,
        };
        let infrastructure = gateway.spec.infrastructure.as_ref();
        // Ours stand above a user's: they are what objects are found by.
        let mut labels = infrastructure.and_then(|asked| asked.labels.clone()).unwrap_or_default();
        labels.extend(names::labels(&own, &gateway.spec.gateway_class_name));
        let annotations = infrastructure.and_then(|asked| asked.annotations.clone()).unwrap_or_default();
        Some(Self { name: names::child_name(&own), gateway, own, labels, annotations, owner })
    }

    /// The metadata of a child.
    pub(super) fn metadata(&self) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.name.clone()),
            namespace: Some(self.own.namespace.to_string()),
            owner_references: Some(vec![self.owner.clone()]),
            ..self.marks()
        }
    }

    /// The labels and annotations of a child, which pods have too.
    pub(super) fn marks(&self) -> ObjectMeta {
        ObjectMeta {
            labels: Some(self.labels.clone()),
            annotations: Some(self.annotations.clone()).filter(|annotations| !annotations.is_empty()),
            ..ObjectMeta::default()
        }
    }

    /// What selects the pods.
    pub(super) fn selector(&self) -> LabelSelector {
        LabelSelector { match_labels: Some(names::selector(&self.own)), match_expressions: None }
    }

    fn child<T: Serialize>(&self, kind: ChildKind, object: &T) -> Option<Child> {
        let mut value = serde_json::to_value(object).ok()?;
        let hash = Sha256::digest(value.to_string());
        let hash = u64::from_be_bytes(*hash.first_chunk::<8>()?);
        let metadata = value.get_mut("metadata")?.as_object_mut()?;
        let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(serde_json::Map::new()));
        annotations.as_object_mut()?.insert(APPLIED.to_owned(), format!("{hash:016x}").into());
        let name = ObjectName { namespace: self.own.namespace.clone(), name: self.name.as_str().into() };
        Some(Child { kind, name, value })
    }
}

fn account(family: &Family<'_>) -> ServiceAccount {
    ServiceAccount { metadata: family.metadata(), automount_service_account_token: Some(false), ..ServiceAccount::default() }
}

/// The entry of the ConfigMap that holds the bundle.
pub(super) const BUNDLE: &str = "ca.crt";

fn trust(family: &Family<'_>, bundle: &str) -> ConfigMap {
    ConfigMap {
        metadata: family.metadata(),
        data: Some(BTreeMap::from([(BUNDLE.to_owned(), bundle.to_owned())])),
        ..ConfigMap::default()
    }
}

fn budget(family: &Family<'_>) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: family.metadata(),
        spec: Some(PodDisruptionBudgetSpec {
            // Not `minAvailable`: a Gateway of one replica would keep its node from ever being drained.
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(family.selector()),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

/// The bounds of an autoscaler.
pub(super) fn bounds(autoscaling: &written::Autoscaling) -> (i32, i32) {
    let most = autoscaling.max_replicas.max(1);
    (autoscaling.min_replicas.unwrap_or(REPLICAS).clamp(1, most), most)
}

fn autoscaler(family: &Family<'_>, autoscaling: &written::Autoscaling) -> HorizontalPodAutoscaler {
    let (least, most) = bounds(autoscaling);
    HorizontalPodAutoscaler {
        metadata: family.metadata(),
        spec: HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: family.name.clone(),
            },
            min_replicas: Some(least),
            max_replicas: most,
            metrics: Some(vec![MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource {
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(autoscaling.target_cpu_utilization.unwrap_or(UTILIZATION)),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            ..HorizontalPodAutoscalerSpec::default()
        },
        status: None,
    }
}

#[cfg(test)]
mod tests;
