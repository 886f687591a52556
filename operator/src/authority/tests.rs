//! What an authority asks of an API server, and what it makes of the answers.

use serde_json::{Value, json};

use super::*;
use crate::stand::{self, Log};

const PATH: &str = "/api/v1/namespaces/system/secrets/doorward-authority";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn owner() -> OwnerReference {
    OwnerReference {
        api_version: "v1".into(),
        kind: "Service".into(),
        name: "doorward-operator".into(),
        uid: "uid-1".into(),
        ..OwnerReference::default()
    }
}

/// An authority whose API server has this Secret and answers writes with this code.
async fn authority(secret: Option<Value>, written: u16) -> (Authority, Log) {
    let answer = move |asked: &stand::Asked| match (&*asked.0, &secret) {
        ("GET", Some(secret)) => (200, secret.clone()),
        ("GET", None) => stand::failure(404, "NotFound"),
        _ if written == 200 => (200, asked.2.clone()),
        _ => stand::failure(written, "Conflict"),
    };
    let (client, log) = stand::client(answer).await;
    let place = Place {
        namespace: "system".into(),
        secret: "doorward-authority".into(),
        service: "doorward-operator".into(),
        owner: Some(owner()),
    };
    (Authority::new(client, place, Lifetimes::default()), log)
}

/// What lies there, of an authority that was made then.
fn secret(made: &str, owners: Value) -> Value {
    let held = Held::first(time(made), &Lifetimes::default()).unwrap();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": SECRET_TYPE, "data": held.data(),
        "metadata": {"name": "doorward-authority", "namespace": "system", "resourceVersion": "7", "ownerReferences": owners},
    })
}

fn writes(log: &Log) -> Vec<stand::Asked> {
    log.take().into_iter().filter(|(method, _, _)| method != "GET").collect()
}

#[tokio::test]
async fn an_authority_is_made_once_and_goes_with_its_owner() {
    let now = time("2026-06-01T12:00:00Z");
    for code in [200, 409] {
        // Somebody else may have made it a moment before.
        let (mut authority, log) = authority(None, code).await;
        assert!(matches!(authority.turn(now).await, Ok(Turn::Again)));
        let written = writes(&log);
        let [(method, _, body)] = &written[..] else { panic!("{written:?}") };
        assert_eq!((&**method, &body["type"]), ("POST", &json!(SECRET_TYPE)));
        assert_eq!(body.pointer("/metadata/ownerReferences/0/uid"), Some(&json!("uid-1")));
    }
}

#[tokio::test]
async fn steps_are_taken_when_they_are_due_over_the_version_that_was_read() {
    async fn check(now: &str, owners: Value, written: Option<&str>) {
        let (mut authority, log) = authority(Some(secret("2026-01-01T00:00:00Z", owners)), 200).await;
        let turn = authority.turn(time(now)).await.unwrap();
        let writes = writes(&log);
        assert_eq!((matches!(turn, Turn::Again), writes.len()), (written.is_some(), usize::from(written.is_some())), "{now}");
        for (method, path, body) in writes {
            assert_eq!((&*method, &*path), ("PUT", PATH));
            assert_eq!(body.pointer("/metadata/resourceVersion"), Some(&json!("7")));
            assert_eq!(body.pointer("/metadata/ownerReferences/0/uid"), Some(&json!("uid-1")));
            assert!(body["data"].get(written.unwrap_or_default()).is_some(), "{now}");
        }
    }
    let ours = json!([owner()]);
    check("2026-01-02T00:00:00Z", ours.clone(), None).await;
    // Two thirds of a year are over.
    check("2026-08-31T07:00:00Z", ours.clone(), None).await;
    check("2026-09-01T09:00:00Z", ours, Some("next.crt")).await;
    // An earlier installation's goes with this one.
    check("2026-01-02T00:00:00Z", json!(null), Some("ca.crt")).await;
}

#[tokio::test]
async fn what_is_shown_is_renewed_before_it_ends_and_never_the_same_key() {
    let (mut authority, _) = authority(Some(secret("2026-01-01T00:00:00Z", json!([owner()]))), 200).await;
    let mut shown = async |now: &str| match authority.turn(time(now)).await.unwrap() {
        Turn::Settled(material, next) => (material, next),
        Turn::Again => panic!("{now}"),
    };
    let (first, next) = shown("2026-01-01T00:00:00Z").await;
    assert!(next < time("2026-01-06T00:00:00Z"), "{next}");
    assert!(shown("2026-01-04T00:00:00Z").await.0 == first);
    let (second, _) = shown("2026-01-06T00:00:00Z").await;
    assert!(second.chain != first.chain && second.key != first.key && second.bundle == first.bundle);
}

#[tokio::test]
async fn a_secret_of_another_type_is_left_alone() {
    let mut other = secret("2026-01-01T00:00:00Z", json!(null));
    other["type"] = json!("Opaque");
    let (mut authority, log) = authority(Some(other), 200).await;
    assert!(matches!(authority.turn(time("2026-01-02T00:00:00Z")).await, Err(AuthorityError::NotOwned { .. })));
    assert_eq!(writes(&log), []);
}
