//! Manifests of small kinds, and what is said about them.

use cause::FaultCause;
use serde_json::{Value, json};

use crate::catalog::{Catalog, KindSpec};
use crate::document::read;

fn route() -> Value {
    json!({
        "type": "object", "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
            "status": {"type": "object", "properties": {}},
            "spec": {
                "type": "object", "required": ["path", "mode"],
                "x-kubernetes-validations": [
                    {"rule": "!has(self.low) || !has(self.high) || self.low <= self.high", "message": "low must not exceed high", "fieldPath": ".low"},
                    {"rule": "self == oldSelf", "message": "must not change"}
                ],
                "properties": {
                    "path": {"type": "string", "pattern": "^/", "maxLength": 12},
                    "mode": {"type": "string", "enum": ["Required", "Optional", "Anonymous"], "default": "Required"},
                    "low": {"type": "integer", "minimum": 1},
                    "high": {"type": "integer", "maximum": 100},
                    "share": {"type": "number"},
                    "on": {"type": "boolean"},
                    "port": {"x-kubernetes-int-or-string": true},
                    "note": {"type": "string", "nullable": true},
                    "networks": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string", "format": "cidr"}},
                    "headers": {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string"}},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    "limits": {
                        "type": "array", "minItems": 1, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object", "required": ["name"],
                            "x-kubernetes-validations": [{"rule": "has(self.requests) || has(self.tokens)", "message": "a limit needs requests or tokens"}],
                            "properties": {
                                "name": {"type": "string"}, "requests": {"type": "integer"}, "tokens": {"type": "integer"},
                                "window": {"type": "string", "format": "duration"}
                            }
                        }
                    },
                    "backend": {
                        "type": "object",
                        "properties": {"url": {"type": "string"}, "models": {"type": "object"}},
                        "oneOf": [{"required": ["url"]}, {"required": ["models"]}]
                    }
                }
            }
        }
    })
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::new("doorward.dev", "v1alpha1");
    let versions = &["v1alpha1"];
    let spec =
        KindSpec { group: "doorward.dev", versions, kind: "Route", is_namespaced: true, is_native: false, schema: &route() };
    catalog.insert(&spec).unwrap();
    let secret = schemars::schema_for!(k8s_openapi::api::core::v1::Secret).to_value();
    let spec = KindSpec { group: "", versions: &["v1"], kind: "Secret", is_namespaced: true, is_native: true, schema: &secret };
    catalog.insert(&spec).unwrap();
    let service = schemars::schema_for!(k8s_openapi::api::core::v1::Service).to_value();
    let spec = KindSpec { kind: "Service", schema: &service, ..spec };
    catalog.insert(&spec).unwrap();
    catalog
}

/// Each finding as `line:column field: message | remedy`.
fn findings(text: &str) -> Vec<String> {
    let shown = read("f.yaml", text.as_bytes(), &catalog()).findings.into_iter().map(|finding| {
        let place = finding.place.unwrap();
        let (message, remedy) = (finding.fault.message(), finding.fault.remedy());
        format!("{}:{} {}: {message} | {remedy}", place.line, place.column, finding.fault.field)
    });
    shown.collect()
}

fn check(spec: &str, expected: &[&str]) {
    let text = format!("apiVersion: doorward.dev/v1alpha1\nkind: Route\nmetadata: {{name: orders}}\nspec:\n  path: /x\n{spec}");
    assert_eq!(findings(&text), expected, "{spec}");
}

#[test]
fn sound_specs_have_no_findings() {
    check("", &[]);
    check("  port: 80\n  on: true\n  share: 1\n  note:\n  free: {a: [1, {b: c}]}\n  headers: {a: \"1\"}\n", &[]);
    check("  limits:\n  - {name: a, requests: 5, window: 1m}\n  - {name: b, tokens: 5}\n  backend: {url: x}\n", &[]);
    check("  low: 2\n  high: 2\n  networks: [10.0.0.0/8]\n", &[]);
}

