//! What an ApiKey says of itself, and what a key's text tells without being sent anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use policy::key_text::{KeyForm, classify};
use serde_json::{Map, Value};

use super::super::objects::{Condition, full_name, list, of_status, text};
use crate::failure::Failure;

/// What is known of a key, in the order in which it is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    members: Vec<(&'static str, Value)>,
    is_good: bool,
}

impl Told {
    pub(super) fn of(key: &Value) -> Self {
        let ready = of_status(key, "Ready");
        let state = text(key, "/status/state");
        let is_good = ["Active", "Rotating"].contains(&state) && ready.is_some_and(Condition::is_true);
        let routes: Vec<Value> = list(key, "/spec/routes").iter().map(|route| route_name(route).into()).collect();
        let mut members = vec![
            ("key", full_name(key).into()),
            ("state", if state.is_empty() { "Unknown" } else { state }.into()),
            ("ready", ready.is_some_and(Condition::is_true).into()),
        ];
        let mut push = |name, value: &str| {
            if !value.is_empty() {
                members.push((name, value.into()));
            }
        };
        let (reason, message) = match ready {
            None => ("Pending", "no operator has looked at it yet"),
            Some(ready) if ready.is_true() => ("", ""),
            Some(ready) => (ready.reason, ready.message),
        };
        push("reason", reason);
        push("message", message);
        let consumer = text(key, "/status/consumer");
        push("consumer", if consumer.is_empty() { text(key, "/spec/consumer") } else { consumer });
        push("publicId", text(key, "/status/publicId"));
        push("notBefore", text(key, "/spec/notBefore"));
        push("expiresAt", text(key, "/spec/expiresAt"));
        push("previousUntil", text(key, "/status/previousUntil"));
        push("nextRotationAt", text(key, "/status/nextRotationAt"));
        push("secret", text(key, "/spec/secretRef/name"));
        let earlier: Vec<Value> = list(key, "/status/earlierTexts").iter().map(|earlier| earlier_text(earlier).into()).collect();
        if !earlier.is_empty() {
            members.push(("earlierTexts", earlier.into()));
        }
        members.push(("roles", list(key, "/spec/roles").to_vec().into()));
        if !routes.is_empty() {
            members.push(("routes", routes.into()));
        }
        Self { members, is_good }
    }

    /// Of the text with this public id, which may be one that a rotation replaced.
    pub(super) fn of_text(key: &Value, id: &str, now: Timestamp) -> Self {
        let mut told = Self::of(key);
        if is_public_id(text(key, "/status/publicId"), id) {
            return told;
        }
        let Some(earlier) = list(key, "/status/earlierTexts").iter().find(|earlier| is_public_id(text(earlier, "/publicId"), id))
        else {
            return told;
        };
        let until = text(earlier, "/until");
        let is_over = has_ended_early(earlier) || until.parse::<Timestamp>().is_ok_and(|until| until <= now);
        told.is_good &= !is_over;
        let name = if is_over { "textEndedAt" } else { "textGoodUntil" };
        told.members.splice(1..1, [("text", "Earlier: a rotation replaced it".into()), (name, until.into())]);
        told
    }

    /// Whether a call with it is not refused for the key's own sake.
    pub(super) const fn is_good(&self) -> bool {
        self.is_good
    }

