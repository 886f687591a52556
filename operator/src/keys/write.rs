//! Making and replacing the text of a key.

use std::collections::BTreeMap;

use cause::ObjectName;
use crds::standard::Secret;
use crds::v1alpha1::ApiKey;
use ir::EarlierText;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::PostParams;
use kube::{Api, Client};
use policy::key_text::{self, ENTROPY, Environment, KeyForm, KeyText};
use thiserror::Error;
use translate::issue::{self, Earlier};
use zeroize::{Zeroize as _, Zeroizing};

use super::decide::{Decision, ROTATED_FOR, Work, decide};

/// Who writes generated Secrets, to the API server.
const MANAGER: &str = "doorward-keys";
/// What made keys are for, as `doorward key new` has it.
const ENVIRONMENT: &str = "live";
/// Who looks after generated Secrets, to people and tools.
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "doorward");

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The Secret was made.
    Created,
    /// Its text was replaced.
    Rotated {
        /// The end of the old text.
        until: Timestamp,
        /// How many texts before it ended early for it.
        ended_early: usize,
    },
    /// Nothing: the Secret is not what it was when that was decided. A watch brings what it is now.
    Overtaken,
}

/// Why nothing could be done.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The API server did not take it.
    #[error("writing Secret {namespace}/{name}")]
    Api {
        /// The namespace.
        namespace: String,
        /// The Secret.
        name: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// The system has no randomness.
    #[error("no randomness for a key")]
    Entropy(#[source] getrandom::Error),
    /// An ApiKey without a name, namespace or uid, which no API server has.
    #[error("an ApiKey without a name, namespace or uid")]
    Nameless,
}

/// Does what was decided. A Secret that somebody else wrote meanwhile is left alone.
///
/// # Errors
/// The API server did not take it, or there is no randomness; a later try is safe.
pub async fn carry_out(client: &Client, work: &Work, now: Timestamp) -> Result<Outcome, KeyError> {
    let (key, name) = (&*work.key, &work.key.spec.secret_ref.name);
    let namespace = key.metadata.namespace.as_deref().ok_or(KeyError::Nameless)?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let failed = |source| KeyError::Api { namespace: namespace.to_owned(), name: name.clone(), source: Box::new(source) };
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    let written = match work.decision {
        Decision::Nothing { .. } | Decision::NotOwned => return Ok(Outcome::Overtaken),
        Decision::Create => {
            let made = created(key, &mut entropy()?, now).ok_or(KeyError::Nameless)?;
            secrets.create(&params, &made).await.map(|_| Outcome::Created)
        }
        Decision::Rotate { .. } => {
            // Decided again on what is there now; the version in it refuses what comes between.
            let Some(current) = secrets.get_opt(name).await.map_err(failed)? else { return Ok(Outcome::Overtaken) };
            let Decision::Rotate { until } = decide(key, Some(&current), now) else { return Ok(Outcome::Overtaken) };
            let (next, ended_early) = rotated(key, current, &mut entropy()?, (now, until));
            secrets.replace(name, &params, &next).await.map(|_| Outcome::Rotated { until, ended_early })
        }
    };
    match written {
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => Ok(Outcome::Overtaken),
        written => written.map_err(failed),
    }
}

fn entropy() -> Result<[u8; ENTROPY], KeyError> {
    let mut bytes = [0; ENTROPY];
    getrandom::fill(&mut bytes).map_err(KeyError::Entropy)?;
    Ok(bytes)
}

/// The Secret of a key that has none; `None` for a key that no API server has.
fn created(key: &ApiKey, entropy: &mut [u8; ENTROPY], now: Timestamp) -> Option<Secret> {
    let text = text(entropy)?;
    let owner = OwnerReference {
        api_version: format!("{}/{}", crds::GROUP, crds::VERSION),
        kind: "ApiKey".to_owned(),
        name: key.metadata.name.clone()?,
        uid: key.metadata.uid.clone()?,
        controller: Some(true),
        block_owner_deletion: None,
    };
    let mut annotations = BTreeMap::new();
    mark(&mut annotations, key, now);
    Some(Secret {
        metadata: ObjectMeta {
            name: Some(key.spec.secret_ref.name.clone()),
            namespace: key.metadata.namespace.clone(),
            labels: Some(BTreeMap::from([(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned())])),
            annotations: Some(annotations),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        type_: Some("Opaque".to_owned()),
        data: Some(BTreeMap::from([(issue::KEY.to_owned(), ByteString(text.expose().as_bytes().to_vec()))])),
        ..Secret::default()
    })
}

/// The Secret with a new text, and the hashes and ends of the ones before it; and how many of these ended early. What
/// else it holds stays.
fn rotated(
    key: &ApiKey,
    mut secret: Secret,
    entropy: &mut [u8; ENTROPY],
    (now, until): (Timestamp, Timestamp),
) -> (Secret, usize) {
    let name = ObjectName::new(secret.metadata.namespace.as_deref().unwrap_or_default(), &*key.spec.secret_ref.name);
    // One that cannot be read says nothing of any text.
    let mut earlier: Vec<Earlier> = issue::earlier(&secret, &name).flatten().collect();
    let data = secret.data.get_or_insert_default();
    data.remove("sha256");
    let old = data.remove(issue::KEY).and_then(|bytes| String::from_utf8(bytes.0).ok()).map(Zeroizing::new);
    if let Some(old) = old {
        let old = old.trim_end_matches(['\r', '\n']);
        let public_id = match key_text::classify(old) {
            KeyForm::Ours { .. } => old.rsplit_once('_').map(|(public, _)| public.into()),
            KeyForm::Foreign | KeyForm::Mistyped | KeyForm::Malformed => None,
        };
        earlier = issue::with_replaced(earlier, EarlierText { hash: key_text::digest(old), public_id, until }, now);
    }
    let (present, absent) = issue::entries(&earlier);
    for name in absent {
        data.remove(&name);
    }
    let new = text(entropy).map(|text| (issue::KEY.to_owned(), text.expose().to_owned()));
    data.extend(present.into_iter().chain(new).map(|(name, value)| (name, ByteString(value.into_bytes()))));
    mark(secret.metadata.annotations.get_or_insert_default(), key, now);
    let ended_early = earlier.iter().filter(|earlier| earlier.text.until == now && earlier.ended_early(now)).count();
    (secret, ended_early)
}

fn text(entropy: &mut [u8; ENTROPY]) -> Option<KeyText> {
    let text = Environment::parse(ENVIRONMENT).map(|environment| KeyText::generate(&environment, entropy));
    entropy.zeroize();
    text
}

/// Writes down what the text was made for.
fn mark(annotations: &mut BTreeMap<String, String>, key: &ApiKey, now: Timestamp) {
    annotations.insert(issue::ISSUED_AT.to_owned(), now.to_string());
    match key.metadata.annotations.as_ref().and_then(|annotations| annotations.get(issue::ROTATE)) {
        Some(wanted) => annotations.insert(ROTATED_FOR.to_owned(), wanted.clone()),
        None => annotations.remove(ROTATED_FOR),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::v1alpha1::ApiKeyStatus;
    use std::sync::Arc;
    use translate::{Cluster, Context, Manifests, Written, translate};

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn key(rotate: Option<&str>) -> ApiKey {
        let mut key: ApiKey = serde_json::from_value(serde_json::json!({
            "apiVersion": "doorward.dev/v1alpha1",
            "kind": "ApiKey",
            "metadata": {"name": "app", "namespace": "shop", "uid": "uid-1"},
            "spec": {"secretRef": {"name": "app-key"}, "issue": "Generate", "rotation": {"every": "10s", "overlap": "4s"}},
        }))
        .unwrap();
        key.metadata.annotations = rotate.map(|value| BTreeMap::from([(issue::ROTATE.to_owned(), value.to_owned())]));
        key
    }

    fn value<'a>(secret: &'a Secret, name: &str) -> Option<&'a str> {
        secret.data.as_ref().unwrap().get(name).map(|bytes| std::str::from_utf8(&bytes.0).unwrap())
    }

    /// What translation makes of a key and its Secret, and says of it.
    fn told(key: &ApiKey, secret: &Secret, now: Timestamp) -> (ir::Key, ApiKeyStatus) {
        let (mut manifests, name) = (Manifests::default(), ObjectName::new("shop", "app"));
        manifests.api_keys.insert(name.clone(), Written::Good(Arc::new(key.clone())));
        manifests.secrets.insert(ObjectName::new("shop", "app-key"), Written::Good(Arc::new(secret.clone())));
        let cluster = Cluster { default_gateway: ObjectName::new("doorward-system", "doorward"), gateway_api: None };
        let translation = translate(&manifests, &Context::of_cluster(now, cluster));
        assert_eq!(translation.faults, []);
        let meant = ir::Key::clone(translation.snapshot.keys.values().next().unwrap());
        (meant, translation.standings.api_keys[&name].status.clone())
    }

    fn meant(key: &ApiKey, secret: &Secret) -> ir::Key {
        told(key, secret, time("2026-06-01T12:00:00Z")).0
    }

    #[test]
    fn a_made_secret_is_of_its_key_and_says_when_it_was_made() {
        let now = time("2026-06-01T12:00:00Z");
        let secret = created(&key(Some("a")), &mut [5; ENTROPY], now).unwrap();
        let text = value(&secret, "key").unwrap();
        assert!(matches!(key_text::classify(text), KeyForm::Ours { .. }), "{text}");
        assert!(text.starts_with("dw_live_"));
        let meant = meant(&key(Some("a")), &secret);
        assert_eq!((meant.hash, meant.earlier), (Some(key_text::digest(text)), Vec::new()));
        assert_eq!(decide(&key(Some("a")), Some(&secret), now), Decision::Nothing { until: Some(time("2026-06-01T12:00:10Z")) });
        assert!(matches!(decide(&key(Some("b")), Some(&secret), now), Decision::Rotate { .. }));
        // An API server has all of these; without them nothing is written.
        let mut odd = key(None);
        odd.metadata.uid = None;
        assert_eq!(created(&odd, &mut [5; ENTROPY], now), None);
    }

    #[test]
    fn a_rotation_keeps_what_is_needed_of_the_old_text() {
        let (start, later) = (time("2026-06-01T12:00:00Z"), time("2026-06-01T12:00:10Z"));
        let until = time("2026-06-01T12:00:14Z");
        let mut first = created(&key(None), &mut [5; ENTROPY], start).unwrap();
        first.metadata.resource_version = Some("42".into());
        first.data.as_mut().unwrap().insert("note".into(), ByteString(b"a user's".to_vec()));
        let old = value(&first, "key").unwrap().to_owned();
        assert_eq!(decide(&key(None), Some(&first), later), Decision::Rotate { until });
        let (second, ended_early) = rotated(&key(None), first, &mut [6; ENTROPY], (later, until));
        assert_eq!(ended_early, 0);
        assert_eq!(second.metadata.resource_version.as_deref(), Some("42"));
        assert_eq!(value(&second, "note"), Some("a user's"));
        assert!(second.data.as_ref().unwrap().values().all(|bytes| bytes.0 != old.as_bytes()), "the old text is gone");
        let meant = meant(&key(None), &second);
        let [previous] = <[EarlierText; 1]>::try_from(meant.earlier).unwrap();
        assert_eq!(meant.hash, Some(key_text::digest(value(&second, "key").unwrap())));
        assert_eq!((previous.hash, previous.until), (key_text::digest(&old), until));
        assert_eq!(previous.public_id.as_deref(), old.rsplit_once('_').map(|(public, _)| public));
        assert_ne!(meant.hash, Some(previous.hash));
        // Done once, it is not due again at the same time.
        assert_eq!(decide(&key(None), Some(&second), later), Decision::Nothing { until: Some(time("2026-06-01T12:00:20Z")) });
        let (third, _) = rotated(&key(Some("x")), second, &mut [7; ENTROPY], (until, until));
        assert_eq!(third.metadata.annotations.as_ref().unwrap().get(ROTATED_FOR).map(String::as_str), Some("x"));
        let (fourth, _) = rotated(&key(None), third, &mut [8; ENTROPY], (until, until));
        assert_eq!(fourth.metadata.annotations.as_ref().unwrap().get(ROTATED_FOR), None);
    }

    /// What a user does who rotates again before the overlap is over.
    #[test]
    fn each_text_stays_good_for_its_own_overlap_and_the_fifth_ends_the_first() {
        let start = time("2026-06-01T12:00:00Z");
        let at = |seconds: i64| start + jiff::SignedDuration::from_secs(seconds);
        let mut secret = created(&key(None), &mut [5; ENTROPY], start).unwrap();
        let mut texts = vec![value(&secret, "key").unwrap().to_owned()];
        /// The seconds at which the earlier texts end, newest first, after each rotation; one is made every second.
        const ENDS: [&[i64]; 6] = [
            &[101],
            &[102, 101],
            &[103, 102, 101],
            &[104, 103, 102, 101],
            // The first one ends at once.
            &[105, 104, 103, 102, 5],
            &[106, 105, 104, 103, 6],
        ];
        for (round, ends) in (1_u8..).zip(ENDS) {
            let now = i64::from(round);
            let (next, ended_early) = rotated(&key(None), secret, &mut [5 + round; ENTROPY], (at(now), at(now + 100)));
            assert_eq!(ended_early, usize::from(round > 4), "{round}");
            secret = next;
            let (ir::Key { earlier, .. }, status) = told(&key(None), &secret, at(now));
            assert_eq!(
                earlier.iter().map(|text| text.until).collect::<Vec<_>>(),
                ends.iter().map(|end| at(*end)).collect::<Vec<_>>()
            );
            let hashes: Vec<_> = texts.iter().rev().take(issue::KEPT).map(|text| key_text::digest(text)).collect();
            assert_eq!(earlier.iter().map(|text| text.hash).collect::<Vec<_>>(), hashes, "{round}");
            assert_eq!(status.previous_until, Some(at(now + 100).to_string()));
            let said: Vec<_> = status.earlier_texts.iter().map(|text| (text.until.clone(), text.ended_early)).collect();
            let expected = ends.iter().map(|end| (at(*end).to_string(), (*end == now).then_some(true)));
            assert_eq!(said, expected.collect::<Vec<_>>(), "{round}");
            texts.push(value(&secret, "key").unwrap().to_owned());
        }
        let data = secret.data.as_ref().unwrap();
        assert!(texts[..texts.len() - 1].iter().all(|old| data.values().all(|bytes| bytes.0 != old.as_bytes())));
        // Much later all have ended, and nothing is left of the one before the last five.
        let (later, ended_early) = rotated(&key(None), secret, &mut [99; ENTROPY], (at(1_000), at(1_100)));
        assert_eq!(ended_early, 0);
        let ends: Vec<_> = meant(&key(None), &later).earlier.iter().map(|text| text.until).collect();
        assert_eq!(ends, [at(1_100), at(106), at(105), at(104), at(103)]);
        assert_eq!(value(&later, "previous-5-instead-of"), None);
        let (_, status) = told(&key(None), &later, at(1_100));
        assert_eq!((status.state.as_deref(), status.earlier_texts.len()), (Some("Active"), 0));
    }

    #[test]
    fn a_secret_that_lost_its_text_gets_a_new_one_and_no_old_one() {
        let now = time("2026-06-01T12:00:00Z");
        let mut secret = created(&key(None), &mut [5; ENTROPY], now).unwrap();
        secret.data = None;
        let (mended, _) = rotated(&key(None), secret, &mut [6; ENTROPY], (now, now));
        assert!(value(&mended, "key").is_some());
        assert_eq!(value(&mended, "previous-sha256"), None);
    }
}
