//! A bounded list of names that grows without a lock: a name keeps the place where it was first
//! seen.

use std::sync::OnceLock;

/// At most `N` names, a power of two.
#[derive(Debug)]
pub(super) struct Names<const N: usize>(Box<[OnceLock<Box<str>>]>);

impl<const N: usize> Default for Names<N> {
    fn default() -> Self {
        Self((0..N).map(|_| OnceLock::new()).collect())
    }
}

impl<const N: usize> Names<N> {
    /// The place of a name, or `N` when all places are taken. Allocates for a new name only.
    pub(super) fn index(&self, name: &str) -> usize {
        let start = hash(name) % N.max(1);
        let (behind, before) = self.0.split_at(start.min(self.0.len()));
        let places = (start..).zip(before).chain((0..).zip(behind));
        for (index, place) in places {
            if **place.get_or_init(|| name.into()) == *name {
                return index;
            }
        }
        N
    }

    /// The names and their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.iter().enumerate().filter_map(|(index, place)| Some((index, &**place.get()?)))
    }
}

/// FNV-1a, folded to a `usize`.
fn hash(name: &str) -> usize {
    let mix = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    usize::try_from((hash ^ (hash >> 32)) & 0xffff_ffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_keep_their_places_and_are_bounded() {
        let names = Names::<8>::default();
        let first: Vec<usize> = (0..8).map(|index| names.index(&format!("n{index}"))).collect();
        assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 8);
        assert_eq!(names.index("another"), 8);
        let again: Vec<usize> = (0..8).map(|index| names.index(&format!("n{index}"))).collect();
        assert_eq!(first, again);
        assert_eq!(names.iter().count(), 8);
        assert!(names.iter().all(|(index, name)| names.index(name) == index));
    }

    #[test]
    fn threads_agree() {
        let names = Names::<64>::default();
        let seen = || (0..60).map(|index| names.index(&format!("n{index}"))).collect::<Vec<_>>();
        let all: Vec<Vec<usize>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(seen)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(all[0].iter().collect::<BTreeSet<_>>().len(), 60);
    }
}
