//! Medians and spreads.

use serde::Serialize;

/// A middle value and how far the others lie around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of some values; none of none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values.get((values.len() - 1) / 2)?, values.get(values.len() / 2)?);
        Some(Self { median: f64::midpoint(*low, *high), min, max })
    }

    /// Of the ratios of values that were taken in the same turn, so that what slowed the machine for a while cancels out.
    pub(crate) fn of_ratios(subject: &[f64], peer: &[f64]) -> Option<Self> {
        Self::of(subject.iter().zip(peer).map(|(subject, peer)| subject / peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_unsorted_values() {
        let check = |values: &[f64], expected: Option<(f64, f64, f64)>| {
            let found = Spread::of(values.iter().copied()).map(|spread| (spread.median, spread.min, spread.max));
            assert_eq!(found, expected, "{values:?}");
        };
        check(&[], None);
        check(&[3.0], Some((3.0, 3.0, 3.0)));
        check(&[9.0, 1.0, 4.0], Some((4.0, 1.0, 9.0)));
        check(&[9.0, 1.0, 4.0, 6.0], Some((5.0, 1.0, 9.0)));
    }

    #[test]
    fn ratios_are_of_the_same_turn() {
        let found = Spread::of_ratios(&[10.0, 40.0, 11.0], &[10.0, 20.0, 10.0]);
        assert_eq!(found, Some(Spread { median: 1.1, min: 1.0, max: 2.0 }));
    }
}
