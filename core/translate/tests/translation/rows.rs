//! One change to good manifests, and the faults that come of it.

use ir::Part;
use serde_json::{Value, json};
use translate::translate;

use crate::load::{documents, line, manifests};

const GOOD: &str = include_str!("../golden/quickstart.in.yaml");

/// Whether the route `shop/orders` serves after the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Orders {
    Serves,
    Closed,
    Absent,
}
use Orders::{Absent, Closed, Serves};

/// Changes one place of one object of the quickstart and compares all faults; an empty line is none.
fn check(object: &str, pointer: &str, value: Value, orders: Orders, expected: &[&str]) {
    let mut documents = documents(GOOD);
    let (kind, name) = object.split_once(' ').unwrap();
    let document = documents
        .iter_mut()
        .find(|document| document["kind"] == kind && document["metadata"]["name"] == name)
        .unwrap_or_else(|| panic!("no {object}"));
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")) {
        Value::Object(members) => drop(members.insert(last.to_owned(), value)),
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value,
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => panic!("{other}"),
    }
    let (manifests, context) = manifests(&documents);
    let translation = translate(&manifests, &context);
    let lines: Vec<String> = translation.faults.iter().map(line).collect();
    let expected: Vec<&str> = expected.iter().copied().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines, expected, "{object} {pointer}");
    let route = translation.snapshot.routes.iter().find(|(id, _)| &*id.name.name == "orders");
    let found = match route.map(|(_, route)| &route.serve) {
        None => Absent,
        Some(Part::Ready(_)) => Serves,
        Some(Part::Broken(_)) => Closed,
    };
    assert_eq!(found, orders, "{object} {pointer}");
}

#[test]
fn faults_of_a_route_stand_at_their_fields() {
    const ORDERS: &str = "ApiRoute orders";
    let closed = |pointer: &str, value: Value, field: &str, code: &str| {
        check(ORDERS, pointer, value, Closed, &[&format!("Error {code} ApiRoute shop/orders {field}")]);
    };
    let malformed = |pointer: &str, value: &str, field: &str| closed(pointer, json!(value), field, "config.malformed");
    malformed("/spec/hostnames/0", "api.example.com:80", "spec.hostnames[0]");
    malformed("/spec/versions/0/version", "1.4", "spec.versions[0].version");
    malformed("/spec/versions/0/deprecatedAt", "2026-09-01", "spec.versions[0].deprecatedAt");
    malformed("/spec/versioning/default", "latest", "spec.versioning.default");
    malformed("/spec/versioning/header", "Api Version", "spec.versioning.header");
    malformed("/spec/authentication/methods/0/apiKey/header", "X_Key", "spec.authentication.methods[0].apiKey.header");
    for (pointer, field) in [
        ("/spec/authentication/methods/0/apiKey/header", "spec.authentication.methods[0].apiKey.header"),
        ("/spec/versioning/header", "spec.versioning.header"),
    ] {
        for name in ["Doorward-Key", "X-Forwarded-User", "x-real-ip", "Host", "Connection"] {
            closed(pointer, json!(name), field, "config.rule_violated");
        }
    }
    malformed("/spec/addresses/allow/1", "10.0.0.5/8", "spec.addresses.allow[1]");
    malformed("/spec/addresses/deny/0", "10.66", "spec.addresses.deny[0]");
    malformed("/spec/validation/maxBodyBytes", "1MB", "spec.validation.maxBodyBytes");
    malformed("/spec/limits/0/window", "0s", "spec.limits[0].window");
    malformed("/spec/traffic/timeout", "-15s", "spec.traffic.timeout");
    malformed("/spec/traffic/headers/request/set/0/name", "X Shop", "spec.traffic.headers.request.set[0].name");
    malformed("/spec/traffic/headers/request/remove/0", "", "spec.traffic.headers.request.remove[0]");
    malformed("/spec/traffic/rewrite/hostname", "*.a.com", "spec.traffic.rewrite.hostname");
    malformed("/spec/traffic/rewrite/path/replacePrefixMatch", "v2", "spec.traffic.rewrite.path.replacePrefixMatch");
    let header = "spec.traffic.headers.response.add[0]";
    closed("/spec/traffic/headers/response/add/0/value", json!("a\nb"), &format!("{header}.value"), "config.out_of_bounds");
    for own in ["Content-Length", "transfer-encoding", "Host", "Doorward-Principal"] {
        closed("/spec/traffic/headers/response/add/0/name", json!(own), &format!("{header}.name"), "config.rule_violated");
    }
    closed("/spec/limits/0/requests", json!(0), "spec.limits[0].requests", "config.out_of_bounds");
    closed("/spec/limits/0/burst", json!(-1), "spec.limits[0].burst", "config.out_of_bounds");
    closed("/spec/versioning/default", json!("4"), "spec.versioning.default", "config.rule_violated");
    closed("/spec/versioning/default", json!("=3.0.0-rc.1"), "spec.versioning.default", "config.rule_violated");
    closed("/spec/versions/2/version", json!("2.1.0+b"), "spec.versions[2].version", "config.duplicate_version");
    closed("/spec/versions/0/sunsetAt", json!("2026-08-01T00:00:00Z"), "spec.versions[0].sunsetAt", "config.rule_violated");
    closed("/spec/authentication/methods", json!([]), "spec.authentication", "config.rule_violated");
    closed("/spec/authentication/mode", json!("Anonymous"), "spec.authentication", "config.rule_violated");
    closed("/spec/authentication/methods/0", json!({}), "spec.authentication.methods[0]", "config.rule_violated");
    closed(
        "/spec/authentication/methods/0/apiKey/query",
        json!("key"),
        "spec.authentication.methods[0].apiKey",
        "config.rule_violated",
    );
    closed(
        "/spec/authentication/methods/2",
        json!({"jwt": {"providerRef": {"name": "corp"}}}),
        "spec.authentication.methods[2].jwt.providerRef",
        "config.rule_violated",
    );
    closed("/spec/versions", json!([]), "spec.versions", "config.missing_field");
}

