//! The id under which a call can be looked back at.

use std::cell::Cell;
use std::fmt;

use serde::{Serialize, Serializer};

/// 16 characters of Crockford's base 32: 48 bits of time in milliseconds, 32 bits that no other
/// call of this gateway has in that millisecond.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecisionId([u8; 16]);

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl DecisionId {
    fn new(milliseconds: u64, sequence: u32) -> Self {
        // 80 bits in two halves of 8 characters.
        let upper = (milliseconds & 0xffff_ffff_ffff) >> 8;
        let lower = ((milliseconds & 0xff) << 32) | u64::from(sequence);
        let mut text = [b'0'; 16];
        let (first, last) = text.split_at_mut(8);
        for (half, mut bits) in [(first, upper), (last, lower)] {
            for character in half.iter_mut().rev() {
                *character = ALPHABET[(bits & 31) as usize];
                bits >>= 5;
            }
        }
        Self(text)
    }

    /// Reads an id as people type it: any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = text.trim().to_ascii_uppercase().into_bytes().try_into().ok()?;
        bytes.iter().all(|byte| ALPHABET.contains(byte)).then_some(Self(bytes))
    }

    /// The text, as octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for DecisionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Hands out ids on one worker. Workers differ in the upper bits of their sequence.
#[derive(Debug)]
pub struct DecisionIds {
    worker: u32,
    next: Cell<u32>,
}

impl DecisionIds {
    /// For worker number `worker`, below 4096; `seed` is any random number.
    #[must_use]
    pub const fn new(worker: u32, seed: u32) -> Self {
        Self { worker: (worker & 0xfff) << 20, next: Cell::new(seed) }
    }

    /// The next id, at `milliseconds` since the epoch.
    pub fn next(&self, milliseconds: u64) -> DecisionId {
        let sequence = self.next.get().wrapping_add(1);
        self.next.set(sequence);
        DecisionId::new(milliseconds, self.worker | (sequence & 0xf_ffff))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_read_back() {
        let first = DecisionIds::new(1, 7);
        let second = DecisionIds::new(2, 7);
        let ids = [first.next(1_700_000_000_000), first.next(1_700_000_000_000), second.next(1_700_000_000_000)];
        assert_ne!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        for id in ids {
            assert_eq!(DecisionId::parse(&id.to_string().to_lowercase()), Some(id));
        }
        assert_eq!(DecisionId::parse("01JD8Z6M4T0V"), None);
    }
}
