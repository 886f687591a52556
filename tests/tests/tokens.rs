//! Tokens whose judges are elsewhere: key sets that are fetched, issuers that are asked.

#![cfg(test)]

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tests::client::{Manner, Message, call};
use tests::origin::{Origin, answer, json as in_json};
use tests::stage::{Stage, USUAL_TIME};
use tests::watched::{WORKERS, Watched, request};

const KEY: &str = "dw_test_4f7k2m9qp3xw8b6n_HjGF3P03iP0j8ZFgaq2T04WynozBwKYI0tbQGmW8c9511muyx";
const OTHER_KEY: &str = "dw_test_8c1d5h0tz6vy3r9s_93th5bXj8t58pIWNAm7ssFziuHm7nyJ0Pm9Ri7JrwTo4BJWop";
/// The issuer where its keys have an address of their own.
const CORP: &str = "https://id.example.com";
const INVALID: &str = r#"Bearer realm="shop/orders", error="invalid_token""#;

/// A set that publishes the stage's key under these names.
fn key_set(names: &[&str]) -> Vec<u8> {
    let key = |name: &&str| json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": name, "x": "6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw"});
    in_json(200, &json!({"keys": names.iter().map(key).collect::<Vec<_>>()}).to_string())
}

/// An issuer that answers below `/jwks` whatever it was last told; with nothing to say it closes the connection.
struct Issuer {
    origin: Origin,
    says: Arc<Mutex<Vec<u8>>>,
}

impl Issuer {
    fn new(says: Vec<u8>) -> Self {
        Self::describing(says, |issuer| json!({"issuer": issuer, "jwks_uri": format!("{issuer}/jwks")}).to_string())
    }

    /// One whose OpenID configuration is `describes` of its own name.
    fn describing(says: Vec<u8>, describes: fn(&str) -> String) -> Self {
        let says = Arc::new(Mutex::new(says));
        let answers = Arc::clone(&says);
        let origin = Origin::start(move |request, stream| {
            let path = request.start.split(' ').nth(1).unwrap_or_default();
            let issuer = format!("http://{}", request.header("host").unwrap_or_default());
            match path {
                "/jwks" => stream.write_all(&answers.lock().unwrap_or_else(PoisonError::into_inner)),
                "/.well-known/openid-configuration" => stream.write_all(&in_json(200, &describes(&issuer))),
                _ => stream.write_all(&in_json(404, "{}")),
            }
        });
        Self { origin: origin.unwrap(), says }
    }

    fn say(&self, bytes: Vec<u8>) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    }

    fn fetches(&self) -> usize {
        self.origin.count("/jwks")
    }
}

/// A gateway whose route takes credentials in some ways.
struct Scene {
    gateway: Watched,
    _folder: tempfile::TempDir,
}

fn scene(methods: &str, provider: &str) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let manifests = manifests(methods, &format!("audiences: [orders], {provider}"));
    let gateway = Watched::start(&manifests, folder.path(), usual_time()).unwrap();
    Scene { gateway, _folder: folder }
}

