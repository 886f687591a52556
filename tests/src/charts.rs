//! The charts as helm renders them, and what is generated for them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use operator::permissions::{API_SERVER, CLUSTER, Permission, RELEASE, WATCHED};
use serde_json::Value;

/// The namespace that examples and `charts/install.yaml` install into.
pub const NAMESPACE: &str = "doorward-system";

/// The folder of a chart, or a file of the charts.
///
/// # Errors
/// Outside a checkout.
pub fn place(path: &str) -> Result<PathBuf, String> {
    Ok(xtask::places::root().map_err(|failure| failure.to_string())?.join("charts").join(path))
}

/// Runs helm, which is built first if this is its first use, and returns what it printed.
///
/// # Errors
/// What it complains about, or why it cannot be built or started.
pub fn helm(arguments: &[&str]) -> Result<String, String> {
    let helm = e2e::programs::HELM.build().map_err(|failure| format!("helm cannot be built: {failure}"))?;
    let mut command = Command::new(helm);
    // What a cluster of the user's own has must not change what is rendered.
    command.args(arguments).env("KUBECONFIG", "/dev/null").stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("helm cannot be started: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A chart as `helm template` prints it, without what `helm test` would run.
///
/// # Errors
/// What helm complains about.
pub fn rendered(chart: &str, values: &[&str]) -> Result<String, String> {
    let folder = place(chart)?.display().to_string();
    helm(&[&["template", "doorward", &folder, "--namespace", NAMESPACE, "--skip-tests"], values].concat())
}

/// The objects of a text of several documents.
///
/// # Errors
/// One is no YAML.
pub fn objects(text: &str) -> Result<Vec<Value>, String> {
    let documents = text.split("\n---").map(|document| document.trim_start_matches("---"));
    let read = |document| serde_saphyr::from_str(document).map_err(|error| format!("{error}:\n{document}"));
    documents
        .map(read)
        .filter(|object: &Result<Value, String>| object.as_ref().map_or(true, |object| !object.is_null()))
        .collect()
}

/// `charts/doorward/generated/permissions.yaml`: the rules of the operator's roles.
#[must_use]
pub fn permissions() -> String {
    let mut text = String::from(
        "# What the operator may do: each verb on each resource that its code calls, and nothing else.\n\
         # Written by `cargo xtask gen` from operator/src/permissions.rs; templates/rbac.yaml makes roles of it.\n",
    );
    push_rules(&mut text, "cluster", "in the whole cluster: kinds that lie in no namespace", CLUSTER);
    push_rules(&mut text, "watched", "in each watched namespace, or in all", WATCHED);
    push_rules(&mut text, "apiServer", "in namespace `default`, where the API servers' Service lies", API_SERVER);
    push_rules(&mut text, "release", "in the release namespace", RELEASE);
    text
}

fn push_rules(text: &mut String, name: &str, place: &str, permissions: &[Permission]) {
    let list = |words: &[&str]| words.join(", ");
    // Writing into a String cannot fail.
    let _ = writeln!(text, "# {place}\n{name}:");
    for permission in permissions {
        let _ = writeln!(text, "  # {}", permission.reason);
        let _ = writeln!(text, "  - apiGroups: [\"{}\"]", permission.group);
        let _ = writeln!(text, "    resources: [{}]", list(permission.resources));
        let _ = writeln!(text, "    verbs: [{}]", list(permission.verbs));
    }
}

/// `charts/doorward/values.schema.json`, which is written by hand but for the line of `gatewayConfig`: the schema of a
/// GatewayConfig's `spec`, because helm does not ask the API server whether it knows a field.
///
/// # Errors
/// The file cannot be read.
pub fn values_schema() -> Result<String, String> {
    let path = place("doorward/values.schema.json")?;
    let committed = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let kind = crds::definition::kinds().into_iter().find(|kind| kind.kind == "GatewayConfig");
    let mut spec = kind.map_or(Value::Null, |mut kind| kind.schema["properties"]["spec"].take());
    close(&mut spec);
    let line = |line: &str| match line.split_once("\"gatewayConfig\": ") {
        Some((indent, _)) => format!("{indent}\"gatewayConfig\": {spec}\n"),
        None => format!("{line}\n"),
    };
    Ok(committed.lines().map(line).collect())
}

/// Makes an OpenAPI schema one of JSON that takes no unknown field.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, member| !(name.starts_with("x-kubernetes-") || name == "format" && member.is_string()));
            if members.contains_key("properties") {
                members.insert("additionalProperties".to_owned(), false.into());
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `charts/install.yaml`: everything for `kubectl apply`.
///
/// # Errors
/// What helm complains about.
pub fn install_manifest() -> Result<String, String> {
    let mut text = format!(
        "# Doorward {version} for clusters without Helm: kubectl apply --server-side -f charts/install.yaml\n\
         # Written by `cargo xtask gen` from the charts. Needs the CRDs of Gateway API, which are not ours to install:\n\
         # https://gateway-api.sigs.k8s.io/guides/getting-started/\n\
         apiVersion: v1\n\
         kind: Namespace\n\
         metadata:\n  \
           name: {NAMESPACE}\n  \
           labels:\n    \
             app.kubernetes.io/part-of: doorward\n    \
             pod-security.kubernetes.io/enforce: restricted\n",
        version = env!("CARGO_PKG_VERSION")
    );
    for chart in ["doorward-crds", "doorward"] {
        for line in rendered(chart, &[])?.lines().filter(|line| !line.starts_with("# Source:")) {
            text.push_str(&line.replace("app.kubernetes.io/managed-by: Helm", "app.kubernetes.io/managed-by: kubectl"));
            text.push('\n');
        }
    }
    Ok(text)
}
