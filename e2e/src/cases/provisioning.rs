//! What a Gateway gets in its namespace, when something is in the way and when it changes.

use xtask::Failure;

use super::{World, answered, ensure};
use crate::doorward::{self, PATIENCE, condition};
use crate::http::Request;
use crate::run::until;

const NAMESPACE: &str = "crowded";

/// A name that somebody else has: told, left alone, and taken when it is free.
pub(super) fn taken(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n---\n\
         apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web-doorward, namespace: {NAMESPACE}}}\ndata: {{whose: mine}}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: web, namespace: {NAMESPACE}}}\n\
         spec: {{gatewayClassName: doorward, listeners: [{{name: http, port: 80, protocol: HTTP}}]}}\n"
    ))?;
    let gateway = ["gateway", "web", "-n", NAMESPACE];
    condition(&world.cluster, &gateway, "Programmed", "False")?;
    until(PATIENCE, "status names what is in the way", || {
        let found = world.cluster.get(&gateway).map_err(|failure| failure.to_string())?;
        let conditions = found["status"]["conditions"].to_string();
        if conditions.contains("ConfigMap crowded/web-doorward") { Ok(()) } else { Err(conditions) }
    })?;
    let map = ["configmap", "web-doorward", "-n", NAMESPACE];
    let found = world.cluster.get(&map)?;
    let is_as_it_was = found["data"] == serde_json::json!({"whose": "mine"}) && found["metadata"]["ownerReferences"].is_null();
    ensure(is_as_it_was, || format!("somebody else's object was written: {found}"))?;
    world.cluster.kubectl(&["delete", "configmap", "web-doorward", "-n", NAMESPACE])?;
    doorward::programmed(&world.cluster, NAMESPACE, "web")?;
    asked_for(world)?;
    given_away(world)?;
    world.cluster.kubectl(&["delete", "namespace", NAMESPACE]).map(drop)
}

/// A Gateway that is refused before it has anything is made nothing; one that has, keeps it and serves on.
pub(super) fn refused(world: &World) -> Result<(), Failure> {
    world.cluster.apply(&format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: late, namespace: {NAMESPACE}}}\n\
         spec:\n  gatewayClassName: doorward\n  listeners: [{{name: http, port: 8082, protocol: HTTP}}]\n  \
         infrastructure: {{parametersRef: {{group: doorward.dev, kind: GatewayConfig, name: late}}}}\n---\n\
         apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: fixed, namespace: {NAMESPACE}}}\n\
         spec:\n  parentRefs: [{{name: late}}]\n  path: /fixed\n  authentication: {{mode: Anonymous}}\n  \
         versions: [{{version: 1.0.0, backend: {{response: {{status: 200, body: here}}}}}}]\n"
    ))?;
    let gateway = ["gateway", "late", "-n", NAMESPACE];
    condition(&world.cluster, &gateway, "Accepted", "False")?;
    let reason = ".status.conditions[?(@.type==\"Accepted\")].reason";
    world.cluster.until_value(PATIENCE, &gateway, reason, "InvalidParameters")?;
    let made = || {
        let kinds = "deployments,services,serviceaccounts,poddisruptionbudgets";
        world.cluster.kubectl(&["get", kinds, "-n", NAMESPACE, "-l", "gateway.networking.k8s.io/gateway-name=late", "-o", "name"])
    };
    let found = made()?;
    ensure(found.is_empty(), || format!("a refused Gateway was made {found}"))?;
    world.cluster.apply(&format!(
        "apiVersion: doorward.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {{name: late, namespace: {NAMESPACE}}}\nspec: {{}}\n"
    ))?;
    doorward::programmed(&world.cluster, NAMESPACE, "late")?;
    let address = doorward::address(&world.cluster, NAMESPACE, "late")?;
    let fixed = Request::get("a.example.com", "/fixed");
    until(PATIENCE, "the accepted Gateway serves", || answered(&fixed, address, 200))?;
    let before = made()?;
    world.cluster.kubectl(&["delete", "gatewayconfig", "late", "-n", NAMESPACE])?;
    condition(&world.cluster, &gateway, "Accepted", "False")?;
    let after = made()?;
    ensure(before == after, || format!("refusing it changed what it has: {before} to {after}"))?;
    until(PATIENCE, "what was accepted serves on", || answered(&fixed, address, 200))?;
    world.cluster.kubectl(&["delete", "namespace", NAMESPACE]).map(drop)
}

