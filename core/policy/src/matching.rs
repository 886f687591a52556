//! Which of several matching routes takes a request, as an order: the greatest wins.
//!
//! Gateway API's precedence: the host first (exact, then the longest wildcard, then any), then
//! within a host the path (exact, longest prefix, regular expression), then whether a method is
//! named, then the number of header and of query conditions, then who came first.

use std::cmp::{Ordering, Reverse};

use ir::{HostPattern, Match, PathMatch};

/// How specific a host pattern is; `None` (any host) is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostRank {
    /// Any host.
    Any,
    /// A wildcard with a suffix of this many bytes.
    Wildcard(usize),
    /// This very host.
    Exact,
}

impl HostRank {
    /// The rank of a pattern.
    #[must_use]
    pub fn of(pattern: Option<&HostPattern>) -> Self {
        match pattern {
            None => Self::Any,
            Some(HostPattern::Wildcard(suffix)) => Self::Wildcard(suffix.len()),
            Some(HostPattern::Exact(_)) => Self::Exact,
        }
    }
}

/// How specific one alternative of a route is, below its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Precedence {
    path: PathRank,
    names_method: bool,
    headers: usize,
    query: usize,
    /// Smaller came first.
    place: Reverse<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum PathRank {
    Regex,
    Prefix(usize),
    Exact,
}

impl Precedence {
    /// The precedence of an alternative. `place` breaks ties: its position where routes are sorted
    /// by age or name, and their alternatives as written.
    #[must_use]
    pub fn of(alternative: &Match, place: usize) -> Self {
        let path = match &alternative.path {
            PathMatch::Exact(_) => PathRank::Exact,
            PathMatch::Prefix(prefix) => PathRank::Prefix(prefix.len()),
            PathMatch::Regex(_) => PathRank::Regex,
        };
        Self {
            path,
            names_method: !alternative.methods.is_empty(),
            headers: alternative.headers.len(),
            query: alternative.query.len(),
            place: Reverse(place),
        }
    }

    /// The order in which to try alternatives: most specific first.
    #[must_use]
    pub fn first_to_last(one: &Self, other: &Self) -> Ordering {
        other.cmp(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::{ValueMatch, ValuePattern};

    fn alternative(path: &str, methods: usize, headers: usize, query: usize) -> Match {
        let value = |_| ValueMatch { name: "n".into(), value: ValuePattern::Exact("v".into()) };
        let (kind, text) = path.split_once(' ').unwrap();
        Match {
            path: match kind {
                "exact" => PathMatch::Exact(text.into()),
                "prefix" => PathMatch::Prefix(text.into()),
                _ => PathMatch::Regex(text.into()),
            },
            methods: (0..methods).map(|_| "GET".into()).collect(),
            headers: (0..headers).map(value).collect(),
            query: (0..query).map(value).collect(),
            single_label: false,
        }
    }

    #[test]
    fn the_more_specific_alternative_is_tried_first() {
        // Each row is before all rows below it.
        let rows = [
            (alternative("exact /a", 0, 0, 0), 9),
            (alternative("prefix /orders/items", 0, 0, 0), 8),
            (alternative("prefix /orders", 1, 0, 0), 7),
            (alternative("prefix /orders", 0, 2, 0), 6),
            (alternative("prefix /orders", 0, 1, 3), 5),
            (alternative("prefix /orders", 0, 1, 1), 4),
            (alternative("prefix /orders", 0, 0, 0), 2),
            (alternative("prefix /orders", 0, 0, 0), 3),
            (alternative("prefix /", 1, 9, 9), 1),
            (alternative("regex /orders/[0-9]+/very/long", 1, 9, 9), 0),
        ];
        let ranks: Vec<_> = rows.iter().map(|(alternative, place)| Precedence::of(alternative, *place)).collect();
        for (index, rank) in ranks.iter().enumerate() {
            for (behind, other) in ranks.iter().enumerate().skip(index + 1) {
                assert_eq!(Precedence::first_to_last(rank, other), Ordering::Less, "{index} {behind}");
            }
        }
    }

    #[test]
    fn the_more_specific_host_wins() {
        let rank = |pattern: Option<HostPattern>| HostRank::of(pattern.as_ref());
        let order = [
            rank(None),
            rank(Some(HostPattern::Wildcard("example.com".into()))),
            rank(Some(HostPattern::Wildcard("api.example.com".into()))),
            rank(Some(HostPattern::Exact("a.b".into()))),
        ];
        assert!(order.is_sorted_by(|a, b| a < b));
    }
}
