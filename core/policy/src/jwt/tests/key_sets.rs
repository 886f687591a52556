//! Documents that are, and are not, key sets.

use super::*;

#[test]
fn key_sets_hold_public_keys_only() {
    fn check(document: &serde_json::Value, expected: Result<&str, &str>) {
        read(&document.to_string(), expected);
    }
    fn read(document: &str, expected: Result<&str, &str>) {
        let parsed = KeySet::parse(document.as_bytes(), &provider().algorithms);
        match (&parsed, expected) {
            (Ok(keys), Ok(names)) => assert_eq!(format!("{keys:?}").replace(['"', '[', ']'], ""), names, "{document:.200}"),
            (Err(fault), Err(reason)) => assert!(fault.reason().contains(reason), "{document:.200}: {fault}"),
            (_, _) => panic!("{document:.200}: {parsed:?}"),
        }
    }
    let changed = |key: &serde_json::Value, name: &str, value: serde_json::Value| {
        let mut key = key.clone();
        key[name] = value;
        json!({"keys": [key]})
    };
    let (rsa, ec) = (rsa_jwk(&KEYS.rsa, "rsa"), ec_jwk(&KEYS.p256, "P-256", "p256"));
    check(&published(), Ok("rsa, p256, p384, ed"));
    check(&changed(&rsa, "alg", json!("RS256")), Ok("rsa"));
    check(&changed(&rsa, "alg", json!("RS384")), Err("the provider's algorithms do not include"));
    check(&changed(&rsa, "alg", json!("HS256")), Err("the provider's algorithms do not include"));
    check(&changed(&rsa, "alg", json!("ES256")), Err("the provider's algorithms do not include"));
    check(&changed(&rsa, "use", json!("enc")), Err("`use`"));
    check(&changed(&rsa, "key_ops", json!(["verify", "encrypt"])), Ok("rsa"));
    check(&changed(&rsa, "key_ops", json!(["sign"])), Err("`key_ops`"));
    check(&changed(&rsa, "kid", json!(7)), Err("`kid`"));
    check(&changed(&rsa, "kty", json!("oct")), Err("symmetric"));
    check(&json!({"keys": [rsa, {"kty": "oct", "k": "c2VjcmV0"}]}), Err("`keys[1]` is symmetric"));
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        check(&changed(&rsa, member, json!("AQAB")), Err("private member"));
    }
    check(&changed(&ec, "d", json!("AQAB")), Err("private member `d`"));
    check(&changed(&rsa, "n", json!(b64([0xff; 128]))), Err("2048 to 8192 bits"));
    check(&changed(&rsa, "n", json!(b64([0xff; 1025]))), Err("2048 to 8192 bits"));
    check(&changed(&rsa, "n", json!("")), Err("2048 to 8192 bits"));
    check(&changed(&rsa, "n", json!("not base64!")), Err("no `n` or `e`"));
    check(&changed(&rsa, "n", json!(5)), Err("no `n` or `e`"));
    let public = RsaPublicKeyComponents::<Vec<u8>>::from(KEYS.rsa.public_key());
    check(&changed(&rsa, "n", json!(b64([&[0_u8], public.n.as_slice()].concat()))), Ok("rsa"));
    check(&changed(&ec, "x", json!(b64([1; 32]))), Err("no point of its curve"));
    check(&changed(&ec, "x", json!(b64([0; 31]))), Err("wrong length"));
    check(&changed(&ec, "crv", json!("P-384")), Err("wrong length"));
    check(&changed(&ec, "crv", json!("P-521")), Err("the provider's algorithms do not include"));
    check(&changed(&ed_jwk("ed"), "x", json!(b64([1; 31]))), Err("32 bytes"));
    check(&json!({"keys": []}), Err("no keys"));
    check(&json!({}), Err("no list `keys`"));
    check(&json!({"keys": {}}), Err("no list `keys`"));
    check(&json!({"keys": ["x"]}), Err("`keys[0]` is no object"));
    check(&json!({"keys": [{"kty": "XYZ"}]}), Err("no key can be used: `keys[0]`"));
    check(&json!({"keys": vec![ed_jwk("e"); 65]}), Err("more than 64 keys"));
    check(&json!({"keys": vec![ed_jwk("e"); 64]}), Ok(["e"; 64].join(", ").as_str()));
    read("", Err("no JSON object"));
    read(r#"{"keys": [], "keys": []}"#, Err("a member stands twice"));
    read(&" ".repeat(64 * 1024 + 1), Err("65536 bytes"));
}
