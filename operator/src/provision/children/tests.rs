//! What a Gateway gets, as tables.

use serde_json::json;

use super::*;

fn gateway(change: impl Fn(&mut Value)) -> Gateway {
    let mut gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-1"},
        "spec": {"gatewayClassName": "doorward", "listeners": [
            {"name": "http", "port": 80, "protocol": "HTTP"},
            {"name": "https", "port": 443, "protocol": "HTTPS"},
        ]},
    });
    change(&mut gateway);
    serde_json::from_value(gateway).unwrap()
}

fn around() -> Surroundings {
    let image = Image {
        reference: "registry.example.com/doorward:1.2.3".into(),
        pull_policy: Some("IfNotPresent".into()),
        pull_secrets: vec!["pull".into()],
    };
    Surroundings { image, stream: "https://doorward-operator.system.svc:9092".into(), bundle: "-----BEGIN".into() }
}

fn made(gateway: &Gateway, deployment: Value) -> Vec<Child> {
    let deployment: written::Deployment = serde_json::from_value(deployment).unwrap();
    let wanted = Wanted { deployment: Some(&deployment), drain: Duration::from_secs(30), ingress_tls: None, is_accepted: true };
    children(gateway, &wanted, &around()).unwrap()
}

fn find(children: &[Child], kind: ChildKind) -> &Value {
    &children.iter().find(|child| child.kind == kind).unwrap().value
}

#[test]
fn every_child_is_found_by_its_labels_and_goes_with_its_gateway() {
    let infrastructure = json!({
        "labels": {"cost": "shop", "gateway.networking.k8s.io/gateway-name": "stolen"}, "annotations": {"note": "mine"},
    });
    let gateway = gateway(|gateway| gateway["spec"]["infrastructure"] = infrastructure.clone());
    let children = made(&gateway, json!({"autoscaling": {"maxReplicas": 4}, "networkPolicy": "Listeners"}));
    let kinds: Vec<ChildKind> = children.iter().map(|child| child.kind).collect();
    assert_eq!(kinds, ChildKind::ALL);
    for child in &children {
        let at = |pointer: &str| child.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        assert_eq!(child.name, ObjectName::new("shop", "web-doorward"));
        assert_eq!((at("/metadata/name"), at("/metadata/namespace")), ("web-doorward", "shop"));
        assert_eq!((at("/kind"), at("/apiVersion")), (&*format!("{:?}", child.kind), &*child.kind.resource().api_version));
        assert_eq!(at("/metadata/labels/gateway.networking.k8s.io~1gateway-name"), "web");
        assert_eq!(at("/metadata/labels/gateway.networking.k8s.io~1gateway-class-name"), "doorward");
        assert_eq!((at("/metadata/labels/cost"), at("/metadata/annotations/note")), ("shop", "mine"));
        assert_eq!(at("/metadata/annotations/doorward.dev~1applied").len(), 16);
        let owners = json!([
            {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "name": "web", "uid": "uid-1", "controller": true},
        ]);
        assert_eq!(child.value.pointer("/metadata/ownerReferences"), Some(&owners));
    }
    let template = find(&children, ChildKind::Deployment).pointer("/spec/template/metadata").unwrap();
    assert_eq!((&template["labels"]["cost"], &template["annotations"]), (&json!("shop"), &json!({"note": "mine"})));
    // Without uid or name there is nothing to own them.
    for field in ["name", "namespace", "uid"] {
        let odd = self::gateway(|gateway| drop(gateway["metadata"].as_object_mut().unwrap().remove(field)));
        let wanted = Wanted { deployment: None, drain: Duration::ZERO, ingress_tls: None, is_accepted: true };
        assert_eq!(super::children(&odd, &wanted, &around()), None, "{field}");
    }
}

#[test]
fn a_network_policy_is_made_where_one_is_asked_for() {
    let policy = |deployment: Value| {
        let children = made(&gateway(|_| {}), deployment);
        let child = children.iter().find(|child| child.kind == ChildKind::NetworkPolicy);
        child.map(|child| child.value["spec"].clone())
    };
    assert_eq!((policy(json!({})), policy(json!({"networkPolicy": "Anybody"}))), (None, None));
    let port = |number: i32| json!({"port": number, "protocol": "TCP"});
    let spec = policy(json!({"networkPolicy": "Listeners"})).unwrap();
    assert_eq!(spec["ingress"], json!([{"ports": [port(8080), port(8443), port(9091)]}]));
    let selected = json!({
        "app.kubernetes.io/name": "doorward", "app.kubernetes.io/component": "dataplane",
        "gateway.networking.k8s.io/gateway-name": "web",
    });
    assert_eq!((&spec["podSelector"]["matchLabels"], &spec["policyTypes"]), (&selected, &json!(["Ingress"])));
}

