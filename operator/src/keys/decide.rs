//! What is to be done about a key's Secret, and when.

use std::sync::Arc;

use cause::ObjectName;
use crds::standard::Secret;
use crds::v1alpha1::{ApiKey, Issue};
use jiff::{SignedDuration, Timestamp};
use translate::Manifests;
use translate::issue::{self, Ownership};
use translate::parse;

/// The annotation of a generated Secret that holds the value of the key's `doorward.dev/rotate` for
/// which its text was made.
pub const ROTATED_FOR: &str = "doorward.dev/rotated-for";

/// What is to be done about one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing before this time; `None` is nothing at all until an object changes.
    Nothing {
        /// When its text is due to be replaced.
        until: Option<Timestamp>,
    },
    /// Make the Secret.
    Create,
    /// Replace its text; the old one stays good for the overlap.
    Rotate {
        /// The end of the old text.
        until: Timestamp,
    },
    /// A Secret of this name was not made for the key, and is left alone.
    NotOwned,
}

/// What is to be done about a key whose Secret is this. A key whose `rotation` cannot be read, or
/// that is being deleted, is left as it is.
#[must_use]
pub fn decide(key: &ApiKey, secret: Option<&Secret>, now: Timestamp) -> Decision {
    let nothing = Decision::Nothing { until: None };
    if key.spec.issue != Some(Issue::Generate) || key.metadata.deletion_timestamp.is_some() {
        return nothing;
    }
    let Ok(rotation) = issue::rotation(&key.spec) else { return nothing };
    let Some(secret) = secret else { return Decision::Create };
    match issue::ownership(&key.metadata, &secret.metadata) {
        Ownership::Foreign => return Decision::NotOwned,
        // It is collected; its going is an event.
        Ownership::Leaving => return nothing,
        Ownership::Ours => {}
    }
    // An overlap that no calendar holds never ends.
    let until = || after(now, rotation.overlap_ms).unwrap_or(Timestamp::MAX);
    let wanted = key.metadata.annotations.as_ref().and_then(|annotations| annotations.get(issue::ROTATE));
    if wanted.is_some() && wanted.map(String::as_str) != annotation(secret, ROTATED_FOR) {
        return Decision::Rotate { until: until() };
    }
    if rotation.every_ms.is_none() {
        return nothing;
    }
    // A Secret without its time, which somebody took away, is as old as one can be.
    match issue::next_rotation(key, secret) {
        Some(due) if now < due => Decision::Nothing { until: Some(due) },
        Some(_) | None => Decision::Rotate { until: until() },
    }
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The key.
    pub key: Arc<ApiKey>,
    /// What: [`Decision::Create`] or [`Decision::Rotate`].
    pub decision: Decision,
}

/// What is to be done about all keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// What is to be done now.
    pub work: Vec<Work>,
    /// The next time at which a key is due, or changes its state without anybody's doing.
    pub next: Option<Timestamp>,
}

/// Looks at all keys.
#[must_use]
pub fn survey(manifests: &Manifests, now: Timestamp) -> Survey {
    let mut survey = Survey::default();
    for (name, written) in &manifests.api_keys {
        let Some(key) = written.value() else { continue };
        let of = ObjectName::new(Arc::clone(&name.namespace), key.spec.secret_ref.name.as_str());
        let secret = manifests.secrets.get(&of).and_then(|written| written.value());
        let decision = decide(key, secret.map(|secret| &**secret), now);
        let due = match decision {
            Decision::Create | Decision::Rotate { .. } => {
                survey.work.push(Work { key: Arc::clone(key), decision });
                None
            }
            Decision::Nothing { until } => until,
            Decision::NotOwned => None,
        };
        let time = |text: Option<&String>| text.and_then(|text| parse::timestamp(text).ok());
        let own = [due, time(key.spec.not_before.as_ref()), time(key.spec.expires_at.as_ref())].into_iter().flatten();
        let earlier = secret.into_iter().flat_map(|secret| issue::earlier(secret, &of).flatten());
        let ends = earlier.flat_map(|earlier| [Some(earlier.text.until), earlier.instead_of]).flatten();
        let ahead = own.chain(ends).filter(|time| *time > now);
        survey.next = survey.next.into_iter().chain(ahead).min();
    }
    survey
}

