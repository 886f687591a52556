//! A shared map is a sorted map, and knows what differs.

use std::collections::BTreeMap;

use ir::{Difference, SharedMap};
use proptest::collection::vec;
use proptest::prelude::*;

/// What is done with a key: a value is put there, or it goes.
type Step = (u16, Option<u8>);

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    vec((0_u16..400, proptest::option::weighted(0.7, 0_u8..4)), 0..most)
}

fn take(map: &mut SharedMap<u16, u8>, plain: &mut BTreeMap<u16, u8>, (key, value): Step) {
    match value {
        Some(value) => assert_eq!(map.insert(key, value), plain.insert(key, value)),
        None => assert_eq!(map.remove(&key), plain.remove(&key)),
    }
}

/// What a map must say of what it holds.
fn check(map: &SharedMap<u16, u8>, plain: &BTreeMap<u16, u8>) {
    assert!(map.iter().eq(plain.iter()));
    assert_eq!((map.len(), map.is_empty()), (plain.len(), plain.is_empty()));
    for key in (0..400).step_by(7) {
        assert_eq!(map.get(&key), plain.get(&key), "{key}");
        assert!(map.range_from(&key).eq(plain.range(key..)), "{key}");
    }
    let again: SharedMap<u16, u8> = plain.iter().map(|(key, value)| (*key, *value)).collect();
    assert_eq!(map, &again);
}

/// What differs, found without looking at how maps are made.
fn differences<'a>(old: &'a BTreeMap<u16, u8>, new: &'a BTreeMap<u16, u8>) -> Vec<Difference<'a, u16, u8>> {
    let keys: std::collections::BTreeSet<&u16> = old.keys().chain(new.keys()).collect();
    let found = keys.into_iter().filter_map(|key| match (old.get(key), new.get(key)) {
        (None, Some(now)) => Some(Difference::Added(key, now)),
        (Some(before), None) => Some(Difference::Removed(key, before)),
        (Some(before), Some(now)) if before != now => Some(Difference::Changed(key, before, now)),
        (_, _) => None,
    });
    found.collect()
}

proptest! {
    #[test]
    fn it_is_a_sorted_map_and_copies_are_left_alone(first in steps(600), second in steps(40)) {
        let (mut map, mut plain) = (SharedMap::new(), BTreeMap::new());
        first.into_iter().for_each(|step| take(&mut map, &mut plain, step));
        check(&map, &plain);
        let (copy, before) = (map.clone(), plain.clone());
        prop_assert!(copy.is_same(&map));
        second.into_iter().for_each(|step| take(&mut map, &mut plain, step));
        check(&map, &plain);
        check(&copy, &before);
        let found: Vec<_> = map.since(&copy, PartialEq::eq).collect();
        prop_assert_eq!(found, differences(&before, &plain));
        let unrelated: SharedMap<u16, u8> = before.iter().map(|(key, value)| (*key, *value)).collect();
        let found: Vec<_> = map.since(&unrelated, PartialEq::eq).collect();
        prop_assert_eq!(found, differences(&before, &plain));
        if let Some(key) = plain.keys().nth(plain.len() / 2) {
            let before = map.clone();
            *map.get_mut(key).unwrap() += 10;
            prop_assert_eq!(map[key], before[key] + 10);
        }
    }

    #[test]
    fn of_equal_keys_the_last_counts_and_any_order_will_do(entries in vec((0_u16..100, 0_u8..9), 0..200)) {
        let plain: BTreeMap<u16, u8> = entries.iter().copied().collect();
        check(&entries.into_iter().collect(), &plain);
    }
}

/// A change among many is found without a look at the others.
#[test]
fn what_is_the_same_is_not_looked_at() {
    let map: SharedMap<u32, u32> = (0..10_000).map(|key| (key, key)).collect();
    let mut changed = map.clone();
    changed.insert(20_000, 1);
    changed.insert(5_000, 1);
    changed.remove(&3);
    let looked_at = std::cell::Cell::new(0);
    let same = |one: &u32, other: &u32| {
        looked_at.set(looked_at.get() + 1);
        one == other
    };
    assert_eq!(changed.since(&map, same).count(), 3);
    assert!(looked_at.get() < 200, "{}", looked_at.get());
}
