//! The charts as users of helm meet them: what each value changes, what is refused, and that every object is one that
//! an API server takes.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod rights;
mod strict;

use serde_json::{Value, json};
use tests::charts::{NAMESPACE, helm, objects, place, rendered};

/// What the chart makes with these values, each the text of a `--set` or a `--set-json`.
fn made(values: &[&str]) -> Vec<Value> {
    let text = rendered("doorward", &flags(values)).unwrap_or_else(|complaint| panic!("{values:?}: {complaint}"));
    objects(&text).unwrap_or_else(|complaint| panic!("{values:?}: {complaint}"))
}

fn flags<'a>(values: &[&'a str]) -> Vec<&'a str> {
    let is_json = |value: &str| value.contains("={\"") || value.contains("=[");
    values.iter().flat_map(|value| [if is_json(value) { "--set-json" } else { "--set" }, *value]).collect()
}

/// The object of this kind and name.
fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    objects
        .iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn kinds(objects: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = objects.iter().filter_map(|object| object["kind"].as_str()).collect();
    kinds.sort_unstable();
    kinds
}

/// A container's variables.
fn variable<'a>(deployment: &'a Value, name: &str) -> Option<&'a str> {
    let variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array()?;
    variables.iter().find(|variable| variable["name"] == name)?["value"].as_str()
}

const OPERATOR: &str = "doorward-operator";

/// Values that switch on everything there is.
const EVERYTHING: &[&str] = &[
    "autoscaling.enabled=true",
    "serviceMonitor.enabled=true",
    "serviceMonitor.dataPlanes=true",
    "serviceMonitor.labels.release=prometheus",
    "watchNamespaces={shop,ai}",
    r#"gatewayConfig={"deployment":{"replicas":3},"disclosure":"Minimal"}"#,
    r#"commonLabels={"team":"platform"}"#,
    r#"commonAnnotations={"example.com/owner":"platform"}"#,
    r#"imagePullSecrets=[{"name":"registry"}]"#,
    r#"env=[{"name":"OTEL_SERVICE_NAME","value":"operator"}]"#,
    r#"podLabels={"zone":"a"}"#,
    r#"podAnnotations={"example.com/scrape":"no"}"#,
    r#"nodeSelector={"kubernetes.io/os":"linux"}"#,
    r#"tolerations=[{"key":"infra","operator":"Exists"}]"#,
    r#"affinity={"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"Exists"}]}]}}}"#,
    r#"networkPolicy.metricsFrom=[{"namespaceSelector":{"matchLabels":{"name":"monitoring"}}}]"#,
    r#"serviceAccount.annotations={"example.com/role":"doorward"}"#,
    r#"gateway.annotations={"example.com/dns":"yes"}"#,
    "priorityClassName=system-cluster-critical",
    r#"topologySpreadConstraints=[{"topologyKey":"rack","maxSkew":2,"whenUnsatisfiable":"DoNotSchedule"}]"#,
];

#[test]
fn helm_finds_nothing_to_complain_about() {
    for chart in ["doorward", "doorward-crds"] {
        let folder = place(chart).expect("tests run in a checkout").display().to_string();
        for values in [&[][..], if chart == "doorward" { EVERYTHING } else { &[r#"labels={"team":"platform"}"#] }] {
            let linted = helm(&[&["lint", "--strict", "--namespace", NAMESPACE, &folder], &flags(values)[..]].concat());
            assert!(linted.is_ok(), "{chart}: {linted:?}");
        }
    }
}

#[test]
fn charts_image_and_program_have_one_version() {
    for chart in ["doorward", "doorward-crds"] {
        let path = place(chart).expect("tests run in a checkout").join("Chart.yaml");
        let chart: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).expect("it can be read")).expect("it is YAML");
        assert_eq!(
            (&chart["version"], &chart["appVersion"]),
            (&env!("CARGO_PKG_VERSION").into(), &env!("CARGO_PKG_VERSION").into())
        );
    }
}

#[test]
fn every_object_is_one_that_an_api_server_takes() {
    for values in [&[][..], EVERYTHING] {
        for object in made(values) {
            if let Err(complaint) = strict::check(&object) {
                panic!("{} {}: {complaint}", object["kind"], object["metadata"]["name"]);
            }
            assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/part-of"], "doorward", "{object}");
            assert!(values.is_empty() || object["metadata"]["labels"]["team"] == "platform", "{object}");
            assert!(values.is_empty() || object["metadata"]["annotations"]["example.com/owner"] == "platform", "{object}");
        }
    }
}

