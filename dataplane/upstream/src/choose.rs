//! Which endpoint is next: the less loaded of two taken at random.

use std::cell::Cell;
use std::rc::Rc;

use crate::peer::Peer;

/// A small random source of one worker (xorshift64): fair enough for spreading, no more.
pub(crate) struct Dice(Cell<u64>);

impl Dice {
    /// From any seed; zero, which would stay zero, is replaced.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(Cell::new(if seed == 0 { 0x9E37_79B9_7F4A_7C15 } else { seed }))
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&self, bound: usize) -> usize {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        let high = (u128::from(state) * (bound as u128)) >> 64;
        usize::try_from(high).unwrap_or(0)
    }
}

/// The index of the peer for the next attempt: of two taken at random the one with fewer calls in
/// flight; one that was tried or is shunned only when there is no other.
pub(crate) fn next(peers: &[Rc<Peer>], tried: &[usize], dice: &Dice) -> Option<usize> {
    let rank = |index: usize| peers.get(index).map(|peer| (tried.contains(&index), peer.is_shunned(), peer.in_flight()));
    let best = match peers.len() {
        0 => return None,
        1 => return Some(0),
        count => {
            let first = dice.below(count);
            // Any but the first.
            let second = (first + 1 + dice.below(count - 1)) % count;
            if rank(second) < rank(first) { second } else { first }
        }
    };
    match rank(best) {
        Some((false, false, _)) => Some(best),
        Some(_) | None => (0..peers.len()).min_by_key(|index| rank(*index)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Speech;

    fn peers(count: u16) -> Vec<Rc<Peer>> {
        (0..count).map(|port| Rc::new(Peer::new(([127, 0, 0, 1], 7000 + port).into(), &Speech::Http1))).collect()
    }

    #[test]
    fn load_decides_between_two() {
        let peers = peers(2);
        let _busy = peers[0].enter();
        for seed in 0..50 {
            assert_eq!(next(&peers, &[], &Dice::new(seed)), Some(1), "seed {seed}");
        }
    }

    #[test]
    fn equal_load_spreads() {
        let (peers, dice) = (peers(5), Dice::new(7));
        let mut counts = [0_usize; 5];
        for _ in 0..5000 {
            counts[next(&peers, &[], &dice).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }

    #[test]
    fn held_load_stays_level() {
        let (peers, dice) = (peers(8), Dice::new(11));
        let held: Vec<_> = (0..800).map(|_| peers[next(&peers, &[], &dice).unwrap()].enter()).collect();
        assert!(peers.iter().all(|peer| (90..=110).contains(&peer.in_flight())));
        drop(held);
        assert!(peers.iter().all(|peer| peer.in_flight() == 0));
    }

    #[tokio::test(start_paused = true)]
    async fn tried_and_shunned_ones_come_last() {
        let (peers, dice) = (peers(3), Dice::new(3));
        peers[0].failed();
        for _ in 0..50 {
            assert_eq!(next(&peers, &[1], &dice), Some(2));
            assert_eq!(next(&peers, &[1, 2], &dice), Some(0));
        }
        tokio::time::advance(std::time::Duration::from_millis(251)).await;
        assert!(!peers[0].is_shunned());
        for _ in 0..20 {
            peers[0].failed();
        }
        tokio::time::advance(std::time::Duration::from_millis(9_900)).await;
        assert!(peers[0].is_shunned());
        tokio::time::advance(std::time::Duration::from_millis(101)).await;
        assert!(!peers[0].is_shunned());
        peers[0].failed();
        peers[0].recovered(false);
        assert!(!peers[0].is_shunned());
    }
}
