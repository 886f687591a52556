//! Files, and the objects and findings that they hold.

use cause::FieldPath;
use serde_json::json;

use super::*;
use crate::catalog::KindSpec;

fn catalog() -> Catalog {
    let schema =
        json!({"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}});
    let mut catalog = Catalog::new("doorward.dev", "v1alpha1");
    let own = KindSpec {
        group: "doorward.dev",
        versions: &["v1alpha1"],
        kind: "ApiRoute",
        is_namespaced: true,
        is_native: false,
        schema: &schema,
    };
    let secret =
        json!({"type": "object", "properties": {"stringData": {"type": "object", "additionalProperties": {"type": "string"}}}});
    let core = KindSpec { group: "", versions: &["v1"], is_native: true, ..own };
    catalog.insert(&own).unwrap();
    catalog.insert(&KindSpec { kind: "Secret", schema: &secret, ..core }).unwrap();
    catalog.insert(&KindSpec { kind: "Namespace", is_namespaced: false, ..core }).unwrap();
    catalog
}

const HEAD: &str = "apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\n";

/// The objects of a text as they are called, and its findings as `line:column code object: message`.
fn check(text: &str, objects: &[&str], findings: &[&str]) {
    let file = read("f.yaml", text.as_bytes(), &catalog());
    let found: Vec<String> = file.objects.iter().map(|object| object.reference().to_string()).collect();
    assert_eq!(found, objects, "{text}");
    let found: Vec<String> = file
        .findings
        .iter()
        .map(|finding| {
            let place = finding.place.unwrap();
            let object = finding.fault.object.as_ref().map(|object| format!(" {object}")).unwrap_or_default();
            format!("{}:{} {}{object}: {}", place.line, place.column, finding.fault.code(), finding.fault.message())
        })
        .collect();
    assert_eq!(found, findings, "{text}");
}

#[test]
fn files_hold_objects() {
    check(&format!("{HEAD}metadata: {{name: a}}"), &["ApiRoute default/a"], &[]);
    check(&format!("\u{feff}{HEAD}metadata: {{name: a, namespace: shop}}\r\n---\r\n"), &["ApiRoute shop/a"], &[]);
    check(
        "{\"apiVersion\": \"v1\", \"kind\": \"Namespace\", \"metadata\": {\"name\": \"shop\", \"labels\": {\"t\": \"p\"}}}",
        &["Namespace shop"],
        &[],
    );
    let items = "- apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: b}\n";
    check(&format!("apiVersion: v1\nkind: List\nitems:\n{items}"), &["Namespace a", "Namespace b"], &[]);
    check("", &[], &[]);
    check("---\n# nothing\n---\n", &[], &[]);
}

#[test]
fn kinds_are_known() {
    let at = |api: &str, kind: &str| format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: a}}");
    check(
        &at("apps/v1", "Deployment"),
        &[],
        &["2:7 config.kind_foreign Deployment default/a: `Deployment of apps/v1` is passed over: Doorward does not use it"],
    );
    check(
        &at("doorward.dev/v1alpha1", "ApiRout"),
        &[],
        &["2:7 config.kind_unknown ApiRout default/a: `ApiRout` is not a kind of doorward.dev/v1alpha1"],
    );
    let wrong = |api: &str| {
        format!("1:13 config.kind_unknown ApiRoute default/a: `ApiRoute of {api}` is not a kind of doorward.dev/v1alpha1")
    };
    for api in ["doorward.dev/v1", "dorward.dev/v1alpha1", "v1alpha1"] {
        check(&at(api, "ApiRoute"), &[], &[&wrong(api)]);
    }
    check("metadata: {name: a}", &[], &["1:1 config.kind_missing: the document has no `apiVersion` and `kind`"]);
    check("kind: ApiRoute", &[], &["1:7 config.kind_missing: the document has no `apiVersion` and `kind`"]);
    check("just text", &[], &["1:1 config.kind_missing: the document has no `apiVersion` and `kind`"]);
}

#[test]
fn metadata_is_checked() {
    let with = |metadata: &str| format!("{HEAD}metadata: {metadata}");
    check(
        &with("{}"),
        &["ApiRoute default/(unnamed)"],
        &["3:1 config.missing_field ApiRoute default/(unnamed): `metadata.name` is required"],
    );
    check(
        HEAD,
        &["ApiRoute default/(unnamed)"],
        &["2:7 config.missing_field ApiRoute default/(unnamed): `metadata.name` is required"],
    );
    check(
        &with("{name: My_Route}"),
        &["ApiRoute default/My_Route"],
        &[
            "3:18 config.malformed ApiRoute default/My_Route: not a name of lower-case letters, digits, `-` and `.` such as orders-v1",
        ],
    );
    check(
        &with("{name: a, namespace: a.b}"),
        &["ApiRoute a.b/a"],
        &["3:32 config.malformed ApiRoute a.b/a: not a name of lower-case letters, digits and `-` such as shop"],
    );
    check(
        &with("{name: a, label: {}}"),
        &["ApiRoute default/a"],
        &["3:21 config.unknown_field ApiRoute default/a: `label` is not a field of `metadata`"],
    );
    check(
        &with("{name: a, labels: {x: 1, y: on}}"),
        &["ApiRoute default/a"],
        &[
            "3:33 config.wrong_type ApiRoute default/a: expected text in quotes, found a number",
            "3:36 config.ambiguous_boolean ApiRoute default/a: `y` without quotes means a boolean to some readers, Kubernetes among them, and text to others",
            "3:39 config.ambiguous_boolean ApiRoute default/a: `on` without quotes means a boolean to some readers, Kubernetes among them, and text to others",
        ],
    );
    check(&with("{name: a, uid: x, creationTimestamp: null, annotations: }"), &["ApiRoute default/a"], &[]);
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}",
        &["Namespace a"],
        &["3:32 config.rule_violated Namespace a: a Namespace has no namespace"],
    );
}

