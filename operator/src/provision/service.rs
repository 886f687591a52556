//! The Service of a Gateway, and the addresses that it gives it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crds::standard::Gateway;
use crds::v1alpha1 as written;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPort, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;

use super::children::{Family, Wanted};
use super::{names, pods};

/// One port of a Gateway, whatever number of listeners it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port {
    /// Of the listeners, and of the Service.
    listener: u16,
    /// Of the pods.
    pub(super) container: u16,
    is_tls: bool,
}

/// The ports of a Gateway that can be served.
pub(super) fn ports(gateway: &Gateway) -> BTreeSet<Port> {
    let mut ports: BTreeMap<u16, Port> = BTreeMap::new();
    for listener in &gateway.spec.listeners {
        let is_tls = match listener.protocol.as_str() {
            "HTTP" => false,
            "HTTPS" => true,
            // Status says that this one is not served.
            _ => continue,
        };
        let Ok(number) = u16::try_from(listener.port) else { continue };
        if let Some(container) = ir::container_port(number) {
            ports.entry(number).or_insert(Port { listener: number, container, is_tls });
        }
    }
    ports.into_values().collect()
}

/// The ports with the one of Ingresses, unless a listener has it.
fn with_ingress(mut ports: BTreeSet<Port>, ingress_tls: Option<u16>) -> BTreeSet<Port> {
    let free = ingress_tls.filter(|number| ports.iter().all(|port| port.listener != *number));
    let port = free.and_then(|number| Some(Port { listener: number, container: ir::container_port(number)?, is_tls: true }));
    ports.extend(port);
    ports
}

/// The Service of a Gateway; `None` where it has no port to serve.
pub(super) fn service(family: &Family<'_>, wanted: &Wanted<'_>) -> Option<Service> {
    let written = wanted.deployment.and_then(|deployment| deployment.service.as_ref());
    let ports: Vec<ServicePort> = with_ingress(ports(family.gateway), wanted.ingress_tls).iter().map(service_port).collect();
    if ports.is_empty() {
        return None;
    }
    let mut metadata = family.metadata();
    if let Some(asked) = written.and_then(|service| service.annotations.clone()) {
        let annotations = metadata.annotations.get_or_insert_default();
        // What the Gateway itself asks for stands above what holds for many.
        let own = std::mem::replace(annotations, asked);
        annotations.extend(own);
    }
    let kind = match written.and_then(|service| service.kind) {
        None | Some(written::ServiceType::LoadBalancer) => "LoadBalancer",
        Some(written::ServiceType::NodePort) => "NodePort",
        Some(written::ServiceType::ClusterIP) => "ClusterIP",
    };
    let policy = written.and_then(|service| service.external_traffic_policy).map(|policy| match policy {
        written::ExternalTraffic::Cluster => "Cluster",
        written::ExternalTraffic::Local => "Local",
    });
    let asked = asked(family.gateway).first().map(ToString::to_string);
    let (balancer, cluster) = if kind == "LoadBalancer" { (asked, None) } else { (None, asked) };
    Some(Service {
        metadata,
        spec: Some(ServiceSpec {
            load_balancer_ip: balancer,
            cluster_ip: cluster,
            // One family where the cluster has one.
            ip_family_policy: Some("PreferDualStack".to_owned()),
            type_: Some(kind.to_owned()),
            external_traffic_policy: policy.map(ToOwned::to_owned),
            selector: Some(names::selector(&family.own)),
            ports: Some(ports),
            ..ServiceSpec::default()
        }),
        status: None,
    })
}

fn service_port(port: &Port) -> ServicePort {
    let protocol = if port.is_tls { "https" } else { "http" };
    ServicePort {
        name: Some(format!("{protocol}-{}", port.listener)),
        app_protocol: Some(protocol.to_owned()),
        port: port.listener.into(),
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::Int(port.container.into())),
        ..ServicePort::default()
    }
}

/// Who may reach the pods of a Gateway: everybody the ports of its listeners and metrics, nobody another one. What its
/// pods call is what routes say, which no policy can tell beforehand.
pub(super) fn network_policy(family: &Family<'_>, wanted: &Wanted<'_>) -> NetworkPolicy {
    let listeners = with_ingress(ports(family.gateway), wanted.ingress_tls);
    let numbers = listeners.iter().map(|port| i32::from(port.container)).chain([pods::HEALTH]);
    let port = |number| NetworkPolicyPort {
        port: Some(IntOrString::Int(number)),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    };
    NetworkPolicy {
        metadata: family.metadata(),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(family.selector()),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule { ports: Some(numbers.map(port).collect()), from: None }]),
            egress: None,
        }),
    }
}

