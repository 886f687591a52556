//! What Gateways say of HTTPRoutes, in the words that Gateway API's conformance tests wait for.

use cause::ObjectName;
use translate::{ParentStanding, Verdict, translate};

use crate::load::{documents, manifests};

const AROUND: &str = "
kind: Context
cluster: true
---
kind: GatewayClass
metadata: {name: ours}
spec: {controllerName: doorward.dev/gateway-controller}
---
kind: GatewayClass
metadata: {name: theirs}
spec: {controllerName: example.com/other}
---
kind: Gateway
metadata: {name: web, namespace: infra}
spec:
  gatewayClassName: ours
  listeners:
    - {name: same, protocol: HTTP, port: 80, hostname: '*.same.example'}
    - {name: all, protocol: HTTP, port: 8080, hostname: all.example, allowedRoutes: {namespaces: {from: All}}}
    - {name: apis, protocol: HTTP, port: 8090, allowedRoutes: {kinds: [{group: doorward.dev, kind: ApiRoute}], namespaces: {from: All}}}
---
kind: Gateway
metadata: {name: foreign, namespace: infra}
spec: {gatewayClassName: theirs, listeners: [{name: http, protocol: HTTP, port: 80, allowedRoutes: {namespaces: {from: All}}}]}
---
kind: Service
metadata: {name: here, namespace: infra}
spec: {ports: [{port: 8080}]}
---
kind: Service
metadata: {name: far, namespace: other}
spec: {ports: [{port: 8080}]}
";

fn word(verdict: &Verdict) -> String {
    format!("{}{}", if verdict.holds { "" } else { "!" }, verdict.reason)
}

fn line(parent: &ParentStanding) -> String {
    let partly = parent.partially_invalid.as_ref().map(|partly| format!(" partly: {}", partly.reason)).unwrap_or_default();
    format!("{} {} {}{partly}", parent.gateway.name, word(&parent.accepted), word(&parent.resolved_refs))
}

/// `route` is `metadata` and `spec`, as flow YAML; expected is a line for each parent, and how many routes the
/// listeners have.
fn check(namespace: &str, spec: &str, expected: &[&str], attached: [i32; 3]) {
    let text = format!("{AROUND}---\nkind: HTTPRoute\nmetadata: {{name: route, namespace: {namespace}}}\nspec: {spec}\n");
    let (manifests, context) = manifests(&documents(&text));
    let standings = translate(&manifests, &context).standings;
    let parents = standings.http_routes.get(&ObjectName::new(namespace, "route")).map(Vec::as_slice).unwrap_or_default();
    assert_eq!(parents.iter().map(line).collect::<Vec<_>>(), expected, "{spec}");
    let listeners = &standings.gateways[&ObjectName::new("infra", "web")].listeners;
    let counts: Vec<i32> = listeners.iter().map(|listener| listener.attached_routes).collect();
    assert_eq!(counts, attached, "{spec}");
}

#[test]
fn gateways_say_what_they_take() {
    let web = "parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: web, namespace: infra}]";
    let to = "rules: [{backendRefs: [{group: '', kind: Service, name: here, namespace: infra, port: 8080, weight: 1}]}]";
    let good = "web Accepted ResolvedRefs";
    check("infra", &format!("{{{web}, {to}}}"), &[good], [1, 1, 0]);
    check("infra", &format!("{{{web}, hostnames: [a.same.example], {to}}}"), &[good], [1, 0, 0]);
    check(
        "infra",
        &format!("{{{web}, hostnames: [same.example], {to}}}"),
        &["web !NoMatchingListenerHostname ResolvedRefs"],
        [0; 3],
    );
    let section = |name: &str| web.replace("}]", &format!(", sectionName: {name}}}]"));
    check("infra", &format!("{{{}, {to}}}", section("all")), &[good], [0, 1, 0]);
    check("infra", &format!("{{{}, {to}}}", section("none")), &["web !NoMatchingParent ResolvedRefs"], [0; 3]);
    check("infra", &format!("{{{}, {to}}}", section("apis")), &["web !NotAllowedByListeners ResolvedRefs"], [0; 3]);
    check("infra", &format!("{{{}, {to}}}", web.replace("}]", ", port: 81}]")), &["web !NoMatchingParent ResolvedRefs"], [0; 3]);
    check(
        "infra",
        &format!("{{{}, {to}}}", section("all").replace("}]", ", port: 80}]")),
        &["web !NoMatchingParent ResolvedRefs"],
        [0; 3],
    );
    check(
        "other",
        &format!("{{{}, rules: [{{backendRefs: [{{name: far, port: 8080}}]}}]}}", section("same")),
        &["web !NotAllowedByListeners ResolvedRefs"],
        [0; 3],
    );
    check("other", &format!("{{{web}, rules: [{{backendRefs: [{{name: far, port: 8080}}]}}]}}"), &[good], [0, 1, 0]);
    let foreign = "parentRefs: [{name: foreign, namespace: infra}, {name: web, namespace: infra, sectionName: all}, {group: '', kind: Service, name: here}]";
    check("infra", &format!("{{{foreign}, {to}}}"), &[good], [0, 1, 0]);
    let twice = "parentRefs: [{name: web, sectionName: all}, {name: web, sectionName: none}]";
    check("infra", &format!("{{{twice}, {to}}}"), &[good, "web !NoMatchingParent ResolvedRefs"], [0, 1, 0]);
}