#[test]
fn objects_keep_value_places_and_faults() {
    let text = format!("{HEAD}metadata: {{name: a}}\nspec:\n  x: 1\n  x: 2\nstatus: {{}}\n");
    let file = read("f.yaml", text.as_bytes(), &catalog());
    let object = &file.objects[0];
    assert_eq!(
        **object.value(),
        json!({"apiVersion": "doorward.dev/v1alpha1", "kind": "ApiRoute", "metadata": {"name": "a"}, "spec": {"x": 1}})
    );
    assert_eq!(object.broken().iter().map(Fault::code).collect::<Vec<_>>(), ["config.duplicate_field"]);
    assert_eq!((object.group(), object.is_named(), file.is_complete, file.manifests), ("doorward.dev", true, true, 1));
    let place = object.locate(&FieldPath::of("spec.x.deeper"));
    assert_eq!((place.line, place.column), (5, 6));
}

#[test]
fn a_part_of_an_expression_is_pointed_at_where_it_is_plain_to_see() {
    let check = |written: &str, expression: &str, part: &str, expected: &str| {
        let text = format!("{HEAD}metadata: {{name: a}}\nspec:\n  when: {written}\n  x: 1\n");
        let file = read("f.yaml", text.as_bytes(), &catalog());
        let object = &file.objects[0];
        assert_eq!(object.value().pointer("/spec/when"), Some(&json!(expression)), "{written}");
        let start = expression.find(part).unwrap();
        let cause = FaultCause::ExpressionInvalid { reason: "".into(), start, end: start + part.len() };
        let place = object.finding(Fault::error(object.reference().clone(), FieldPath::of("spec.when"), cause)).place.unwrap();
        assert_eq!(text[place.span.start..place.span.end].trim_end(), expected, "{written}");
    };
    check("a == b.c", "a == b.c", "b.c", "b.c");
    check(r#"'a == "b"'"#, r#"a == "b""#, r#""b""#, r#""b""#);
    check(r#""a == 'b'""#, "a == 'b'", "'b'", "'b'");
    check("'é == b'", "é == b", "b", "b");
    check("'é == b'", "é == b", "é", "é");
    // Escapes and several lines: the whole text.
    check("'a == ''b'''", "a == 'b'", "'b'", "'a == ''b'''");
    check(r#""a == \"b\"""#, r#"a == "b""#, r#""b""#, r#""a == \"b\"""#);
    check("a ==\n    b", "a == b", "b", "a ==\n    b");
    check("|-\n    a ==\n    b", "a ==\nb", "b", "a ==\n    b");
    check("|-\n    \"a\" == \"b\"", r#""a" == "b""#, "==", r#""a" == "b""#);
}

#[test]
fn unreadable_text_is_told_and_marks_the_file() {
    let file = read("f.yaml", format!("{HEAD}metadata: {{name: a}}\n---\na: [\n").as_bytes(), &catalog());
    assert_eq!((file.objects.len(), file.is_complete, file.findings.len()), (1, false, 1));
    let file = read("f.yaml", b"a: \xff\n", &catalog());
    assert_eq!(file.findings[0].fault.message(), "not YAML that can be read: the file is not UTF-8");
    assert_eq!(file.findings[0].place.map(|place| (place.line, place.column)), Some((1, 4)));
    let file = unreadable("gone.yaml", "no such file");
    assert_eq!((file.findings[0].fault.message().as_str(), file.is_complete), ("`gone.yaml`: no such file", false));
}

#[test]
fn values_of_secrets_are_hidden() {
    let check = |text: &str, hidden: &[&str]| {
        let file = read("f.yaml", text.as_bytes(), &catalog());
        let found: Vec<&str> = file.source.hidden().iter().map(|span| file.source.text()[span.start..span.end].trim()).collect();
        assert_eq!(found, hidden, "{text}");
    };
    check(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a, annotations: {x: y}}\nstringData: {k: s3cret, n: 12}",
        &["y", "s3cret", "12"],
    );
    check("kind: List\nitems:\n- {kind: Secret, data: {k: dg==}}", &["dg=="]);
    check("kind: ConfigMap\ndata: {k: v}", &[]);
    check("kind: Secret\ndata: {k: [", &["kind: Secret\ndata: {k: ["]);
    check("kind: ApiRoute\nspec: {secretRef: [", &[]);
}

#[test]
fn a_catalog_is_shared_between_threads() {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Catalog>();
    is_shared::<File>();
}
