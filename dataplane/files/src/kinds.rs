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
    catalog
}

#[cfg(test)]
mod tests {
    use super::*;

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