#[test]
fn fields_are_known_and_present() {
    check(
        "  limits:\n  - name: per-key\n    requests: 5\n    wndow: 1m\n",
        &["9:5 spec.limits[0]: `wndow` is not a field of a limit | Did you mean `window`?"],
    );
    check(
        "  zzz: 1\n",
        &[
            "6:3 spec: `zzz` is not a field of `spec` | Remove `zzz`, or write one of backend, free, headers, high, limits, low, mode, networks, note, on, port, share.",
        ],
    );
    check("  limits:\n  - requests: 5\n", &["7:5 spec.limits[0]: `name` is required | Add `name`."]);
    check(
        "  limits:\n  - nme: a\n    requests: 5\n",
        &["7:5 spec.limits[0]: `nme` is not a field of a limit | Did you mean `name`?"],
    );
    check("  backend: {}\n", &["6:3 spec.backend: one of `url`, `models` is required | Add one of them."]);
    check(
        "  backend:\n    url: x\n    models: {}\n",
        &["6:3 spec.backend: only one of `url`, `models` may be set | Keep one of them."],
    );
    check("extra: 1\n", &["6:1 : `extra` is not a field of a Route | Remove `extra`."]);
}

#[test]
fn values_have_a_type_and_bounds() {
    check("  low: \"5\"\n", &["6:8 spec.low: expected a number without quotes, found text | Write a number without quotes."]);
    check(
        "  note: 1.0\n",
        &["6:9 spec.note: expected text (\"1.0\" in quotes), found a number | Write text (\"1.0\" in quotes)."],
    );
    check(
        "  headers: {a: n}\n",
        &[
            "6:16 spec.headers.a: `n` without quotes means a boolean to some readers, Kubernetes among them, and text to others | Put it in quotes: \"n\".",
        ],
    );
    check(
        "  on: yes\n",
        &[
            "6:7 spec.on: `yes` without quotes means a boolean to some readers, Kubernetes among them, and text to others | Write true or false; for text, put it in quotes: \"yes\".",
        ],
    );
    check(
        "  note: No\n",
        &[
            "6:9 spec.note: `No` without quotes means a boolean to some readers, Kubernetes among them, and text to others | Put it in quotes: \"No\".",
        ],
    );
    check(
        "  free: {a: [off]}\n",
        &[
            "6:14 spec.free.a[0]: `off` without quotes means a boolean to some readers, Kubernetes among them, and text to others | Write true or false; for text, put it in quotes: \"off\".",
        ],
    );
    check(
        "  on: \"true\"\n",
        &["6:7 spec.on: expected true or false without quotes, found text | Write true or false without quotes."],
    );
    let large = "6:8 spec.low: expected a whole number, found a number that is too large | Write a whole number.";
    check("  low: 99999999999999999999\n", &[large]);
    check("  low: 1.5\n", &["6:8 spec.low: expected a whole number, found a number with a fraction | Write a whole number."]);
    check("  limits: {}\n", &["6:3 spec.limits: expected a list, found a map | Write a list."]);
    check("  limits: []\n", &["6:3 spec.limits: must have at least 1 item, and has none | Give it at least 1 item."]);
    check("  low: 0\n", &["6:8 spec.low: must be at least 1, and is 0 | Write a number that is at least 1."]);
    check(
        "  headers: {a: x, b: w, c: z}\n",
        &["6:3 spec.headers: must have at most 2 fields, and has 3 | Give it at most 2 fields."],
    );
    check("  on:\n", &["6:3 spec.on: expected true or false, found nothing | Write true or false."]);
    check("  mode: required\n", &["6:9 spec.mode: not one of Required, Optional, Anonymous | Did you mean `Required`?"]);
    check(
        "  mode: X\n",
        &["6:9 spec.mode: not one of Required, Optional, Anonymous | Write one of Required, Optional, Anonymous."],
    );
    check(
        "  networks: [10.1.0.0/8]\n",
        &["6:14 spec.networks[0]: not a network such as 10.0.0.0/8 | Did you mean `10.0.0.0/8`?"],
    );
    check(
        "  limits: [{name: a, requests: 1, window: 60}]\n",
        &["6:43 spec.limits[0].window: not a duration above zero such as 30s, 5m or 1h | Did you mean `60s`?"],
    );
}

