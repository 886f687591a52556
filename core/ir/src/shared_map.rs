//! A sorted map whose copies share what is the same in both, so that a copy costs nothing, a change what a
//! few entries cost, and a comparison what differs.
//!
//! The entries lie in chunks behind `Arc`. A change copies its chunk and the list of chunks; two maps of which
//! one was made from the other are compared by walking them in step, past chunks that both have.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Entries of a chunk that is split.
const FULL: usize = 64;
/// Entries of a chunk that is joined with its neighbour, where both together have no more than half of a full one.
const SPARSE: usize = 16;

type Chunk<K, V> = Vec<(K, V)>;

/// A sorted map whose copies share what is the same in both.
pub struct SharedMap<K, V> {
    /// None is empty; sorted.
    chunks: Arc<Vec<Arc<Chunk<K, V>>>>,
    len: usize,
}

/// What two maps have at a key that they do not have alike.
#[derive(Debug, PartialEq, Eq)]
pub enum Difference<'a, K, V> {
    /// The newer map has it.
    Added(&'a K, &'a V),
    /// Both have it, each with its own value: the earlier one first.
    Changed(&'a K, &'a V, &'a V),
    /// The earlier map had it.
    Removed(&'a K, &'a V),
}

impl<'a, K, V> Difference<'a, K, V> {
    /// The key.
    #[must_use]
    pub const fn key(&self) -> &'a K {
        match self {
            Self::Added(key, _) | Self::Changed(key, ..) | Self::Removed(key, _) => key,
        }
    }

    /// What the earlier map has at the key, and what the newer one has.
    #[must_use]
    pub const fn sides(self) -> (Option<&'a V>, Option<&'a V>) {
        match self {
            Self::Added(_, come) => (None, Some(come)),
            Self::Changed(_, gone, come) => (Some(gone), Some(come)),
            Self::Removed(_, gone) => (Some(gone), None),
        }
    }
}

impl<K, V> SharedMap<K, V> {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }

    /// How many entries there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether both are the same without a look into them. Equal maps of different origin are not.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chunks, &other.chunks)
    }

    /// All entries, sorted.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { place: Place::begin(&self.chunks), left: self.len }
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let chunk = self.chunks.get(self.chunk_of(key)?)?;
        let place = chunk.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        chunk.get(place).map(|(_, value)| value)
    }

    /// Whether there is an entry of this key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// The entries from this key on, sorted.
    pub fn range_from<'a>(&'a self, key: &K) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
        let chunk = self.chunk_of(key).unwrap_or(0);
        let index = self.chunks.get(chunk).map_or(0, |entries| entries.partition_point(|(known, _)| known < key));
        Place { chunks: &self.chunks, chunk, index }
    }

    /// The chunk that holds the key, or would: the last one that does not begin after it.
    fn chunk_of(&self, key: &K) -> Option<usize> {
        let after = self.chunks.partition_point(|chunk| chunk.first().is_some_and(|(first, _)| first <= key));
        (!self.chunks.is_empty()).then(|| after.saturating_sub(1))
    }

    /// What `self` has otherwise than `earlier` had it, in the order of the keys. Values that `same` holds to be equal are no
    /// difference; what lies in chunks that both maps have is not looked at.
    pub fn since<'a>(&'a self, earlier: &'a Self, same: impl Fn(&V, &V) -> bool) -> impl Iterator<Item = Difference<'a, K, V>> {
        let (mut old, mut new) = (Place::begin(&earlier.chunks), Place::begin(&self.chunks));
        if self.is_same(earlier) {
            (old.chunk, new.chunk) = (earlier.chunks.len(), self.chunks.len());
        }
        std::iter::from_fn(move || {
            loop {
                while let (Some(one), Some(other)) = (old.fresh(), new.fresh())
                    && Arc::ptr_eq(one, other)
                {
                    old.pass();
                    new.pass();
                }
                let order = match (old.peek(), new.peek()) {
                    (None, None) => return None,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some((one, _)), Some((other, _))) => one.cmp(other),
                };
                match order {
                    Ordering::Less => return old.next().map(|(key, value)| Difference::Removed(key, value)),
                    Ordering::Greater => return new.next().map(|(key, value)| Difference::Added(key, value)),
                    Ordering::Equal => {
                        let ((_, before), (key, now)) = old.next().zip(new.next())?;
                        if !same(before, now) {
                            return Some(Difference::Changed(key, before, now));
                        }
                    }
                }
            }
        })
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// Puts a value in and gives the one that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let chunks = Arc::make_mut(&mut self.chunks);
        let after = chunks.partition_point(|chunk| chunk.first().is_some_and(|(first, _)| *first <= key));
        let at = after.saturating_sub(1);
        let Some(chunk) = chunks.get_mut(at) else {
            chunks.push(Arc::new(vec![(key, value)]));
            self.len += 1;
            return None;
        };
        let chunk = Arc::make_mut(chunk);
        match chunk.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(place) => chunk.get_mut(place).map(|(_, known)| std::mem::replace(known, value)),
            Err(place) => {
                chunk.insert(place, (key, value));
                if chunk.len() >= FULL {
                    let rest = chunk.split_off(FULL / 2);
                    chunk.shrink_to_fit();
                    chunks.insert(at + 1, Arc::new(rest));
                }
                self.len += 1;
                None
            }
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.chunk_of(key)?;
        let place = self.chunks.get(at)?.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(chunks.get_mut(at)?);
        let (_, value) = chunk.remove(place);
        self.len -= 1;
        if chunk.is_empty() {
            chunks.remove(at);
        } else if chunk.len() < SPARSE {
            let left = chunk.len();
            let next = chunks.get(at + 1).filter(|next| left + next.len() <= FULL / 2).map(Arc::clone);
            if let Some(next) = next {
                chunks.remove(at + 1);
                Arc::make_mut(chunks.get_mut(at)?).extend(next.iter().cloned());
            }
        }
        Some(value)
    }

    /// Puts all entries of another map in.
    pub fn append(&mut self, other: &Self) {
        if self.is_empty() {
            self.clone_from(other);
        } else {
            self.extend(other.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }

    /// The value of a key, to be changed; it is copied where others share it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.chunk_of(key)?;
        let place = self.chunks.get(at)?.binary_search_by(|(known, _)| known.cmp(key)).ok()?;
        let chunk = Arc::make_mut(&mut self.chunks).get_mut(at)?;
        Arc::make_mut(chunk).get_mut(place).map(|(_, value)| value)
    }
}