#[test]
fn references_say_why_they_lead_nowhere() {
    let rules = |rules: &str| format!("{{parentRefs: [{{name: web}}], rules: [{rules}]}}");
    let other = "{matches: [{path: {value: /a}}], backendRefs: [{name: here, port: 8080}]}";
    for (broken, reason) in [
        ("{backendRefs: [{name: absent, port: 8080}]}", "!BackendNotFound"),
        ("{backendRefs: [{name: here, port: 81}]}", "!BackendNotFound"),
        ("{backendRefs: [{name: far, namespace: other, port: 8080}]}", "!RefNotPermitted"),
        ("{backendRefs: [{group: example.com, kind: Bucket, name: here, port: 8080}]}", "!InvalidKind"),
        ("{}", "ResolvedRefs"),
        ("{backendRefs: [{name: here, port: 8080, weight: 0}]}", "ResolvedRefs"),
    ] {
        let expected = format!("web Accepted {reason}");
        check("infra", &rules(broken), &[&expected], [1, 1, 0]);
        check("infra", &rules(&format!("{broken}, {other}")), &[&expected], [1, 1, 0]);
    }
    let mirror = "{filters: [{type: RequestMirror, requestMirror: {backendRef: {name: here, port: 8080}}}], backendRefs: [{name: here, port: 8080}]}";
    check("infra", &rules(mirror), &["web !UnsupportedValue ResolvedRefs"], [1, 1, 0]);
    check("infra", &rules(&format!("{mirror}, {mirror}")), &["web !UnsupportedValue ResolvedRefs"], [1, 1, 0]);
    let partly = "web Accepted ResolvedRefs partly: UnsupportedValue";
    check("infra", &rules(&format!("{mirror}, {other}")), &[partly], [1, 1, 0]);
    // What is wrong beside the rules is wrong with all of them.
    let hosts = rules(&format!("{mirror}, {other}")).replacen("rules:", "hostnames: [a.same.example, '-.example'], rules:", 1);
    check("infra", &hosts, &["web !UnsupportedValue ResolvedRefs"], [1, 0, 0]);
}

#[test]
fn what_a_reader_found_is_told_of_the_rules_that_it_closes() {
    let check = |test: &str, rules: usize, expected: &str, served: usize| {
        let rule = "{matches: [{path: {value: /PLACE}}], backendRefs: [{name: here, port: 8080}]}";
        let rules: Vec<String> = (0..rules).map(|place| rule.replace("PLACE", &place.to_string())).collect();
        let spec = format!("{{parentRefs: [{{name: web}}], rules: [{}]}}", rules.join(", "));
        let metadata = format!("{{name: route, namespace: infra, annotations: {{test: {test}}}}}");
        let text = format!("{AROUND}---\nkind: HTTPRoute\nmetadata: {metadata}\nspec: {spec}\n");
        let (manifests, context) = manifests(&documents(&text));
        let translation = translate(&manifests, &context);
        let parents = &translation.standings.http_routes[&ObjectName::new("infra", "route")];
        assert_eq!(parents.iter().map(line).collect::<Vec<_>>(), [expected], "{test}");
        let serving = translation.snapshot.routes.values().filter(|route| route.serve.as_result().is_ok()).count();
        assert_eq!(serving, served, "{test}");
        let partly = parents[0].partially_invalid.as_ref().is_none_or(|partly| partly.message.starts_with("Dropped Rule 0, "));
        assert!(partly, "{parents:?}");
    };
    check("none", 2, "web Accepted ResolvedRefs", 2);
    check("LastGood", 2, "web !ServingLastGood ResolvedRefs", 2);
    check("Broken", 2, "web !UnsupportedValue ResolvedRefs", 0);
    check("BrokenRule", 1, "web !UnsupportedValue ResolvedRefs", 0);
    check("BrokenRule", 3, "web Accepted ResolvedRefs partly: UnsupportedValue", 2);
}

#[test]
fn of_an_ingress_there_is_something_to_say_where_it_is_not_served() {
    let check = |class: &str, service: &str, annotation: &str, expected: Option<(bool, &str)>| {
        let backend = format!("{{service: {{name: {service}, port: {{number: 8080}}}}}}");
        let text = format!(
            "{AROUND}---\nkind: IngressClass\nmetadata: {{name: ours}}\nspec: {{controller: doorward.dev/ingress-controller}}\n\
             ---\nkind: Ingress\nmetadata: {{name: web, namespace: infra, annotations: {{{annotation}}}}}\n\
             spec: {{ingressClassName: {class}, defaultBackend: {backend}}}\n"
        );
        let (manifests, context) = manifests(&documents(&text));
        let ingresses = translate(&manifests, &context).standings.ingresses;
        let said = ingresses.get(&ObjectName::new("infra", "web"));
        assert_eq!(said.map(|said| (said.holds, said.reason)), expected, "{class} {service} {annotation}: {said:?}");
        assert!(said.is_none_or(|said| !said.message.is_empty()));
    };
    check("ours", "here", "", None);
    check("ours", "absent", "", Some((false, "BackendNotFound")));
    check("theirs", "absent", "", None);
    check("ours", "here", "nginx.ingress.kubernetes.io/rewrite-target: /", Some((true, "Accepted")));
}