/// The addresses that a Gateway asks for (`spec.addresses`). A Service can be given one: what else is asked for is not
/// had, and told.
#[must_use]
pub fn asked(gateway: &Gateway) -> Vec<IpAddr> {
    let written = gateway.spec.addresses.iter().flatten();
    let of_type = written.filter(|address| address.r#type.as_deref().is_none_or(|kind| kind == "IPAddress"));
    of_type.filter_map(|address| address.value.as_ref()?.parse().ok()).collect()
}

/// Where a Gateway is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// `IPAddress`, in Gateway API's words.
    Ip(String),
    /// `Hostname`, in Gateway API's words.
    Host(String),
}

/// The addresses that a Service has: those of its load balancer where it asks for one, else those
/// in the cluster. Empty until they are given.
#[must_use]
pub fn addresses(service: &Value) -> Vec<Address> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let list = |pointer: &str| service.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    if service.pointer("/spec/type").and_then(Value::as_str) == Some("LoadBalancer") {
        let entries = list("/status/loadBalancer/ingress");
        return entries
            .filter_map(|at| text(at, "ip").map(Address::Ip).or_else(|| text(at, "hostname").map(Address::Host)))
            .collect();
    }
    let addresses = list("/spec/clusterIPs").filter_map(Value::as_str).filter(|address| *address != "None");
    addresses.map(|address| Address::Ip(address.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ports_are_served_once_each_and_need_no_privileges() {
        fn check(listeners: Value, expected: &[(u16, u16, bool)]) {
            let gateway: Gateway =
                serde_json::from_value(json!({"metadata": {}, "spec": {"gatewayClassName": "c", "listeners": listeners}}))
                    .unwrap();
            let ports: Vec<_> = ports(&gateway).iter().map(|port| (port.listener, port.container, port.is_tls)).collect();
            assert_eq!(ports, expected);
        }
        let listener = |name: &str, port: i32, protocol: &str| json!({"name": name, "port": port, "protocol": protocol});
        check(json!([listener("a", 80, "HTTP"), listener("b", 443, "HTTPS")]), &[(80, 8080, false), (443, 8443, true)]);
        check(json!([listener("a", 443, "HTTPS"), listener("b", 443, "HTTPS")]), &[(443, 8443, true)]);
        check(
            json!([listener("a", 53, "UDP"), listener("b", 9000, "TCP"), listener("c", 8080, "HTTP")]),
            &[(8080, 50_080, false)],
        );
        check(json!([listener("a", 50_080, "HTTP"), listener("b", 0, "HTTP"), listener("c", 70_000, "HTTP")]), &[]);
    }

    #[test]
    fn addresses_that_are_asked_for_are_those_of_ip() {
        let check = |addresses: Value, expected: &[&str]| {
            let spec = json!({"gatewayClassName": "c", "listeners": [], "addresses": addresses});
            let gateway: Gateway = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
            assert_eq!(asked(&gateway).iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        };
        check(json!(null), &[]);
        check(json!([{"type": "IPAddress", "value": "192.0.2.1"}, {"value": "fd00::1"}]), &["192.0.2.1", "fd00::1"]);
        check(json!([{"type": "IPAddress"}, {"type": "Hostname", "value": "a.example.com"}]), &[]);
    }

    #[test]
    fn certificates_of_ingresses_have_a_port() {
        let port = |listener, container, is_tls| Port { listener, container, is_tls };
        let check = |own: &[Port], ingress, expected: &[Port]| {
            assert_eq!(with_ingress(own.iter().copied().collect(), ingress), expected.iter().copied().collect());
        };
        let (plain, tls) = (port(80, 8080, false), port(443, 8443, true));
        check(&[plain], None, &[plain]);
        check(&[plain], Some(443), &[plain, tls]);
        check(&[plain, tls], Some(443), &[plain, tls]);
    }

    #[test]
    fn addresses_are_the_load_balancers_or_the_clusters() {
        fn check(service: Value, expected: &[Address]) {
            assert_eq!(addresses(&service), expected);
        }
        let balanced = |ingress: Value| json!({"spec": {"type": "LoadBalancer", "clusterIPs": ["10.96.0.7"]}, "status": {"loadBalancer": {"ingress": ingress}}});
        check(balanced(json!(null)), &[]);
        check(
            balanced(json!([{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}, {}])),
            &[Address::Ip("192.0.2.1".into()), Address::Host("lb.example.com".into())],
        );
        let cluster = |kind: &str, addresses: Value| json!({"spec": {"type": kind, "clusterIPs": addresses}});
        check(
            cluster("ClusterIP", json!(["10.96.0.7", "fd00::7"])),
            &[Address::Ip("10.96.0.7".into()), Address::Ip("fd00::7".into())],
        );
        check(cluster("NodePort", json!(["10.96.0.8"])), &[Address::Ip("10.96.0.8".into())]);
        check(cluster("ClusterIP", json!(["None"])), &[]);
        check(json!({}), &[]);
    }
}