/// A Gateway that is given to another class loses all that was made for it. The class that it had stays until then.
fn given_away(world: &World) -> Result<(), Failure> {
    for (name, controller) in [("held", "doorward.dev"), ("somebody-else", "example.com")] {
        world.cluster.apply(&format!(
            "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {{name: {name}}}\n\
             spec: {{controllerName: {controller}/gateway-controller}}\n"
        ))?;
    }
    let give = |class: &str| {
        let class = format!(r#"{{"spec":{{"gatewayClassName":"{class}"}}}}"#);
        world.cluster.kubectl(&["patch", "gateway", "web", "-n", NAMESPACE, "--type=merge", "-p", &class])
    };
    give("held")?;
    let finalizer = "gateway-exists-finalizer.gateway.networking.k8s.io";
    world.cluster.until_value(PATIENCE, &["gatewayclass", "held"], ".metadata.finalizers[0]", finalizer)?;
    world.cluster.kubectl(&["delete", "gatewayclass", "held", "--wait=false"])?;
    give("somebody-else")?;
    until(PATIENCE, "the class that nobody uses goes", || {
        let left = world.cluster.kubectl(&["get", "gatewayclass", "held", "--ignore-not-found", "-o", "name"]);
        left.map_err(|failure| failure.to_string()).and_then(|left| if left.is_empty() { Ok(()) } else { Err(left) })
    })?;
    until(PATIENCE, "what the Gateway had goes", || {
        let kinds = "deployments,services,serviceaccounts,configmaps,poddisruptionbudgets";
        let selector = "gateway.networking.k8s.io/gateway-name=web";
        let left = world.cluster.kubectl(&["get", kinds, "-n", NAMESPACE, "-l", selector, "-o", "name"]);
        left.map_err(|failure| failure.to_string()).and_then(|left| if left.is_empty() { Ok(()) } else { Err(left) })
    })?;
    world.cluster.kubectl(&["delete", "gatewayclass", "somebody-else"]).map(drop)
}

/// An autoscaler and a NetworkPolicy come and go with what asks for them, and no replicas go below the autoscaler's bound.
fn asked_for(world: &World) -> Result<(), Failure> {
    let config = |deployment: &str| {
        world.cluster.apply(&format!(
            "apiVersion: doorward.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {{name: web, namespace: {NAMESPACE}}}\n\
             spec: {{deployment: {deployment}}}\n"
        ))
    };
    config("{autoscaling: {minReplicas: 3, maxReplicas: 4}, networkPolicy: Listeners}")?;
    let reference =
        r#"{"spec":{"infrastructure":{"parametersRef":{"group":"doorward.dev","kind":"GatewayConfig","name":"web"}}}}"#;
    world.cluster.kubectl(&["patch", "gateway", "web", "-n", NAMESPACE, "--type=merge", "-p", reference])?;
    let deployment = ["deployment", "web-doorward", "-n", NAMESPACE];
    world.cluster.until_value(PATIENCE, &["hpa", "web-doorward", "-n", NAMESPACE], ".spec.maxReplicas", "4")?;
    world.cluster.until_value(PATIENCE, &deployment, ".spec.replicas", "3")?;
    let policy = ["networkpolicy", "web-doorward", "-n", NAMESPACE];
    world.cluster.until_value(PATIENCE, &policy, ".spec.policyTypes[0]", "Ingress")?;
    config("{replicas: 1}")?;
    world.cluster.until_value(PATIENCE, &deployment, ".spec.replicas", "1")?;
    until(PATIENCE, "the autoscaler and the NetworkPolicy go", || {
        let left = world.cluster.kubectl(&["get", "hpa,networkpolicy", "-n", NAMESPACE, "-o", "name"]);
        left.map_err(|failure| failure.to_string()).and_then(|left| if left.is_empty() { Ok(()) } else { Err(left) })
    })
}
