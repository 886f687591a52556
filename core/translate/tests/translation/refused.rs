//! What is told of objects that their reader refused, beside what the reader found.

use std::sync::Arc;

use cause::{Fault, FaultCause, FieldMeant, FieldPath, ObjectName, ObjectRef, Segment, Syntax};
use ir::Part;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use translate::{Manifests, Objects, Written, translate};

use crate::load::{context, line};

/// A path from a JSON pointer.
fn field(pointer: &str) -> FieldPath {
    let segment = |part: &str| part.parse().map_or_else(|_| Segment::Field(part.into()), Segment::Index);
    FieldPath(pointer.split('/').skip(1).map(segment).collect())
}

fn unknown(name: &str) -> FaultCause {
    FaultCause::FieldUnknown { field: name.into(), parent: "spec".into(), meant: FieldMeant::OneOf(Vec::new()) }
}

fn mistyped() -> FaultCause {
    FaultCause::TypeWrong { expected: "another".into(), found: "this".into() }
}

fn missing(name: &str) -> FaultCause {
    FaultCause::FieldMissing { field: name.into() }
}

fn malformed() -> FaultCause {
    FaultCause::Malformed { syntax: Syntax::Network, suggestion: None }
}

type Found<'a> = &'a [(&'a str, FaultCause)];

fn add<T: DeserializeOwned>(objects: &mut Objects<T>, kind: &str, spec: &Value, found: Found<'_>) {
    let name = ObjectName::new("shop", "a");
    let fault =
        |(pointer, cause): &(&str, FaultCause)| Fault::error(ObjectRef::new(kind, name.clone()), field(pointer), cause.clone());
    let tree = json!({"metadata": {"name": "a", "namespace": "shop"}, "spec": spec});
    objects.insert(name.clone(), Written::Broken(found.iter().map(fault).collect(), Arc::new(tree)));
}

/// Compares what is told beside the reader's faults, as `code field`; nothing of the object opens.
fn check(kind: &str, spec: &Value, found: Found<'_>, expected: &[&str]) {
    let mut manifests = Manifests::default();
    match kind {
        "ApiRoute" => add(&mut manifests.api_routes, kind, spec, found),
        "ApiKey" => add(&mut manifests.api_keys, kind, spec, found),
        "AiModel" => add(&mut manifests.ai_models, kind, spec, found),
        "IdentityProvider" => add(&mut manifests.identity_providers, kind, spec, found),
        "GatewayConfig" => add(&mut manifests.gateway_configs, kind, spec, found),
        "Gateway" => add(&mut manifests.gateways, kind, spec, found),
        other => panic!("kind {other}"),
    }
    let translation = translate(&manifests, &context());
    let is_reader = |fault: &&Fault| found.iter().any(|(at, cause)| field(at) == fault.field && *cause == fault.cause);
    let told = translation.faults.iter().filter(|fault| !is_reader(fault)).map(line);
    let object = format!(" {kind} shop/a");
    let told: Vec<String> = told.map(|line| line.replace(&object, "").replacen("Error config.", "", 1)).collect();
    assert_eq!(told, expected, "{kind} {spec}");
    assert_eq!(translation.faults.len(), told.len() + found.len(), "each fault of the reader stands once: {kind} {spec}");
    let snapshot = &translation.snapshot;
    assert!(snapshot.keys.is_empty() && snapshot.providers.is_empty() && snapshot.services.is_empty(), "{kind} {spec}");
    let open = snapshot.routes.values().any(|route| matches!(route.serve, Part::Ready(_)))
        || snapshot.models.values().any(|model| matches!(model, Part::Ready(_)));
    assert!(!open, "{kind} {spec}");
    assert!(kind != "Gateway" || snapshot.listeners.is_empty());
}

/// A route with a change of its specification.
fn route(changes: &Value) -> Value {
    let mut spec = json!({"path": "/a", "authentication": {"mode": "Anonymous"},
                          "versions": [{"version": "1.0.0", "backend": {"response": {}}}]});
    for (name, value) in changes.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

#[test]
fn a_route_tells_all_at_once() {
    let bad = json!({"addresses": {"allow": ["10.0.0.1/8"]},
        "versions": [{"version": "1.0.0", "backend": {"services": [{"name": "gone", "port": 80}]}}],
        "authorization": {"rules": [{"name": "r", "when": "1 +"}]},
        "authentication": {"methods": [{"jwt": {"providerRef": {"name": "nobody"}}}]}});
    let all = [
        "malformed spec.addresses.allow[0]",
        "reference_not_found spec.authentication.methods[0].jwt.providerRef",
        "expression_invalid spec.authorization.rules[0].when",
        "backend_not_found spec.versions[0].backend.services[0].name",
    ];
    check("ApiRoute", &route(&bad), &[("/spec", unknown("frob"))], &all);
    // The reader's own word is not repeated, in whatever code.
    check("ApiRoute", &route(&bad), &[("/spec/addresses/allow/0", malformed())], &all[1..]);
    let bound = FaultCause::OutOfBounds { bound: "must be short".into() };
    check("ApiRoute", &route(&bad), &[("/spec/addresses/allow/0", bound)], &all[1..]);
    // What cannot be decoded is left out, whatever it is.
    let with = |field: &str, value: Value| {
        let mut spec = route(&bad);
        spec[field] = value;
        spec
    };
    check("ApiRoute", &with("validation", json!(7)), &[("/spec/validation", mistyped())], &all);
    check("ApiRoute", &with("addresses", json!([])), &[("/spec/addresses", mistyped())], &all[1..]);
    let limits = json!([{"name": "l", "window": "0s", "requests": "many"}]);
    let limit = "malformed spec.limits[0].window";
    let wrong = ("/spec/limits/0/requests", mistyped());
    check("ApiRoute", &with("limits", limits), &[wrong], &[all[0], all[1], all[2], limit, all[3]]);
    // Two at once: one is needed and missing, the other of the wrong type.
    let mut spec = with("hostnames", json!("a.example.com"));
    spec.as_object_mut().unwrap().remove("authentication");
    let found = [("/spec", missing("authentication")), ("/spec/hostnames", mistyped())];
    check("ApiRoute", &spec, &found, &[all[0], all[2], all[3]]);
    // One that is needed is misspelt, of which no reader says that it is missing.
    let mut spec = route(&bad);
    spec["authenticaton"] = spec.as_object_mut().unwrap().remove("authentication").unwrap();
    let meant = FieldMeant::Nearest("authentication".into());
    let meant = FaultCause::FieldUnknown { field: "authenticaton".into(), parent: "spec".into(), meant };
    check("ApiRoute", &spec, &[("/spec", meant)], &[all[0], all[2], all[3]]);
    // Nothing that can be read is left.
    check("ApiRoute", &json!("text"), &[("/spec", mistyped())], &[]);
}

#[test]
fn nothing_is_told_that_comes_of_what_is_lost() {
    let closed = |changes: Value, found: Found<'_>| check("ApiRoute", &route(&changes), found, &[]);
    let methds = ("/spec/authentication", unknown("methds"));
    closed(json!({"authentication": {"methds": []}}), &[methds]);
    closed(json!({"authentication": {"methods": "key"}}), &[("/spec/authentication/methods", mistyped())]);
    closed(json!({"versions": "1.0.0"}), &[("/spec/versions", mistyped())]);
    let versions = json!([{"version": 2, "backend": {"response": {}}}, {"version": "1.0.0", "backend": {"response": {}}}]);
    let versioning = json!({"default": "2"});
    closed(json!({"versions": versions, "versioning": versioning}), &[("/spec/versions/0/version", mistyped())]);
    let backend = json!([{"version": "1.0.0", "backend": {"servces": []}}]);
    closed(json!({"versions": backend}), &[("/spec/versions/0/backend", unknown("servces"))]);
    let elsewhere = json!([{"version": "1.0.0", "backend": {"services": [{"name": "b", "port": 1, "namespce": "other"}]}}]);
    let namespce = ("/spec/versions/0/backend/services/0", unknown("namespce"));
    closed(json!({"versions": elsewhere}), &[namespce]);
    let endpoint = json!({"provider": "Custom", "model": "m", "endpoint": {"ulr": "http://a"}});
    check("AiModel", &endpoint, &[("/spec/endpoint", unknown("ulr"))], &[]);
}

#[test]
fn every_kind_tells_all_at_once() {
    let frob = [("/spec", unknown("frob"))];
    let key = json!({"secretRef": {"name": "gone"}, "expiresAt": "soon", "frob": 1, "routes": [{"name": "none"}]});
    check(
        "ApiKey",
        &key,
        &frob,
        &["malformed spec.expiresAt", "reference_not_found spec.routes[0]", "secret_not_found spec.secretRef.name"],
    );
    let model = json!({"provider": "Custom", "model": "m", "endpoint": {"url": "ftp://a"}, "frob": 1});
    check("AiModel", &model, &frob, &["malformed spec.endpoint.url"]);
    let provider = json!({"issuer": "http://id.example.com", "audiences": ["a"], "leeway": "0s", "frob": 1});
    check("IdentityProvider", &provider, &frob, &["malformed spec.issuer", "malformed spec.leeway"]);
    check("GatewayConfig", &json!({"timeouts": {"header": "3"}, "frob": 1}), &frob, &["malformed spec.timeouts.header"]);
    let gateway = json!({"gatewayClassName": "doorward", "frob": 1, "listeners": [
        {"name": "a", "port": 0, "protocol": "HTTP"}, {"name": "b", "port": 70_000, "protocol": "HTTP"}]});
    check("Gateway", &gateway, &frob, &["out_of_bounds spec.listeners[0].port", "out_of_bounds spec.listeners[1].port"]);
}

#[test]
fn the_second_configuration_is_read_too() {
    let config = |name: &str| json!({"kind": "GatewayConfig", "metadata": {"name": name}, "spec": {"timeouts": {"header": "3"}}});
    let (manifests, context) = crate::load::manifests(&[config("one"), config("two")]);
    let lines: Vec<String> = translate(&manifests, &context).faults.iter().map(line).collect();
    let expected = [
        "Error config.malformed GatewayConfig default/one spec.timeouts.header",
        "Error config.rule_violated GatewayConfig default/two ",
        "Error config.malformed GatewayConfig default/two spec.timeouts.header",
    ];
    assert_eq!(lines, expected);
}
