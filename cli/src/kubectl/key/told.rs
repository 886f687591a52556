//! What an ApiKey says of itself, and what a key's text tells without being sent anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy::key_text::{KeyForm, classify};
use serde_json::{Map, Value};

use super::super::objects::{full_name, list, of_status, text};
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
        let is_good = ["Active", "Rotating"].contains(&state) && ready.is_some_and(|ready| ready.is_true());
        let routes: Vec<Value> = list(key, "/spec/routes").iter().map(|route| route_name(route).into()).collect();
        let mut members = vec![
            ("key", full_name(key).into()),
            ("state", if state.is_empty() { "Unknown" } else { state }.into()),
            ("ready", ready.map_or("Unknown", |ready| ready.status).into()),
        ];
        let mut push = |name, value: &str| {
            if !value.is_empty() {
                members.push((name, value.into()));
            }
        };
        if let Some(ready) = ready.filter(|ready| !ready.is_true()) {
            push("reason", ready.reason);
            push("message", ready.message);
        }
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
    let ended = if earlier.pointer("/endedEarly") == Some(&Value::Bool(true)) { "ended early at" } else { "until" };
    format!("{id} {ended} {}", text(earlier, "/until"))
}

fn route_name(route: &Value) -> String {
    match text(route, "/namespace") {
        "" => text(route, "/name").to_owned(),
        namespace => format!("{namespace}/{}", text(route, "/name")),
    }
}

/// The part of a key's text that may be told; nothing for a word that is the name of an object.
///
/// # Errors
/// A text that begins as a key of ours and is none.
pub(super) fn public_id(word: &str) -> Result<Option<String>, Failure> {
    if !word.starts_with("dw_") {
        return Ok(None);
    }
    match classify(word) {
        KeyForm::Ours { public_id } => Ok(Some(public_id.to_owned())),
        KeyForm::Mistyped | KeyForm::Foreign | KeyForm::Malformed => Err(Failure::found(
            "this begins as a key of Doorward, but its checksum does not fit: a character is wrong, or it was cut",
            "copy the whole key again",
        )),
    }
}

/// Whether this is the public part of the key's text, alone or with what stands before it.
pub(super) fn has_public_id(key: &Value, id: &str) -> bool {
    let told = text(key, "/status/publicId");
    told == id || told.rsplit('_').next() == Some(id)
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
  ready           False
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
    fn names_and_texts_are_told_apart() {
        assert_eq!(public_id("mobile-app").unwrap(), None);
        assert!(public_id("dw_live_abc").unwrap_err().to_string().contains("checksum"));
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
