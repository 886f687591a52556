//! Screens, and what they must not show.

use serde_json::json;
use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::catalog::{Catalog, KindSpec};
use crate::document::{read, unreadable};

fn catalog() -> Catalog {
    let limit = json!({"type": "object", "properties": {"name": {"type": "string"}, "requests": {"type": "integer"}, "window": {"type": "string"}}});
    let spec = json!({"type": "object", "properties": {
        "path": {"type": "string", "maxLength": 40},
        "text": {"type": "integer"},
        "limits": {"type": "array", "items": limit}}});
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let mut catalog = Catalog::new("doorward.dev", "v1alpha1");
    let own = KindSpec {
        group: "doorward.dev",
        versions: &["v1alpha1"],
        kind: "ApiRoute",
        is_namespaced: true,
        is_native: false,
        schema: &schema,
    };
    catalog.insert(&own).unwrap();
    let map = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let secret = json!({"type": "object", "properties": {"stringData": map, "data": map}});
    catalog.insert(&KindSpec { group: "", versions: &["v1"], kind: "Secret", schema: &secret, ..own }).unwrap();
    catalog
}

const HEAD: &str = "apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {name: orders, namespace: shop}\nspec:\n";

fn report(text: &str) -> Report {
    Report::new(&[read("orders.yaml", text.as_bytes(), &catalog())], Vec::new())
}

#[test]
fn a_finding_is_a_screen() {
    let text = format!("{HEAD}  limits:\n    - name: per-key\n      requets: 100\n");
    let effect = "shop/orders would answer 503 config.route_broken until this is mended; nothing else is affected";
    let report = report(&text).with_effects(|_| Some(effect.to_owned()));
    let expected = "\
error[config.unknown_field]: `requets` is not a field of a limit
  --> orders.yaml:7:7   ApiRoute shop/orders   spec.limits[0]
   |
 6 |     - name: per-key
 7 |       requets: 100
   |       ^^^^^^^ Did you mean `requests`?
   |
   = effect: shop/orders would answer 503 config.route_broken until this is mended; nothing else
       is affected
";
    assert_eq!(report.to_text(Colour::Never), expected);
    assert_eq!(report.summary().to_text(), "1 error, 0 warnings in 1 object (1 file)");
    let coloured = report.to_text(Colour::Always);
    assert!(coloured.starts_with("\u{1b}[1;31merror[config.unknown_field]\u{1b}[0m"), "{coloured:?}");
}

#[test]
fn carets_stand_below_what_they_mean() {
    let check = |spec: &str, expected: &str| {
        let text = report(&format!("{HEAD}{spec}")).to_text(Colour::Never);
        assert!(text.contains(expected), "{text}");
    };
    check("  path: 日本語   \n  text: é\n", "\n 5 |   path: 日本語\n 6 |   text: é\n   |         ^ Write a whole number.\n");
    check(
        "  {path: \"日本\", text: \"é\"}\n",
        "\n 5 |   {path: \"日本\", text: \"é\"}\n   |                        ^^^ Write a whole number.\n",
    );
    check("  text: \"a\tb\u{202e}\"\n", "text: \"a    b\\u{202e}\"\n   |         ^^^^^^^^^^^^^^^^ Write");
    check("  text: |\n    one\n    two\n", "\n 6 |     one\n   |     ^^^ Write a whole number.\n");
    check("  path:\n", "\n 5 |   path:\n   |   ^^^^ Write text.\n");
}

#[test]
fn every_line_fits() {
    let long = "x".repeat(300);
    let spec = format!("  path: {long}\n  text: {{a: \"{long}\", b: 1}}\n  {long}: 1\n  limits: [{{name: {long}, wndow: 1m}}]\n");
    let report = report(&format!("{HEAD}{spec}"));
    assert_eq!(report.findings().len(), 4);
    let text = report.to_text(Colour::Never);
    for line in text.lines() {
        assert!(line.width() <= 100, "{}: {line}", line.width());
    }
    assert!(text.contains("wndow: 1m}]\n") && text.contains("^^^^^ Did you mean `window`?"), "{text}");
}

