//! All API keys of a configuration, found by the digest of what was sent.
//!
//! Verdicts about a found key (suspended, early, out of scope) are apart from finding it: a caller
//! learns them only because the digest matched.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use cause::{Access, Credential};
use ir::{Consumers, EarlierText, Key, RouteId};
use jiff::Timestamp;

use crate::addresses::AddressRules;
use crate::key_text::same_digest;
use crate::principal::Principal;

/// One key with what is compiled of it. All that a call with a good key asks lies here, in two lines of cache: a
/// thousand callers in turn would else wait for memory more than for anything. The key itself is looked at to refuse.
#[derive(Debug)]
#[repr(align(64))]
pub struct HeldKey {
    /// Its place in the ring, below [`KeyRing::len`]: state of the key can lie in a list.
    pub index: usize,
    validity: Validity,
    public_id: Option<Arc<str>>,
    /// The key's namespace, one text for all keys of it.
    namespace: Arc<str>,
    /// Whether the key names its routes.
    names_routes: bool,
    /// The key.
    pub key: Arc<Key>,
    /// From where it may be used.
    pub addresses: AddressRules,
    /// Who holds it.
    pub principal: Principal,
}

impl HeldKey {
    /// Whether the route admits the key's namespace. The enforcement of `consumers` is the caller's.
    ///
    /// # Errors
    /// `access.consumer_not_admitted`.
    pub fn judge_consumer(&self, consumers: &Consumers, route: &RouteId) -> Result<(), Access> {
        match &consumers.namespaces {
            Some(namespaces) if !namespaces.contains(&self.namespace) => {
                Err(Access::ConsumerNotAdmitted { route: route.name.clone(), key: self.key.id.0.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the key is for this route, by its own list.
    ///
    /// # Errors
    /// `access.route_not_granted`.
    pub fn judge_route(&self, route: &RouteId) -> Result<(), Access> {
        if self.names_routes && self.key.routes.as_ref().is_some_and(|routes| !routes.contains(route)) {
            return Err(Access::RouteNotGranted { route: route.name.clone(), key: self.key.id.0.clone() });
        }
        Ok(())
    }
}

/// From when and until when [`judge`] has nothing to say; never for a suspended key.
#[derive(Clone, Copy, Debug)]
struct Validity {
    from: Timestamp,
    until: Timestamp,
}

impl Validity {
    fn of(key: &Key) -> Self {
        let until = if key.suspended { Timestamp::MIN } else { key.expires_at.unwrap_or(Timestamp::MAX) };
        Self { from: key.not_before.unwrap_or(Timestamp::MIN), until }
    }

    fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
}

/// A key that was found by one of its texts.
#[derive(Clone, Copy, Debug)]
pub struct FoundKey<'a> {
    /// The key.
    pub held: &'a HeldKey,
    /// The text, where it is one that a rotation replaced.
    pub earlier: Option<&'a EarlierText>,
}

impl<'a> FoundKey<'a> {
    /// The public id of the text that was sent.
    #[must_use]
    pub fn public_id(&self) -> Option<&'a Arc<str>> {
        self.earlier.map_or(self.held.public_id.as_ref(), |earlier| earlier.public_id.as_ref())
    }

    /// Whether the key, by this text, is good at this time. The state of the key goes before the
    /// end of one of its texts.
    ///
    /// # Errors
    /// As [`judge`], and `credential.rotated`.
    pub fn judge(&self, now: Timestamp) -> Result<(), Credential> {
        if !self.held.validity.holds(now) {
            judge(&self.held.key, now)?;
        }
        match self.earlier {
            Some(earlier) if now >= earlier.until => {
                Err(Credential::Rotated { key: self.held.key.id.0.clone(), ended_at: earlier.until, now })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// One text of a key, as its digest.
#[derive(Debug)]
struct Text {
    digest: [u8; 32],
    /// The place of its key.
    held: usize,
    /// Its place among the texts that rotations replaced, if it is one of them.
    earlier: Option<u8>,
    /// The next text whose digest begins with the same eight bytes, by its place among [`KeyRing::more`].
    next: Option<usize>,
}

/// All keys that have a digest.
#[derive(Debug, Default)]
pub struct KeyRing {
    held: Vec<HeldKey>,
    /// By the first eight bytes of their digests.
    texts: HashMap<u64, Text, BuildHasherDefault<PrefixHasher>>,
    /// Texts whose first eight bytes another has too.
    more: Vec<Text>,
}

impl KeyRing {
    /// A ring of these keys. Keys without a hash are unreachable; of two keys with one hash the
    /// first is kept (the translator reports the other). A text that is one key's now is not
    /// another's that was replaced.
    pub fn new(keys: impl IntoIterator<Item = Arc<Key>>) -> Self {
        let mut ring = Self::default();
        let mut namespaces: BTreeSet<Arc<str>> = BTreeSet::new();
        for key in keys {
            let Some(digest) = key.hash else { continue };
            let index = ring.held.len();
            if ring.add(digest, index, None) {
                let addresses = AddressRules::compile(&key.addresses);
                let principal = Principal::of_key(&key);
                let namespace = match namespaces.get(&key.id.0.namespace) {
                    Some(known) => Arc::clone(known),
                    None => Arc::clone(&key.id.0.namespace),
                };
                namespaces.insert(Arc::clone(&namespace));
                let (validity, names_routes, public_id) = (Validity::of(&key), key.routes.is_some(), key.public_id.clone());
                ring.held.push(HeldKey { index, validity, public_id, namespace, names_routes, key, addresses, principal });
            }
        }
        for index in 0..ring.held.len() {
            let key = Arc::clone(&ring.held[index].key);
            for (place, earlier) in (0..=u8::MAX).zip(&key.earlier) {
                ring.add(earlier.hash, index, Some(place));
            }
        }
        ring
    }

    /// Adds a text, unless it is held already.
    fn add(&mut self, digest: [u8; 32], held: usize, earlier: Option<u8>) -> bool {
        if self.text(&digest).is_some() {
            return false;
        }
        let text = Text { digest, held, earlier, next: None };
        match self.texts.entry(prefix(&digest)) {
            Entry::Vacant(place) => drop(place.insert(text)),
            Entry::Occupied(mut first) => {
                let next = first.get_mut().next.replace(self.more.len());
                self.more.push(Text { next, ..text });
            }
        }
        true
    }

    /// The key with this digest, if any. Full digests are compared in constant time.
    #[must_use]
    pub fn find(&self, digest: &[u8; 32]) -> Option<FoundKey<'_>> {
        let text = self.text(digest)?;
        let held = self.held.get(text.held)?;
        let earlier = text.earlier.and_then(|place| held.key.earlier.get(usize::from(place)));
        Some(FoundKey { held, earlier })
    }

    fn text(&self, digest: &[u8; 32]) -> Option<&Text> {
        let mut text = self.texts.get(&prefix(digest))?;
        while !same_digest(&text.digest, digest) {
            text = self.more.get(text.next?)?;
        }
        Some(text)
    }

    /// The key at this place.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&HeldKey> {
        self.held.get(index)
    }

    /// How many keys it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether it holds no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// All keys, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = &HeldKey> {
        self.held.iter()
    }
}

/// Whether a found key is good at this time. Its owner's word (suspended) goes before its dates.
///
/// # Errors
/// `credential.suspended`, `credential.expired` or `credential.not_yet_valid`.
pub fn judge(key: &Key, now: Timestamp) -> Result<(), Credential> {
    if key.suspended {
        return Err(Credential::Suspended { key: key.id.0.clone() });
    }
    if let Some(expired_at) = key.expires_at
        && now >= expired_at
    {
        return Err(Credential::Expired { key: key.id.0.clone(), expired_at, now });
    }
    if let Some(valid_from) = key.not_before
        && now < valid_from
    {
        return Err(Credential::NotYetValid { key: key.id.0.clone(), valid_from, now });
    }
    Ok(())
}

fn prefix(digest: &[u8; 32]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

/// Takes the first eight bytes of a digest as they are: SHA-256 has spread them already.
#[derive(Debug, Default)]
pub struct PrefixHasher(u64);

impl Hasher for PrefixHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key_text::digest;
    use cause::ObjectName;
    use ir::{Addresses, Enforcement, KeyId};

    fn key(name: &str, hash: Option<[u8; 32]>) -> Key {
        Key {
            id: KeyId(ObjectName::new("shop", name)),
            consumer: "mobile-app".into(),
            roles: Arc::new(["orders-reader".into()]),
            routes: None,
            hash,
            public_id: None,
            earlier: Vec::new(),
            not_before: None,
            expires_at: None,
            suspended: false,
            addresses: Addresses::default(),
            limits: Vec::new(),
        }
    }

    #[test]
    fn a_ring_finds_by_the_whole_digest() {
        let near = |last: u8| {
            let mut digest = [7; 32];
            digest[31] = last;
            digest
        };
        let ring = KeyRing::new(
            [
                key("a", Some(digest("text-of-key-a-0001"))),
                key("unreadable", None),
                key("near-1", Some(near(1))),
                key("near-2", Some(near(2))),
                key("copy-of-a", Some(digest("text-of-key-a-0001"))),
            ]
            .map(Arc::new),
        );
        let found = |digest: &[u8; 32]| ring.find(digest).map(|found| (found.held.index, &*found.held.key.id.0.name));
        assert_eq!(found(&digest("text-of-key-a-0001")), Some((0, "a")));
        assert_eq!(found(&near(1)), Some((1, "near-1")));
        assert_eq!(found(&near(2)), Some((2, "near-2")));
        assert_eq!(found(&near(3)), None);
        assert_eq!(ring.len(), 3);
        assert_eq!(size_of::<HeldKey>(), 128);
        // A stored digest that is sent as a key is digested again, so it finds nothing.
        let hex: String = near(1).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found(&digest(&hex)), None);
    }

    #[test]
    fn replaced_texts_are_their_keys_each_until_its_overlap_ends() {
        let rotated = |name: &str, now: &str, before: &[(&str, &str, &str)]| {
            let mut key = key(name, Some(digest(now)));
            key.public_id = Some("dw_live_new".into());
            key.earlier = before
                .iter()
                .map(|(text, id, until)| EarlierText {
                    hash: digest(text),
                    public_id: Some((*id).into()),
                    until: until.parse().unwrap(),
                })
                .collect();
            Arc::new(key)
        };
        let ring = KeyRing::new([
            rotated("taken", "text-of-key-t-0002", &[("text-of-key-a-0001", "dw_live_old", "2026-02-01T00:00:00Z")]),
            rotated(
                "a",
                "text-of-key-a-0001",
                &[
                    ("text-of-key-a-0000", "dw_live_old", "2026-02-01T00:00:00Z"),
                    ("text-of-key-a-000y", "dw_live_older", "2026-01-31T12:00:00Z"),
                    // Turned back to a text that was there before: its newer end counts.
                    ("text-of-key-a-0000", "dw_live_oldest", "2026-01-01T00:00:00Z"),
                ],
            ),
        ]);
        let check = |text: &str, now: &str, expected: Option<(usize, &str, Result<(), &str>)>| {
            let found = ring.find(&digest(text)).map(|found| {
                let code = found.judge(now.parse().unwrap()).map_err(|cause| cause::Denial::Credential(cause).entry().code);
                (found.held.index, &**found.public_id().unwrap(), code)
            });
            assert_eq!(found, expected, "{text} {now}");
        };
        check("text-of-key-a-0001", "2026-03-01T00:00:00Z", Some((1, "dw_live_new", Ok(()))));
        check("text-of-key-a-0000", "2026-01-31T23:59:59Z", Some((1, "dw_live_old", Ok(()))));
        check("text-of-key-a-0000", "2026-02-01T00:00:00Z", Some((1, "dw_live_old", Err("credential.rotated"))));
        check("text-of-key-a-000y", "2026-01-31T11:59:59Z", Some((1, "dw_live_older", Ok(()))));
        check("text-of-key-a-000y", "2026-01-31T12:00:00Z", Some((1, "dw_live_older", Err("credential.rotated"))));
        check("text-of-key-t-0002", "2026-02-01T00:00:00Z", Some((0, "dw_live_new", Ok(()))));
        check("text-of-key-x-0009", "2026-01-01T00:00:00Z", None);
    }

    #[test]
    fn a_key_is_judged_by_its_owners_word_and_dates() {
        fn check(change: impl Fn(&mut Key), now: &str, expected: Result<(), &str>) {
            let mut key = key("k", None);
            key.not_before = Some("2026-02-01T00:00:00Z".parse().unwrap());
            key.expires_at = Some("2026-03-01T00:00:00Z".parse().unwrap());
            change(&mut key);
            let verdict = judge(&key, now.parse().unwrap());
            let code = verdict.map_err(|cause| cause::Denial::Credential(cause).entry().code);
            assert_eq!(code, expected, "{now}");
        }
        check(|_| {}, "2026-02-01T00:00:00Z", Ok(()));
        check(|_| {}, "2026-02-28T23:59:59.999Z", Ok(()));
        check(|_| {}, "2026-01-31T23:59:59Z", Err("credential.not_yet_valid"));
        check(|_| {}, "2026-03-01T00:00:00Z", Err("credential.expired"));
        check(|key| key.suspended = true, "2026-02-10T00:00:00Z", Err("credential.suspended"));
        check(|key| key.suspended = true, "2027-01-01T00:00:00Z", Err("credential.suspended"));
        check(|key| (key.not_before, key.expires_at) = (None, None), "1970-01-01T00:00:00Z", Ok(()));
    }

    #[test]
    fn a_key_is_for_its_routes_and_its_namespace() {
        fn check(routes: Option<&[&str]>, admitted: Option<&[&str]>, expected: (bool, bool)) {
            let mut key = key("k", Some(digest("text-of-key-k-0001")));
            let route = RouteId::api(ObjectName::new("shop", "orders"));
            key.routes = routes.map(|names| names.iter().map(|name| RouteId::api(ObjectName::new("shop", *name))).collect());
            let consumers = Consumers {
                namespaces: admitted.map(|names| names.iter().map(|name| Arc::from(*name)).collect::<BTreeSet<_>>()),
                enforcement: Enforcement::Enforce,
            };
            let ring = KeyRing::new([Arc::new(key)]);
            let held = ring.get(0).unwrap();
            let verdicts = (held.judge_route(&route).is_ok(), held.judge_consumer(&consumers, &route).is_ok());
            assert_eq!(verdicts, expected);
        }
        check(None, None, (true, true));
        check(Some(&["orders", "users"]), Some(&["shop"]), (true, true));
        check(Some(&["users"]), Some(&["other"]), (false, false));
        check(Some(&[]), Some(&[]), (false, false));
    }
}
