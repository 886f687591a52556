//! The matrix of RFC 8725 and what else tokens have been broken with, over real keys.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use cause::{Denial, ObjectName};
use ir::{Claims, Provider, ProviderId};
use serde_json::json;

use super::*;

mod key_sets;
mod mutations;

/// 2026-05-01T12:00:00Z.
const NOW: i64 = 1_777_636_800;

pub(crate) fn provider() -> Provider {
    Provider {
        id: ProviderId(ObjectName::new("shop", "corp")),
        issuer: "https://id.example.com".into(),
        audiences: vec!["orders".into(), "billing".into()],
        algorithms: ["RS256", "PS256", "ES256", "ES384", "EdDSA"].map(Arc::from).to_vec(),
        keys: ir::KeySet::Discovery,
        introspection: None,
        claims: Claims {
            principal: "sub".into(),
            team: Some("org".into()),
            roles: Some("realm_access.roles".into()),
            scopes: "scope".into(),
        },
        leeway_ms: 60_000,
        max_age_ms: None,
    }
}

struct Keys {
    rsa: RsaKeyPair,
    other_rsa: RsaKeyPair,
    p256: EcdsaKeyPair,
    p384: EcdsaKeyPair,
    ed: Ed25519KeyPair,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
    other_rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
    p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
    p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
    ed: Ed25519KeyPair::generate().unwrap(),
});

fn b64(octets: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(octets)
}

fn rsa_jwk(pair: &RsaKeyPair, kid: &str) -> serde_json::Value {
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    json!({"kty": "RSA", "kid": kid, "use": "sig", "n": b64(&public.n), "e": b64(&public.e)})
}

fn ec_jwk(pair: &EcdsaKeyPair, curve: &str, kid: &str) -> serde_json::Value {
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    json!({"kty": "EC", "crv": curve, "kid": kid, "x": b64(x), "y": b64(y)})
}

fn ed_jwk(kid: &str) -> serde_json::Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(KEYS.ed.public_key())})
}

fn published() -> serde_json::Value {
    json!({"keys": [
        rsa_jwk(&KEYS.rsa, "rsa"),
        ec_jwk(&KEYS.p256, "P-256", "p256"),
        ec_jwk(&KEYS.p384, "P-384", "p384"),
        ed_jwk("ed"),
        {"kty": "EC", "crv": "secp256k1", "kid": "k1", "x": "AA", "y": "AA"},
    ]})
}

fn key_set(document: &serde_json::Value) -> KeySet {
    KeySet::parse(document.to_string().as_bytes(), &provider().algorithms).unwrap()
}

/// Signs with the pair that the algorithm's name asks for.
fn sign(algorithm: &str, message: &str) -> Vec<u8> {
    let random = SystemRandom::new();
    let rsa = |pair: &RsaKeyPair, encoding: &'static dyn RsaEncoding| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &random, message.as_bytes(), &mut signature).unwrap();
        signature
    };
    match algorithm {
        "RS256" => rsa(&KEYS.rsa, &RSA_PKCS1_SHA256),
        "RS384" => rsa(&KEYS.rsa, &RSA_PKCS1_SHA384),
        "PS256" => rsa(&KEYS.rsa, &RSA_PSS_SHA256),
        "other" => rsa(&KEYS.other_rsa, &RSA_PKCS1_SHA256),
        "ES256" => KEYS.p256.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
        "ES384" => KEYS.p384.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
        "EdDSA" => KEYS.ed.sign(message.as_bytes()).as_ref().to_vec(),
        _ => Vec::new(),
    }
}

fn token_of(header: &str, claims: &str, signer: &str) -> String {
    let signed = format!("{}.{}", b64(header), b64(claims));
    let signature = b64(sign(signer, &signed));
    format!("{signed}.{signature}")
}

fn good_claims() -> serde_json::Value {
    json!({
        "iss": "https://id.example.com", "sub": "alice", "aud": "orders", "exp": NOW + 600, "iat": NOW - 5,
        "org": "acme", "realm_access": {"roles": ["reader", "writer"]}, "scope": "orders.read orders.write",
    })
}

/// The good claims with some changed; `null` removes.
fn claims(changes: serde_json::Value) -> String {
    let mut claims = good_claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims.to_string()
}

