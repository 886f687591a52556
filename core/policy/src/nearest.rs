//! The known name that a mistyped one most likely means.

/// The nearest of the known names, if one is near: at most a third of its letters differ.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|candidate| (distance(name, candidate), candidate));
    let (changes, best) = near.min()?;
    (changes * 3 <= best.len().max(3)).then_some(best)
}

/// Single-letter changes between two texts, whatever their case.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = index;
        row[0] = index + 1;
        for (place, expected) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *expected);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_found() {
        fn check(name: &str, expected: Option<&str>) {
            assert_eq!(nearest(name, ["method", "path", "host", "headers"]), expected, "{name}");
        }
        check("header", Some("headers"));
        check("metod", Some("method"));
        check("Path", Some("path"));
        check("cookies", None);
        check("", None);
    }
}