#[test]
fn no_form_repeats_a_secret() {
    let check = |text: &str| {
        let report = report(text);
        assert!(!report.findings().is_empty(), "{text}");
        let all =
            [report.to_text(Colour::Never), report.to_json().to_string(), report.to_sarif("https://d", "1").to_string()].concat();
        assert!(!all.contains("hunter2") && !all.contains("aHVudGVyMg"), "{all}");
    };
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {last: hunter2}}\n";
    check(&format!("{secret}stringData:\n  a: hunter2hunter2\n  b: 5\n"));
    check(&format!("{secret}stringData:\n  # hunter2\n  b: 5\n"));
    check(&format!("{secret}stringData:\n  b: 5 # hunter2\n"));
    check(&format!("{secret}stringData: {{a: hunter2, b: yes, c: 5}}\n"));
    check(&format!("{secret}stringData:\n  a: |\n    hunter2\n    hunter2\n  b: 5\n"));
    check(&format!("{secret}data: {{a: aHVudGVyMg, b: 5}}\nspec: hunter2\n"));
    check(&format!("{secret}data:\n  a: [hunter2\n  b: ]\n"));
    check(&format!("{secret}data: \"hunter2\n"));
    check(
        "{\"kind\": \"Secret\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"a\"}, \"data\": {\"a\": \"hunter2\", \"b\": 5}}",
    );
    check(&format!("apiVersion: v1\nkind: List\nitems:\n- {}", secret.replace('\n', "\n  ") + "stringData: {a: hunter2, b: 5}"));
    check(&format!("{HEAD}  text: dw_live_hunter2hunter2hunter2_x\n"));
    check(&format!("{HEAD}  text: https://user:hunter2@host/\n"));
    check(&format!("{HEAD}  text: \"Authorization: Bearer hunter2hunter2\"\n"));
    check(&format!("{HEAD}  clientSecret: hunter2hunter2\n"));
    check(&format!("{HEAD}  text: '{{\"kty\": \"RSA\", \"d\": \"hunter2hunter2hunter2\"}}'\n"));
    check(&format!("{HEAD}  path: |\n    -----BEGIN PRIVATE KEY-----\n    hunter2\n  zzz: 1\n"));
}

#[test]
fn long_lines_are_shown_in_part() {
    let object = r#"{"apiVersion": "doorward.dev/v1alpha1", "kind": "ApiRoute", "metadata": {"name": "a"}, "spec": {"txt": 1}}"#;
    let text = format!("{{\"kind\": \"List\", \"items\": [{}]}}", [object; 2000].join(", "));
    let report = report(&text);
    assert_eq!(report.findings().len(), 2000);
    let text = report.to_text(Colour::Never);
    assert_eq!(text.matches("^^^^^ Did you mean `text`?").count(), 2000);
    assert!(text.lines().all(|line| line.width() <= 100));
}

#[test]
fn scripts_get_objects() {
    let findings = Report::new(
        &[
            read("./a b.yaml", format!("{HEAD}  text: x\nstatus: {{}}\n").as_bytes(), &catalog()),
            unreadable("gone", "no such file"),
        ],
        Vec::new(),
    );
    let found = findings.to_json();
    assert_eq!(found["summary"], json!({"errors": 2, "warnings": 0, "notices": 1, "objects": 1, "files": 2}));
    let expected = json!({
        "severity": "Error", "code": "config.wrong_type", "file": "./a b.yaml", "line": 5, "column": 9, "field": "spec.text",
        "object": "ApiRoute shop/orders", "message": "expected a whole number, found text", "remedy": "Write a whole number.", "effect": null,
    });
    assert_eq!(found["faults"][0], expected);
    assert_eq!((&found["faults"][1]["severity"], &found["faults"][2]["line"]), (&json!("Notice"), &json!(null)));
    let sarif = findings.to_sarif("https://doorward.dev/causes", "0.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["message"]["text"], "expected a whole number, found text. Write a whole number.");
    assert_eq!(
        result["locations"][0],
        json!({
            "physicalLocation": {
                "artifactLocation": {"uri": "a%20b.yaml"},
                "region": {"startLine": 5, "startColumn": 9, "endLine": 5, "endColumn": 10},
            },
            "logicalLocations": [{"fullyQualifiedName": "ApiRoute shop/orders spec.text"}],
        })
    );
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][0]["helpUri"], "https://doorward.dev/causes/config.field_ignored");
    let text = findings.to_text(Colour::Never);
    assert!(text.contains("error[config.path]: `gone`: no such file\n  --> gone\n   = remedy: Name a readable file"), "{text}");
}