#[test]
fn a_route_without_a_place_is_not_there() {
    for (pointer, value, field) in [
        ("/spec/path", json!("/a b"), "spec.path"),
        ("/spec/hostnames", json!(["a b"]), "spec.hostnames[0]"),
        ("/spec/matches", json!([{"headers": [{"name": "", "value": "a"}]}]), "spec.matches[0].headers[0].name"),
        (
            "/spec/matches",
            json!([{"queryParams": [{"name": "q", "type": "RegularExpression", "value": "(?=a)"}]}]),
            "spec.matches[0].queryParams[0].value",
        ),
    ] {
        let expected = [
            // The key that is for this route finds it: a missing place is not a missing object.
            format!("Error config.malformed ApiRoute shop/orders {field}"),
        ];
        check("ApiRoute orders", pointer, value, Absent, &expected.each_ref().map(String::as_str));
    }
}

#[test]
fn a_malformed_place_is_closed_where_it_was_meant() {
    let closed = |pointer, value, line: &str| check("ApiRoute orders", pointer, value, Closed, &[line]);
    closed("/spec/path", json!("orders"), "Error config.malformed ApiRoute shop/orders spec.path");
    closed("/spec/hostnames", json!(["a.example.com:80"]), "Error config.malformed ApiRoute shop/orders spec.hostnames[0]");
}

