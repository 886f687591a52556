//! ApiKeys: from a Secret to a hash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::standard::Secret;
use crds::v1alpha1::{ApiKey, ApiKeySpec, Issue};
use ir::{EarlierText, Key, KeyId, RouteId};
use jiff::Timestamp;
use policy::key_text::{self, KeyForm};
use policy::published;
use serde_json::Value;

use crate::checks;
use crate::issue::{self, Ownership};
use crate::manifests::Written;
use crate::parse;
use crate::rehearsal::Rehearsal;
use crate::report::Report;
use crate::routes;
use crate::secrets::{required_text, secret, value};
use crate::world::{Found, Missing, World, target};

const KIND: &str = "ApiKey";

/// Every ApiKey that can be read. One with a fault holds no hash, so that no text is its.
pub(crate) fn translate(world: &World<'_>, faults: &mut Vec<Fault>) -> BTreeMap<KeyId, Arc<Key>> {
    let mut keys = BTreeMap::new();
    let mut holders: BTreeSet<[u8; 32]> = BTreeSet::new();
    for (name, written) in in_order(world) {
        let mut report = Report::new(KIND, name);
        let object = match written {
            Written::Good(object) | Written::LastGood(object, _) => object,
            Written::Broken(found, tree) => {
                if let Some(rehearsal) = Rehearsal::<ApiKey>::new(tree, found) {
                    let _absent = key(world, name, &rehearsal.object, &mut report);
                    rehearsal.finish(report, faults);
                }
                continue;
            }
        };
        let mut key = key(world, name, object, &mut report);
        if let (Some(hash), None) = (key.hash, report.closing())
            && !holders.insert(hash)
        {
            report.close(&FieldPath::of("spec.secretRef"), FaultCause::KeyDuplicate);
        }
        if report.closing().is_none() {
            own_texts(&mut key, &mut holders, world.context.now, &mut report);
        }
        if report.closing().is_some() {
            key.hash = None;
            key.public_id = None;
            key.earlier = Vec::new();
        }
        report.finish(faults);
        keys.insert(KeyId(name.clone()), Arc::new(key));
    }
    keys
}

/// Leaves a key those of its earlier texts that are its alone: who sends one that another key holds is that key's caller.
/// One that is not good any more is kept for what its callers are told, and may be given to another key.
fn own_texts(key: &mut Key, holders: &mut BTreeSet<[u8; 32]>, now: Timestamp, report: &mut Report) {
    let mut own: BTreeSet<[u8; 32]> = key.hash.into_iter().collect();
    key.earlier.retain(|earlier| {
        let is_own = earlier.until <= now || !own.insert(earlier.hash) || holders.insert(earlier.hash);
        if !is_own {
            let reason = "another ApiKey holds a text that a rotation of this one replaced, so that it is that key's already";
            report.warn(&FieldPath::of("spec.secretRef"), FaultCause::NoEffect { reason: reason.into() });
        }
        is_own
    });
}

/// An earlier version of a key, suspended or at its end where its newest text says so: whoever takes a key away must not
/// have to mend it first.
pub(crate) fn narrowed(key: &ApiKey, newest: &Value) -> Option<ApiKey> {
    let written = newest.get("spec")?;
    let time = |text: Option<&str>| text.and_then(|text| parse::timestamp(text).ok());
    let end = written.get("expiresAt").and_then(Value::as_str);
    let end = end.filter(|end| match (time(Some(end)), time(key.spec.expires_at.as_deref())) {
        (Some(end), Some(before)) => end < before,
        (end, None) => end.is_some(),
        (None, Some(_)) => false,
    });
    let never_begins = time(key.spec.not_before.as_deref()).is_some_and(|begin| time(end).is_some_and(|end| end <= begin));
    let suspended = written.get("suspended") == Some(&Value::Bool(true)) || never_begins;
    if end.is_none() && !suspended {
        return None;
    }
    let mut key = key.clone();
    if let Some(end) = end.filter(|_| !never_begins) {
        key.spec.expires_at = Some(end.to_owned());
    }
    if suspended {
        key.spec.suspended = Some(true);
    }
    Some(key)
}

/// The ApiKeys; in a cluster by age, so that of two with one text the older is good.
fn in_order<'a>(world: &World<'a>) -> Vec<(&'a ObjectName, &'a Written<ApiKey>)> {
    let mut keys: Vec<_> = world.manifests.api_keys.iter().collect();
    if !world.context.is_standalone() {
        keys.sort_by_key(|(_, written)| written.value().and_then(|object| routes::created_at(&object.metadata)));
    }
    keys
}

