//! The text of an API key: `dw_<env>_<id>_<secret><checksum>`.
//!
//! The id is public and names the key in logs; the secret holds 256 bits; the checksum tells a
//! mistyped key from an unknown one without a lookup. This module makes and classifies texts; it
//! knows no keys. Randomness comes in as bytes.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::{Zeroize as _, Zeroizing};

use crate::base62;

/// Random bytes that one key needs.
pub const ENTROPY: usize = 48;

const ID: usize = 16;
const SECRET: usize = 43;
/// 27 digits of base 62 are the first to hold 160 bits.
const SECRET_LEAST: usize = 27;
const CHECKSUM: usize = 6;
const TEXT: std::ops::RangeInclusive<usize> = 16..=512;
const PREFIX: &str = "dw_";

/// The environment that a key names: 1 to 16 lower-case letters, digits and dashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment(Box<str>);

impl Environment {
    /// Reads an environment's name; `None` where it has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_environment(text).then(|| Self(text.into()))
    }
}

/// A newly made key. Cleared when dropped; `Debug` shows its public id alone.
pub struct KeyText {
    text: Zeroizing<String>,
    id_start: usize,
}

impl KeyText {
    /// Makes a key from random bytes, which are cleared.
    #[must_use]
    pub fn generate(environment: &Environment, entropy: &mut [u8; ENTROPY]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 16 + 1 + ID + 1 + SECRET + CHECKSUM));
        text.push_str(PREFIX);
        text.push_str(&environment.0);
        text.push('_');
        let id_start = text.len();
        let (id, secret) = entropy.split_at_mut(ENTROPY - 32);
        base62::push(&mut text, id, ID);
        text.push('_');
        base62::push(&mut text, secret, SECRET);
        let mut checksum = crc32fast::hash(text.as_bytes()).to_be_bytes();
        base62::push(&mut text, &mut checksum, CHECKSUM);
        entropy.zeroize();
        Self { text, id_start }
    }

    /// The whole text, for the one who is given the key.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The public id.
    #[must_use]
    pub fn public_id(&self) -> &str {
        &self.text[self.id_start..self.id_start + ID]
    }

    /// SHA-256 of the text: all that is stored.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.text)
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyText").field("public_id", &self.public_id()).finish_non_exhaustive()
    }
}

/// What a text that was sent as a key can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm<'a> {
    /// A text that we made.
    Ours {
        /// Its public id.
        public_id: &'a str,
    },
    /// A text of our form with a wrong checksum, or cut: it needs no lookup.
    Mistyped,
    /// A key that another gateway made: 16 to 512 printable ASCII characters, no blank at its ends.
    Foreign,
    /// No key at all.
    Malformed,
}

/// Which form a text has. Reads nothing but the text.
#[must_use]
pub fn classify(text: &str) -> KeyForm<'_> {
    if text.is_empty() || text.len() > *TEXT.end() {
        return KeyForm::Malformed;
    }
    // Written without an early end, so that it is checked many bytes at a time.
    let printable = text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    if !printable || text.starts_with(' ') || text.ends_with(' ') {
        return KeyForm::Malformed;
    }
    let Some(rest) = text.strip_prefix(PREFIX) else {
        return if TEXT.contains(&text.len()) { KeyForm::Foreign } else { KeyForm::Malformed };
    };
    match ours(text, rest) {
        Some(public_id) => KeyForm::Ours { public_id },
        None => KeyForm::Mistyped,
    }
}

fn ours<'a>(text: &str, rest: &'a str) -> Option<&'a str> {
    let (environment, rest) = rest.split_once('_')?;
    let (id, secret) = rest.split_once('_')?;
    let formed = is_environment(environment)
        && id.len() == ID
        && base62::is_base62(id)
        && secret.len() >= SECRET_LEAST + CHECKSUM
        && base62::is_base62(secret);
    if !formed {
        return None;
    }
    let (before, checksum) = text.split_at(text.len() - CHECKSUM);
    let mut expected = String::with_capacity(CHECKSUM);
    base62::push(&mut expected, &mut crc32fast::hash(before.as_bytes()).to_be_bytes(), CHECKSUM);
    (expected == checksum).then_some(id)
}