fn judge(token: &str, provider: &Provider, keys: &KeySet) -> Result<Verified, String> {
    let rules = Rules::compile(provider);
    verify(token, &rules, keys, Timestamp::from_second(NOW).unwrap()).map_err(|refused| {
        let code = Denial::Token(refused.clone().into_cause(&rules)).entry().code;
        match refused {
            Refused::KeyUnknown => format!("{code}?"),
            Refused::Cause(_) => code.to_owned(),
        }
    })
}

/// Judges a token of the usual provider and keys.
fn check(name: &str, token: &str, expected: Result<(), &str>) {
    let judged = judge(token, &provider(), &key_set(&published()));
    assert_eq!(judged.as_ref().map(|_| ()).map_err(String::as_str), expected, "{name}: {token}");
}

const RS256: &str = r#"{"alg":"RS256","kid":"rsa"}"#;

#[test]
fn algorithms_belong_to_keys() {
    let good = good_claims().to_string();
    let with = |header: &str, signer: &str| token_of(header, &good, signer);
    check("RS256", &with(RS256, "RS256"), Ok(()));
    check("PS256", &with(r#"{"alg":"PS256","kid":"rsa"}"#, "PS256"), Ok(()));
    check("ES256", &with(r#"{"alg":"ES256","kid":"p256"}"#, "ES256"), Ok(()));
    check("ES384", &with(r#"{"alg":"ES384","kid":"p384"}"#, "ES384"), Ok(()));
    check("EdDSA", &with(r#"{"alg":"EdDSA","kid":"ed"}"#, "EdDSA"), Ok(()));
    check("no kid", &with(r#"{"alg":"ES256"}"#, "ES256"), Ok(()));
    check("none", &with(r#"{"alg":"none"}"#, ""), Err("token.algorithm_not_allowed"));
    check("None", &with(r#"{"alg":"None","kid":"rsa"}"#, ""), Err("token.algorithm_not_allowed"));
    check("case", &with(r#"{"alg":"rs256","kid":"rsa"}"#, "RS256"), Err("token.algorithm_not_allowed"));
    check("not listed", &with(r#"{"alg":"RS384","kid":"rsa"}"#, "RS384"), Err("token.algorithm_not_allowed"));
    check("unknown", &with(r#"{"alg":"XS256","kid":"rsa"}"#, "RS256"), Err("token.algorithm_not_allowed"));
    check("another's algorithm", &with(r#"{"alg":"ES256","kid":"rsa"}"#, "ES256"), Err("token.algorithm_not_allowed"));
    check("another padding", &with(RS256, "PS256"), Err("token.signature_invalid"));
    check("another curve", &with(r#"{"alg":"ES384","kid":"p384"}"#, "ES256"), Err("token.signature_invalid"));
    check("another key", &with(RS256, "other"), Err("token.signature_invalid"));
    check("another key, no kid", &with(r#"{"alg":"RS256"}"#, "other"), Err("token.signature_invalid"));
    check("no signature", &with(RS256, ""), Err("token.signature_invalid"));
    let zeros = format!("{}.{}.{}", b64(r#"{"alg":"ES256","kid":"p256"}"#), b64(&good), b64([0; 64]));
    check("a signature of zeros", &zeros, Err("token.signature_invalid"));
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(KEYS.rsa.public_key());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(KEYS.rsa.public_key()));
    for secret in [pem.clone().into_bytes(), format!("{pem}\n").into_bytes(), public.n, published().to_string().into_bytes()] {
        let signed = format!("{}.{}", b64(r#"{"alg":"HS256","kid":"rsa"}"#), b64(good_claims().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
        check("HS256", &format!("{signed}.{}", b64(tag)), Err("token.algorithm_not_allowed"));
    }
}

#[test]
fn headers_are_strict() {
    let good = good_claims().to_string();
    let with = |header: &str| token_of(header, &good, "RS256");
    let rest = r#""alg":"RS256","kid":"rsa""#;
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt", "Application/JWT"] {
        check(typ, &with(&format!(r#"{{{rest},"typ":"{typ}"}}"#)), Ok(()));
    }
    for typ in ["\"logout+jwt\"", "\"dpop+jwt\"", "\"JOSE\"", "\"\"", "5", "null", "\"id+jwt\""] {
        check(typ, &with(&format!(r#"{{{rest},"typ":{typ}}}"#)), Err("token.type_not_accepted"));
    }
    for crit in
        [r#""crit":["exp"],"exp":1"#, r#""crit":[]"#, r#""crit":"b64""#, r#""b64":false"#, r#""b64":false,"crit":["b64"]"#]
    {
        check(crit, &with(&format!("{{{rest},{crit}}}")), Err("token.critical_header"));
    }
    check("b64 true", &with(&format!(r#"{{{rest},"b64":true}}"#)), Ok(()));
    let wrong = [
        r#"{"kid":"rsa"}"#,
        r#"{"alg":5,"kid":"rsa"}"#,
        r#"{"alg":["RS256"],"kid":"rsa"}"#,
        r#"{"alg":"RS256","kid":5}"#,
        r#"{"alg":"RS256","kid":null}"#,
        r#"{"alg":"none","alg":"RS256","kid":"rsa"}"#,
        r#"{"alg":"RS256","kid":"x","kid":"rsa"}"#,
        r#"{"alg":"RS256","kid":"rsa","zip":"DEF"}"#,
        r#"{"alg":"RS256","kid":"rsa","cty":"JWT"}"#,
        r#"{"alg":"RS256","kid":"rsa"}x"#,
        r#"["RS256"]"#,
        "",
    ];
    for header in wrong {
        check(header, &with(header), Err("token.malformed"));
    }
    check("long kid", &with(&format!(r#"{{"alg":"RS256","kid":"{}"}}"#, "k".repeat(257))), Err("token.malformed"));
}

#[test]
fn keys_are_named_never_followed() {
    let good = good_claims().to_string();
    for kid in ["unknown", "../../etc/passwd", "/dev/null", "' OR 1=1 --", "https://evil.example/keys", "RSA", ""] {
        let header = json!({"alg": "RS256", "kid": kid}).to_string();
        check(kid, &token_of(&header, &good, "RS256"), Err("token.key_unknown?"));
    }
    let own = rsa_jwk(&KEYS.other_rsa, "rsa");
    let embedded =
        json!({"alg": "RS256", "kid": "rsa", "jwk": own, "jku": "https://evil.example", "x5u": "https://evil.example"});
    check("embedded key", &token_of(&embedded.to_string(), &good, "other"), Err("token.signature_invalid"));
    check(
        "embedded key, unknown name",
        &token_of(&embedded.to_string().replace("\"rsa\"", "\"x\""), &good, "other"),
        Err("token.key_unknown?"),
    );
    // A set whose only key has no name serves tokens that name one; another algorithm's does not.
    let mut nameless = ec_jwk(&KEYS.p256, "P-256", "x");
    nameless.as_object_mut().unwrap().remove("kid");
    let keys = key_set(&json!({"keys": [nameless]}));
    assert!(judge(&token_of(r#"{"alg":"ES256","kid":"any"}"#, &good, "ES256"), &provider(), &keys).is_ok());
    assert_eq!(judge(&token_of(RS256, &good, "RS256"), &provider(), &keys).unwrap_err(), "token.key_unknown?");
    // The same name at another issuer is another key.
    let others = key_set(&json!({"keys": [rsa_jwk(&KEYS.other_rsa, "rsa")]}));
    assert_eq!(judge(&token_of(RS256, &good, "RS256"), &provider(), &others).unwrap_err(), "token.signature_invalid");
    // Two keys of one name: either serves.
    let both = key_set(&json!({"keys": [rsa_jwk(&KEYS.other_rsa, "rsa"), rsa_jwk(&KEYS.rsa, "rsa")]}));
    assert!(judge(&token_of(RS256, &good, "RS256"), &provider(), &both).is_ok());
}

#[test]
fn the_compact_form_is_strict() {
    let good = token_of(RS256, &good_claims().to_string(), "RS256");
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    check("as issued", &good, Ok(()));
    let broken = [
        String::new(),
        "opaque".to_owned(),
        signed.to_owned(),
        format!("{good}."),
        format!("{good}.x"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}="),
        format!("{header}=.{payload}.{signature}"),
        format!("{}.{payload}.{signature}", URL_SAFE.encode(r#"{"alg":"RS256","kid":"rsa" }"#)),
        format!("{header}.{payload}.{}", signature.replace(['-', '_'], "+")),
        format!("{header}.{payload}.{signature}%"),
        format!("{header}.{}\u{200b}.{signature}", payload),
        "..".to_owned(),
        format!("{header}.{}.{signature}", b64("a".repeat(64 * 1024))),
    ];
    for token in broken {
        let judged = judge(&token, &provider(), &key_set(&published()));
        assert_eq!(judged.map(|_| ()), Err("token.malformed".to_owned()), "{token:.80}");
    }
    // The last character of a 2048 bit signature has bits that must be zero.
    let last = signature.chars().last().unwrap();
    let other = if last == 'w' { 'x' } else { char::from(last as u8 + 1) };
    let bits = format!("{signed}.{}{other}", &signature[..signature.len() - 1]);
    assert!(judge(&bits, &provider(), &key_set(&published())).is_err());
    check("a longer signature", &format!("{good}A"), Err("token.signature_invalid"));
    check("JWE", "a.b.c.d.e", Err("token.encrypted"));
    let changed = format!("{header}.{}.{signature}", b64(claims(json!({"sub": "root"}))));
    check("other claims", &changed, Err("token.signature_invalid"));
    let nested = token_of(RS256, &good, "RS256");
    check("a token in a token", &nested, Err("token.malformed"));
}

#[test]
fn claims_must_hold() {
    fn row(changes: serde_json::Value, expected: Result<(), &str>) {
        check(&changes.to_string(), &token_of(RS256, &claims(changes.clone()), "RS256"), expected);
    }
    let (missing, expired, early) = (Err("token.claim_missing"), Err("token.expired"), Err("token.not_yet_valid"));
    row(json!({}), Ok(()));
    row(json!({"exp": null}), missing);
    row(json!({"exp": NOW - 59}), Ok(()));
    row(json!({"exp": NOW - 60}), expired);
    row(json!({"exp": NOW - 61}), expired);
    row(json!({"exp": (NOW - 59) as f64 + 0.5}), Ok(()));
    row(json!({"exp": (NOW - 61) as f64 + 0.5}), expired);
    row(json!({"exp": 0}), expired);
    row(json!({"exp": (NOW + 600).to_string()}), missing);
    row(json!({"exp": -1}), missing);
    row(json!({"exp": -0.5}), missing);
    row(json!({"exp": 1e300}), missing);
    row(json!({"exp": 253_402_300_800_i64}), missing);
    row(json!({"exp": u64::MAX}), missing);
    row(json!({"exp": true}), missing);
    row(json!({"exp": [NOW + 600]}), missing);
    row(json!({"nbf": NOW + 59}), Ok(()));
    row(json!({"nbf": NOW + 61}), early);
    row(json!({"nbf": "soon"}), missing);
    row(json!({"nbf": NOW + 601}), Err("token.malformed"));
    row(json!({"iat": NOW + 59}), Ok(()));
    row(json!({"iat": NOW + 61}), early);
    row(json!({"iat": null}), Ok(()));
    row(json!({"iat": {}}), missing);
    row(json!({"aud": ["other", "billing"]}), Ok(()));
    row(json!({"aud": "other"}), Err("token.audience_wrong"));
    row(json!({"aud": "orders "}), Err("token.audience_wrong"));
    row(json!({"aud": "Orders"}), Err("token.audience_wrong"));
    row(json!({"aud": []}), Err("token.audience_wrong"));
    row(json!({"aud": null}), missing);
    row(json!({"aud": 5}), missing);
    row(json!({"aud": ["orders", 5]}), missing);
    row(json!({"iss": "https://id.example.com/"}), Err("token.issuer_unknown"));
    row(json!({"iss": "https://ID.example.com"}), Err("token.issuer_unknown"));
    row(json!({"iss": ["https://id.example.com"]}), Err("token.issuer_unknown"));
    row(json!({"iss": null}), missing);
    row(json!({"sub": null}), missing);
    row(json!({"sub": ""}), missing);
    row(json!({"sub": 5}), missing);
    row(json!({"sub": "a\r\nX-Admin: 1"}), missing);
    for text in [r#"{"sub":"a","sub":"root"}"#, "[]", "\"x\"", "", "{\"iss\":\"https://id.example.com\"} {}"] {
        check(text, &token_of(RS256, text, "RS256"), Err("token.malformed"));
    }
    let duplicate = good_claims().to_string().replacen('{', r#"{"exp":9999999999,"#, 1);
    check("two exp", &token_of(RS256, &duplicate, "RS256"), Err("token.malformed"));
}

#[test]
fn the_age_of_a_token_can_be_bounded() {
    fn row(changes: serde_json::Value, expected: Result<&str, &str>) {
        let provider = Provider { max_age_ms: Some(300_000), ..provider() };
        let judged = judge(&token_of(RS256, &claims(changes.clone()), "RS256"), &provider, &key_set(&published()));
        let told = judged.map(|token| token.expires_at.unwrap().to_string());
        assert_eq!(told.as_deref().map_err(String::as_str), expected, "{changes}");
    }
    row(json!({"exp": null, "iat": NOW}), Ok("2026-05-01T12:06:00Z"));
    row(json!({"exp": NOW + 30, "iat": NOW}), Ok("2026-05-01T12:01:30Z"));
    row(json!({"exp": NOW + 9000, "iat": NOW - 359}), Ok("2026-05-01T12:00:01Z"));
    row(json!({"exp": NOW + 9000, "iat": NOW - 360}), Err("token.too_old"));
    row(json!({"exp": NOW - 100, "iat": NOW - 200}), Err("token.expired"));
    row(json!({"exp": NOW + 9000, "iat": null}), Err("token.claim_missing"));
}

#[test]
fn claims_name_the_principal() {
    fn row(paths: [&str; 4], changes: serde_json::Value, expected: [&str; 4]) {
        let [principal, team, roles, scopes] = paths;
        let claims_of =
            Claims { principal: principal.into(), team: Some(team.into()), roles: Some(roles.into()), scopes: scopes.into() };
        let provider = Provider { claims: claims_of, ..provider() };
        let token = token_of(RS256, &claims(changes), "RS256");
        let principal = judge(&token, &provider, &key_set(&published())).unwrap().principal;
        let told = [
            principal.name.to_string(),
            principal.team.as_deref().unwrap_or("-").to_owned(),
            principal.roles.join(","),
            principal.scopes.join(","),
        ];
        assert_eq!(told, expected);
        assert_eq!((principal.kind, principal.key.clone()), (PrincipalKind::Jwt, None));
        assert_eq!(principal.provider, Some(provider.id));
        assert_eq!(principal.claims["iss"], "https://id.example.com");
    }
    let usual = ["sub", "org", "realm_access.roles", "scope"];
    row(usual, json!({}), ["alice", "acme", "reader,writer", "orders.read,orders.write"]);
    row(usual, json!({"scope": ["a", 5, "b"], "realm_access": {"roles": "x  y"}}), ["alice", "acme", "x,y", "a,b"]);
    row(usual, json!({"scope": 5, "realm_access": null, "org": 7}), ["alice", "-", "", ""]);
    row(usual, json!({"realm_access.roles": ["literal"]}), ["alice", "acme", "literal", "orders.read,orders.write"]);
    let dotted = ["https://x.io/me", "a.b.c", "https://x.io/app.roles", "scp"];
    row(
        dotted,
        json!({"https://x.io/me": "bob", "a": {"b.c": "team"}, "https://x.io/app": {"roles": ["r"]}, "scp": "s"}),
        ["bob", "team", "r", "s"],
    );
}

#[test]
fn a_text_tells_its_issuer_or_what_is_wrong() {
    fn row(token: &str, issuer: Option<&str>, code: &str) {
        assert_eq!(peek_issuer(token).as_deref(), issuer, "{token}");
        assert_eq!(Denial::Token(malformed(token)).entry().code, code, "{token}");
    }
    let unsigned = |header: &str, claims: &str| format!("{}.{}.", b64(header), b64(claims));
    row(&unsigned(RS256, r#"{"iss":"https://a\u002eb","x":[1]}"#), Some("https://a.b"), "token.claim_missing");
    row(&unsigned(RS256, r#"{"iss":"a","iss":"b"}"#), None, "token.malformed");
    row(&unsigned(RS256, r#"{"iss":5}"#), None, "token.claim_missing");
    row(&unsigned(RS256, "{}"), None, "token.claim_missing");
    row(&unsigned("x", "{}"), None, "token.malformed");
    row("dw_live_abc_def", None, "token.malformed");
    row("a.b.c.d.e", None, "token.encrypted");
    row(&unsigned(RS256, &format!("{{\"iss\":\"{}\"}}", "a".repeat(LONGEST))), None, "token.malformed");
}

#[test]
fn the_digest_in_use_is_the_one_the_name_says() {
    // Guards the table of algorithms: a signature over another digest must not verify.
    assert_eq!(digest::digest(&digest::SHA256, b"").as_ref().len(), 32);
    let good = good_claims().to_string();
    check("RS384 as RS256", &token_of(RS256, &good, "RS384"), Err("token.signature_invalid"));
}
