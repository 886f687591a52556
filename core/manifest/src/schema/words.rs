//! How a part of a manifest is called in a sentence.

use super::check::{At, Step};

/// The parent of an unknown field: `a limit`, `` `versioning` ``, `an ApiRoute`.
pub(super) fn parent(at: &At<'_>, kind: &str) -> String {
    match at.step {
        Step::Root => with_article(kind),
        Step::Field(name) => format!("`{name}`"),
        Step::Index(_) => match at.parent.map(|parent| &parent.step) {
            Some(Step::Field(list)) => singular(list).map_or_else(|| format!("an item of `{list}`"), |word| with_article(&word)),
            Some(Step::Root | Step::Index(_)) | None => "an item".to_owned(),
        },
    }
}

fn with_article(word: &str) -> String {
    let is_open = word.starts_with(|first: char| matches!(first.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o'));
    format!("{} {word}", if is_open { "an" } else { "a" })
}

/// `allowedRoutes` is a list of allowed routes.
fn singular(list: &str) -> Option<String> {
    let mut words = String::new();
    for letter in list.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    let stem = if let Some(stem) = words.strip_suffix("ies") {
        return Some(format!("{stem}y"));
    } else if let Some(stem) =
        ["sses", "xes", "ches", "shes"].iter().find_map(|end| words.strip_suffix(end).map(|_| &words[..words.len() - 2]))
    {
        stem
    } else {
        words.strip_suffix('s')?
    };
    (stem.len() > 1).then(|| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_a_word_for_one_item() {
        let check = |list: &str, expected: Option<&str>| assert_eq!(singular(list).as_deref(), expected, "{list}");
        check("limits", Some("limit"));
        check("addresses", Some("address"));
        check("matches", Some("match"));
        check("parentRefs", Some("parent ref"));
        check("policies", Some("policy"));
        check("allow", None);
    }
}