#[test]
fn items_differ_and_rules_hold() {
    check(
        "  networks: [10.0.0.0/8, 10.0.0.0/8]\n",
        &["6:26 spec.networks[1]: two items have the key `10.0.0.0/8` | Give each item its own key."],
    );
    check(
        "  limits:\n  - {name: a, requests: 1}\n  - {name: a, requests: 2}\n",
        &["8:12 spec.limits[1]: two items have the key `a` | Give each item its own key."],
    );
    check("  low: 9\n  high: 3\n", &["6:8 spec.low: low must not exceed high | "]);
    check("  limits:\n  - name: a\n", &["7:5 spec.limits[0]: a limit needs requests or tokens | "]);
    // A mistyped field is not told a second time by the rule that misses it.
    check(
        "  limits:\n  - name: a\n    requets: 1\n",
        &["8:5 spec.limits[0]: `requets` is not a field of a limit | Did you mean `requests`?"],
    );
}

#[test]
fn all_findings_come_in_one_pass() {
    check(
        "  mode: X\n  low: 9\n  high: 3\n  limits:\n  - name: a\n    requets: 1\n  low: 9\n",
        &[
            "6:9 spec.mode: not one of Required, Optional, Anonymous | Write one of Required, Optional, Anonymous.",
            "7:8 spec.low: low must not exceed high | ",
            "11:5 spec.limits[0]: `requets` is not a field of a limit | Did you mean `requests`?",
            "12:3 spec.low: `low` stands twice in one map | Keep one of them.",
        ],
    );
}

#[test]
fn standard_kinds_are_held_to_their_types() {
    let check = |text: &str, expected: &[&str]| assert_eq!(findings(text), expected, "{text}");
    check(
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n  annotations:\nspec:\n  type: ExternalName\n  externalName: localhost\n  selector:\n  ports: [{port: 80, targetPort: http}, {port: 81, targetPort: 8080}]\nstatus: {loadBalancer: {}}\n",
        &["11:1 status: `status` is passed over | "],
    );
    check(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports: [{prot: 80, port: \"80\"}]\n  externlName: x\n",
        &[
            "5:12 spec.ports[0]: `prot` is not a field of a port | Did you mean `protocol`?",
            "5:28 spec.ports[0].port: expected a number without quotes, found text | Write a number without quotes.",
            "6:3 spec: `externlName` is not a field of `spec` | Did you mean `externalName`?",
        ],
    );
    check(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a: yes, b: 1234567, c: 'fine'}\ndata: {d: plain, e: cGxhaW4=}\n",
        &[
            "4:17 stringData.a: expected text in quotes, found an unquoted word for a boolean | Write text in quotes.",
            "4:25 stringData.b: expected text in quotes, found a number | Write text in quotes.",
            "5:11 data.d: expected base64 (or plain text below `stringData`), found other text | Write base64 (or plain text below `stringData`).",
        ],
    );
}

#[test]
fn a_schema_that_cannot_be_used_is_refused() {
    let check = |schema: Value, expected: &str| {
        let defect = super::compile(&schema).unwrap_err().to_string();
        assert!(defect.starts_with(expected), "{defect}");
    };
    check(json!({"properties": {"a": {"pattern": "("}}}), "schema /properties/a: ");
    check(json!({"items": {"x-kubernetes-validations": [{"rule": "self."}]}}), "schema /items: ");
    check(json!({"$ref": "#/nowhere"}), "schema : `#/nowhere` leads nowhere");
}

#[test]
fn recursive_schemas_end() {
    let schema = json!({"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}], "properties": {"b": {"$ref": "#/$defs/a"}}}}});
    let mut catalog = Catalog::new("doorward.dev", "v1alpha1");
    let versions = &["v1alpha1"];
    catalog
        .insert(&KindSpec {
            group: "doorward.dev",
            versions,
            kind: "Route",
            is_namespaced: true,
            is_native: false,
            schema: &schema,
        })
        .unwrap();
    let text = "apiVersion: doorward.dev/v1alpha1\nkind: Route\nmetadata: {name: a}\nb: {b: {b: yes}}";
    let file = read("f", text.as_bytes(), &catalog);
    let causes: Vec<&FaultCause> = file.findings.iter().map(|finding| &finding.fault.cause).collect();
    assert_eq!(causes, [&FaultCause::BooleanAmbiguous { text: "yes".into(), is_text: false }]);
}
