//! Parts of the sentences about faults.

use std::fmt;
use std::sync::Arc;

use crate::ObjectRef;

/// `Did you mean ...?`, or nothing.
pub(super) struct DidYouMean<'a>(pub(super) &'a Option<Arc<str>>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |nearest| write!(f, "Did you mean `{nearest}`?"))
    }
}

/// What keeps within a bound such as `must be at least 1, and is 0`; nothing where the bound itself says it best.
pub(super) struct Within<'a>(pub(super) &'a str);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.0.split_once(", and ").map_or(self.0, |(wanted, _)| wanted);
        if let Some(what) = wanted.strip_prefix("must have ") {
            return write!(f, "Give it {what}.");
        }
        match wanted.strip_prefix("must be ") {
            Some(what) if ["at ", "above ", "below ", "from "].iter().any(|word| what.starts_with(word)) => {
                write!(f, "Write a number that is {what}.")
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// What follows from a rule about a choice of fields; any other rule says itself what it asks for.
pub(super) fn obeying(rule: &str) -> &'static str {
    if rule.starts_with("only one of ") {
        "Keep one of them."
    } else if rule.starts_with("one of ") {
        "Add one of them."
    } else {
        ""
    }
}

/// An object, or one that is not named.
pub(super) struct Named<'a>(pub(super) &'a Option<ObjectRef>);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(object) => object.fmt(f),
            None => f.write_str("an older object of another namespace"),
        }
    }
}

/// What tells two objects apart that claim the same.
pub(super) struct Apart<'a>(pub(super) &'a Option<ObjectRef>);

impl fmt::Display for Apart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(other) if &*other.kind == "Gateway" => "Give one of the listeners another port, protocol or hostname.",
            Some(_) | None => "Give one of them another host or path.",
        })
    }
}

/// What to do about a reference that found nothing.
pub(super) struct Nearest<'a>(pub(super) &'a ObjectRef, pub(super) &'a Option<Arc<str>>);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(nearest) => write!(f, "Did you mean `{nearest}`?"),
            None => write!(f, "Create {}, or name one that exists.", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_kept_by_what_it_asks_for() {
        let check = |bound: &str, expected: &str| assert_eq!(Within(bound).to_string(), expected, "{bound}");
        check("must be at least 1, and is 0", "Write a number that is at least 1.");
        check("must be from 0 to 1, with at most six decimals", "Write a number that is from 0 to 1, with at most six decimals.");
        check("must have at most 2 fields, and has 3", "Give it at most 2 fields.");
        check("must be 301, 302, 303, 307 or 308", "");
        check("a header value is printable ASCII without blanks at its ends", "");
    }

    #[test]
    fn a_rule_about_a_choice_says_what_to_do() {
        assert_eq!(obeying("one of `url`, `models` is required"), "Add one of them.");
        assert_eq!(obeying("only one of `url`, `models` may be set"), "Keep one of them.");
        assert_eq!(obeying("low must not exceed high"), "");
    }
}
