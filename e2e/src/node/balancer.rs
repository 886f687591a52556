//! The load balancer that a bare machine lacks: every Service of that type gets an address of its own.
//!
//! The address belongs to nobody: kube-proxy serves it on the node once the Service's status has it.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Deserializer, Value};

use crate::cluster::kubectl_at;
use crate::place::Place;
use crate::run::output;

/// Before the watch is begun anew, when it was cut.
const PAUSE: Duration = Duration::from_millis(200);

/// Addresses given so far, by namespace and name.
type Given = BTreeMap<(String, String), String>;

/// Begins to hand out addresses, for as long as the cluster runs.
pub(super) fn start(place: Place) {
    thread::spawn(move || {
        let mut given = Given::new();
        loop {
            let mut watch = kubectl_at(&place);
            watch.args(["get", "services", "--all-namespaces", "--watch", "--output=json"]);
            follow(watch.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()), &place, &mut given);
            thread::sleep(PAUSE);
        }
    });
}

fn follow(watch: &mut Command, place: &Place, given: &mut Given) {
    let Ok(mut child) = watch.spawn() else { return };
    if let Some(pipe) = child.stdout.take() {
        for service in Deserializer::from_reader(pipe).into_iter::<Value>().map_while(Result::ok) {
            if let Some((key, address)) = missing(&service, given) {
                let (namespace, name) = &key;
                let patch = format!(r#"{{"status":{{"loadBalancer":{{"ingress":[{{"ip":"{address}"}}]}}}}}}"#);
                let arguments = ["patch", "service", name, "-n", namespace, "--subresource=status", "--type=merge", "-p", &patch];
                // A Service that is gone by now needs none; what else fails is seen again with its next change.
                if output(kubectl_at(place).args(arguments)).is_ok() {
                    given.insert(key, address);
                }
            }
        }
    }
    drop(child.kill().and_then(|()| child.wait()));
}

/// The key of a Service that lacks its address, and that address.
fn missing(service: &Value, given: &Given) -> Option<((String, String), String)> {
    let is_balanced = service["spec"]["type"] == "LoadBalancer" && service["spec"]["loadBalancerClass"].is_null();
    let has_one = service["status"]["loadBalancer"]["ingress"].as_array().is_some_and(|list| !list.is_empty());
    if !is_balanced || has_one || !service["metadata"]["deletionTimestamp"].is_null() {
        return None;
    }
    let text = |field: &str| service["metadata"][field].as_str().map(str::to_owned);
    let key = (text("namespace")?, text("name")?);
    let next = given.len() + 1;
    let address = given.get(&key).cloned().unwrap_or_else(|| format!("10.98.{}.{}", next / 250, next % 250 + 1));
    Some((key, address))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_balanced_service_gets_one_address_of_its_own() {
        let service = |name: &str, kind: &str, ingress: Value| {
            json!({"metadata": {"namespace": "a", "name": name}, "spec": {"type": kind},
                   "status": {"loadBalancer": {"ingress": ingress}}})
        };
        let mut given = Given::new();
        let check = |service: Value, given: &mut Given, expected: Option<&str>| {
            let found = missing(&service, given);
            assert_eq!(found.as_ref().map(|(_, address)| address.as_str()), expected, "{service}");
            given.extend(found);
        };
        check(service("x", "LoadBalancer", Value::Null), &mut given, Some("10.98.0.2"));
        check(service("y", "LoadBalancer", json!([])), &mut given, Some("10.98.0.3"));
        check(service("x", "LoadBalancer", Value::Null), &mut given, Some("10.98.0.2"));
        check(service("z", "LoadBalancer", json!([{"ip": "1.2.3.4"}])), &mut given, None);
        check(service("z", "ClusterIP", Value::Null), &mut given, None);
    }
}
