//! The real kinds: their schemas compile, and manifests of them are judged as an API server would.

use std::sync::LazyLock;

use manifest::{Catalog, Colour, KindSpec, Report, read};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr as _;

static CATALOG: LazyLock<Catalog> = LazyLock::new(catalog);

fn catalog() -> Catalog {
    let mut catalog = Catalog::new(crds::GROUP, crds::VERSION);
    for kind in crds::definition::kinds() {
        let spec = KindSpec {
            group: kind.group,
            versions: &[kind.version],
            kind: kind.kind,
            is_namespaced: !matches!(kind.kind, "Namespace"),
            is_native: kind.group != crds::GROUP,
            schema: &kind.schema,
        };
        assert_eq!(catalog.insert(&spec), Ok(()), "{}", kind.kind);
    }
    catalog
}

/// The findings of a text as `line field message`.
fn check(text: &str, expected: &[&str]) {
    let report = Report::new(&[read("f.yaml", text.as_bytes(), &CATALOG)], Vec::new());
    let found: Vec<String> = report
        .findings()
        .iter()
        .map(|finding| {
            let line = finding.place.map_or(0, |place| place.line);
            format!("{line} {} {}", finding.fault.field, finding.fault.message())
        })
        .collect();
    assert_eq!(found, expected, "{}", report.to_text(Colour::Never));
}

#[test]
fn standard_kinds_are_read() {
    check(
        "apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop, labels: {}}
spec:
  type: ExternalName
  externalName: localhost
  ports: [{name: http, port: 8080, targetPort: 8080, protocol: TCP, nodePort: }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: orders-1, labels: {kubernetes.io/service-name: orders}}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]
ports: [{port: 9000}]
---
apiVersion: v1
kind: Secret
metadata: {name: k}
type: Opaque
stringData: {key: abc}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: \"1\"}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {tier: partner}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g}
spec:
  gatewayClassName: doorward
  listeners:
  - name: https
    port: 8443
    protocol: HTTPS
    hostname: '*.example.com'
    tls: {mode: Terminate, certificateRefs: [{name: cert}]}
    allowedRoutes: {namespaces: {from: All}}
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: r}
spec:
  from: [{group: doorward.dev, kind: ApiRoute, namespace: shop}]
  to: [{group: '', kind: Service}]
",
        &[],
    );
    check(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g}
spec:
  gatewayClassName: doorward
  listener: []
  listeners:
  - name: https
    port: 8443
    protocol: HTTPS
    tls: {mode: terminate}
",
        &["6 spec `listener` is not a field of `spec`", "11 spec.listeners[0].tls.mode not one of Terminate, Passthrough"],
    );
}

#[test]
fn our_kinds_are_judged() {
    check(
        "apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {name: orders, namespace: shop}
spec:
  path: /orders
  authentication: {mode: Anonymous}
  versions:
  - version: 2.1.0
    stage: Published
    backend: {services: [{name: orders-v2, port: 8080}]}
  limits: [{name: all, requests: 5, window: 1m}]
",
        &[],
    );
}

#[test]
fn tolerations_are_those_that_a_pod_may_have() {
    let check = |toleration: &str, expected: &[&str]| {
        let text = format!(
            "apiVersion: doorward.dev/v1alpha1\nkind: GatewayConfig\nmetadata: {{name: edge}}\nspec:\n  deployment:\n    \
             tolerations: [{toleration}]\n"
        );
        check(&text, expected);
    };
    check("{key: example.com/edge, value: a, effect: NoSchedule}, {operator: Exists}", &[]);
    check(
        "{key: edge, operator: Exists, value: a}",
        &["6 spec.deployment.tolerations[0] `value` stands only beside `operator: Equal`"],
    );
    check(
        "{value: a}",
        &["6 spec.deployment.tolerations[0] without a `key`, `operator` must be `Exists`: it tolerates every taint"],
    );
    check(
        "{key: edge, tolerationSeconds: 60}",
        &["6 spec.deployment.tolerations[0] `tolerationSeconds` stands only beside `effect: NoExecute`"],
    );
}

const BROKEN: &str = "apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {name: orders, namespace: shop}
spec:
  path: orders
  authentication:
    methods:
    - apiKey: {header: X-Api-Key, bearer: {}}
    - jwt: {providerRef: {nme: corp}}
  versions:
  - version: 2.1
    stage: published
    backend: {services: [{name: orders-v2, port: 80800}]}
  limits:
  - {name: all, requests: 0, window: 1m}
  - {name: all, requests: 5, window: 60, burst: five}
status: {}
---
apiVersion: doorward.dev/v1alpha1
kind: ApiKey
metadata: {name: mobile-app, namespace: shop}
spec:
  consumer: mobile-app
  suspended: no
";

#[test]
fn all_faults_come_in_one_run() {
    check(
        BROKEN,
        &[
            "5 spec.path not a path in its normal form such as /orders",
            "8 spec.authentication.methods[0].apiKey apiKey must have exactly one of `header`, `bearer` and `query`",
            "9 spec.authentication.methods[1].jwt.providerRef `nme` is not a field of `providerRef`",
            "11 spec.versions[0].version not a full version (major.minor.patch) such as 2.1.0",
            "12 spec.versions[0].stage not one of Draft, Published, Deprecated, Retired",
            "13 spec.versions[0].backend.services[0].port must be at most 65535, and is 80800",
            "15 spec.limits[0].requests must be at least 1, and is 0",
            "16 spec.limits[1] two items have the key `all`",
            "16 spec.limits[1].window not a duration above zero such as 30s, 5m or 1h",
            "16 spec.limits[1].burst expected a whole number, found text",
            "17 status `status` is passed over",
            "22 spec `secretRef` is required",
            "24 spec.suspended `no` without quotes means a boolean to some readers, Kubernetes among them, and text to others",
        ],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_change_of_a_manifest_panics(edits in proptest::collection::vec((0usize..900, "[-?:,\\[\\]{}#&*!|>'\" \n\t\u{e9}a1]{0,4}", 0usize..6), 1..4)) {
        let mut text: Vec<char> = BROKEN.chars().collect();
        for (at, with, cut) in edits {
            let at = at.min(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, with.chars());
        }
        let text: String = text.into_iter().collect();
        let report = Report::new(&[read("f.yaml", text.as_bytes(), &CATALOG)], Vec::new());
        for line in report.to_text(Colour::Never).lines() {
            prop_assert!(line.width() <= 100, "{line}");
        }
    }
}