#[test]
fn a_service_has_the_address_that_is_asked_for_and_both_families_where_there_are_both() {
    let check = |addresses: Value, deployment: Value, balancer: Value, cluster: Value| {
        let gateway = gateway(|gateway| gateway["spec"]["addresses"] = addresses.clone());
        let children = made(&gateway, deployment);
        let spec = &find(&children, ChildKind::Service)["spec"];
        assert_eq!((&spec["loadBalancerIP"], &spec["clusterIP"]), (&balancer, &cluster), "{addresses}");
        assert_eq!(spec["ipFamilyPolicy"], "PreferDualStack");
    };
    let one = json!([{"type": "IPAddress", "value": "192.0.2.1"}]);
    check(json!(null), json!({}), Value::Null, Value::Null);
    check(one.clone(), json!({}), json!("192.0.2.1"), Value::Null);
    check(one, json!({"service": {"type": "ClusterIP"}}), Value::Null, json!("192.0.2.1"));
}

#[test]
fn pods_keep_to_the_restricted_standard_and_hold_no_token_of_the_api_server() {
    let children = made(&gateway(|_| {}), json!({}));
    let pod = find(&children, ChildKind::Deployment).pointer("/spec/template/spec").unwrap();
    let check = |pointer: &str, expected: Value| assert_eq!(pod.pointer(pointer), Some(&expected), "{pointer}");
    check("/automountServiceAccountToken", json!(false));
    check("/serviceAccountName", json!("web-doorward"));
    check("/imagePullSecrets", json!([{"name": "pull"}]));
    check("/securityContext/runAsNonRoot", json!(true));
    check("/securityContext/runAsUser", json!(65_532));
    check("/securityContext/seccompProfile/type", json!("RuntimeDefault"));
    check("/containers/0/securityContext/allowPrivilegeEscalation", json!(false));
    check("/containers/0/securityContext/readOnlyRootFilesystem", json!(true));
    check("/containers/0/securityContext/capabilities", json!({"drop": ["ALL"]}));
    check("/containers/0/image", json!("registry.example.com/doorward:1.2.3"));
    check("/containers/0/imagePullPolicy", json!("IfNotPresent"));
    check("/containers/0/readinessProbe/httpGet", json!({"path": "/readyz", "port": 9091}));
    check("/containers/0/livenessProbe/httpGet", json!({"path": "/livez", "port": 9091}));
    check("/containers/0/resources", json!({"requests": {"cpu": "100m", "memory": "64Mi"}}));
    let token = json!({"serviceAccountToken": {"audience": "doorward", "expirationSeconds": 3600, "path": "token"}});
    check("/volumes/0/projected/sources/0", token);
    check("/volumes/0/projected/sources/1/configMap/name", json!("web-doorward"));
    check("/volumes/1/emptyDir", json!({}));
    check("/volumes/2/emptyDir", json!({"medium": "Memory", "sizeLimit": "64Ki"}));
    let arguments = json!([
        "dataplane",
        "--gateway=shop/web",
        "--operator=https://doorward-operator.system.svc:9092",
        "--ca=/var/run/doorward/ca.crt",
        "--token=/var/run/doorward/token",
        "--state=/var/lib/doorward",
        "--seal-key=/var/run/doorward-seal/key",
        "--linger=10s",
    ]);
    check("/containers/0/args", arguments);
    // 10 s of lingering, 30 s of draining, and some to spare.
    check("/terminationGracePeriodSeconds", json!(45));
    let account = find(&children, ChildKind::ServiceAccount);
    assert_eq!(account["automountServiceAccountToken"], json!(false));
    assert_eq!(find(&children, ChildKind::ConfigMap)["data"], json!({"ca.crt": "-----BEGIN"}));
}

#[test]
fn replicas_are_replaced_one_by_one_and_select_themselves() {
    let children = made(&gateway(|_| {}), json!({"replicas": 5, "nodeSelector": {"disk": "fast"}}));
    let deployment = find(&children, ChildKind::Deployment);
    assert_eq!(deployment.pointer("/spec/replicas"), Some(&json!(5)));
    assert_eq!(deployment.pointer("/spec/strategy/rollingUpdate"), Some(&json!({"maxSurge": "25%", "maxUnavailable": 0})));
    assert_eq!(deployment.pointer("/spec/template/spec/nodeSelector"), Some(&json!({"disk": "fast"})));
    let selector = deployment.pointer("/spec/selector/matchLabels").unwrap().as_object().unwrap();
    let labels = deployment.pointer("/spec/template/metadata/labels").unwrap();
    assert!(!selector.is_empty() && selector.iter().all(|(name, value)| labels.get(name) == Some(value)));
    assert_eq!(find(&children, ChildKind::Service).pointer("/spec/selector").unwrap().as_object(), Some(selector));
    let budget = find(&children, ChildKind::PodDisruptionBudget);
    assert_eq!(budget.pointer("/spec/selector/matchLabels").unwrap().as_object(), Some(selector));
    assert_eq!(budget.pointer("/spec/maxUnavailable"), Some(&json!(1)));
    assert!(children.iter().all(|child| child.kind != ChildKind::HorizontalPodAutoscaler));
    assert_eq!(made(&gateway(|_| {}), json!({}))[3].value.pointer("/spec/replicas"), Some(&json!(2)));
}

