//! What travels comes back as it was, and what is not understood is not taken.

use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef, Syntax};
use ir::{Addresses, EarlierText, Enforcement, Key, KeyId, Limit, ModelId, Part, Secret, ServiceId};

use super::*;

fn key() -> Arc<Key> {
    Arc::new(Key {
        id: KeyId(ObjectName::new("shop", "mobile")),
        consumer: "mobile".into(),
        roles: Arc::from(["reader".into()]),
        routes: Some([ir::RouteId::api(ObjectName::new("shop", "orders"))].into()),
        hash: Some([7; 32]),
        public_id: Some("dw_live_abcdefghijklmnop".into()),
        earlier: Vec::new(),
        not_before: None,
        expires_at: Some("2027-01-02T03:04:05.678901234Z".parse().unwrap()),
        suspended: false,
        addresses: Addresses {
            allow: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
            deny: Vec::new(),
            enforcement: Enforcement::Shadow,
        },
        limits: vec![Limit {
            name: "all".into(),
            per: vec![ir::Dimension::ClientAddress],
            requests: u64::MAX,
            window_ms: 1,
            burst: 3,
            enforcement: Enforcement::Enforce,
        }],
    })
}

/// A key with texts that rotations replaced, the oldest of which ends then.
fn rotated(end: &str) -> Arc<Key> {
    let earlier = |number, end: &str| EarlierText { hash: [number; 32], public_id: None, until: end.parse().unwrap() };
    let earlier = vec![earlier(2, "2026-06-02T12:00:00Z"), earlier(1, end)];
    Arc::new(Key { earlier, ..Key::clone(&key()) })
}

fn broken_model() -> Resource {
    let id = ModelId(ObjectName::new("shop", "gpt"));
    let field = FieldPath::of("spec.endpoint").index(3).field("url");
    let cause = FaultCause::Malformed { syntax: Syntax::Url, suggestion: Some("https://x".into()) };
    let fault = Fault::error(ObjectRef::new("AiModel", id.0.clone()), field, cause);
    Resource::Model(id, Part::Broken(Arc::new(fault)))
}

#[test]
fn resources_come_back_as_they_were() {
    fn check(resource: Resource) {
        let encoded = encode(&resource).unwrap();
        let id = decode_id(&encoded.id).unwrap();
        assert_eq!(id, resource.id());
        assert_eq!(decode(&id, &encoded.value).unwrap(), resource);
        assert_eq!(encode(&resource).unwrap().version, encoded.version, "the version is of the content");
    }
    check(Resource::Settings(Box::default()));
    check(Resource::Key(key()));
    check(Resource::Key(rotated("2026-06-01T12:00:00Z")));
    check(broken_model());
    let id = ServiceId { name: ObjectName::new("shop", "orders"), port: 8080 };
    let endpoints = vec![
        ir::Endpoint::Address("10.1.2.3:8080".parse().unwrap()),
        ir::Endpoint::Address("[fd00::1]:8080".parse().unwrap()),
        ir::Endpoint::Name("db.example".into(), 5432),
    ];
    check(Resource::Service(Arc::new(ir::Service { id, endpoints, http2: true })));
    let id = ir::CertificateId(ObjectName::new("web", "tls"));
    check(Resource::Certificate(Arc::new(ir::Certificate { id, chain: "PEM".into(), key: Secret::new("the key itself") })));
}

/// The value of a resource with `change` made to the member at `path`.
fn changed(resource: &Resource, path: &[&str], change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Vec<u8> {
    let mut tree: Value = ciborium::from_reader(&*encode(resource).unwrap().value).unwrap();
    let mut at = &mut tree;
    for name in path {
        let members = at.as_map_mut().unwrap();
        at = &mut members.iter_mut().find(|(key, _)| key.as_text() == Some(name)).unwrap().1;
    }
    change(at.as_map_mut().unwrap());
    let mut bytes = Vec::new();
    ciborium::into_writer(&tree, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_not_known_is_refused_unless_it_says_nothing() {
    fn check(path: &[&str], value: Value, expected: Option<&str>) {
        let resource = Resource::Key(key());
        let bytes = changed(&resource, path, |members| members.push((Value::from("mood"), value)));
        match (decode(&resource.id(), &bytes), expected) {
            (Ok(read), None) => assert_eq!(read, resource),
            (Err(error), Some(expected)) => assert_eq!(error.to_string(), expected),
            (read, expected) => panic!("{read:?} is not {expected:?}"),
        }
    }
    let unknown = Some("this version of the data plane does not know `mood`");
    check(&["Key"], Value::Null, None);
    check(&["Key"], Value::Array(Vec::new()), None);
    check(&["Key"], Value::Map(Vec::new()), None);
    check(&["Key"], Value::Bool(false), unknown);
    check(&["Key"], Value::from("good"), unknown);
    check(&["Key", "addresses"], Value::from(1), unknown);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let resource = Resource::Key(key());
    let bytes = changed(&resource, &["Key"], |members| members.retain(|(key, _)| key.as_text() != Some("suspended")));
    let error = decode(&resource.id(), &bytes).unwrap_err().to_string();
    assert!(error.contains("missing field `suspended`"), "{error}");
    let other = ResourceId::Key(KeyId(ObjectName::new("bank", "mobile")));
    assert_eq!(decode(&other, &encode(&resource).unwrap().value).unwrap_err().to_string(), "its name and its content differ");
    assert!(decode(&resource.id(), b"\xff\x00garbage").is_err());
    assert!(decode_id(b"").is_err());
}

/// Bytes of another kind of operator, or of none: each is taken whole or refused, and none panics.
#[test]
fn changed_bytes_are_read_whole_or_refused() {
    let mut taken = 0;
    for resource in [Resource::Settings(Box::default()), Resource::Key(key()), broken_model()] {
        let encoded = encode(&resource).unwrap();
        let id = resource.id();
        for at in 0..encoded.value.len() {
            let mut check = |bytes: Vec<u8>| {
                if let Ok(read) = decode(&id, &bytes) {
                    let again = encode(&read).unwrap();
                    assert_eq!(decode(&id, &again.value).unwrap(), read);
                    taken += 1;
                }
            };
            check(encoded.value[..at].to_vec());
            check([&encoded.value[..at], &encoded.value[at + 1..]].concat());
            // Lengths, tags, breaks and the first bytes of other types among them.
            for byte in [0x00, 0x1b, 0x3b, 0x5b, 0x5f, 0x7b, 0x7f, 0x9b, 0x9f, 0xbb, 0xbf, 0xdb, 0xf6, 0xfb, 0xff] {
                let mut bytes = encoded.value.to_vec();
                bytes[at] = byte;
                check(bytes);
            }
            let mut bytes = encoded.id.to_vec();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0x5a;
                let _ = decode_id(&bytes);
            }
        }
    }
    assert!(taken > 0, "a letter of a name may be another one");
}

#[test]
fn the_end_of_an_earlier_text_is_part_of_a_version() {
    let version = |end: &str| encode(&Resource::Key(rotated(end))).unwrap().version;
    assert_ne!(version("2026-06-01T12:00:00Z"), version("2026-06-01T11:00:00Z"));
    // What says nothing is not written, so that a neighbouring version reads it.
    let plain = encode(&Resource::Key(key())).unwrap().value;
    assert!(!plain.windows(7).any(|bytes| bytes == b"earlier"));
}