fn key(world: &World<'_>, name: &ObjectName, object: &ApiKey, report: &mut Report) -> Key {
    let spec = &object.spec;
    let at = FieldPath::of("spec");
    let held = held(world, name, object, report);
    if let Err((field, cause)) = issue::rotation(spec) {
        report.close(&field, cause);
    }
    let mut time =
        |text: Option<&String>, field: &str| text.and_then(|text| report.need(&at.field(field), parse::timestamp(text)));
    let not_before = time(spec.not_before.as_ref(), "notBefore");
    let expires_at = time(spec.expires_at.as_ref(), "expiresAt");
    lifetime(not_before, expires_at, world.context.now, report);
    Key {
        id: KeyId(name.clone()),
        consumer: spec.consumer.as_deref().unwrap_or(&name.name).into(),
        roles: checks::shared(spec.roles.as_ref()).into(),
        routes: admitted(world, name, spec, report),
        hash: held.as_ref().map(|held| held.hash),
        public_id: held.as_ref().and_then(|held| held.public_id.clone()),
        earlier: held.map(|held| held.earlier).unwrap_or_default(),
        not_before,
        expires_at,
        suspended: spec.suspended.unwrap_or(false),
        addresses: checks::addresses(spec.addresses.as_ref(), &at.field("addresses"), report),
        limits: checks::limits(spec.limits.as_ref(), &at.field("limits"), report),
    }
}

/// A key without any time in which it is good is a mistake; one whose time is over is as it was
/// asked to be, and worth a notice.
fn lifetime(not_before: Option<Timestamp>, expires_at: Option<Timestamp>, now: Timestamp, report: &mut Report) {
    let Some(expires_at) = expires_at else { return };
    let at = FieldPath::of("spec.expiresAt");
    if not_before.is_some_and(|not_before| not_before >= expires_at) {
        report.close(&at, FaultCause::RuleViolated { message: "`expiresAt` must be later than `notBefore`".into() });
    } else if expires_at <= now {
        report.note(&at, FaultCause::NoEffect { reason: format!("the key expired at {expires_at}").into() });
    }
}

/// The routes that the key is for. A missing one stays named: naming none would mean all.
fn admitted(world: &World<'_>, own: &ObjectName, spec: &ApiKeySpec, report: &mut Report) -> Option<BTreeSet<RouteId>> {
    let references = spec.routes.as_ref()?;
    let mut routes = BTreeSet::new();
    for (index, reference) in references.iter().enumerate() {
        let name = target(&reference.name, reference.namespace.as_ref(), own);
        match world.find(&world.manifests.api_routes, "ApiRoute", &name) {
            // A broken route says so itself; the key is not at fault.
            Ok(_) | Err(Missing::Broken) => {}
            Err(missing @ Missing::Absent(_)) => {
                let cause = missing.into_cause(ObjectRef::new("ApiRoute", name.clone()));
                report.error(&FieldPath::of("spec.routes").index(index), cause);
            }
        }
        routes.insert(RouteId::api(name));
    }
    Some(routes)
}

/// What a Secret says of a key.
struct Held {
    hash: [u8; 32],
    public_id: Option<Arc<str>>,
    earlier: Vec<EarlierText>,
}

fn held(world: &World<'_>, own: &ObjectName, object: &ApiKey, report: &mut Report) -> Option<Held> {
    let at = FieldPath::of("spec.secretRef.name");
    let name = target(&object.spec.secret_ref.name, None, own);
    let generated = object.spec.issue == Some(Issue::Generate);
    let found = secret(world, &name);
    let metadata = match &found {
        Ok(Found::Here(secret)) => Some(&secret.metadata),
        Ok(Found::Assumed) | Err(_) => world.context.outline(&name),
    };
    if generated && metadata.is_some_and(|secret| issue::ownership(&object.metadata, secret) == Ownership::Foreign) {
        report.close(&at, FaultCause::SecretNotOwned { target: ObjectRef::new("Secret", name) });
        return None;
    }
    match found {
        Ok(Found::Here(secret)) => {
            let earlier = || issue::earlier(secret, &name).map(|earlier| Ok(earlier?.text)).collect::<Result<_, _>>();
            let held = read(secret, &name).and_then(|held| Ok(Held { earlier: earlier()?, ..held }));
            let held = held.and_then(|held| if published::holds(&held.hash) { Err(everybodys(name)) } else { Ok(held) });
            report.need(&at, held)
        }
        Ok(Found::Assumed) => None,
        // Its operator makes it once it sees the key.
        Err(FaultCause::SecretNotFound(_)) if generated && world.context.outlines.is_some() => None,
        Err(FaultCause::SecretNotFound(_)) if generated && world.context.is_standalone() => {
            let what = format!("the operator of a cluster writes Secret {name}; `doorward key new` makes one for files");
            report.need(&at, Err(FaultCause::NotHere { what: what.into() }))
        }
        Err(cause) => report.need(&at, Err(cause)),
    }
}