    /// For scripts.
    pub(super) fn document(&self) -> Value {
        self.members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>().into()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let shown = |value: &Value| match value {
            Value::Array(items) if items.is_empty() => "none".to_owned(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            Value::String(text) => observe::printable::escaped(text).into_owned(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
        };
        self.members.iter().map(|(name, value)| format!("  {name:<16}{}\n", shown(value))).collect()
    }
}

/// A text that a rotation replaced: which, and until when it is good.
fn earlier_text(earlier: &Value) -> String {
    let id = text(earlier, "/publicId");
    let id = if id.is_empty() { "unnamed" } else { id };
    let ended = if has_ended_early(earlier) { "ended early at" } else { "until" };
    format!("{id} {ended} {}", text(earlier, "/until"))
}

fn has_ended_early(earlier: &Value) -> bool {
    earlier.pointer("/endedEarly") == Some(&Value::Bool(true))
}

fn route_name(route: &Value) -> String {
    match text(route, "/namespace") {
        "" => text(route, "/name").to_owned(),
        namespace => format!("{namespace}/{}", text(route, "/name")),
    }
}

/// What somebody asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The ApiKey of this name.
    Name(String),
    /// The key whose text has this public id.
    Text(String),
}

/// What a word of the command line asks about. No failure repeats it, because it may be a key.
///
/// # Errors
/// It is neither a name nor a key of ours.
pub(super) fn asked(word: &str) -> Result<Asked, Failure> {
    if word.starts_with("dw_") {
        return asked_text(word);
    }
    object_name(word).map(|name| Asked::Name(name.to_owned()))
}

/// What a text of standard input asks about: that is never a name, and sent nowhere.
///
/// # Errors
/// It is no key of ours.
pub(super) fn asked_text(text: &str) -> Result<Asked, Failure> {
    match classify(text) {
        KeyForm::Ours { public_id } => Ok(Asked::Text(public_id.to_owned())),
        KeyForm::Mistyped => Err(Failure::found(
            "this begins as a key of Doorward, but its checksum does not fit: a character is wrong, or it was cut",
            "copy the whole key again",
        )),
        KeyForm::Malformed if text.is_empty() => {
            Err(Failure::usage("there is no key on standard input", "kubectl doorward key show - < key.txt"))
        }
        KeyForm::Foreign | KeyForm::Malformed => Err(Failure::found(
            "the text on standard input is no key that Doorward made, and only of those a public part tells whose they are",
            "kubectl get apikeys -A -o wide, then kubectl doorward key show NAME -n NAMESPACE",
        )),
    }
}

/// The name of an object. Anything else may be a key that somebody pasted: it is not sent, and not repeated.
///
/// # Errors
/// It cannot be a name.
pub(super) fn object_name(word: &str) -> Result<&str, Failure> {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = word.as_bytes();
    let is_inner = |byte: &u8| is_end(Some(byte)) || matches!(byte, b'-' | b'.');
    if is_end(bytes.first()) && is_end(bytes.last()) && bytes.len() <= 253 && bytes.iter().all(is_inner) {
        return Ok(word);
    }
    let what = if word.is_empty() {
        "the name of the ApiKey is empty"
    } else {
        "this cannot be the name of an ApiKey: names have lower-case letters, digits, `-` and `.`"
    };
    Err(Failure::usage(what, "kubectl get apikeys lists them; kubectl doorward key show - < key.txt takes a key's text"))
}

/// Whether this is the public part of one of the key's texts: the present one, or one that a rotation replaced.
pub(super) fn has_public_id(key: &Value, id: &str) -> bool {
    let earlier = list(key, "/status/earlierTexts").iter().map(|earlier| text(earlier, "/publicId"));
    std::iter::once(text(key, "/status/publicId")).chain(earlier).any(|told| is_public_id(told, id))
}

/// Whether this public id, alone or with what stands before it, is that one.
fn is_public_id(told: &str, id: &str) -> bool {
    !told.is_empty() && (told == id || told.rsplit('_').next() == Some(id))
}

/// The text of a key that a Secret holds.
pub(super) fn key_text(secret: &Value) -> Option<String> {
    let encoded = secret.pointer("/data/key")?.as_str()?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;
    use serde_json::json;

    fn key(state: &str, ready: &str) -> Value {
        json!({
            "metadata": {"name": "mobile-app", "namespace": "shop", "generation": 2},
            "spec": {"roles": ["a", "b"], "secretRef": {"name": "mobile-app-key"}, "routes": [{"name": "orders"}, {"name": "x", "namespace": "y"}]},
            "status": {
                "state": state, "consumer": "mobile", "publicId": "dw_live_abcdefgh12345678",
                "conditions": [{"type": "Ready", "status": ready, "reason": "SecretNotFound", "message": "there is no Secret"}],
            },
        })
    }

    #[test]
    fn a_key_is_told_as_it_is() {
        let expected = "  key             shop/mobile-app
  state           Active
  ready           false
  reason          SecretNotFound
  message         there is no Secret
  consumer        mobile
  publicId        dw_live_abcdefgh12345678
  secret          mobile-app-key
  roles           a, b
  routes          orders, y/x
";
        let told = Told::of(&key("Active", "False"));
        assert_eq!(told.text(), expected);
        assert_eq!(told.document()["routes"], json!(["orders", "y/x"]));
        let mut rotated = key("Rotating", "True");
        let ends = [("2026-06-02T12:00:00Z", Value::Null), ("2026-06-01T12:00:00Z", json!(true))];
        rotated["status"]["earlierTexts"] =
            ends.iter().map(|(until, early)| json!({"publicId": "dw_live_a", "until": until, "endedEarly": early})).collect();
        let expected = json!(["dw_live_a until 2026-06-02T12:00:00Z", "dw_live_a ended early at 2026-06-01T12:00:00Z"]);
        assert_eq!(Told::of(&rotated).document()["earlierTexts"], expected);
    }

    #[test]
    fn a_key_is_good_while_calls_with_it_are_admitted() {
        for (state, ready, good) in [
            ("Active", "True", true),
            ("Rotating", "True", true),
            ("Active", "False", false),
            ("Suspended", "True", false),
            ("Expired", "True", false),
            ("NotYetValid", "True", false),
            ("", "Unknown", false),
        ] {
            assert_eq!(Told::of(&key(state, ready)).is_good(), good, "{state} {ready}");
        }
    }

    #[test]
    fn readiness_is_a_boolean_for_scripts() {
        assert_eq!(Told::of(&key("Active", "True")).document()["ready"], json!(true));
        let unseen = Told::of(&json!({"metadata": {"name": "a", "namespace": "b"}})).document();
        assert_eq!((&unseen["ready"], &unseen["reason"]), (&json!(false), &json!("Pending")));
    }

    #[test]
    fn a_replaced_text_is_told_with_its_end() {
        let check = |id: &str, early: bool, now: &str, expected: &[(&str, &str)], good: bool| {
            let mut key = key("Rotating", "True");
            key["status"]["earlierTexts"] =
                json!([{"publicId": "dw_live_before0123456789", "until": "2026-06-02T12:00:00Z", "endedEarly": early}]);
            assert!(has_public_id(&key, id), "{id}");
            let told = Told::of_text(&key, id, now.parse().unwrap());
            let document = told.document();
            let found: Vec<_> = ["text", "textGoodUntil", "textEndedAt"]
                .into_iter()
                .filter_map(|name| Some((name, document.get(name)?.as_str()?)))
                .collect();
            assert_eq!((found.as_slice(), told.is_good()), (expected, good), "{id} {now}");
        };
        let earlier = ("text", "Earlier: a rotation replaced it");
        let end = "2026-06-02T12:00:00Z";
        check("abcdefgh12345678", false, "2026-06-01T12:00:00Z", &[], true);
        check("before0123456789", false, "2026-06-01T12:00:00Z", &[earlier, ("textGoodUntil", end)], true);
        check("before0123456789", false, end, &[earlier, ("textEndedAt", end)], false);
        check("before0123456789", true, "2026-06-01T12:00:00Z", &[earlier, ("textEndedAt", end)], false);
    }

    #[test]
    fn names_and_texts_are_told_apart_and_no_text_is_repeated() {
        let mut entropy = [7; policy::key_text::ENTROPY];
        let environment = policy::key_text::Environment::parse("live").unwrap();
        let ours = policy::key_text::KeyText::generate(&environment, &mut entropy);
        assert_eq!(asked("mobile-app").unwrap(), Asked::Name("mobile-app".to_owned()));
        assert_eq!(asked(ours.expose()).unwrap(), Asked::Text(ours.public_id().to_owned()));
        assert_eq!(asked_text(ours.expose()).unwrap(), Asked::Text(ours.public_id().to_owned()));
        let check = |found: Result<Asked, Failure>, word: &str, exit: Exit, expected: &str| {
            let failure = found.unwrap_err();
            assert_eq!(failure.exit(), exit, "{failure}");
            assert!(failure.to_string().contains(expected) && !failure.to_string().contains(word), "{failure}");
        };
        check(asked("dw_live_abc"), "dw_live_abc", Exit::Found, "checksum");
        check(asked_text("dw_live_abc"), "dw_live_abc", Exit::Found, "checksum");
        check(asked("sk-Another_Gateways_Key"), "Another", Exit::Usage, "cannot be the name");
        check(asked("a/b"), "a/b", Exit::Usage, "cannot be the name");
        check(asked(""), "\0", Exit::Usage, "is empty");
        check(asked_text("mobile-app"), "mobile-app", Exit::Found, "no key that Doorward made");
        check(asked_text("another-gateways-key"), "another-gateways-key", Exit::Found, "no key that Doorward made");
        check(asked_text(""), "\0", Exit::Usage, "no key on standard input");
        assert!(has_public_id(&key("Active", "True"), "abcdefgh12345678"));
        assert!(has_public_id(&key("Active", "True"), "dw_live_abcdefgh12345678"));
        assert!(!has_public_id(&key("Active", "True"), "abcdefgh12345679"));
    }

    #[test]
    fn the_text_is_in_the_secret_or_nowhere() {
        assert_eq!(key_text(&json!({"data": {"key": "ZHdfbGl2ZQo="}})).as_deref(), Some("dw_live"));
        assert_eq!(key_text(&json!({"data": {"sha256": "YQ=="}})), None);
    }
}