fn annotation<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
    secret.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

fn after(start: Timestamp, milliseconds: u64) -> Option<Timestamp> {
    start.checked_add(SignedDuration::from_millis(i64::try_from(milliseconds).ok()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cause::Fault;
    use k8s_openapi::ByteString;
    use serde_json::{Value, json};
    use translate::Written;

    const NOW: &str = "2026-06-01T12:00:00Z";

    fn key(spec: Value, annotations: Value) -> ApiKey {
        let mut object = json!({
            "apiVersion": "doorward.dev/v1alpha1",
            "kind": "ApiKey",
            "metadata": {"name": "app", "namespace": "shop", "uid": "uid-1", "annotations": annotations},
            "spec": {"secretRef": {"name": "app-key"}, "issue": "Generate"},
        });
        for (name, value) in spec.as_object().unwrap() {
            object["spec"][name] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    fn secret(annotations: Value, change: impl Fn(&mut Value)) -> Secret {
        let mut object = json!({
            "metadata": {
                "name": "app-key", "namespace": "shop", "annotations": annotations,
                "ownerReferences": [
                    {"apiVersion": "doorward.dev/v1alpha1", "kind": "ApiKey", "name": "app", "uid": "uid-1", "controller": true},
                ],
            },
        });
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn each_situation_has_its_decision() {
        #[track_caller]
        fn check(key: &ApiKey, secret: Option<Secret>, expected: Decision) {
            assert_eq!(decide(key, secret.as_ref(), time(NOW)), expected);
        }
        let nothing = Decision::Nothing { until: None };
        let rotate = |until: &str| Decision::Rotate { until: time(until) };
        let issued = |at: &str| Some(secret(json!({issue::ISSUED_AT: at}), |_| {}));
        let plain = || key(json!({}), json!({}));
        let daily = || key(json!({"rotation": {"every": "1d", "overlap": "2h"}}), json!({}));

        check(&plain(), None, Decision::Create);
        check(&plain(), issued("2020-01-01T00:00:00Z"), nothing);
        check(&key(json!({"issue": "Provided"}), json!({})), None, nothing);
        check(&key(json!({"rotation": {"every": "1s"}}), json!({})), None, nothing);

        check(&daily(), issued("2026-05-31T12:00:01Z"), Decision::Nothing { until: Some(time("2026-06-01T12:00:01Z")) });
        check(&daily(), issued("2026-05-31T12:00:00Z"), rotate("2026-06-01T14:00:00Z"));
        check(&daily(), issued("2020-01-01T00:00:00Z"), rotate("2026-06-01T14:00:00Z"));
        check(&daily(), Some(secret(json!({}), |_| {})), rotate("2026-06-01T14:00:00Z"));
        check(&daily(), issued("soon"), rotate("2026-06-01T14:00:00Z"));

        let asked = |value: &str| key(json!({}), json!({"doorward.dev/rotate": value}));
        let answered = |value: &str| Some(secret(json!({issue::ISSUED_AT: NOW, ROTATED_FOR: value}), |_| {}));
        check(&asked("1"), issued(NOW), rotate("2026-06-02T12:00:00Z"));
        check(&asked("1"), answered("1"), nothing);
        check(&asked("2"), answered("1"), rotate("2026-06-02T12:00:00Z"));
        check(&plain(), answered("1"), nothing);

        let owner = |field: &'static str, value: &'static str| {
            Some(secret(json!({}), move |object| object["metadata"]["ownerReferences"][0][field] = json!(value)))
        };
        check(&daily(), owner("kind", "Deployment"), Decision::NotOwned);
        check(&daily(), owner("name", "other"), Decision::NotOwned);
        check(&daily(), owner("uid", "uid-0"), nothing);
        let ending = |object: &mut Value| object["metadata"]["deletionTimestamp"] = json!(NOW);
        check(&daily(), Some(secret(json!({}), ending)), nothing);
        let mut leaving = serde_json::to_value(plain()).unwrap();
        ending(&mut leaving);
        check(&serde_json::from_value(leaving).unwrap(), None, nothing);
    }

    #[test]
    fn a_survey_finds_work_and_the_next_change() {
        fn manifests(keys: &[(&str, Value)], secrets: &[(&str, Value)]) -> Manifests {
            let mut manifests = Manifests::default();
            for (name, spec) in keys {
                let mut key = key(spec.clone(), json!({}));
                key.metadata.name = Some((*name).to_owned());
                manifests.api_keys.insert(ObjectName::new("shop", *name), Written::Good(Arc::new(key)));
            }
            for (name, data) in secrets {
                let secret = secret(json!({issue::ISSUED_AT: NOW}), |object| {
                    object["metadata"]["ownerReferences"][0]["name"] = json!(name);
                    object["data"] = data.clone();
                });
                manifests.secrets.insert(ObjectName::new("shop", *name), Written::Good(Arc::new(secret)));
            }
            manifests
        }
        fn check(manifests: &Manifests, work: &[&str], next: Option<&str>) {
            let survey = survey(manifests, time(NOW));
            let names: Vec<&str> = survey.work.iter().map(|work| work.key.metadata.name.as_deref().unwrap()).collect();
            assert_eq!((names, survey.next), (work.to_vec(), next.map(time)));
        }
        check(&Manifests::default(), &[], None);
        let of = |name: &str| json!({"secretRef": {"name": name}});
        check(&manifests(&[("a", of("a")), ("b", of("b"))], &[("a", json!({}))]), &["b"], None);
        let daily = json!({"secretRef": {"name": "a"}, "rotation": {"every": "1d"}});
        check(&manifests(&[("a", daily.clone())], &[("a", json!({}))]), &[], Some("2026-06-02T12:00:00Z"));
        let encoded = |text: &str| serde_json::to_value(ByteString(text.as_bytes().to_vec())).unwrap();
        let hash = encoded(&"0a".repeat(32));
        let overlap = |place: &str, end: &str| json!({format!("previous{place}-sha256"): hash, format!("previous{place}-until"): encoded(end)});
        let newest = overlap("", "2026-06-01T18:00:00Z");
        check(&manifests(&[("a", daily.clone())], &[("a", newest.clone())]), &[], Some("2026-06-01T18:00:00Z"));
        // The first end of several; and the end that a text would have had, until which it is told of.
        let mut several = overlap("-3", "2026-06-01T17:00:00Z");
        several.as_object_mut().unwrap().extend(newest.as_object().unwrap().clone());
        check(&manifests(&[("a", daily.clone())], &[("a", several)]), &[], Some("2026-06-01T17:00:00Z"));
        let mut early = overlap("-5", "2026-06-01T11:00:00Z");
        early["previous-5-instead-of"] = encoded("2026-06-01T16:00:00Z");
        check(&manifests(&[("a", daily)], &[("a", early)]), &[], Some("2026-06-01T16:00:00Z"));
        let dated = json!({"issue": "Provided", "notBefore": "2026-05-01T00:00:00Z", "expiresAt": "2026-07-01T00:00:00Z"});
        check(&manifests(&[("a", dated)], &[]), &[], Some("2026-07-01T00:00:00Z"));
        let mut broken = manifests(&[("a", of("a"))], &[]);
        let faults: Vec<Fault> = Vec::new();
        broken.api_keys.insert(ObjectName::new("shop", "a"), Written::Broken(faults, Arc::new(Value::Null)));
        check(&broken, &[], None);
    }
}
