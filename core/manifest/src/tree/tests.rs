//! Texts and the values, places or reasons that they read as.

use cause::FieldPath;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::place::Source;

fn values(text: &str) -> Vec<serde_json::Value> {
    read(text)
        .iter()
        .map(|document| document.content.as_ref().map_or_else(|problem| json!({"reason": &*problem.reason}), Node::to_json))
        .collect()
}

#[test]
fn values_are_those_of_kubectl() {
    let check = |text: &str, expected: serde_json::Value| assert_eq!(values(text), [expected], "{text}");
    check("a: true", json!({"a": true}));
    check("a: \"true\"", json!({"a": "true"}));
    check("a: 'yes'", json!({"a": "yes"}));
    check("a: y", json!({"a": true}));
    check("a: N", json!({"a": false}));
    check("a: Yes", json!({"a": true}));
    check("a: yEs", json!({"a": "yEs"}));
    check("a: 'n'", json!({"a": "n"}));
    check("a: OFF", json!({"a": false}));
    check("a:\nb: ~", json!({"a": null, "b": null}));
    check("a: 010", json!({"a": 8}));
    check("a: 0x1F", json!({"a": 31}));
    check("a: 1_000", json!({"a": 1000}));
    check("a: -7", json!({"a": -7}));
    check("a: 1.5", json!({"a": 1.5}));
    check("a: 1.0", json!({"a": 1}));
    check("a: 1e3", json!({"a": 1000}));
    check("a: 1.4.2", json!({"a": "1.4.2"}));
    check("a: 18446744073709551615", json!({"a": u64::MAX}));
    check("a: 2026-09-01T00:00:00Z", json!({"a": "2026-09-01T00:00:00Z"}));
    check("a: .inf", json!({"a": ".inf"}));
    check("a: !!str 1", json!({"a": "1"}));
    check("1: a\ntrue: b", json!({"1": "a", "true": "b"}));
    check("a: |\n  x\n  y\n", json!({"a": "x\ny\n"}));
    check("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}}));
    check("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3", json!({"a": {"b": 1, "c": 2}, "d": {"c": 3, "b": 1}}));
    check("\"<<\": 1", json!({"<<": 1}));
    check("{\"a\": [1, \"b\"],\n\t\"c\": null}", json!({"a": [1, "b"], "c": null}));
    check("a: 1\r\nb: 2\r\n", json!({"a": 1, "b": 2}));
    check("# only a comment\n---\n---\na: 1\n", json!({"a": 1}));
    check("%YAML 1.2\n---\na: 1\n", json!({"a": 1}));
}

#[test]
fn an_error_hides_only_the_rest_of_its_document() {
    let found = values("a: 1\n---\nb: [\n---\nc: 3\n...\nd: 4\n");
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!((&found[0], &found[2], &found[3]), (&json!({"a": 1}), &json!({"c": 3}), &json!({"d": 4})));
    assert!(found[1]["reason"].is_string(), "{found:?}");
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let check = |text: &str, reason: &str, line: usize, column: usize| {
        let documents = read(text);
        let problem = documents.iter().find_map(|document| document.content.as_ref().err()).expect(text);
        assert!(problem.reason.contains(reason), "{text}: {}", problem.reason);
        let place = Source::new("f", text.to_owned()).place(problem.span);
        assert_eq!((place.line, place.column), (line, column), "{text}");
    };
    check("a: 1\n\tb: 2", "a tab cannot indent", 2, 1);
    check("a: \"x", "", 1, 4);
    check("é: ü\nb: c: d", "mapping values are not allowed", 2, 5);
    check("a: &x [*x]", "an alias stands inside what it names", 1, 8);
    check("a: \u{7}", "U+0007", 1, 4);
    check("[1]: 2", "a key must be text", 1, 3);
    check("<<: 1", "`<<` takes a map", 1, 6);
    check(&"[".repeat(65), "more than 64 levels", 1, 65);
    check(&format!("{}a", "- ".repeat(65)), "more than 64 levels", 1, 129);
    let tenfold = |name: char, of: &str| format!("{name}: &{name} [{}]\n", [of; 10].join(","));
    let bomb: String = [('a', "1"), ('b', "*a"), ('c', "*b"), ('d', "*c"), ('e', "*d"), ('f', "*e")]
        .map(|(name, of)| tenfold(name, of))
        .concat();
    check(&bomb, "stand for more than 100000", 5, 29);
    assert!(values(&format!("{}{}", "[".repeat(64), "]".repeat(64))).iter().all(serde_json::Value::is_array));
}

#[test]
fn fields_are_found_where_they_stand() {
    let text = "kind: K\nspec:\n  limits:\n    - name: é\n      requests: 5\n    - {name: b}\n  empty:\nlast: \"q\"\n";
    let documents = read(text);
    let root = documents[0].content.as_ref().unwrap();
    let source = Source::new("f", text.to_owned());
    let check = |path: FieldPath, expected: &str, line: usize| {
        let span = root.locate(&path, root.root_anchor());
        assert_eq!((&text[span.start..span.end], source.place(span).line), (expected, line), "{path}");
    };
    let limits = FieldPath::of("spec.limits");
    check(FieldPath::root(), "K", 1);
    check(FieldPath::of("spec"), "spec", 2);
    check(limits.clone(), "limits", 3);
    check(limits.index(0), "name", 4);
    check(limits.index(0).field("name"), "é", 4);
    check(limits.index(0).field("requests"), "5", 5);
    check(limits.index(0).field("absent"), "name", 4);
    check(limits.index(1).field("name"), "b", 6);
    check(limits.index(9), "limits", 3);
    check(FieldPath::of("spec.empty"), "empty", 7);
    check(FieldPath::of("last"), "\"q\"", 8);
}

#[test]
fn block_scalars_span_their_whole_text() {
    let text = "a: |\n  one\n  two\nb: >-\n  three\n";
    let documents = read(text);
    let root = documents[0].content.as_ref().unwrap();
    let span = root.get("a").unwrap().span;
    assert!(text[span.start..span.end].contains("one\n  two"), "{:?}", &text[span.start..span.end]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_panics(text in "(?s)[-?:,\\[\\]{}#&*!|>'\"%@`a<~ \t\r\n\u{e9}\u{1f600}\\\\0.]{0,60}") {
        check_spans(&text);
    }

    #[test]
    fn no_mutation_panics(at in 0usize..400, with in "[-?:\\[\\]{}#&*!|>'\" \n\t\u{e9}]{0,3}", cut in 0usize..4) {
        let text = "# c\napiVersion: v1\nkind: List\nitems:\n- &a {k: \"v\", l: [1, 2]}\n- m: |\n    é text\n  n: >\n    folded\n  o: *a\n  <<: *a\n---\n? x\n: - y\n  - ! z\n...\n";
        let mut mutated: Vec<char> = text.chars().collect();
        let at = at.min(mutated.len());
        let end = (at + cut).min(mutated.len());
        mutated.splice(at..end, with.chars());
        check_spans(&mutated.into_iter().collect::<String>());
    }
}

fn check_spans(text: &str) {
    let source = Source::new("f", text.to_owned());
    for document in read(text) {
        let span = match &document.content {
            Ok(root) => {
                let _ = root.to_json();
                root.root_anchor()
            }
            Err(problem) => problem.span,
        };
        assert!(span.end <= text.len() && text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{text:?}");
        assert!(source.line_span(source.place(span).line).start <= span.start, "{text:?}");
    }
}
