//! Signed tokens for pages, with two keys that everybody may know.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{Span, Timestamp};
use serde_json::{Map, Value, json};

/// The seed of the key that the key sets of pages publish as `k1`.
const PUBLISHED: [u8; 32] = [7; 32];
/// The seed of one that nobody publishes.
const OTHER: [u8; 32] = [9; 32];

/// A token from words such as `exp=+5m` or `aud=billing`, which change what a good token has; an empty value takes a
/// member away. Times are relative to `now`.
pub(crate) fn sign(words: &str, now: Timestamp) -> Result<String, String> {
    let mut header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"});
    let mut claims = json!({"iss": "https://id.example.com", "sub": "alice", "aud": "orders"});
    let mut seed = PUBLISHED;
    let mut words: Vec<(&str, &str)> = words.split_whitespace().filter_map(|word| word.split_once('=')).collect();
    for usual in [("iat", "+0s"), ("exp", "+1h")] {
        if words.iter().all(|(name, _)| *name != usual.0) {
            words.push(usual);
        }
    }
    for (name, value) in words {
        match name {
            "key" => seed = OTHER,
            "alg" | "typ" | "kid" => set(&mut header, name, value.into()),
            "crit" => set(&mut header, name, json!([value])),
            "exp" | "nbf" | "iat" => set(&mut claims, name, moment(value, now)?.into()),
            _ => set(&mut claims, name, value.into()),
        }
    }
    let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|error| error.to_string())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()))))
}

/// The key set that publishes `k1`.
pub(crate) fn key_set() -> Result<Value, String> {
    use aws_lc_rs::signature::KeyPair as _;
    let pair = Ed25519KeyPair::from_seed_unchecked(&PUBLISHED).map_err(|error| error.to_string())?;
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    Ok(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k1", "x": x}]}))
}

fn set(part: &mut Value, name: &str, value: Value) {
    if let Some(members) = part.as_object_mut() {
        let members: &mut Map<String, Value> = members;
        if value == "" {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), value);
        }
    }
}

/// Seconds since the epoch, from `+5m`, `-2h` or `+0s`.
fn moment(text: &str, now: Timestamp) -> Result<i64, String> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let number: i64 = number.parse().map_err(|_| format!("`{text}` is not a time such as +5m"))?;
    let span = match unit {
        "s" => Span::new().seconds(number),
        "m" => Span::new().minutes(number),
        "h" => Span::new().hours(number),
        _ => return Err(format!("`{text}` is not a time such as +5m")),
    };
    Ok(now.checked_add(span).map_err(|error| error.to_string())?.as_second())
}
