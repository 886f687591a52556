//! The existing name that a mistyped one was probably meant to be.

use std::sync::Arc;

/// The candidate with the fewest edits from `wanted`, if those are few for its length. Of equals
/// the first serves.
pub(crate) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<Arc<str>> {
    let allowed = (wanted.chars().count() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.len().abs_diff(wanted.len()) > 4 * allowed {
            continue;
        }
        let edits = distance(wanted, candidate);
        if edits <= allowed && best.is_none_or(|(fewest, _)| edits < fewest) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.into())
}

/// Edits (insert, delete, replace, swap of neighbours) between two texts, ignoring ASCII case.
/// Takes time in the product of the lengths, which names bound to a few hundred.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().map(|c| c.to_ascii_lowercase()).collect();
    let to: Vec<char> = to.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut two_above: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, &a) in from.iter().enumerate() {
        let mut current = Vec::with_capacity(to.len() + 1);
        current.push(row + 1);
        for (column, &b) in to.iter().enumerate() {
            let mut edits = (above[column] + usize::from(a != b)).min(above[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && a == to[column - 1] && from[row - 1] == b {
                edits = edits.min(two_above[column - 1] + 1);
            }
            current.push(edits);
        }
        two_above = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_and_nothing_far() {
        for (wanted, candidates, expected) in [
            ("order", &["orders", "users"][..], Some("orders")),
            ("odrers", &["orders"], Some("orders")),
            ("ORDERS", &["orders"], Some("orders")),
            ("orders", &["billing", "payments"], None),
            ("a", &["b"], Some("b")),
            ("ab", &["xy"], None),
            ("corp-idp", &["corp-ldp", "corp-idq-two"], Some("corp-ldp")),
            ("x", &[], None),
            ("", &["a"], Some("a")),
        ] {
            assert_eq!(nearest(wanted, candidates.iter().copied()).as_deref(), expected, "{wanted}");
        }
    }
}