#[test]
fn an_autoscaler_has_bounds_and_a_target() {
    fn check(autoscaling: Value, least: i32, most: i32, percent: i32) {
        let children = made(&gateway(|_| {}), json!({"replicas": 9, "autoscaling": autoscaling}));
        let spec = &find(&children, ChildKind::HorizontalPodAutoscaler)["spec"];
        assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(least), &json!(most)));
        assert_eq!(spec["metrics"][0]["resource"]["target"]["averageUtilization"], json!(percent));
        assert_eq!(spec["scaleTargetRef"], json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-doorward"}));
        assert_eq!(find(&children, ChildKind::Deployment).pointer("/spec/replicas"), None);
    }
    check(json!({"maxReplicas": 6}), 2, 6, 70);
    check(json!({"maxReplicas": 1}), 1, 1, 70);
    check(json!({"maxReplicas": 6, "minReplicas": 3, "targetCpuUtilization": 50}), 3, 6, 50);
}

#[test]
fn the_service_maps_ports_and_is_of_the_type_that_is_asked_for() {
    let children = made(&gateway(|_| {}), json!({}));
    let service = find(&children, ChildKind::Service);
    assert_eq!(service.pointer("/spec/type"), Some(&json!("LoadBalancer")));
    let ports = json!([
        {"name": "http-80", "appProtocol": "http", "port": 80, "protocol": "TCP", "targetPort": 8080},
        {"name": "https-443", "appProtocol": "https", "port": 443, "protocol": "TCP", "targetPort": 8443},
    ]);
    assert_eq!(service.pointer("/spec/ports"), Some(&ports));
    let annotated = gateway(|gateway| gateway["spec"]["infrastructure"] = json!({"annotations": {"a": "gateway"}}));
    let asked =
        json!({"service": {"type": "NodePort", "externalTrafficPolicy": "Local", "annotations": {"a": "config", "b": "c"}}});
    let children = made(&annotated, asked);
    let service = find(&children, ChildKind::Service);
    assert_eq!((&service["spec"]["type"], &service["spec"]["externalTrafficPolicy"]), (&json!("NodePort"), &json!("Local")));
    assert_eq!(
        (&service["metadata"]["annotations"]["a"], &service["metadata"]["annotations"]["b"]),
        (&json!("gateway"), &json!("c"))
    );
    // No port that can be served: no Service, and pods that tell why in status.
    let udp = gateway(|gateway| gateway["spec"]["listeners"] = json!([{"name": "u", "port": 53, "protocol": "UDP"}]));
    assert!(made(&udp, json!({})).iter().all(|child| child.kind != ChildKind::Service));
}

#[test]
fn a_default_request_gives_way_to_a_lower_limit() {
    fn check(resources: Value, expected: Value) {
        let children = made(&gateway(|_| {}), json!({"resources": resources}));
        let pod = find(&children, ChildKind::Deployment).pointer("/spec/template/spec/containers/0/resources").unwrap();
        assert_eq!(*pod, expected);
    }
    check(json!({"limits": {"cpu": "50m"}}), json!({"limits": {"cpu": "50m"}, "requests": {"memory": "64Mi"}}));
    check(
        json!({"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}),
        json!({"limits": {"memory": "1Gi"}, "requests": {"cpu": "1"}}),
    );
}

#[test]
fn pods_go_where_they_are_told_to() {
    let tolerations = json!([{"key": "edge", "operator": "Exists"}, {"key": "a", "value": "b", "effect": "NoExecute", "tolerationSeconds": 60}]);
    let children = made(&gateway(|_| {}), json!({"tolerations": tolerations, "priorityClassName": "edge"}));
    let pod = find(&children, ChildKind::Deployment).pointer("/spec/template/spec").unwrap();
    assert_eq!((&pod["tolerations"], &pod["priorityClassName"]), (&tolerations, &json!("edge")));
}

#[test]
fn the_mark_of_what_was_applied_changes_with_it() {
    let mark = |deployment: Value| {
        let children = made(&gateway(|_| {}), deployment);
        find(&children, ChildKind::Deployment).pointer("/metadata/annotations/doorward.dev~1applied").unwrap().clone()
    };
    assert_eq!(mark(json!({})), mark(json!({})));
    assert_ne!(mark(json!({"nodeSelector": {"disk": "fast"}})), mark(json!({})));
}