fn is_environment(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// SHA-256 of a key's text.
#[must_use]
pub fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Whether two digests are equal, in a time that does not depend on where they differ.
pub fn same_digest(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let (words, others) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let same = words
        .iter()
        .zip(others)
        .fold(Choice::from(1), |same, (word, other)| same & u64::from_ne_bytes(*word).ct_eq(&u64::from_ne_bytes(*other)));
    same.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> KeyText {
        let mut entropy: [u8; ENTROPY] = std::array::from_fn(|index| (index * 37 + 11) as u8);
        KeyText::generate(&Environment::parse("live").unwrap(), &mut entropy)
    }

    #[test]
    fn texts_have_one_form() {
        fn check(text: &str, form: KeyForm<'_>) {
            assert_eq!(classify(text), form, "{text}");
        }
        let key = made();
        let text = key.expose();
        check(text, KeyForm::Ours { public_id: key.public_id() });
        for position in 3..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[position] = if changed[position] == b'x' { b'y' } else { b'x' };
            check(&String::from_utf8(changed).unwrap(), KeyForm::Mistyped);
        }
        check(&text[..text.len() - 1], KeyForm::Mistyped);
        check(&format!("{text}0"), KeyForm::Mistyped);
        check("dw_live", KeyForm::Mistyped);
        check("dw_LIVE_0123456789abcdef_00000000000000000000000000000000000", KeyForm::Mistyped);
        check("0123456789abcdef", KeyForm::Foreign);
        check("sk-with a blank inside", KeyForm::Foreign);
        check("0123456789abcde", KeyForm::Malformed);
        check(&"a".repeat(512), KeyForm::Foreign);
        check(&"a".repeat(513), KeyForm::Malformed);
        check(&format!("dw_live_{}", "a".repeat(600)), KeyForm::Malformed);
        check("", KeyForm::Malformed);
        check(" 0123456789abcdef", KeyForm::Malformed);
        check("0123456789abcdef\t", KeyForm::Malformed);
        check("0123456789abcdeé", KeyForm::Malformed);
    }

    #[test]
    fn a_made_key_has_its_parts_and_hides_its_secret() {
        let key = made();
        let parts: Vec<_> = key.expose().split('_').collect();
        assert_eq!(parts.len(), 4);
        assert_eq!((parts[0], parts[1], parts[2]), ("dw", "live", key.public_id()));
        assert_eq!((parts[2].len(), parts[3].len()), (ID, SECRET + CHECKSUM));
        assert!(!format!("{key:?}").contains(parts[3]));
        assert!(same_digest(&key.digest(), &digest(key.expose())));
    }

    #[test]
    fn every_secret_bit_changes_the_text() {
        let text = |entropy: [u8; ENTROPY]| {
            let mut entropy = entropy;
            KeyText::generate(&Environment::parse("t").unwrap(), &mut entropy).expose().to_owned()
        };
        let zero = text([0; ENTROPY]);
        for bit in 128..ENTROPY * 8 {
            let mut entropy = [0; ENTROPY];
            entropy[bit / 8] |= 1 << (bit % 8);
            assert_ne!(text(entropy), zero, "bit {bit}");
        }
    }

    #[test]
    fn the_checksum_is_crc32_over_everything_before_it() {
        // CRC-32 of "123456789" is 0xCBF43926 (the check value of the algorithm), 3421780262.
        let mut text = String::new();
        base62::push(&mut text, &mut crc32fast::hash(b"123456789").to_be_bytes(), CHECKSUM);
        let number = text.bytes().fold(0_u64, |sum, byte| {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'Z' => byte - b'A' + 10,
                _ => byte - b'a' + 36,
            };
            sum * 62 + u64::from(digit)
        });
        assert_eq!(number, 0xCBF4_3926);
    }

    #[test]
    fn environments_are_bounded() {
        for (text, good) in
            [("live", true), ("eu-1", true), ("", false), ("Live", false), ("a_b", false), ("12345678901234567", false)]
        {
            assert_eq!(Environment::parse(text).is_some(), good, "{text}");
        }
    }
}
