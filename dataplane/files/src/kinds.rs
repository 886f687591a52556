//! The kinds that manifests may have.

use std::sync::LazyLock;

use manifest::{Catalog, KindSpec};

static CATALOG: LazyLock<Catalog> = LazyLock::new(build);

/// The kinds that are read, with their schemas; compiled at the first call.
#[must_use]
pub fn catalog() -> &'static Catalog {
    &CATALOG
}

#[expect(clippy::expect_used, reason = "the schemas are those of our own types, and a test compiles them")]
fn build() -> Catalog {
    let kinds = crds::definition::kinds();
    let mut catalog = Catalog::new(crds::GROUP, crds::VERSION);
    for kind in &kinds {
        // Several versions of a kind are read alike, by the schema of the last.
        let versions: Vec<&str> = kinds
            .iter()
            .filter(|other| (other.group, other.kind) == (kind.group, kind.kind))
            .map(|other| other.version)
            .collect();
        let spec = KindSpec {
            group: kind.group,
            versions: &versions,
            kind: kind.kind,
            is_namespaced: kind.is_namespaced(),
            is_native: matches!(kind.group, "" | "discovery.k8s.io" | "networking.k8s.io"),
            schema: &kind.schema,
        };
        catalog.insert(&spec).expect("a schema of our own compiles");
    }
    for (kind, why) in DECLINED {
        catalog.decline("gateway.networking.k8s.io", kind, why);
    }
    catalog
}

/// Kinds of Gateway API that serve traffic elsewhere.
const DECLINED: [(&str, &str); 7] = [
    (
        "GRPCRoute",
        "GRPCRoute is not supported; an ApiRoute or HTTPRoute serves gRPC to a Service port with `appProtocol: kubernetes.io/h2c`",
    ),
    ("TLSRoute", "TLSRoute is not supported; Doorward serves HTTP, and HTTPS listeners"),
    ("TCPRoute", "TCPRoute is not supported; Doorward serves HTTP"),
    ("UDPRoute", "UDPRoute is not supported; Doorward serves HTTP"),
    ("ListenerSet", "ListenerSet is not supported; write listeners into their Gateway"),
    ("BackendTLSPolicy", "BackendTLSPolicy is not supported; an ApiRoute calls over TLS by `backend.url` and `backend.tls`"),
    ("BackendLBPolicy", "BackendLBPolicy is not supported"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_others_serve_are_told_from_mistyped_ones() {
        let check = |api: &str, kind: &str, expected: &str| {
            let text = format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: a}}\n");
            let file = manifest::read("f.yaml", text.as_bytes(), catalog());
            let [finding] = file.findings.as_slice() else { panic!("{:?}", file.findings) };
            let fault = &finding.fault;
            assert_eq!(format!("{:?} {} {}", fault.severity, fault.message(), fault.remedy()).trim_end(), expected);
        };
        let grpc = "GRPCRoute is not supported; an ApiRoute or HTTPRoute serves gRPC to a Service port with `appProtocol: kubernetes.io/h2c`";
        check("gateway.networking.k8s.io/v1", "GRPCRoute", &format!("Warning {grpc}"));
        check("doorward.dev/v1alpha1", "GRPCRoute", &format!("Error {grpc}"));
        let misplaced = "Error `HTTPRoute of doorward.dev/v1alpha1` is not a kind of doorward.dev/v1alpha1 \
                         Did you mean `gateway.networking.k8s.io/v1`?";
        check("doorward.dev/v1alpha1", "HTTPRoute", misplaced);
        let mistyped = "Error `ApiRuote` is not a kind of doorward.dev/v1alpha1 Did you mean `ApiRoute`?";
        check("doorward.dev/v1alpha1", "ApiRuote", mistyped);
        check("example.com/v1", "Route", "Notice `Route of example.com/v1` is passed over: Doorward does not use it");
    }

    #[test]
    fn every_kind_is_read_at_every_version() {
        for kind in crds::definition::kinds() {
            let api = if kind.group.is_empty() { kind.version.to_owned() } else { format!("{}/{}", kind.group, kind.version) };
            let text = format!("apiVersion: {api}\nkind: {}\nmetadata: {{name: a}}\n", kind.kind);
            let file = manifest::read("f.yaml", text.as_bytes(), catalog());
            let found: Vec<String> = file.objects.iter().map(|object| object.reference().to_string()).collect();
            let expected = if kind.is_namespaced() { format!("{} default/a", kind.kind) } else { format!("{} a", kind.kind) };
            assert_eq!(found, [expected], "{text}");
        }
    }
}
