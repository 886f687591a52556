//! Tokens with a byte or two changed: none is accepted, none panics.

use proptest::prelude::*;

use super::*;

/// One change to a text.
#[derive(Clone, Debug)]
enum Change {
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index, u8),
    Cut(prop::sample::Index),
}

impl Change {
    fn make(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Replace(at, byte) => bytes[at.index(length)] = *byte,
            Self::Insert(at, byte) => bytes.insert(at.index(length + 1), *byte),
            Self::Remove(at) => drop(bytes.remove(at.index(length))),
            Self::Swap(one, other) => bytes.swap(one.index(length), other.index(length)),
            Self::Repeat(at, times) => {
                let part = bytes[at.index(length)..].to_vec();
                (0..*times % 4).for_each(|_| bytes.extend_from_slice(&part));
            }
            Self::Cut(at) => bytes.truncate(at.index(length)),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    let byte = || prop::sample::select(b".-_=AZaz09+/ \"{}\\\x00\xff\xc3".to_vec());
    prop_oneof![
        (at(), byte()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (at(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        at().prop_map(Change::Remove),
        (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
        (at(), any::<u8>()).prop_map(|(at, times)| Change::Repeat(at, times)),
        at().prop_map(Change::Cut),
    ]
}

fn changed(bytes: &[u8], changes: &[Change]) -> String {
    let mut bytes = bytes.to_vec();
    changes.iter().for_each(|change| change.make(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

static GOOD: LazyLock<[String; 2]> = LazyLock::new(|| {
    let claims = good_claims().to_string();
    [token_of(r#"{"alg":"EdDSA","kid":"ed"}"#, &claims, "EdDSA"), token_of(r#"{"alg":"ES256","kid":"p256"}"#, &claims, "ES256")]
});
static TRUSTED: LazyLock<KeySet> = LazyLock::new(|| key_set(&published()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_changed_token_is_refused(which in 0..2_usize, changes in prop::collection::vec(change(), 1..4)) {
        let good = &GOOD[which];
        let token = changed(good.as_bytes(), &changes);
        let _ = peek_issuer(&token);
        let judged = judge(&token, &provider(), &TRUSTED);
        prop_assert_eq!(judged.is_ok(), token == *good, "{}", token);
    }

    #[test]
    fn a_changed_header_or_claim_set_never_panics(
        header in prop::collection::vec(change(), 0..3),
        body in prop::collection::vec(change(), 1..4),
    ) {
        // Signed as it is, so that what is behind the signature is reached.
        let header = changed(br#"{"alg":"EdDSA","kid":"ed","typ":"JWT"}"#, &header);
        let token = token_of(&header, &changed(good_claims().to_string().as_bytes(), &body), "EdDSA");
        let _ = peek_issuer(&token);
        if let Ok(verified) = judge(&token, &provider(), &TRUSTED) {
            prop_assert!(!verified.principal.name.is_empty());
        }
    }

    #[test]
    fn a_changed_key_set_never_panics(changes in prop::collection::vec(change(), 1..6)) {
        let document = changed(published().to_string().as_bytes(), &changes);
        if let Ok(keys) = KeySet::parse(document.as_bytes(), &provider().algorithms) {
            let _ = judge(&GOOD[0], &provider(), &keys);
        }
    }
}
