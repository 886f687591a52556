//! The pods of a Gateway.

use std::collections::BTreeMap;
use std::time::Duration;

use crds::v1alpha1 as written;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapProjection, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction,
    KeyToPath, LocalObjectReference, ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
    ProjectedVolumeSource, ResourceRequirements, SeccompProfile, SecurityContext, ServiceAccountTokenProjection, Toleration,
    TopologySpreadConstraint, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::children::{BUNDLE, Family, REPLICAS, Surroundings, Wanted};
use super::service;
use crate::authority::AUDIENCE;

/// Nobody in particular, as in images without a shell.
const USER: i64 = 65_532;
/// A new token is there long before the old one ends, in seconds.
const TOKEN_LIFE: i64 = 3_600;
/// How long a pod that ends goes on taking connections: its end is told to everyone who sends it
/// some while it ends already.
const LINGER: Duration = Duration::from_secs(10);
/// From the end of the drain to the kill, in seconds.
const SPARE: u64 = 5;
/// Where health is asked for.
pub(super) const HEALTH: i32 = 9_091;

/// What the allocator does with memory that is free for a moment. A new configuration is made beside the old one; huge
/// pages and a long delay would keep the room of both.
const ALLOCATOR: [(&str, &str); 2] = [("MIMALLOC_ALLOW_THP", "0"), ("MIMALLOC_PURGE_DELAY", "10")];

const OPERATOR: &str = "/var/run/doorward";
const STATE: &str = "/var/lib/doorward";
/// In memory: what lies on the node's disk cannot be read without it.
const SEAL: &str = "/var/run/doorward-seal";
const TOKEN: &str = "token";

/// The Deployment of a Gateway.
pub(super) fn deployment(family: &Family<'_>, wanted: &Wanted<'_>, around: &Surroundings) -> Deployment {
    let written = wanted.deployment;
    let autoscaled = written.is_some_and(|deployment| deployment.autoscaling.is_some());
    let replicas = written.and_then(|deployment| deployment.replicas).unwrap_or(REPLICAS);
    Deployment {
        metadata: family.metadata(),
        spec: Some(DeploymentSpec {
            replicas: (!autoscaled).then_some(replicas),
            selector: family.selector(),
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::String("25%".to_owned())),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template: PodTemplateSpec { metadata: Some(family.marks()), spec: Some(pod(family, wanted, around)) },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn pod(family: &Family<'_>, wanted: &Wanted<'_>, around: &Surroundings) -> PodSpec {
    let grace = (LINGER + wanted.drain).as_secs() + SPARE;
    let secrets = around.image.pull_secrets.iter().map(|name| LocalObjectReference { name: name.clone() });
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        service_account_name: Some(family.name.clone()),
        termination_grace_period_seconds: Some(i64::try_from(grace).unwrap_or(i64::MAX)),
        image_pull_secrets: Some(secrets.collect::<Vec<_>>()).filter(|secrets| !secrets.is_empty()),
        node_selector: wanted.deployment.and_then(|deployment| deployment.node_selector.clone()),
        tolerations: wanted.deployment.and_then(|deployment| deployment.tolerations.as_deref()).map(tolerations),
        priority_class_name: wanted.deployment.and_then(|deployment| deployment.priority_class_name.clone()),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        topology_spread_constraints: Some(["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(spread(family)).into()),
        containers: vec![container(family, wanted, around)],
        volumes: Some(volumes(family)),
        ..PodSpec::default()
    }
}

fn tolerations(written: &[written::Toleration]) -> Vec<Toleration> {
    let tolerated = |it: &written::Toleration| Toleration {
        key: it.key.clone(),
        operator: it.operator.map(|operator| match operator {
            written::TolerationOperator::Equal => "Equal".to_owned(),
            written::TolerationOperator::Exists => "Exists".to_owned(),
        }),
        value: it.value.clone(),
        effect: it.effect.map(|effect| match effect {
            written::TaintEffect::NoSchedule => "NoSchedule".to_owned(),
            written::TaintEffect::PreferNoSchedule => "PreferNoSchedule".to_owned(),
            written::TaintEffect::NoExecute => "NoExecute".to_owned(),
        }),
        toleration_seconds: it.toleration_seconds,
    };
    written.iter().map(tolerated).collect()
}

/// Replicas apart from each other where there is room.
fn spread(family: &Family<'_>) -> impl Fn(&str) -> TopologySpreadConstraint {
    |key| TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(family.selector()),
        ..TopologySpreadConstraint::default()
    }
}

fn container(family: &Family<'_>, wanted: &Wanted<'_>, around: &Surroundings) -> Container {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let port = |name: String, port: i32| ContainerPort { name: Some(name), container_port: port, ..ContainerPort::default() };
    let listeners = service::ports(family.gateway).into_iter();
    let mut ports: Vec<ContainerPort> = listeners.map(|it| port(format!("p-{}", it.container), it.container.into())).collect();
    ports.push(port("metrics".to_owned(), HEALTH));
    Container {
        name: "dataplane".to_owned(),
        image: Some(around.image.reference.clone()),
        image_pull_policy: around.image.pull_policy.clone(),
        args: Some(arguments(family, around)),
        env: Some(ALLOCATOR.map(variable).into_iter().chain([pod_ips()]).collect()),
        ports: Some(ports),
        readiness_probe: Some(probe("/readyz", 2, 2)),
        liveness_probe: Some(probe("/livez", 10, 3)),
        resources: Some(resources(wanted.deployment.and_then(|deployment| deployment.resources.as_ref()))),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![mount("operator", OPERATOR, true), mount("state", STATE, false), mount("seal", SEAL, false)]),
        ..Container::default()
    }
}

fn variable((name, value): (&str, &str)) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
}

/// The addresses of the pod, which tell whether there is IPv6 to listen on.
fn pod_ips() -> EnvVar {
    let field = ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: "status.podIPs".to_owned() };
    let source = EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() };
    EnvVar { name: "DOORWARD_POD_IPS".to_owned(), value: None, value_from: Some(source) }
}

