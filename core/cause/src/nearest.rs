//! The known name that a mistyped one most likely meant.

use std::sync::Arc;

/// The nearest of some names, where one is near enough to be what was meant; of equals the first by the alphabet.
/// Takes time in the product of the lengths, of which no more than 80 letters are looked at.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<Arc<str>> {
    let typed = folded(name);
    // A third of the letters may be wrong, and one of a short name.
    let allowed = (typed.len() / 3).max(1);
    known
        .into_iter()
        .map(|known| (distance(&typed, &folded(known)), known))
        .filter(|(distance, known)| *distance <= allowed && *distance < known.len())
        .min()
        .map(|(_, known)| known.into())
}

/// The letters alone: `max-body-bytes` means `maxBodyBytes`.
fn folded(name: &str) -> Vec<char> {
    const LONGEST: usize = 80;
    name.chars().filter(|letter| letter.is_alphanumeric()).take(LONGEST).flat_map(char::to_lowercase).collect()
}

/// How many letters to add, drop, change or swap with their neighbour.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, left) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, right) in to.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let changed = at(&last, column) + usize::from(left != right);
            let mut best = changed.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let swapped = row > 0 && column > 0 && from.get(row - 1) == Some(right) && to.get(column - 1) == Some(left);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_what_was_meant() {
        let check = |name: &str, expected: Option<&str>| {
            let known = ["requests", "window", "burst", "per", "name", "maxBodyBytes", "url"];
            assert_eq!(nearest(name, known).as_deref(), expected, "{name}");
        };
        check("requets", Some("requests"));
        check("reqeusts", Some("requests"));
        check("Requests", Some("requests"));
        check("widnow", Some("window"));
        check("pre", Some("per"));
        check("max_body_bytes", Some("maxBodyBytes"));
        check("uri", Some("url"));
        check("x", None);
        check("timeout", None);
        check("", None);
    }
}