#[test]
fn a_fault_of_a_part_closes_that_part() {
    let version = |value: Value, line: &str| check("ApiRoute orders", "/spec/versions/0/backend", value, Serves, &[line]);
    version(json!({"url": "api.example.com"}), "Error config.malformed ApiRoute shop/orders spec.versions[0].backend.url");
    version(json!({"url": "https://u:p@a.com"}), "Error config.malformed ApiRoute shop/orders spec.versions[0].backend.url");
    version(json!({}), "Error config.rule_violated ApiRoute shop/orders spec.versions[0].backend");
    version(
        json!({"response": {"status": 204, "body": "x"}}),
        "Error config.rule_violated ApiRoute shop/orders spec.versions[0].backend.response.body",
    );
    version(
        json!({"response": {"status": 99}}),
        "Error config.out_of_bounds ApiRoute shop/orders spec.versions[0].backend.response.status",
    );
    version(json!({"redirect": {}}), "Error config.rule_violated ApiRoute shop/orders spec.versions[0].backend.redirect");
    version(
        json!({"redirect": {"hostname": "a b"}}),
        "Error config.malformed ApiRoute shop/orders spec.versions[0].backend.redirect.hostname",
    );
    version(
        json!({"url": "http://a.com", "tls": {"caCertificateRefs": [{"name": "roots"}]}}),
        "Warning config.no_effect ApiRoute shop/orders spec.versions[0].backend.tls",
    );
    version(
        json!({"services": [{"name": "orders-v3", "port": 1}]}),
        "Error config.backend_not_found ApiRoute shop/orders spec.versions[0].backend.services[0].name",
    );
    version(
        json!({"services": [{"name": "orders-v2", "port": 1}]}),
        "Error config.port_not_found ApiRoute shop/orders spec.versions[0].backend.services[0].port",
    );
    let rule = |value: Value, line: &str| check("ApiRoute orders", "/spec/authorization/rules/2/when", value, Serves, &[line]);
    rule(json!("principal.tam == 1"), "Error config.expression_invalid ApiRoute shop/orders spec.authorization.rules[2].when");
    rule(json!("1 +"), "Error config.expression_invalid ApiRoute shop/orders spec.authorization.rules[2].when");
    rule(json!("1 == 2"), "Warning config.rule_never_matches ApiRoute shop/orders spec.authorization.rules[2].when");
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let warned = |object: &str, pointer: &str, value: Value, line: &str| check(object, pointer, value, Serves, &[line]);
    let orders = "ApiRoute orders";
    warned(
        orders,
        "/spec/addresses/allow/0",
        json!("10.66.1.0/24"),
        "Warning config.no_effect ApiRoute shop/orders spec.addresses.allow[0]",
    );
    warned(orders, "/spec/versions/0/sunsetAt", json!("2026-12-01T00:00:00Z"), "");
    warned(
        orders,
        "/spec/authorization/rules/0/methods",
        json!(["FETCH"]),
        "Warning config.rule_never_matches ApiRoute shop/orders spec.authorization.rules[0].methods",
    );
    warned(orders, "/spec/matches", json!([{"methods": ["HEAD", "POST"]}]), "");
    warned(
        orders,
        "/spec/matches",
        json!([{"methods": ["GET"]}]),
        "Warning config.rule_never_matches ApiRoute shop/orders spec.authorization.rules[1].methods",
    );
    warned(
        "ApiRoute status",
        "/spec/authorization",
        json!({"rules": [{"name": "a", "roles": ["r"]}]}),
        "Warning config.rule_never_matches ApiRoute default/status spec.authorization.rules[0].roles",
    );
    warned(
        "ApiRoute status",
        "/spec/consumers",
        json!({"from": "All"}),
        "Warning config.no_effect ApiRoute default/status spec.consumers",
    );
    warned(
        "ApiRoute status",
        "/spec/versioning",
        json!({"select": ["Path", "Query"], "header": "X-Version", "query": "v"}),
        "Warning config.no_effect ApiRoute default/status spec.versioning.header",
    );
}