/// What `doorward dataplane` is told.
fn arguments(family: &Family<'_>, around: &Surroundings) -> Vec<String> {
    vec![
        "dataplane".to_owned(),
        format!("--gateway={}/{}", family.own.namespace, family.own.name),
        format!("--operator={}", around.stream),
        format!("--ca={OPERATOR}/{BUNDLE}"),
        format!("--token={OPERATOR}/{TOKEN}"),
        format!("--state={STATE}"),
        format!("--seal-key={SEAL}/key"),
        format!("--linger={}s", LINGER.as_secs()),
    ]
}

fn probe(path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction { path: Some(path.to_owned()), port: IntOrString::Int(HEALTH), ..HTTPGetAction::default() }),
        period_seconds: Some(period),
        failure_threshold: Some(failures),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}

fn volumes(family: &Family<'_>) -> Vec<Volume> {
    let token = ServiceAccountTokenProjection {
        audience: Some(AUDIENCE.to_owned()),
        expiration_seconds: Some(TOKEN_LIFE),
        path: TOKEN.to_owned(),
    };
    let bundle = ConfigMapProjection {
        name: family.name.clone(),
        items: Some(vec![KeyToPath { key: BUNDLE.to_owned(), path: BUNDLE.to_owned(), mode: None }]),
        optional: None,
    };
    let sources = vec![
        VolumeProjection { service_account_token: Some(token), ..VolumeProjection::default() },
        VolumeProjection { config_map: Some(bundle), ..VolumeProjection::default() },
    ];
    vec![
        Volume {
            name: "operator".to_owned(),
            projected: Some(ProjectedVolumeSource { sources: Some(sources), default_mode: None }),
            ..Volume::default()
        },
        Volume { name: "state".to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() },
        Volume {
            name: "seal".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                medium: Some("Memory".to_owned()),
                size_limit: Some(Quantity("64Ki".to_owned())),
            }),
            ..Volume::default()
        },
    ]
}

fn resources(written: Option<&written::Resources>) -> ResourceRequirements {
    let amounts = |written: Option<&written::ResourceAmounts>, default: [Option<&str>; 2]| {
        let cpu = written.and_then(|amounts| amounts.cpu.as_deref()).or(default[0]);
        let memory = written.and_then(|amounts| amounts.memory.as_deref()).or(default[1]);
        let amounts: BTreeMap<String, Quantity> = [("cpu", cpu), ("memory", memory)]
            .into_iter()
            .filter_map(|(name, amount)| Some((name.to_owned(), Quantity(amount?.to_owned()))))
            .collect();
        Some(amounts).filter(|amounts| !amounts.is_empty())
    };
    let limits = written.and_then(|resources| resources.limits.as_ref());
    // A request may not be above its limit, so a default gives way to one that is lower.
    let limit = |amount: Option<&String>| amount.is_none();
    let default = [
        Some("100m").filter(|_| limit(limits.and_then(|limits| limits.cpu.as_ref()))),
        Some("64Mi").filter(|_| limit(limits.and_then(|limits| limits.memory.as_ref()))),
    ];
    ResourceRequirements {
        requests: amounts(written.and_then(|resources| resources.requests.as_ref()), default),
        limits: amounts(limits, [None, None]),
        claims: None,
    }
}
