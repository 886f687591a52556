//! An issuer for one run: a fresh RSA key, its public half as a key set, and one token.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

use crate::Failure;

pub(crate) const ISSUER: &str = "https://issuer.bench.test";
pub(crate) const AUDIENCE: &str = "bench";

const KEY_ID: &str = "bench-1";
const LIFETIME_SECONDS: u64 = 24 * 60 * 60;

/// What the gateway and its caller need of the issuer.
pub(crate) struct Issued {
    /// The key set, as JSON.
    pub(crate) key_set: String,
    /// A token that is good for a day.
    pub(crate) token: String,
}

#[derive(Serialize)]
struct Claims {
    iss: &'static str,
    aud: &'static str,
    sub: &'static str,
    scope: &'static str,
    iat: u64,
    exp: u64,
}

/// Makes a key of 2,048 bits and signs a token with it (RS256).
///
/// # Errors
/// The key cannot be made or used.
pub(crate) fn issue() -> Result<Issued, Failure> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(Failure::of("no RSA key can be made"))?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(Failure::of("the RSA key cannot be written"))?;
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(Failure::of("the RSA key cannot be read back"))?;

    let mut public = Jwk::from_encoding_key(&key, Algorithm::RS256).map_err(Failure::of("the key set"))?;
    public.common.key_id = Some(KEY_ID.to_owned());
    public.common.public_key_use = Some(PublicKeyUse::Signature);
    let key_set = serde_json::to_string(&JwkSet { keys: vec![public] }).map_err(Failure::of("the key set"))?;

    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Failure::of("the clock"))?.as_secs();
    let claims =
        Claims { iss: ISSUER, aud: AUDIENCE, sub: "bench-caller", scope: "orders.read", iat: now, exp: now + LIFETIME_SECONDS };
    let header = Header { kid: Some(KEY_ID.to_owned()), ..Header::new(Algorithm::RS256) };
    let token = encode(&header, &claims, &key).map_err(Failure::of("the token cannot be signed"))?;
    Ok(Issued { key_set, token })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{DecodingKey, Validation, decode};

    #[test]
    fn the_token_verifies_with_the_key_set() {
        let Issued { key_set, token } = issue().unwrap();
        let set: JwkSet = serde_json::from_str(&key_set).unwrap();
        let key = DecodingKey::from_jwk(set.find(KEY_ID).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        let claims = decode::<serde_json::Value>(&token, &key, &validation).unwrap().claims;
        assert_eq!(claims["sub"], "bench-caller");
    }

    #[test]
    fn the_key_set_holds_no_private_member() {
        let set: serde_json::Value = serde_json::from_str(&issue().unwrap().key_set).unwrap();
        let members: Vec<_> = set["keys"][0].as_object().unwrap().keys().map(String::as_str).collect();
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(!members.contains(&private), "{members:?}");
        }
    }
}
