//! A described body as people write it in JSON: its text, or base64 (RFC 4648) where it is none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<'a> {
    Text(std::borrow::Cow<'a, str>),
    Octets(Octets),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Octets {
    base64: String,
}

#[expect(clippy::ref_option, reason = "serde hands a reference to the field")]
pub(super) fn serialize<S: Serializer>(body: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    let written = body.as_deref().map(|bytes| match std::str::from_utf8(bytes) {
        Ok(text) => Written::Text(text.into()),
        Err(_) => Written::Octets(Octets { base64: STANDARD.encode(bytes) }),
    });
    written.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    match Option::<Written<'static>>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Text(text)) => Ok(Some(text.into_owned().into_bytes())),
        Some(Written::Octets(octets)) => STANDARD.decode(octets.base64).map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use crate::Described;

    #[test]
    fn bodies_as_they_are_written() {
        for (written, bytes) in [
            (r#""{\"total\": 1}""#, Some(b"{\"total\": 1}".as_slice())),
            (r#""""#, Some(b"".as_slice())),
            ("null", None),
            (r#"{"base64":"/wA="}"#, Some([255, 0].as_slice())),
        ] {
            let text = format!(r#"{{"method":"GET","target":"/","headers":[],"body":{written},"from":"127.0.0.1","at":null}}"#);
            let described: Described = serde_json::from_str(&text).unwrap();
            assert_eq!(described.body.as_deref(), bytes, "{written}");
            let again: Described = serde_json::from_value(serde_json::to_value(&described).unwrap()).unwrap();
            assert_eq!(again.body, described.body, "{written}");
        }
        for wrong in ["[1, 2]", "7", r#"{"base64":"*"}"#, r#"{"text":"a"}"#] {
            let text = format!(r#"{{"method":"GET","target":"/","body":{wrong},"from":"127.0.0.1"}}"#);
            assert!(serde_json::from_str::<Described>(&text).is_err(), "{wrong}");
        }
    }
}
