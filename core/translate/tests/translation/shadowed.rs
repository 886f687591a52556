//! Regular expressions that a prefix goes before.

use crate::load::{documents, manifests};

const GATEWAY: &str = "
{kind: Gateway, metadata: {name: web}, spec: {gatewayClassName: doorward, listeners: [{name: http, port: 80, protocol: HTTP}]}}
---
{kind: Service, metadata: {name: one}, spec: {type: ExternalName, externalName: one.example.com, ports: [{port: 80}]}}
";

/// An HTTPRoute of rules with one match each.
fn route(name: &str, hosts: &str, matches: &[&str]) -> String {
    let rules: Vec<String> =
        matches.iter().map(|one| format!("{{matches: [{{{one}}}], backendRefs: [{{name: one, port: 80}}]}}")).collect();
    format!(
        "---\n{{kind: HTTPRoute, metadata: {{name: {name}}}, spec: {{parentRefs: [{{name: web}}], hostnames: [{hosts}], rules: [{}]}}}}\n",
        rules.join(", ")
    )
}

fn prefix(path: &str) -> String {
    format!("path: {{type: PathPrefix, value: {path}}}")
}

fn expression(pattern: &str) -> String {
    format!("path: {{type: RegularExpression, value: '{pattern}'}}")
}

/// What is warned of, as the field and the reason.
fn check(routes: &[String], expected: &[&str]) {
    let (manifests, context) = manifests(&documents(&[GATEWAY, &routes.concat()].concat()));
    let faults = translate::translate(&manifests, &context).faults;
    let told: Vec<String> =
        faults.iter().map(|fault| format!("{} {:?} {}", fault.field, fault.severity, fault.message())).collect();
    assert_eq!(told, expected, "{routes:?}");
}

#[test]
fn an_expression_that_takes_nothing_is_told() {
    let never = |pattern: &str, path: &str, other: &str, host: &str| {
        format!(
            "spec.rules[0].matches[0].path.value Warning rule `{pattern}` can never match: PathPrefix `{path}` of HTTPRoute \
             default/{other} takes its requests of {host}, since prefixes go before expressions"
        )
    };
    let (a, b) = ("a.example.com", "b.example.com");
    let api = expression("/api/v[0-9]+");
    check(&[route("one", a, &[&api, &prefix("/")])], &[&never("/api/v[0-9]+", "/", "one rule 1", a)]);
    check(&[route("one", a, &[&api]), route("two", a, &[&prefix("/api/")])], &[&never("/api/v[0-9]+", "/api", "two rule 0", a)]);
    check(
        &[route("one", "", &[&api]), route("two", "", &[&prefix("/api")])],
        &[&never("/api/v[0-9]+", "/api", "two rule 0", "any host")],
    );
    check(
        &[route("one", &[a, b].join(", "), &[&api]), route("two", b, &[&prefix("/api")])],
        &[&never("/api/v[0-9]+", "/api", "two rule 0", b)],
    );
    // Other hosts, other paths, more conditions: it takes some.
    check(&[route("one", a, &[&api]), route("two", b, &[&prefix("/")])], &[]);
    check(&[route("one", a, &[&api, &prefix("/api/v1")])], &[]);
    check(&[route("one", a, &[&expression("/api.*"), &prefix("/api")])], &[]);
    check(&[route("one", a, &[&api, &format!("{}, method: GET", prefix("/"))])], &[]);
    check(&[route("one", a, &[&api, "path: {type: Exact, value: /api/v1}"])], &[]);
}

#[test]
fn a_rule_that_takes_nothing_because_another_one_claims_the_same_is_told() {
    let never = |rule: u16, other: &str| {
        format!(
            "spec.rules[{rule}] Warning rule `{rule}` can never match: HTTPRoute default/{other} has the same host, path and \
             matches, and the older one goes first"
        )
    };
    let (a, b) = ("a.example.com", "b.example.com");
    let orders = prefix("/orders");
    check(&[route("one", a, &[&orders]), route("two", a, &[&orders])], &[&never(0, "one rule 0")]);
    check(&[route("one", a, &[&prefix("/"), &orders]), route("two", a, &[&orders])], &[&never(0, "one rule 1")]);
    check(&[route("one", a, &[&orders, &orders])], &[&never(1, "one rule 0")]);
    let api = "---\n{kind: ApiRoute, metadata: {name: api, namespace: default}, spec: {hostnames: [a.example.com], path: /orders, \
               authentication: {methods: [{apiKey: {header: X-Api-Key}}]}, versions: [{version: 1.0.0, backend: {response: {body: ''}}}]}}\n";
    let first = "spec.rules[0] Warning rule `0` can never match: ApiRoute default/api has the same host, path and matches, and \
                 routes that check callers go first";
    check(&[api.to_owned(), route("one", a, &[&orders])], &[first]);
    // One that takes some of its requests serves those.
    check(&[route("one", a, &[&orders]), route("two", &[a, b].join(", "), &[&orders])], &[]);
    check(&[route("one", a, &[&orders]), route("two", a, &[&format!("{orders}, method: GET")])], &[]);
    check(&[route("one", a, &[&orders]), route("two", b, &[&orders])], &[]);
    // Closed for something else.
    let mirror = "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: one, port: 80}}}], backendRefs:";
    let closed = route("two", a, &[&orders]).replace("backendRefs:", mirror);
    let (manifests, context) = manifests(&documents(&[GATEWAY, &route("one", a, &[&orders]), &closed].concat()));
    let faults = translate::translate(&manifests, &context).faults;
    assert!(faults.iter().all(|fault| fault.code() != "config.rule_never_matches"), "{faults:?}");
}
