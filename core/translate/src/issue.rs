//! Keys that the operator makes: whose a Secret is, when its text is replaced, and what a Secret
//! says of texts that were. What makes and writes texts is elsewhere.

mod earlier;

use cause::{FaultCause, FieldPath};
use crds::standard::Secret;
use crds::v1alpha1::{ApiKey, ApiKeySpec, Issue};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::parse;

pub use earlier::{Earlier, GOOD_AT_ONCE, KEPT, earlier, entries, with_replaced};

/// The entry of a Secret that holds the key's text.
pub const KEY: &str = "key";
/// The annotation of an ApiKey of which a new value rotates once.
pub const ROTATE: &str = "doorward.dev/rotate";

/// The annotation of a generated Secret that says when its text was made (RFC 3339).
pub const ISSUED_AT: &str = "doorward.dev/issued-at";

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 60 * 60 * SECOND;

/// When the text of a generated key is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The age at which it is replaced, in milliseconds; `None` is by annotation alone.
    pub every_ms: Option<u64>,
    /// How long the old text stays good, in milliseconds.
    pub overlap_ms: u64,
}

/// What `spec.rotation` says, with its defaults.
///
/// # Errors
/// The field and its fault: no span of time, a span below its least, or an overlap that is not
/// shorter than `every`.
pub fn rotation(spec: &ApiKeySpec) -> Result<Rotation, (FieldPath, FaultCause)> {
    let at = FieldPath::of("spec.rotation");
    let span = |text: Option<&String>, name: &str, least: u64| -> Result<Option<u64>, (FieldPath, FaultCause)> {
        let Some(text) = text else { return Ok(None) };
        let span = parse::lifetime(text).map_err(|cause| (at.field(name), cause))?;
        if span < least {
            let bound = format!("must last at least {}s", least / SECOND);
            return Err((at.field(name), FaultCause::OutOfBounds { bound: bound.into() }));
        }
        Ok(Some(span))
    };
    let written = spec.rotation.as_ref();
    if written.is_some() && spec.issue != Some(Issue::Generate) {
        let message = "`rotation` stands only beside `issue: Generate`".into();
        return Err((at, FaultCause::RuleViolated { message }));
    }
    let every_ms = span(written.and_then(|rotation| rotation.every.as_ref()), "every", 10 * SECOND)?;
    let overlap_ms = span(written.and_then(|rotation| rotation.overlap.as_ref()), "overlap", SECOND)?;
    if let (Some(every), Some(overlap)) = (every_ms, overlap_ms)
        && overlap >= every
    {
        return Err((at.field("overlap"), FaultCause::OutOfBounds { bound: "must be shorter than `every`".into() }));
    }
    let default = every_ms.map_or(DAY, |every| DAY.min(every / 2));
    Ok(Rotation { every_ms, overlap_ms: overlap_ms.unwrap_or(default) })
}

/// When the text of a generated key is due to be replaced by its age; `None` where it never is, where
/// the Secret is not the key's, and where nobody can tell its age.
#[must_use]
pub fn next_rotation(key: &ApiKey, secret: &Secret) -> Option<Timestamp> {
    let every_ms = rotation(&key.spec).ok()?.every_ms?;
    if ownership(&key.metadata, &secret.metadata) != Ownership::Ours {
        return None;
    }
    let issued: Timestamp = secret.metadata.annotations.as_ref()?.get(ISSUED_AT)?.parse().ok()?;
    issued.checked_add(SignedDuration::from_millis(i64::try_from(every_ms).ok()?)).ok()
}

/// Whose a Secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// It was made for this ApiKey.
    Ours,
    /// It was made for an ApiKey of this name that is gone, and goes too.
    Leaving,
    /// It was not made for this ApiKey.
    Foreign,
}