#[test]
fn the_definitions_are_those_of_the_kinds_and_stay_when_the_chart_goes() {
    let check = |values: &[&str], policy: Value| {
        let text = rendered("doorward-crds", &flags(values)).unwrap_or_else(|complaint| panic!("{complaint}"));
        let found = objects(&text).expect("it is YAML");
        let expected = crds::definition::generated();
        assert_eq!(found.len(), expected.len());
        for (_, definition) in expected {
            let found = find(&found, "CustomResourceDefinition", definition["metadata"]["name"].as_str().unwrap_or_default());
            assert_eq!(found["spec"], definition["spec"]);
            assert_eq!(found["metadata"]["annotations"]["helm.sh/resource-policy"], policy);
        }
    };
    check(&[], json!("keep"));
    check(&[r#"annotations={"helm.sh/resource-policy":"mine","a/b":"c"}"#], json!("keep"));
    check(&["keep=false"], Value::Null);
}

#[test]
fn one_image_is_that_of_every_pod() {
    let check = |values: &[&str], image: &str, policy: &str| {
        let objects = made(values);
        let deployment = find(&objects, "Deployment", OPERATOR);
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!((&container["image"], &container["imagePullPolicy"]), (&image.into(), &policy.into()));
        assert_eq!(variable(deployment, "DOORWARD_IMAGE"), Some(image));
        assert_eq!(variable(deployment, "DOORWARD_IMAGE_PULL_POLICY"), Some(policy));
    };
    let version = env!("CARGO_PKG_VERSION");
    let digest = format!("sha256:{}", "0".repeat(64));
    check(&[], &format!("doorward:{version}"), "IfNotPresent");
    check(
        &["image.repository=registry.example.com:5000/a/doorward"],
        &format!("registry.example.com:5000/a/doorward:{version}"),
        "IfNotPresent",
    );
    check(&["image.tag=2.0.0", "image.pullPolicy=Always"], "doorward:2.0.0", "Always");
    check(&["image.tag=2.0.0", &format!("image.digest={digest}")], &format!("doorward@{digest}"), "IfNotPresent");
}

#[test]
fn pods_may_do_nothing_that_they_need_not() {
    for values in [&[][..], EVERYTHING] {
        let objects = made(values);
        for pod in
            objects.iter().filter(|object| object["kind"] == "Deployment").map(|object| &object["spec"]["template"]["spec"])
        {
            let security = &pod["securityContext"];
            assert_eq!((&security["runAsNonRoot"], &security["runAsUser"]), (&json!(true), &json!(65532)));
            assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
            for container in pod["containers"].as_array().expect("a pod has containers") {
                let security = &container["securityContext"];
                assert_eq!(security["readOnlyRootFilesystem"], true);
                assert_eq!(security["allowPrivilegeEscalation"], false);
                assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
                assert!(container["resources"]["requests"].is_object() && container["resources"]["limits"].is_object());
            }
        }
    }
}

#[test]
fn replicas_are_spread_kept_and_scaled() {
    let check = |values: &[&str], replicas: Value, others: &[&str]| {
        let objects = made(values);
        assert_eq!(find(&objects, "Deployment", OPERATOR)["spec"]["replicas"], replicas, "{values:?}");
        for kind in ["PodDisruptionBudget", "HorizontalPodAutoscaler"] {
            assert_eq!(kinds(&objects).contains(&kind), others.contains(&kind), "{values:?}: {kind}");
        }
    };
    check(&[], json!(2), &["PodDisruptionBudget"]);
    check(&["replicas=1"], json!(1), &[]);
    check(&["replicas=0"], json!(0), &[]);
    check(&["podDisruptionBudget.enabled=false"], json!(2), &[]);
    // An autoscaler's number must not be undone by the next upgrade.
    check(&["autoscaling.enabled=true", "replicas=1"], Value::Null, &["PodDisruptionBudget", "HorizontalPodAutoscaler"]);
    check(&["autoscaling.enabled=true", "autoscaling.minReplicas=1"], Value::Null, &["HorizontalPodAutoscaler"]);
    let spread = |values: &[&str]| {
        let objects = made(values);
        let constraints = &find(&objects, "Deployment", OPERATOR)["spec"]["template"]["spec"]["topologySpreadConstraints"];
        constraints
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["topologyKey"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(spread(&[]), ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]);
    assert_eq!(spread(EVERYTHING), ["rack"]);
}

#[test]
fn what_selects_pods_finds_the_operators_alone() {
    let objects = made(EVERYTHING);
    let template = &find(&objects, "Deployment", OPERATOR)["spec"]["template"]["metadata"]["labels"];
    let selectors = [
        &find(&objects, "Deployment", OPERATOR)["spec"]["selector"]["matchLabels"],
        &find(&objects, "Service", OPERATOR)["spec"]["selector"],
        &find(&objects, "PodDisruptionBudget", OPERATOR)["spec"]["selector"]["matchLabels"],
        &find(&objects, "NetworkPolicy", OPERATOR)["spec"]["podSelector"]["matchLabels"],
        &find(&objects, "ServiceMonitor", OPERATOR)["spec"]["selector"]["matchLabels"],
    ];
    for selector in selectors {
        let selector = selector.as_object().expect("a selector");
        assert!(selector.contains_key("app.kubernetes.io/component") && selector.len() == 3, "{selector:?}");
        assert!(selector.iter().all(|(name, value)| template[name] == *value), "{selector:?}");
    }
}

#[test]
fn the_gateway_and_its_class_are_those_of_the_release() {
    let objects = made(&[]);
    let gateway = find(&objects, "Gateway", "doorward");
    assert_eq!(gateway["metadata"]["namespace"], NAMESPACE);
    assert_eq!(gateway["spec"]["gatewayClassName"], "doorward");
    assert_eq!(
        gateway["spec"]["listeners"],
        json!([{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}])
    );
    assert!(!kinds(&objects).contains(&"GatewayConfig"));
    let class = &find(&objects, "GatewayClass", "doorward")["spec"];
    assert_eq!((&class["parametersRef"], &class["controllerName"]), (&Value::Null, &translate::CONTROLLER.into()));

    let config = r#"gatewayConfig={"disclosure":"Minimal"}"#;
    let objects = made(&[config]);
    assert_eq!(find(&objects, "GatewayConfig", "doorward")["spec"], json!({"disclosure": "Minimal"}));
    let reference = json!({"group": "doorward.dev", "kind": "GatewayConfig", "name": "doorward", "namespace": NAMESPACE});
    assert_eq!(find(&objects, "GatewayClass", "doorward")["spec"]["parametersRef"], reference);

    let objects = made(&[config, "gatewayClass.create=false", "gatewayClass.name=theirs"]);
    let gateway = find(&objects, "Gateway", "doorward");
    assert_eq!(gateway["spec"]["gatewayClassName"], "theirs");
    assert_eq!(gateway["spec"]["infrastructure"]["parametersRef"]["name"], "doorward");

    let objects = made(&["gateway.create=false"]);
    assert!(!kinds(&objects).contains(&"Gateway"));
    // Whoever makes it is free to, later.
    assert_eq!(variable(find(&objects, "Deployment", OPERATOR), "DOORWARD_DEFAULT_GATEWAY"), Some("doorward"));
}

#[test]
fn ingresses_have_a_class_too() {
    let check = |values: &[&str], expected: Value| {
        let objects = made(values);
        let class = find(&objects, "IngressClass", "doorward");
        let default = &class["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"];
        assert_eq!((default, &class["spec"]["controller"]), (&expected, &json!("doorward.dev/ingress-controller")));
    };
    check(&[], Value::Null);
    check(&["ingressClass.isDefault=true"], json!("true"));
    assert!(!kinds(&made(&["ingressClass.create=false"])).contains(&"IngressClass"));
}

#[test]
fn wrong_values_are_refused_and_named() {
    let check = |value: &str, named: &str| {
        let complaint = rendered("doorward", &flags(&[value])).expect_err(value);
        assert!(complaint.contains(named), "{value}: {complaint}");
    };
    check("replica=3", "replica");
    check("replicas=two", "replicas");
    check("image.digest=sha256:abc", "digest");
    check("image.pullPolicy=Sometimes", "pullPolicy");
    check("image.repository=Doorward", "repository");
    check("image.repository=doorward@x", "repository");
    check("watchNamespaces={Shop}", "watchNamespaces");
    check("watchNamespaces={shop,shop}", "watchNamespaces");
    check("gateway.listeners=[]", "listeners");
    check(r#"gateway.listeners=[{"name":"http"}]"#, "listeners");
    check("resources.limit.cpu=1", "limit");
    check("serviceAccount.create=false", "serviceAccount.name");
    check(r#"env=[{"value":"a"}]"#, "env");
    check("resources.limits.memory=banana", "memory");
    check("resources.limits.memory=512MB", "memory");
    check("fullnameOverride=A_b", "fullnameOverride");
    check(r#"gatewayConfig={"discolsure":"Minimal"}"#, "discolsure");
    check(r#"gatewayConfig={"deployment":{"replica":3}}"#, "replica");
    check(r#"gatewayConfig={"deployment":{"replicas":0}}"#, "replicas");
    let complaint =
        rendered("doorward", &flags(&["autoscaling.enabled=true", "autoscaling.minReplicas=9", "autoscaling.maxReplicas=3"]));
    assert!(complaint.expect_err("9 is more than 3").contains("autoscaling.minReplicas is 9"));
}

#[test]
fn names_stay_text_and_labels_the_charts_own() {
    let objects = made(&[
        "gateway.name=n",
        "gatewayClass.name=y",
        "fullnameOverride=no",
        r#"commonLabels={"app.kubernetes.io/part-of":"other","team":"on"}"#,
        r#"podLabels={"app.kubernetes.io/component":"other"}"#,
        r#"podAnnotations={"kubectl.kubernetes.io/default-container":"other"}"#,
    ]);
    assert_eq!(find(&objects, "Gateway", "n")["spec"]["gatewayClassName"], "y");
    let deployment = find(&objects, "Deployment", "no-operator");
    assert_eq!(variable(deployment, "DOORWARD_DEFAULT_GATEWAY"), Some("n"));
    for labels in [&deployment["metadata"]["labels"], &deployment["spec"]["template"]["metadata"]["labels"]] {
        assert_eq!(
            (&labels["app.kubernetes.io/part-of"], &labels["app.kubernetes.io/component"], &labels["team"]),
            (&json!("doorward"), &json!("operator"), &json!("on"))
        );
    }
    assert_eq!(deployment["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"], "operator");
}
