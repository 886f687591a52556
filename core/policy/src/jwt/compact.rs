//! The compact form: three parts of strict base64url between dots (RFC 7515 section 7.1).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cause::{Token, TokenPart};
use serde::Deserialize;
use serde_json::Value;

use super::LONGEST;
use super::algorithm::Algorithm;
use crate::strict;

/// Characters that a `kid` may have.
const KID: usize = 256;

/// A token taken apart; nothing of it is verified.
pub(super) struct Compact<'a> {
    /// What is signed: header and payload as they came.
    pub(super) signed: &'a [u8],
    header: Vec<u8>,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

/// What a header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// `None` where the name is none that exists here.
    pub(super) algorithm: Option<Algorithm>,
    pub(super) kid: Option<String>,
}

fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (header, rest) = text.split_once('.')?;
    let (payload, signature) = rest.split_once('.')?;
    (text.len() <= LONGEST && !signature.contains('.')).then_some((header, payload, signature))
}

/// No padding, no blanks, no bits left over: one octet string has one text.
fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

/// The `iss` of a payload, read without building the rest of it.
pub(super) fn issuer(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims<'a> {
        #[serde(borrow)]
        iss: Cow<'a, str>,
    }
    let (_, payload, _) = parts(text)?;
    let payload = decode(payload)?;
    let claims: Claims<'_> = serde_json::from_slice(&payload).ok()?;
    Some(claims.iss.into_owned())
}

impl<'a> Compact<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, Token> {
        let malformed = Token::Malformed { part: TokenPart::Structure };
        if text.len() <= LONGEST && text.bytes().filter(|byte| *byte == b'.').count() == 4 {
            return Err(Token::Encrypted);
        }
        let Some((header, payload, signature)) = parts(text) else { return Err(malformed) };
        let signed = &text.as_bytes()[..header.len() + 1 + payload.len()];
        match (decode(header), decode(payload), decode(signature)) {
            (Some(header), Some(payload), Some(signature)) => Ok(Self { signed, header, payload, signature }),
            (_, _, _) => Err(malformed),
        }
    }

    /// The header, as far as it matters: keys and addresses that it carries (`jwk`, `jku`, `x5c`,
    /// `x5u`) are not looked at, because whoever made the token wrote them.
    pub(super) fn header(&self) -> Result<Header, Token> {
        let malformed = Token::Malformed { part: TokenPart::Header };
        let Some(header) = strict::object(&self.header) else { return Err(malformed) };
        if header.contains_key("crit") || header.get("b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
            return Err(Token::CriticalHeader);
        }
        let Some(Value::String(algorithm)) = header.get("alg") else { return Err(malformed) };
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.chars().count() <= KID => Some(kid.clone()),
            Some(_) => return Err(malformed),
        };
        // Compression and nesting are of JWE and of tokens in tokens: neither is an access token.
        let nested = |cty: &Value| cty.as_str().is_none_or(|cty| media_type(cty).eq_ignore_ascii_case("JWT"));
        if header.contains_key("zip") || header.get("cty").is_some_and(nested) {
            return Err(malformed);
        }
        match header.get("typ") {
            None => {}
            Some(Value::String(typ)) if is_access_token(media_type(typ)) => {}
            Some(_) => return Err(Token::TypeNotAccepted),
        }
        Ok(Header { algorithm: Algorithm::of(algorithm), kid })
    }
}

/// A media type without `application/`, which may be left out (RFC 7515 section 4.1.9).
fn media_type(name: &str) -> &str {
    match name.get(..12) {
        Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &name[12..],
        Some(_) | None => name,
    }
}

fn is_access_token(name: &str) -> bool {
    name.eq_ignore_ascii_case("JWT") || name.eq_ignore_ascii_case("at+jwt")
}
