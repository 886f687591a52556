//! What `kubectl get` shows: whether an object works and, if not, why.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition as Column;

/// The columns of each kind, in the order of [`crate::definition::definitions`].
pub(crate) fn all() -> [Vec<Column>; 5] {
    [
        columns(
            &[
                ("Hosts", ".status.hosts"),
                ("Path", ".spec.path"),
                ("Versions", ".status.versions"),
                ("Auth", ".status.authentication"),
            ],
            &[],
        ),
        columns(
            &[("State", ".status.state"), ("Consumer", ".status.consumer"), ("Expires", ".status.expiresAt")],
            &[("Next-Rotation", ".status.nextRotationAt"), ("Public-Id", ".status.publicId")],
        ),
        columns(
            &[("Provider", ".spec.provider"), ("Model", ".spec.model")],
            &[("Dialect", ".status.dialect"), ("Endpoint", ".status.endpoint")],
        ),
        columns(&[("Issuer", ".spec.issuer")], &[("Keys", ".status.keys")]),
        columns(&[("Gateways", ".status.gateways")], &[]),
    ]
}

/// The columns of a kind, with those that every kind has around them. The second list is shown by
/// `-o wide` alone.
fn columns(own: &[(&str, &str)], wide: &[(&str, &str)]) -> Vec<Column> {
    let text = |(name, path): &(&str, &str), priority: Option<i32>| Column {
        name: (*name).to_owned(),
        type_: "string".to_owned(),
        json_path: (*path).to_owned(),
        priority,
        ..Column::default()
    };
    let age = Column { type_: "date".to_owned(), ..text(&("Age", ".metadata.creationTimestamp"), None) };
    let mut columns = vec![text(&("Ready", READY_STATUS), None), text(&("Reason", READY_REASON), None)];
    columns.extend(own.iter().map(|column| text(column, None)));
    columns.push(age);
    columns.extend(wide.iter().map(|column| text(column, Some(1))));
    columns.push(text(&("Message", READY_MESSAGE), Some(1)));
    columns
}

const READY_STATUS: &str = r#".status.conditions[?(@.type=="Ready")].status"#;
const READY_REASON: &str = r#".status.conditions[?(@.type=="Ready")].reason"#;
const READY_MESSAGE: &str = r#".status.conditions[?(@.type=="Ready")].message"#;