/// `methods` are those of the route, `provider` is the `spec` of the IdentityProvider `corp`.
fn manifests(methods: &str, provider: &str) -> String {
    format!(
        "
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {{name: orders, namespace: shop}}
spec:
  path: /orders
  authentication: {{methods: [{methods}]}}
  versions: [{{version: 1.0.0, backend: {{response: {{body: \"[]\"}}}}}}]
---
apiVersion: doorward.dev/v1alpha1
kind: IdentityProvider
metadata: {{name: corp, namespace: shop}}
spec: {{{provider}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: corp-client, namespace: shop}}
stringData: {{secret: \"s3cr3t: of/the gateway\"}}
---
apiVersion: doorward.dev/v1alpha1
kind: ApiKey
metadata: {{name: mobile-app, namespace: shop}}
spec: {{secretRef: {{name: mobile-app-key}}}}
---
apiVersion: v1
kind: Secret
metadata: {{name: mobile-app-key, namespace: shop}}
stringData: {{key: {KEY}}}
"
    )
}

/// A route that takes signed tokens of an issuer whose keys are at `address`.
fn jwt_scene(issuer: &Issuer) -> Scene {
    scene(JWT, &format!("issuer: {CORP}, jwks: {{uri: \"http://{}/jwks\"}}", issuer.origin.address))
}

const JWT: &str = "{jwt: {providerRef: {name: corp}}}";

fn usual_time() -> Timestamp {
    USUAL_TIME.parse().unwrap()
}

/// The time so many seconds after the usual one.
fn after(seconds: i64) -> Timestamp {
    usual_time() + SignedDuration::from_secs(seconds)
}

/// A token that is good at the scene's time, but for what `words` say.
fn token(scene: &Scene, words: &str) -> String {
    Stage::new(scene.gateway.clock.now()).expand(&format!("{{{{jwt {words}}}}}")).unwrap()
}

fn bearer(text: &str) -> String {
    format!("GET /orders\nAuthorization: Bearer {text}")
}

/// Status and code (empty where it was admitted), and every challenge.
fn outcome(message: &Message) -> (u16, &str, Vec<&str>) {
    let challenges = message.headers.iter().filter(|(name, _)| name == "www-authenticate");
    let challenges = challenges.map(|(_, value)| value.as_str()).collect();
    (message.status(), message.header("doorward-code").unwrap_or_default(), challenges)
}

/// Sends a token, made of `words` now.
#[track_caller]
fn check(scene: &Scene, words: &str, status: u16, code: &str) {
    let message = scene.gateway.send(&bearer(&token(scene, words)), "").unwrap();
    let challenges = if status == 401 { vec![INVALID] } else { vec![] };
    assert_eq!(outcome(&message), (status, code, challenges), "{words}: {message:?}");
    // Waiting helps exactly where the issuer is what is missing.
    assert_eq!(message.header("retry-after"), (status == 503).then_some("1"), "{words}");
}

#[test]
fn keys_are_fetched_and_rotated() {
    for discovers in [false, true] {
        let issuer = Issuer::new(key_set(&["k1"]));
        let found = format!("http://{}", issuer.origin.address);
        let iss = if discovers { format!(" iss={found}") } else { String::new() };
        let scene = if discovers { scene(JWT, &format!("issuer: \"{found}\"")) } else { jwt_scene(&issuer) };
        let check = |kid: &str, status, code: &str| check(&scene, &format!("kid={kid}{iss}"), status, code);
        check("k1", 200, "");
        assert_eq!(issuer.fetches(), 1, "no request comes before the keys");
        // A new key counts from its first use on, however young the set is.
        issuer.say(key_set(&["k1", "k2"]));
        check("k2", 200, "");
        check("k1", 200, "");
        assert_eq!(issuer.fetches(), 2);
        // Whoever makes up names causes one fetch in 30 seconds.
        issuer.say(key_set(&["k2", "k3"]));
        check("k3", 401, "token.key_unknown");
        scene.gateway.clock.set(after(30));
        check("k3", 401, "token.key_unknown");
        assert_eq!(issuer.fetches(), 2);
        scene.gateway.clock.set(after(31));
        check("k3", 200, "");
        assert_eq!(issuer.fetches(), 3);
        // A key that was taken back counts no more, though its token was verified before.
        check("k1", 401, "token.key_unknown");
        assert_eq!(issuer.fetches(), 3);
        assert_eq!(issuer.origin.count("/.well-known/openid-configuration"), if discovers { 3 } else { 0 });
    }
}

#[test]
fn unknown_keys_cause_one_fetch_whatever_the_load() {
    let issuer = Issuer::new(key_set(&["k1"]));
    let scene = jwt_scene(&issuer);
    check(&scene, "kid=k1", 200, "");
    let flood = |round: &str| {
        thread::scope(|scope| {
            for number in 0..200 {
                let bytes = request(&bearer(&token(&scene, &format!("kid={round}-{number}"))), "");
                let address = scene.gateway.address;
                scope.spawn(move || {
                    let message = call(address, &bytes, &Manner::default()).unwrap();
                    assert_eq!(outcome(&message), (401, "token.key_unknown", vec![INVALID]), "{message:?}");
                });
            }
        });
    };
    flood("a");
    assert_eq!(issuer.fetches(), 2);
    flood("b");
    assert_eq!(issuer.fetches(), 2);
    scene.gateway.clock.set(after(31));
    flood("c");
    flood("d");
    assert_eq!(issuer.fetches(), 3);
    check(&scene, "kid=k1", 200, "");
}

#[test]
fn an_issuer_that_is_down_is_not_the_callers_fault() {
    let issuer = Issuer::new(key_set(&["k1"]));
    let scene = jwt_scene(&issuer);
    check(&scene, "kid=k1", 200, "");
    issuer.say(Vec::new());
    // The keys that are known serve on, for tokens that were never seen too.
    for seconds in [40, 1_800, 3_599] {
        scene.gateway.clock.set(after(seconds));
        check(&scene, &format!("kid=k1 sub=bob-{seconds}"), 200, "");
        // Whether this key exists cannot be told.
        check(&scene, "kid=k9", 503, "token.keys_unavailable");
    }
    scene.gateway.clock.set(after(3_601));
    check(&scene, "kid=k1", 503, "token.keys_unavailable");
    // A caller's own mistakes stay theirs.
    let message = scene.gateway.send(&bearer("not-a-token"), "").unwrap();
    assert_eq!(outcome(&message).1, "token.malformed");
    issuer.say(key_set(&["k1"]));
    scene.gateway.clock.set(after(3_700));
    check(&scene, "kid=k1", 200, "");
}

#[test]
fn key_sets_that_cannot_be_used_admit_and_blame_nobody() {
    let private =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","x":"6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw","d":"AA"}]}"#;
    let good = String::from_utf8(key_set(&["k1"])).unwrap();
    let huge = key_set(&[&"k".repeat(70_000), "k1"]);
    let cases = [
        ("nothing", Vec::new()),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        ("no JSON", in_json(200, "<html>")),
        ("no set", in_json(200, "{}")),
        ("an empty set", in_json(200, r#"{"keys":[]}"#)),
        ("a symmetric key", in_json(200, r#"{"keys":[{"kty":"oct","kid":"k1","k":"AAAA"}]}"#)),
        ("a private key", in_json(200, private)),
        ("an error with a good body", good.replace("200 Said", "500 Said").into_bytes()),
        ("a redirect", answer(302, "Location: https://id.example.org/jwks\r\n", "")),
        ("too much", huge),
    ];
    for (what, says) in cases {
        let issuer = Issuer::new(says);
        let scene = jwt_scene(&issuer);
        let message = scene.gateway.send(&bearer(&token(&scene, "kid=k1")), "").unwrap();
        assert_eq!(outcome(&message), (503, "token.keys_unavailable", vec![]), "{what}: {message:?}");
        // Once it is mended, all is well; a bad set then takes the place of no good one.
        issuer.say(key_set(&["k1"]));
        scene.gateway.clock.set(after(31));
        check(&scene, "kid=k1", 200, "");
        issuer.say(in_json(200, "{}"));
        scene.gateway.clock.set(after(62));
        check(&scene, "kid=k2", 503, "token.keys_unavailable");
        check(&scene, "kid=k1 sub=bob", 200, "");
    }
}

#[test]
fn descriptions_of_another_issuer_are_not_followed() {
    type Describes = fn(&str) -> String;
    let cases: [(&str, Describes); 5] = [
        ("another issuer", |issuer| {
            json!({"issuer": "https://id.example.org", "jwks_uri": format!("{issuer}/jwks")}).to_string()
        }),
        ("no secure place", |issuer| json!({"issuer": issuer, "jwks_uri": "http://192.0.2.1/jwks"}).to_string()),
        ("no place", |issuer| json!({"issuer": issuer}).to_string()),
        ("a file", |issuer| json!({"issuer": issuer, "jwks_uri": "file:///jwks"}).to_string()),
        ("no JSON", |_| "<html>".to_owned()),
    ];
    for (what, describes) in cases {
        let issuer = Issuer::describing(key_set(&["k1"]), describes);
        let name = format!("http://{}", issuer.origin.address);
        let scene = scene(JWT, &format!("issuer: \"{name}\""));
        let message = scene.gateway.send(&bearer(&token(&scene, &format!("iss={name}"))), "").unwrap();
        assert_eq!(outcome(&message), (503, "token.keys_unavailable", vec![]), "{what}: {message:?}");
        assert_eq!(issuer.fetches(), 0, "{what}");
    }
}

/// An endpoint that finds its answer in the token: what is asked about `says-500-...` is answered with 500.
fn endpoint() -> Origin {
    let active = r#"{"active": true, "sub": "alice", "aud": "orders", "iss": "https://id.example.com", "exp": 4102444800}"#;
    Origin::start(move |request, stream| {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let asked = form.strip_prefix("token=").and_then(|rest| rest.split('&').next()).unwrap_or_default();
        let said = match asked.trim_start_matches('a') {
            "-active" => in_json(200, active),
            "-active-elsewhere" => in_json(200, &active.replace("\"orders\"", "\"billing\"")),
            "-active-too-late" => in_json(200, &active.replace("4102444800", "1000000000")),
            "-inactive" => in_json(200, r#"{"active": false}"#),
            "-says-500" => in_json(500, active),
            "-says-401" => in_json(401, active),
            "-says-redirect" => answer(302, "Location: https://id.example.org/\r\n", ""),
            "-says-nonsense" => in_json(200, r#"{"active": "true"}"#),
            _ => Vec::new(),
        };
        stream.write_all(&said)
    })
    .unwrap()
}

/// The keys of the provider play no part; they are where nothing is.
fn introspection_scene(endpoint: &Origin) -> Scene {
    let keys = format!("issuer: {CORP}, jwks: {{uri: \"http://{}/jwks\"}}", endpoint.address);
    scene(INTROSPECTION, &format!("{keys}, {}", introspection(endpoint)))
}

const INTROSPECTION: &str = "{introspection: {providerRef: {name: corp}}}";

fn introspection(endpoint: &Origin) -> String {
    let uri = format!("http://{}/introspect", endpoint.address);
    let client = "clientId: \"gate way\", clientSecretRef: {name: corp-client, key: secret}";
    format!("introspection: {{uri: \"{uri}\", {client}}}")
}

#[test]
fn issuers_are_asked_about_tokens() {
    let endpoint = endpoint();
    let scene = introspection_scene(&endpoint);
    let cases = [
        ("a-active", 200, ""),
        ("a-active-elsewhere", 401, "token.audience_wrong"),
        ("a-active-too-late", 401, "token.expired"),
        ("a-inactive", 401, "token.inactive"),
        ("a-says-500", 503, "token.introspection_unavailable"),
        ("a-says-redirect", 503, "token.introspection_unavailable"),
        ("a-says-nonsense", 503, "token.introspection_unavailable"),
        ("a-says-nothing", 503, "token.introspection_unavailable"),
        ("a-says-401", 500, "token.introspection_refused"),
    ];
    for (text, status, code) in cases {
        let message = scene.gateway.send(&bearer(text), "").unwrap();
        let challenges = if status == 401 { vec![INVALID] } else { vec![] };
        assert_eq!(outcome(&message), (status, code, challenges), "{text}: {message:?}");
        // Its keys are fetched in the meantime.
        let asked = endpoint.received().into_iter().rfind(|request| request.start == "POST /introspect HTTP/1.1").unwrap();
        assert_eq!(String::from_utf8_lossy(&asked.body), format!("token={text}&token_type_hint=access_token"));
        assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
        // RFC 6749 section 2.3.1: both are form-encoded first. `gate+way:s3cr3t%3A+of%2Fthe+gateway`.
        assert_eq!(asked.header("authorization"), Some("Basic Z2F0ZSt3YXk6czNjcjN0JTNBK29mJTJGdGhlK2dhdGV3YXk="));
    }
}

#[test]
fn an_issuers_word_counts_for_a_while_and_for_one_token() {
    let endpoint = endpoint();
    let scene = introspection_scene(&endpoint);
    // Both are as long as tokens get in practice, and differ in their ends.
    let prefix = "a".repeat(4_000);
    let mut asked_before = 0;
    let mut check = |end: &str, status: u16, asked: std::ops::RangeInclusive<usize>| {
        for _ in 0..20 {
            let message = scene.gateway.send(&bearer(&format!("{prefix}-{end}")), "").unwrap();
            assert_eq!(message.status(), status, "{end}");
        }
        let now = endpoint.count("/introspect");
        assert!(asked.contains(&(now - asked_before)), "{end}: asked {} times", now - asked_before);
        asked_before = now;
    };
    // Each worker asks for itself.
    check("active", 200, 1..=WORKERS);
    check("inactive", 401, 1..=WORKERS);
    scene.gateway.clock.set(after(4));
    check("active", 200, 0..=WORKERS - 1);
    check("inactive", 401, 0..=WORKERS - 1);
    // What may change soon is asked again soon.
    scene.gateway.clock.set(after(5));
    check("inactive", 401, 1..=WORKERS);
    check("active", 200, 0..=0);
    scene.gateway.clock.set(after(31));
    check("active", 200, 1..=WORKERS);
    // A failure is no word.
    check("says-500", 503, 20..=20);
    check("says-401", 500, 20..=20);
    check("says-nonsense", 503, 20..=20);
}

/// The issuer's word and its keys are kept over a reload; what was made of them by other rules is not.
#[test]
fn new_rules_judge_known_tokens_anew() {
    let endpoint = endpoint();
    let issuer = Issuer::new(key_set(&["k1"]));
    let spec = |audience: &str| {
        format!(
            "audiences: [{audience}], issuer: {CORP}, jwks: {{uri: \"http://{}/jwks\"}}, {}",
            issuer.origin.address,
            introspection(&endpoint)
        )
    };
    let methods = format!("{JWT}, {INTROSPECTION}");
    let folder = tempfile::tempdir().unwrap();
    let gateway = Watched::start(&manifests(&methods, &spec("orders")), folder.path(), usual_time()).unwrap();
    let scene = Scene { gateway, _folder: folder };
    let signed = token(&scene, "kid=k1");
    let check = |status: u16, code: &str| {
        for text in [&*signed, "a-active"].into_iter().flat_map(|text| [text; 10]) {
            let message = scene.gateway.send(&bearer(text), "").unwrap();
            assert_eq!((outcome(&message).0, outcome(&message).1), (status, code), "{text}: {message:?}");
        }
    };
    check(200, "");
    scene.gateway.apply(&manifests(&methods, &spec("billing"))).unwrap();
    check(401, "token.audience_wrong");
    scene.gateway.apply(&manifests(&methods, &spec("orders"))).unwrap();
    check(200, "");
    assert_eq!(issuer.fetches(), 1);
}

#[test]
fn one_good_credential_admits_and_two_must_agree() {
    let issuer = Issuer::new(key_set(&["k1"]));
    let provider = format!("issuer: {CORP}, jwks: {{uri: \"http://{}/jwks\"}}", issuer.origin.address);
    let scene = scene(&format!("{{apiKey: {{header: X-Api-Key}}}}, {JWT}"), &provider);
    let key = |text: &str| format!("X-Api-Key: {text}");
    let jwt = |words: &str| format!("Authorization: Bearer {}", token(&scene, words));
    let api_key = r#"ApiKey realm="shop/orders", in="header", name="X-Api-Key""#;
    let mut answers: Vec<(Message, usize)> = Vec::new();
    // `tried` credentials are in the owner's view, whatever became of them.
    let mut check = |lines: &[String], tried: usize, status: u16, code: &str| {
        let message = scene.gateway.send(format!("GET /orders\n{}", lines.join("\n")).trim_end(), "").unwrap();
        let (found_status, found, mut challenges) = outcome(&message);
        assert_eq!((found_status, found), (status, code), "{lines:?}: {message:?}");
        challenges.sort_unstable();
        let carries = lines.iter().any(|line| line.starts_with("Authorization: Bearer"));
        let error = if carries { ", error=\"invalid_token\"" } else { "" };
        let bearer = format!("Bearer realm=\"shop/orders\"{error}");
        let expected = if status == 401 { vec![api_key, &bearer] } else { vec![] };
        assert_eq!(challenges, expected, "{lines:?}");
        answers.push((message, tried));
    };
    check(&[key(KEY)], 1, 200, "");
    check(&[jwt("")], 1, 200, "");
    check(&[], 0, 401, "credential.missing");
    // Two principals, each proven: whose call it is, nobody knows.
    check(&[key(KEY), jwt("")], 2, 400, "credential.ambiguous");
    check(&[key(KEY), key(KEY)], 1, 400, "credential.ambiguous");
    check(&[jwt(""), jwt("")], 1, 400, "credential.ambiguous");
    // What fails beside a good one does no harm.
    check(&[key(KEY), jwt("exp=-2m")], 2, 200, "");
    check(&[key(KEY), jwt("iss=https://id.example.org")], 2, 200, "");
    check(&[key(OTHER_KEY), jwt("")], 2, 200, "");
    check(&[key(OTHER_KEY)], 1, 401, "credential.unknown");
    check(&[key(OTHER_KEY), jwt("exp=-2m")], 2, 401, "credential.unknown");
    check(&[jwt("exp=-2m")], 1, 401, "token.expired");
    check(&[jwt("key=other")], 1, 401, "token.signature_invalid");
    check(&[jwt("iss=https://id.example.org")], 1, 401, "token.issuer_unknown");
    // Not even its signature is looked at, so nothing else of it is told.
    check(&[jwt("iss=https://id.example.org key=other exp=-2m")], 1, 401, "token.issuer_unknown");
    check(&["Authorization: Bearer a.b.c".to_owned()], 1, 401, "token.malformed");
    // A key is good where it is taken, and only there.
    check(&[format!("Authorization: Bearer {KEY}")], 1, 401, "credential.not_accepted");
    check(&["Authorization: Basic YTpi".to_owned()], 1, 401, "credential.not_accepted");
    let left = scene.gateway.stop().unwrap();
    for (message, tried) in &answers {
        let record = left.record(message).unwrap();
        assert_eq!(record["credentials"].as_array().map_or(0, Vec::len), *tried, "{record}");
        assert!(!record.to_string().contains(KEY), "{record}");
    }
}