/// Whose a Secret is, by its owner references.
#[must_use]
pub fn ownership(key: &ObjectMeta, secret: &ObjectMeta) -> Ownership {
    let group = format!("{}/", crds::GROUP);
    let mut owners = secret.owner_references.iter().flatten();
    let owner = owners.find(|owner| {
        owner.controller == Some(true)
            && owner.kind == "ApiKey"
            && owner.api_version.starts_with(&group)
            && Some(&owner.name) == key.name.as_ref()
    });
    match owner {
        None => Ownership::Foreign,
        Some(_) if secret.deletion_timestamp.is_some() => Ownership::Leaving,
        Some(owner) if Some(&owner.uid) == key.uid.as_ref() => Ownership::Ours,
        Some(_) => Ownership::Leaving,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::v1alpha1 as written;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};

    #[test]
    fn rotations_have_bounds_and_defaults() {
        fn check(every: Option<&str>, overlap: Option<&str>, expected: Result<(Option<u64>, u64), &str>) {
            let rotation = written::Rotation { every: every.map(ToOwned::to_owned), overlap: overlap.map(ToOwned::to_owned) };
            let spec = ApiKeySpec {
                issue: Some(Issue::Generate),
                rotation: Some(rotation),
                ..serde_json::from_str(r#"{"secretRef": {"name": "s"}}"#).unwrap()
            };
            let read = super::rotation(&spec).map(|read| (read.every_ms, read.overlap_ms));
            assert_eq!(
                read.map_err(|(field, _)| field.to_string()),
                expected.map_err(ToOwned::to_owned),
                "{every:?} {overlap:?}"
            );
        }
        check(None, None, Ok((None, DAY)));
        check(None, Some("5m"), Ok((None, 300_000)));
        check(Some("90d"), Some("24h"), Ok((Some(90 * DAY), DAY)));
        check(Some("90d"), None, Ok((Some(90 * DAY), DAY)));
        check(Some("10s"), None, Ok((Some(10_000), 5_000)));
        check(Some("10s"), Some("9s"), Ok((Some(10_000), 9_000)));
        check(Some("9s"), None, Err("spec.rotation.every"));
        check(Some("10s"), Some("10s"), Err("spec.rotation.overlap"));
        check(Some("10s"), Some("999ms"), Err("spec.rotation.overlap"));
        check(Some("soon"), None, Err("spec.rotation.every"));
        let spec: ApiKeySpec = serde_json::from_str(r#"{"secretRef": {"name": "s"}, "rotation": {"every": "1d"}}"#).unwrap();
        assert_eq!(super::rotation(&spec).unwrap_err().0.to_string(), "spec.rotation");
    }

    #[test]
    fn the_next_rotation_follows_the_age_of_the_text() {
        fn check(spec: &str, uid: &str, issued: &str, expected: Option<&str>) {
            let key = ApiKey {
                metadata: ObjectMeta { name: Some("app".into()), uid: Some("uid-1".into()), ..ObjectMeta::default() },
                ..ApiKey::new("app", serde_json::from_str(spec).unwrap())
            };
            let owner = OwnerReference {
                api_version: "doorward.dev/v1alpha1".into(),
                kind: "ApiKey".into(),
                name: "app".into(),
                uid: uid.into(),
                controller: Some(true),
                block_owner_deletion: None,
            };
            let mut secret = Secret::default();
            secret.metadata.owner_references = Some(vec![owner]);
            secret.metadata.annotations = Some([(ISSUED_AT.to_owned(), issued.to_owned())].into());
            assert_eq!(next_rotation(&key, &secret), expected.map(|time| time.parse().unwrap()), "{spec} {uid} {issued}");
        }
        let daily = r#"{"secretRef": {"name": "s"}, "issue": "Generate", "rotation": {"every": "1d"}}"#;
        let manual = r#"{"secretRef": {"name": "s"}, "issue": "Generate", "rotation": {"overlap": "5m"}}"#;
        check(daily, "uid-1", "2026-06-01T12:00:00Z", Some("2026-06-02T12:00:00Z"));
        check(daily, "uid-0", "2026-06-01T12:00:00Z", None);
        check(daily, "uid-1", "soon", None);
        check(manual, "uid-1", "2026-06-01T12:00:00Z", None);
    }

    #[test]
    fn a_secret_is_of_the_key_that_controls_it() {
        fn check(change: impl Fn(&mut OwnerReference, &mut ObjectMeta), expected: Ownership) {
            let key = ObjectMeta { name: Some("app".into()), uid: Some("uid-1".into()), ..ObjectMeta::default() };
            let mut owner = OwnerReference {
                api_version: "doorward.dev/v1alpha1".into(),
                kind: "ApiKey".into(),
                name: "app".into(),
                uid: "uid-1".into(),
                controller: Some(true),
                block_owner_deletion: None,
            };
            let mut secret = ObjectMeta::default();
            change(&mut owner, &mut secret);
            secret.owner_references = Some(vec![owner]);
            assert_eq!(ownership(&key, &secret), expected);
        }
        check(|_, _| {}, Ownership::Ours);
        check(|owner, _| owner.uid = "uid-0".into(), Ownership::Leaving);
        check(|_, secret| secret.deletion_timestamp = Some(Time("2026-01-01T00:00:00Z".parse().unwrap())), Ownership::Leaving);
        check(|owner, _| owner.controller = None, Ownership::Foreign);
        check(|owner, _| owner.kind = "ApiRoute".into(), Ownership::Foreign);
        check(|owner, _| owner.api_version = "v1".into(), Ownership::Foreign);
        check(|owner, _| owner.name = "other".into(), Ownership::Foreign);
        assert_eq!(ownership(&ObjectMeta::default(), &ObjectMeta::default()), Ownership::Foreign);
    }
}
