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

/// The nearest name or, where none is near, the one that shares most with it: its beginning (`hosts` and
/// `hostnames`), or all of the shorter one at either end (`rateLimits` and `limits`).
pub fn nearest_or_related<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<Arc<str>> {
    nearest(name, known.clone()).or_else(|| related(name, known))
}

fn related<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<Arc<str>> {
    let typed = folded(name);
    known
        .into_iter()
        .filter_map(|known| Some((std::cmp::Reverse(shared(&typed, &folded(known))?), known.len(), known)))
        .min()
        .map(|(_, _, known)| known.into())
}

/// How many letters two names have in common at one end, where these are most of the first or all of the shorter.
fn shared(typed: &[char], known: &[char]) -> Option<usize> {
    /// Fewer say nothing: `ref` ends many names.
    const FEWEST: usize = 4;
    let alike = |(left, right): &(&char, &char)| left == right;
    let beginning = typed.iter().zip(known).take_while(alike).count();
    let is_beginning = beginning == typed.len().min(known.len()) || beginning * 4 >= typed.len() * 3;
    // `rateLimit` is one of `limits`.
    let (one, other) = (singular(typed), singular(known));
    let end = one.iter().rev().zip(other.iter().rev()).take_while(alike).count();
    let is_end = end == one.len().min(other.len());
    let beginning = Some(beginning).filter(|count| is_beginning && *count >= FEWEST);
    // `name` ends many names, too.
    let end = Some(end).filter(|count| is_end && *count > FEWEST);
    beginning.max(end)
}

fn singular(name: &[char]) -> &[char] {
    name.strip_suffix(&['s']).unwrap_or(name)
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

    #[test]
    fn a_related_name_is_better_than_none() {
        let check = |name: &str, expected: Option<&str>| {
            let known = ["hostnames", "path", "limits", "maxBodyBytes", "jwks", "traffic", "parentRefs", "backend", "methods"];
            assert_eq!(nearest_or_related(name, known).as_deref(), expected, "{name}");
        };
        check("hosts", Some("hostnames"));
        check("host", Some("hostnames"));
        check("pathType", Some("path"));
        check("rateLimits", Some("limits"));
        check("rateLimit", Some("limits"));
        check("maxBody", Some("maxBodyBytes"));
        check("jwksUri", Some("jwks"));
        check("backendRefs", Some("backend"));
        check("limts", Some("limits"));
        check("parent", Some("parentRefs"));
        check("hat", None);
        check("refs", None);
        check("name", None);
        check("timeout", None);
        check("method", Some("methods"));
        check("meta", None);
    }
}