#[test]
fn faults_of_other_kinds() {
    let serves = |object: &str, pointer: &str, value: Value, line: &str| check(object, pointer, value, Serves, &[line]);
    serves("ApiKey mobile", "/spec/expiresAt", json!("tomorrow"), "Error config.malformed ApiKey shop/mobile spec.expiresAt");
    serves(
        "ApiKey mobile",
        "/spec/limits/0/window",
        json!("1d"),
        "Error config.malformed ApiKey shop/mobile spec.limits[0].window",
    );
    serves(
        "ApiKey mobile",
        "/spec/secretRef/name",
        json!("mobil-key"),
        "Error config.secret_not_found ApiKey shop/mobile spec.secretRef.name",
    );
    let published = json!({"key": "edd1c9f034335f136f87ad84b625c8f1"});
    serves("Secret mobile-key", "/stringData", published, "Error config.secret_invalid ApiKey shop/mobile spec.secretRef.name");
    serves(
        "GatewayConfig main",
        "/spec/methods",
        json!(["PURGE", "CONNECT"]),
        "Error config.rule_violated GatewayConfig doorward-system/main spec.methods[1]",
    );
    serves("AiModel gpt", "/spec/provider", json!("opanai"), "Error config.unknown_value AiModel shop/gpt spec.provider");
    serves(
        "AiModel tiny",
        "/spec/endpoint/url",
        json!("127.0.0.1:11434"),
        "Error config.malformed AiModel shop/tiny spec.endpoint.url",
    );
    serves("AiModel tiny", "/spec/endpoint", json!({}), "Error config.rule_violated AiModel shop/tiny spec");
    serves(
        "AiModel gpt",
        "/spec/credential/secretRef/key",
        json!("apikey"),
        "Error config.secret_key_missing AiModel shop/gpt spec.credential.secretRef",
    );
    serves(
        "GatewayConfig main",
        "/spec/timeouts/header",
        json!("3"),
        "Error config.malformed GatewayConfig doorward-system/main spec.timeouts.header",
    );
    serves(
        "GatewayConfig main",
        "/spec/telemetry/traces/sample",
        json!("2"),
        "Error config.out_of_bounds GatewayConfig doorward-system/main spec.telemetry.traces.sample",
    );
    let provider = |pointer: &str, value: Value, code: &str, field: &str| {
        let lines = [
            "Error config.reference_broken ApiRoute shop/orders spec.authentication.methods[1].jwt.providerRef".to_owned(),
            format!("Error {code} IdentityProvider shop/corp {field}"),
        ];
        check("IdentityProvider corp", pointer, value, Closed, &lines.each_ref().map(String::as_str));
    };
    provider("/spec/issuer", json!("http://id.example.com"), "config.malformed", "spec.issuer");
    provider("/spec/maxAge", json!("0d"), "config.malformed", "spec.maxAge");
    provider("/spec/audiences", json!([]), "config.missing_field", "spec.audiences");
    provider("/spec/jwks", json!({"uri": "ftp://a.com"}), "config.malformed", "spec.jwks.uri");
    provider("/spec/jwks", json!({}), "config.rule_violated", "spec.jwks");
    let inline = |text: &str| json!({"inline": text});
    provider("/spec/jwks", inline(r#"{"keys": []}"#), "config.key_set_invalid", "spec.jwks.inline");
    provider("/spec/jwks", inline("keys"), "config.key_set_invalid", "spec.jwks.inline");
    let symmetric = r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYw"}]}"#;
    provider("/spec/jwks", inline(symmetric), "config.key_set_invalid", "spec.jwks.inline");
    // The public key of RFC 7515, appendix A.3.
    let public = r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                               "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    serves("IdentityProvider corp", "/spec/jwks", inline(public), "");
}

/// Which Gateway takes a route without `parentRefs`, or the fault.
#[test]
fn the_default_gateway_is_found() {
    let found = |gateways: &[(&str, &str)]| {
        let mut all = vec![json!({"kind": "ApiRoute", "metadata": {"name": "r", "namespace": "a"}, "spec": {
            "versions": [{"version": "1.0.0", "backend": {"response": {}}}], "authentication": {"mode": "Anonymous"}}})];
        for (index, (namespace, name)) in gateways.iter().enumerate() {
            all.push(json!({"kind": "Gateway", "metadata": {"name": name, "namespace": namespace}, "spec": {
                "gatewayClassName": "doorward",
                "listeners": [{"name": "l", "port": 8000 + index, "protocol": "HTTP",
                               "allowedRoutes": {"namespaces": {"from": "All"}}}]}}));
        }
        let (manifests, context) = manifests(&all);
        let translation = translate(&manifests, &context);
        let route = translation.snapshot.routes.values().next().unwrap();
        let listeners: Vec<String> = route.listeners.iter().map(ToString::to_string).collect();
        let faults: Vec<&str> = translation.faults.iter().map(cause::Fault::code).collect();
        [listeners.join(" "), faults.join(" ")].concat()
    };
    for (gateways, expected) in [
        (&[][..], "doorward-system/doorward/http"),
        (&[("a", "edge")], "a/edge/l"),
        (&[("a", "edge"), ("b", "doorward")], "b/doorward/l"),
        (&[("b", "doorward"), ("doorward-system", "doorward")], "doorward-system/doorward/l"),
        (&[("b", "doorward"), ("c", "doorward")], "config.listener_not_allowed"),
        (&[("a", "edge"), ("a", "inner")], "config.listener_not_allowed"),
    ] {
        assert_eq!(found(gateways), expected, "{gateways:?}");
    }
}

/// Which Gateways know which keys: each those that it admits, and of those that none admits the ones that ask for it or
/// for nothing that there is.
#[test]
fn gateways_know_the_keys_that_may_come() {
    let mut all: Vec<Value> = Vec::new();
    for (gateway, port) in [("one", 8001), ("two", 8002), ("open", 8003)] {
        all.push(json!({"kind": "Gateway", "metadata": {"name": gateway, "namespace": "a"}, "spec": {
            "gatewayClassName": "doorward", "listeners": [{"name": "l", "port": port, "protocol": "HTTP"}]}}));
        let authentication = match gateway {
            "open" => json!({"mode": "Anonymous"}),
            _ => json!({"mode": "Required", "methods": [{"apiKey": {"header": "X-Key"}}]}),
        };
        all.push(json!({"kind": "ApiRoute", "metadata": {"name": format!("on-{gateway}"), "namespace": "a"}, "spec": {
            "parentRefs": [{"name": gateway}], "versions": [{"version": "1.0.0", "backend": {"response": {}}}],
            "authentication": authentication}}));
    }
    let keys = [
        ("a", "any", None),
        ("a", "first", Some("on-one")),
        ("a", "lost", Some("gone")),
        ("a", "useless", Some("on-open")),
        ("b", "foreign", None),
    ];
    for (namespace, name, route) in keys {
        all.push(json!({"kind": "ApiKey", "metadata": {"name": name, "namespace": namespace}, "spec": {
            "secretRef": {"name": name}, "routes": route.map(|route| json!([{"name": route}]))}}));
        all.push(json!({"kind": "Secret", "metadata": {"name": name, "namespace": namespace},
            "stringData": {"key": format!("0123456789-0123456789-{name}")}}));
    }
    let (manifests, context) = manifests(&all);
    let translation = translate(&manifests, &context);
    let faults: Vec<String> = translation.faults.iter().map(line).collect();
    assert_eq!(faults, ["Error config.reference_not_found ApiKey a/lost spec.routes[0]"]);
    for (gateway, expected) in [
        ("one", &["any", "first", "lost", "useless", "foreign"][..]),
        ("two", &["any", "lost", "useless", "foreign"]),
        ("open", &[]),
    ] {
        let snapshot = translation.for_gateway(&cause::ObjectName::new("a", gateway));
        let found: Vec<&str> = snapshot.keys.keys().map(|id| &*id.0.name).collect();
        assert_eq!(found, expected, "{gateway}");
    }
}

#[test]
fn only_faults_of_the_own_text_refuse_an_object() {
    for (object, pointer, value, expected) in [
        ("ApiRoute orders", "/spec/limits/0/window", json!("0s"), &["ApiRoute shop/orders"][..]),
        ("ApiRoute orders", "/spec/versions/0/backend", json!({"services": [{"name": "gone", "port": 1}]}), &[]),
        ("ApiKey mobile", "/spec/secretRef/name", json!("gone"), &[]),
        ("IdentityProvider corp", "/spec/issuer", json!("http://a.com"), &["IdentityProvider shop/corp"]),
    ] {
        let mut documents = documents(GOOD);
        let (kind, name) = object.split_once(' ').unwrap();
        let document = documents.iter_mut().find(|one| one["kind"] == kind && one["metadata"]["name"] == name).unwrap();
        *document.pointer_mut(pointer).unwrap() = value;
        let (manifests, context) = manifests(&documents);
        let refused: Vec<String> = translate(&manifests, &context).refused().iter().map(ToString::to_string).collect();
        assert_eq!(refused, expected, "{object} {pointer}");
    }
}
