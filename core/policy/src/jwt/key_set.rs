//! An issuer's published keys (RFC 7517).

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use crate::strict;

/// Bytes that a document may have.
const DOCUMENT: usize = 64 * 1024;
/// Keys that it may hold.
const KEYS: usize = 64;
/// Bits that an RSA modulus must and may have.
const MODULUS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Members that only a private key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The keys of an issuer that can verify something, each with the algorithms that it is for.
pub struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    kid: Option<String>,
    /// At least one.
    verifiers: Vec<(Algorithm, ParsedPublicKey)>,
}

/// Why a document is no usable key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetFault(Arc<str>);

impl KeySetFault {
    /// The reason, in a sentence's middle.
    #[must_use]
    pub const fn reason(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Display for KeySetFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for KeySetFault {}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| key.kid.as_deref().unwrap_or_default())).finish()
    }
}

/// What came of looking for a token's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    Verified,
    /// No key has the name, or none without a name is of the algorithm.
    KeyUnknown,
    /// The named key is not for this algorithm.
    AlgorithmNotAllowed,
    Invalid,
}

impl KeySet {
    /// Reads a key set. Keys of other types, curves, uses and algorithms than can verify a token
    /// here are passed over.
    ///
    /// # Errors
    /// When the document is too large or no strict JSON, holds a symmetric key or a private
    /// member, or has no key that can be used.
    pub fn parse(document: &[u8], algorithms: &[Arc<str>]) -> Result<Self, KeySetFault> {
        let fault = |reason: String| KeySetFault(reason.into());
        if document.len() > DOCUMENT {
            return Err(fault(format!("it has more than {DOCUMENT} bytes")));
        }
        let members = strict::object(document).ok_or_else(|| fault("it is no JSON object, or a member stands twice".into()))?;
        let Some(Value::Array(listed)) = members.get("keys") else {
            return Err(fault("it has no list `keys`".into()));
        };
        if listed.is_empty() {
            return Err(fault("it has no keys".into()));
        }
        if listed.len() > KEYS {
            return Err(fault(format!("it has more than {KEYS} keys")));
        }
        let allowed: Vec<Algorithm> = algorithms.iter().filter_map(|name| Algorithm::of(name)).collect();
        let mut keys = Vec::new();
        let mut passed_over = None;
        for (index, key) in listed.iter().enumerate() {
            let Value::Object(key) = key else { return Err(fault(format!("`keys[{index}]` is no object"))) };
            if key.get("kty").and_then(Value::as_str) == Some("oct") {
                return Err(fault(format!("`keys[{index}]` is symmetric; publish public keys only")));
            }
            if let Some(member) = PRIVATE.into_iter().find(|member| key.contains_key(*member)) {
                return Err(fault(format!("`keys[{index}]` holds the private member `{member}`; publish public keys only")));
            }
            match read(key, &allowed) {
                Ok(key) => keys.push(key),
                Err(reason) => {
                    passed_over.get_or_insert_with(|| format!("no key can be used: `keys[{index}]` {reason}"));
                }
            }
        }
        match passed_over {
            Some(reason) if keys.is_empty() => Err(fault(reason)),
            Some(_) | None => Ok(Self { keys }),
        }
    }

    /// Looks for the key that made a signature. A token that names a key is tried with keys of
    /// that name, else with those that have none; one that names none is tried with all of its
    /// algorithm.
    pub(super) fn verify(&self, kid: Option<&str>, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Search {
        let named = kid.is_some() && self.keys.iter().any(|key| key.kid.as_deref() == kid);
        let mut search = Search::KeyUnknown;
        for key in &self.keys {
            let fits = if named { key.kid.as_deref() == kid } else { kid.is_none() || key.kid.is_none() };
            if !fits {
                continue;
            }
            match key.verifiers.iter().find(|(known, _)| *known == algorithm) {
                Some((_, verifier)) if verifier.verify_sig(signed, signature).is_ok() => return Search::Verified,
                Some(_) => search = Search::Invalid,
                None if named && search == Search::KeyUnknown => search = Search::AlgorithmNotAllowed,
                None => {}
            }
        }
        search
    }
}

/// Reads one key, or says why it is passed over.
fn read(key: &Map<String, Value>, allowed: &[Algorithm]) -> Result<Key, &'static str> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    if key.contains_key("use") && text("use") != Some("sig") {
        return Err("is not for signatures by its `use`");
    }
    if let Some(operations) = key.get("key_ops") {
        let verifies = operations.as_array().is_some_and(|listed| listed.iter().any(|operation| operation == "verify"));
        if !verifies {
            return Err("is not for verifying by its `key_ops`");
        }
    }
    let kid = match key.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return Err("has a `kid` that is no text"),
    };
    let own = key.get("alg").map(|alg| alg.as_str().and_then(Algorithm::of));
    let candidates = allowed.iter().copied().filter(|algorithm| own.is_none_or(|own| own == Some(*algorithm)));
    let mut verifiers = Vec::new();
    let mut trouble = "is of a type or `alg` that the provider's algorithms do not include";
    for algorithm in candidates {
        match verifier(key, algorithm) {
            Ok(Some(verifier)) => verifiers.push((algorithm, verifier)),
            Ok(None) => {}
            Err(reason) => trouble = reason,
        }
    }
    if verifiers.is_empty() { Err(trouble) } else { Ok(Key { kid, verifiers }) }
}

/// The key, ready to verify with an algorithm; `None` where it is of another type.
fn verifier(key: &Map<String, Value>, algorithm: Algorithm) -> Result<Option<ParsedPublicKey>, &'static str> {
    let octets = |name: &str| key.get(name).and_then(Value::as_str).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let curve = key.get("crv").and_then(Value::as_str).and_then(|name| algorithm.curve(name));
    match (key.get("kty").and_then(Value::as_str), algorithm.rsa(), curve) {
        (Some("RSA"), Some(parameters), _) => {
            let (Some(n), Some(e)) = (octets("n"), octets("e")) else { return Err("has no `n` or `e`") };
            let components = RsaPublicKeyComponents { n: significant(&n), e: significant(&e) };
            let bits = components.n.len() * 8 - components.n.first().map_or(0, |first| first.leading_zeros() as usize);
            if !MODULUS.contains(&bits) {
                return Err("has an RSA modulus outside 2048 to 8192 bits");
            }
            components.to_parsed_public_key(parameters).map(Some).map_err(|_| "is no valid RSA key")
        }
        (Some("EC"), _, Some((parameters, length))) if algorithm != Algorithm::EdDsa => {
            let (Some(x), Some(y)) = (octets("x"), octets("y")) else { return Err("has no `x` or `y`") };
            if x.len() != length || y.len() != length {
                return Err("has coordinates of the wrong length");
            }
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            ParsedPublicKey::new(parameters, point).map(Some).map_err(|_| "is no point of its curve")
        }
        (Some("OKP"), _, Some((parameters, length))) if algorithm == Algorithm::EdDsa => {
            let Some(x) = octets("x").filter(|x| x.len() == length) else { return Err("has no `x` of 32 bytes") };
            ParsedPublicKey::new(parameters, x).map(Some).map_err(|_| "is no valid Ed25519 key")
        }
        (_, _, _) => Ok(None),
    }
}

/// Without the zeros in front that some issuers write.
fn significant(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    &octets[zeros..]
}
