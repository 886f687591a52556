//! How data planes are deployed in a cluster.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the data planes of each Gateway are deployed; everything has a safe default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Replicas, where `autoscaling` does not say; omitted is 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: Option<i32>,
    /// How many replicas there are follows their load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// What each replica may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// The Service in front of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// Who may reach their pods inside the cluster; omitted is `Anybody`, as far as policies of others let them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkPolicy>,
    /// Labels that nodes must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "labels")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints of nodes that their pods may be put on nonetheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub tolerations: Option<Vec<Toleration>>,
    /// The PriorityClass of their pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub priority_class_name: Option<String>,
}

/// Which taints of nodes are tolerated, as in a Pod's `tolerations`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = (
        "!has(self.value) || !has(self.operator) || self.operator != 'Exists'",
        "`value` stands only beside `operator: Equal`"
    ),
    validation = (
        "has(self.key) || has(self.operator) && self.operator == 'Exists'",
        "without a `key`, `operator` must be `Exists`: it tolerates every taint"
    ),
    validation = (
        "!has(self.tolerationSeconds) || has(self.effect) && self.effect == 'NoExecute'",
        "`tolerationSeconds` stands only beside `effect: NoExecute`"
    )
)]
pub struct Toleration {
    /// The taint's key; omitted is every key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 317),
        regex(pattern = r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")
    )]
    pub key: Option<String>,
    /// How its value is compared; omitted is `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// The taint's value; omitted is the empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$"))]
    pub value: Option<String>,
    /// The taint's effect; omitted is every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// How many seconds, up to a year, a pod stays on a node that gets the taint; omitted is for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub toleration_seconds: Option<i64>,
}

/// How the value of a taint is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// It must be the one that is written.
    Equal,
    /// Any will do.
    Exists,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// None is put there.
    NoSchedule,
    /// One is put there only where there is no other place.
    PreferNoSchedule,
    /// Those that are there are ended too.
    NoExecute,
}

/// How many replicas follow the load (a HorizontalPodAutoscaler).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
    "`minReplicas` must not be more than `maxReplicas`"
))]
pub struct Autoscaling {
    /// At least so many; omitted is 2, and `maxReplicas` where that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: Option<i32>,
    /// At most so many.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,
    /// The share of the requested CPU that replicas should use, in percent; omitted is 70.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization: Option<i32>,
}

/// What a replica may use, as Kubernetes quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What it needs; omitted is 100m of CPU and 64Mi of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceAmounts>,
    /// What it never exceeds; omitted is no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceAmounts>,
}

/// Amounts of resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAmounts {
    /// CPU, such as `500m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[0-9]+(\.[0-9]{1,3})?m?$"))]
    pub cpu: Option<String>,
    /// Memory, such as `256Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = r"^[0-9]+(Ki|Mi|Gi|k|M|G)?$"))]
    pub memory: Option<String>,
}

/// The Service in front of the replicas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = (
    "!has(self.externalTrafficPolicy) || !has(self.type) || self.type != 'ClusterIP'",
    "`externalTrafficPolicy` stands only beside `type: LoadBalancer` or `type: NodePort`"
))]
pub struct Service {
    /// How it is reached; omitted is `LoadBalancer`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ServiceType>,
    /// Which replicas calls from outside may go to; omitted is what Kubernetes does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<ExternalTraffic>,
    /// Annotations that it carries, such as those that a cloud's load balancer reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "annotations")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// From the cluster alone.
    ClusterIP,
    /// At a port of every node.
    NodePort,
    /// Through a load balancer of the platform.
    LoadBalancer,
}

/// Which replicas calls from outside may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ExternalTraffic {
    /// To all.
    Cluster,
    /// To those of the node that they reach, which keeps the client's address.
    Local,
}

/// Who may reach pods inside the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NetworkPolicy {
    /// Nothing is said.
    Anybody,
    /// A NetworkPolicy admits everybody to the ports of the listeners and to metrics, and nobody to any other port.
    Listeners,
}

/// Up to 16 labels with values as Kubernetes bounds them.
fn labels(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    texts("Labels that nodes must have.", 16, 63)
}

/// Up to 32 annotations.
fn annotations(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    texts("Annotations that it carries, such as those that a cloud's load balancer reads.", 32, 4096)
}

fn texts(description: &str, items: usize, length: usize) -> schemars::Schema {
    schemars::json_schema!({
        "description": description,
        "type": "object",
        "maxProperties": items,
        "additionalProperties": {"type": "string", "maxLength": length},
    })
}
