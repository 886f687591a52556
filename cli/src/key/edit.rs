//! Setting `spec.suspended: true` in a manifest, and leaving every other byte as it is.

use cause::FieldPath;
use manifest::{Object, Span, Value};

/// One change of a text: `text` instead of the bytes of `span`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) span: Span,
    pub(super) text: String,
}

/// What suspends an ApiKey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Suspension {
    /// It is suspended already.
    Already,
    /// This change does.
    By(Edit),
    /// Its manifest is written in a way that must be changed by hand.
    ByHand,
}

/// How to suspend an ApiKey. What is returned has been tried: the changed text says the same of every object, and of this
/// one that it is suspended.
pub(super) fn suspend(object: &Object) -> Suspension {
    let root = object.root();
    let text = object.source().text();
    let Some(spec) = root.get("spec") else { return Suspension::ByHand };
    let edit = match spec.get("suspended") {
        Some(node) if node.value == Value::Bool(true) => return Suspension::Already,
        Some(node) if matches!(node.value, Value::Bool(_)) => Edit { span: node.span, text: "true".to_owned() },
        Some(_) => return Suspension::ByHand,
        None => {
            let Some(first) = spec.entries().first() else { return Suspension::ByHand };
            insertion(text, first.key_span.start)
        }
    };
    if is_right(object, &edit) { Suspension::By(edit) } else { Suspension::ByHand }
}

/// A new first member of the map whose first key begins at `at`.
fn insertion(text: &str, at: usize) -> Edit {
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let lead = before.get(line_start..).unwrap_or_default();
    let member = if text.get(at..).is_some_and(|rest| rest.starts_with('"')) { "\"suspended\": true" } else { "suspended: true" };
    let is_flow = before.trim_end().ends_with('{');
    let stands_alone = lead.chars().all(|character| character == ' ');
    let ending = if before.contains("\r\n") { "\r\n" } else { "\n" };
    let text = match (is_flow, stands_alone) {
        (true, true) => format!("{member},{ending}{lead}"),
        (true, false) => format!("{member}, "),
        // A block map in one line with a dash before it goes on in the column of its first key.
        (false, _) => format!("{member}{ending}{}", " ".repeat(lead.chars().count())),
    };
    Edit { span: Span::new(at, at), text }
}

/// The text with the change in it.
pub(super) fn changed(text: &str, edit: &Edit) -> Option<String> {
    Some([text.get(..edit.span.start)?, &edit.text, text.get(edit.span.end..)?].concat())
}

fn is_right(object: &Object, edit: &Edit) -> bool {
    let source = object.source();
    let Some(text) = changed(source.text(), edit) else { return false };
    let read = |text: &str| manifest::read(source.name(), text.as_bytes(), files::catalog());
    let (before, after) = (read(source.text()), read(&text));
    if before.objects.len() != after.objects.len() {
        return false;
    }
    let place = object.locate(&FieldPath::root());
    before.objects.iter().zip(&after.objects).all(|(before, after)| {
        let mut expected = (**before.value()).clone();
        if before.reference() == object.reference() && before.locate(&FieldPath::root()) == place {
            expected["spec"]["suspended"] = true.into();
        }
        expected == **after.value()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of a manifest and what it becomes; nothing where it must be changed by hand.
    fn check(text: &str, expected: Option<&str>) {
        let file = manifest::read("k.yaml", text.as_bytes(), files::catalog());
        let object = file.objects.iter().find(|object| &**object.kind() == "ApiKey").unwrap();
        let found = match suspend(object) {
            Suspension::By(edit) => changed(text, &edit),
            Suspension::Already => Some(text.to_owned()),
            Suspension::ByHand => None,
        };
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    const HEAD: &str = "apiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {name: a}\n";

    #[test]
    fn a_member_is_added_or_changed() {
        let both = |before: &str, after: &str| check(&format!("{HEAD}{before}"), Some(&format!("{HEAD}{after}")));
        both(
            "spec:\n  # who\n  consumer: a  # so\n  secretRef: {name: a}\n",
            "spec:\n  # who\n  suspended: true\n  consumer: a  # so\n  secretRef: {name: a}\n",
        );
        both("spec: {secretRef: {name: a}} # x\n", "spec: {suspended: true, secretRef: {name: a}} # x\n");
        both("spec: {\n  secretRef: {name: a}\n}\n", "spec: {\n  suspended: true,\n  secretRef: {name: a}\n}\n");
        both(
            "spec:\n    suspended: false # for now\n    secretRef: {name: a}\n",
            "spec:\n    suspended: true # for now\n    secretRef: {name: a}\n",
        );
        both("spec:\n  secretRef: {name: a}\n  suspended: true\n", "spec:\n  secretRef: {name: a}\n  suspended: true\n");
        both("spec:\r\n  secretRef: {name: a}\r\n", "spec:\r\n  suspended: true\r\n  secretRef: {name: a}\r\n");
        check(&format!("{HEAD}spec:\n  suspended: maybe\n  secretRef: {{name: a}}\n"), None);
        check(&format!("{HEAD}spec: {{}}\n"), None);
        check(HEAD, None);
    }

    #[test]
    fn json_stays_json() {
        check(
            r#"{"apiVersion":"doorward.dev/v1alpha1","kind":"ApiKey","metadata":{"name":"a"},"spec":{"secretRef":{"name":"a"}}}"#,
            Some(
                r#"{"apiVersion":"doorward.dev/v1alpha1","kind":"ApiKey","metadata":{"name":"a"},"spec":{"suspended": true, "secretRef":{"name":"a"}}}"#,
            ),
        );
    }

    #[test]
    fn other_documents_and_lists_are_left_alone() {
        let other = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {key: 0123456789abcdef}\n";
        let spec = "spec:\n  secretRef: {name: a}\n";
        let suspended = "spec:\n  suspended: true\n  secretRef: {name: a}\n";
        check(&[other, "---\n", HEAD, spec, other].concat(), Some(&[other, "---\n", HEAD, suspended, other].concat()));
        let item = "  apiVersion: doorward.dev/v1alpha1\n  kind: ApiKey\n  metadata: {name: a}\n";
        let list = |spec: &str| format!("apiVersion: v1\nkind: List\nitems:\n- spec:\n{spec}{item}");
        check(&list("    secretRef: {name: a}\n"), Some(&list("    suspended: true\n    secretRef: {name: a}\n")));
    }

    #[test]
    fn what_two_keys_share_is_changed_by_hand() {
        let shared = format!("{HEAD}spec: &s\n  secretRef: {{name: a}}\n");
        check(&shared, Some(&shared.replace("  secretRef", "  suspended: true\n  secretRef")));
        let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: doorward.dev/v1alpha1\n  kind: ApiKey\n  metadata: {name: a}\n  spec: &s\n    secretRef: {name: a}\n- apiVersion: doorward.dev/v1alpha1\n  kind: ApiKey\n  metadata: {name: b}\n  spec: *s\n";
        check(list, None);
    }
}
