//! Tokens that were verified before, on one worker.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use policy::principal::Principal;
use upstream::Lines;

/// Tokens that are kept at most in each half.
const HALF: usize = 8 * 1024;

/// A token that verified, under the SHA-256 of its whole text.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    /// Whom it proves.
    pub(crate) principal: Principal,
    /// What upstreams are told.
    pub(crate) told: Arc<Lines>,
    /// From when on it must be judged anew.
    pub(crate) until: Timestamp,
    /// The issuer's rules and keys that it was judged by; others judge it anew.
    pub(crate) judged_by: (u64, u64),
}

/// An answer of an introspection endpoint, good or bad.
#[derive(Clone, Debug)]
pub(crate) struct Introspected {
    /// Whom it proves, or why it does not.
    pub(crate) verdict: Result<Verified, cause::Token>,
    /// From when on the issuer is asked anew.
    pub(crate) until: Timestamp,
    /// The version of the issuer's rules that its answer was judged by; others judge a new one.
    pub(crate) judged_by: u64,
}

/// A bounded cache in two halves: when the young one is full, the old one is forgotten.
#[derive(Debug, Default)]
pub(crate) struct TokenCache {
    young: HashMap<Key, Entry>,
    old: HashMap<Key, Entry>,
}

/// The provider's stable hash and the token's digest.
type Key = (u64, [u8; 32]);

#[derive(Clone, Debug)]
enum Entry {
    Verified(Verified),
    Introspected(Introspected),
}

impl TokenCache {
    /// The token, where it was verified by these rules and keys and is not due.
    pub(crate) fn verified(
        &mut self,
        provider: u64,
        digest: &[u8; 32],
        now: Timestamp,
        judged_by: (u64, u64),
    ) -> Option<Verified> {
        match self.get((provider, *digest))? {
            Entry::Verified(verified) if verified.judged_by == judged_by && now < verified.until => Some(verified),
            Entry::Verified(_) | Entry::Introspected(_) => None,
        }
    }

    /// What the issuer said, where it was judged by these rules and is not due.
    pub(crate) fn introspected(
        &mut self,
        provider: u64,
        digest: &[u8; 32],
        now: Timestamp,
        judged_by: u64,
    ) -> Option<Introspected> {
        match self.get((provider, *digest))? {
            Entry::Introspected(known) if known.judged_by == judged_by && now < known.until => Some(known),
            Entry::Verified(_) | Entry::Introspected(_) => None,
        }
    }

    /// Keeps a verified token.
    pub(crate) fn keep_verified(&mut self, provider: u64, digest: [u8; 32], verified: Verified) {
        self.insert((provider, digest), Entry::Verified(verified));
    }

    /// Keeps what the issuer said.
    pub(crate) fn keep_introspected(&mut self, provider: u64, digest: [u8; 32], known: Introspected) {
        self.insert((provider, digest), Entry::Introspected(known));
    }

    fn get(&mut self, key: Key) -> Option<Entry> {
        if let Some(entry) = self.young.get(&key) {
            return Some(entry.clone());
        }
        let entry = self.old.remove(&key)?;
        self.insert(key, entry.clone());
        Some(entry)
    }

    fn insert(&mut self, key: Key, entry: Entry) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}