/// A key that is no secret.
fn everybodys(name: ObjectName) -> FaultCause {
    let reason = "its key stands in the documentation of another product, so that everybody has it".into();
    FaultCause::SecretInvalid { target: ObjectRef::new("Secret", name), reason }
}

/// The key's text or its hash; where both stand, they must belong together.
fn read(secret: &Secret, name: &ObjectName) -> Result<Held, FaultCause> {
    let invalid =
        |reason: &str| FaultCause::SecretInvalid { target: ObjectRef::new("Secret", name.clone()), reason: reason.into() };
    let hash = match value(secret, "sha256") {
        Some(bytes) => Some(hexadecimal(bytes.trim_ascii()).ok_or_else(|| invalid("`sha256` is not 64 hexadecimal digits"))?),
        None => None,
    };
    if let (Some(hash), None) = (hash, value(secret, "key")) {
        return Ok(Held { hash, public_id: None, earlier: Vec::new() });
    }
    let text = required_text(secret, name, "key")?;
    let text = text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
    let public_id = match key_text::classify(text) {
        KeyForm::Ours { .. } => text.rsplit_once('_').map(|(public, _)| public.into()),
        KeyForm::Foreign => None,
        KeyForm::Mistyped => {
            return Err(invalid("`key` begins as a key of Doorward and its checksum does not fit; it was changed or cut"));
        }
        KeyForm::Malformed => {
            return Err(invalid("`key` is not 16 to 512 printable ASCII characters without blanks at its ends"));
        }
    };
    let digest = key_text::digest(text);
    if hash.is_some_and(|hash| hash != digest) {
        return Err(invalid("`key` and `sha256` do not belong together"));
    }
    Ok(Held { hash: digest, public_id, earlier: Vec::new() })
}

/// The 32 bytes that are written as 64 hexadecimal digits.
pub(crate) fn hexadecimal(text: &[u8]) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_text_takes_away_and_gives_nothing() {
        let check = |before: Value, newest: Value, expected: Option<Value>| {
            let of = |spec: &Value| {
                let mut spec = spec.clone();
                spec["secretRef"] = serde_json::json!({"name": "app"});
                serde_json::json!({"metadata": {"name": "app"}, "spec": spec})
            };
            let key: ApiKey = serde_json::from_value(of(&before)).unwrap();
            let expected = expected.map(|spec| serde_json::from_value::<ApiKey>(of(&spec)).unwrap());
            assert_eq!(narrowed(&key, &of(&newest)), expected, "{before} {newest}");
        };
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let [early, late] = ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"];
        let ends = |end: &str| serde_json::json!({"expiresAt": end});
        check(json("{}"), json("{}"), None);
        check(json("{}"), json(r#"{"roles": ["admin"], "suspended": false}"#), None);
        check(json(r#"{"roles": ["a"]}"#), json(r#"{"suspended": true}"#), Some(json(r#"{"roles": ["a"], "suspended": true}"#)));
        check(json(r#"{"suspended": true}"#), json(r#"{"suspended": false}"#), None);
        check(json("{}"), ends(early), Some(ends(early)));
        check(ends(late), ends(early), Some(ends(early)));
        check(ends(early), ends(late), None);
        check(ends(early), ends("soon"), None);
        // It would end before it begins.
        let begins = serde_json::json!({"notBefore": late});
        check(begins.clone(), ends(early), Some(serde_json::json!({"notBefore": late, "suspended": true})));
        check(json("{}"), serde_json::json!({"notBefore": late, "expiresAt": early}), Some(ends(early)));
    }
}