/// The entries of a map, sorted.
pub struct Iter<'a, K, V> {
    place: Place<'a, K, V>,
    left: usize,
}

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), left: self.left }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.place.next()?;
        self.left = self.left.saturating_sub(1);
        Some(entry)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

/// How far a walk has come.
struct Place<'a, K, V> {
    chunks: &'a [Arc<Chunk<K, V>>],
    chunk: usize,
    index: usize,
}

impl<K, V> Clone for Place<'_, K, V> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks, chunk: self.chunk, index: self.index }
    }
}

impl<'a, K, V> Place<'a, K, V> {
    const fn begin(chunks: &'a [Arc<Chunk<K, V>>]) -> Self {
        Self { chunks, chunk: 0, index: 0 }
    }

    /// The chunk that is ahead, where nothing of it was walked yet.
    fn fresh(&self) -> Option<&'a Arc<Chunk<K, V>>> {
        if self.index == 0 { self.chunks.get(self.chunk) } else { None }
    }

    const fn pass(&mut self) {
        self.chunk += 1;
        self.index = 0;
    }

    fn peek(&self) -> Option<&'a (K, V)> {
        self.chunks.get(self.chunk)?.get(self.index)
    }
}

impl<'a, K, V> Iterator for Place<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let chunk = self.chunks.get(self.chunk)?;
        // A range may begin behind the last entry of its chunk.
        let Some((key, value)) = chunk.get(self.index) else {
            self.pass();
            return self.peek().map(|(key, value)| {
                self.index = 1;
                (key, value)
            });
        };
        self.index += 1;
        if self.index >= chunk.len() {
            self.pass();
        }
        Some((key, value))
    }
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Clone for SharedMap<K, V> {
    fn clone(&self) -> Self {
        Self { chunks: Arc::clone(&self.chunks), len: self.len }
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SharedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || (self.len == other.len && self.iter().eq(other.iter()))
    }
}

impl<K: Eq, V: Eq> Eq for SharedMap<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

/// Of entries with the same key the last one counts.
impl<K: Ord, V> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut entries: Vec<(K, V)> = entries.into_iter().collect();
        if !entries.is_sorted_by(|(one, _), (other, _)| one < other) {
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            entries.reverse();
            entries.dedup_by(|(one, _), (other, _)| one == other);
            entries.reverse();
        }
        let len = entries.len();
        let mut chunks = Vec::with_capacity(len.div_ceil(FULL / 2));
        let mut entries = entries.into_iter();
        loop {
            let chunk: Chunk<K, V> = entries.by_ref().take(FULL / 2).collect();
            if chunk.is_empty() {
                return Self { chunks: Arc::new(chunks), len };
            }
            chunks.push(Arc::new(chunk));
        }
    }
}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for SharedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        if self.is_empty() {
            *self = entries.into_iter().collect();
            return;
        }
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for SharedMap<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<'a, K, V> IntoIterator for &'a SharedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<K: Ord, V> Index<&K> for SharedMap<K, V> {
    type Output = V;

    #[expect(clippy::expect_used, reason = "an index out of a map's keys ends the caller, as with other maps")]
    fn index(&self, key: &K) -> &V {
        self.get(key).expect("the map has the key")
    }
}

impl<K: Serialize, V: Serialize> Serialize for SharedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for SharedMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(std::collections::BTreeMap::deserialize(deserializer)?.into_iter().collect())
    }
}
