//! Sentences about values outside their bounds.

use super::Bounds;

impl Bounds {
    /// What is wrong with a number.
    pub(super) fn number(&self, value: f64) -> Option<String> {
        if let Some(least) = self.minimum {
            if self.is_minimum_excluded && value <= least {
                return Some(format!("must be above {least}, and is {value}"));
            }
            if value < least {
                return Some(format!("must be at least {least}, and is {value}"));
            }
        }
        let most = self.maximum?;
        if self.is_maximum_excluded && value >= most {
            return Some(format!("must be below {most}, and is {value}"));
        }
        (value > most).then(|| format!("must be at most {most}, and is {value}"))
    }

    /// What is wrong with the length of a text.
    pub(super) fn text(&self, text: &str) -> Option<String> {
        count(self.length, text.chars().count(), ("character", "characters"))
    }

    /// What is wrong with the length of a list.
    pub(super) fn list(&self, length: usize) -> Option<String> {
        count(self.items, length, ("item", "items"))
    }

    /// What is wrong with the size of a map.
    pub(super) fn map(&self, length: usize) -> Option<String> {
        count(self.members, length, ("field", "fields"))
    }
}

fn count((least, most): (Option<u64>, Option<u64>), length: usize, (one, many): (&str, &str)) -> Option<String> {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    let found = if length == 0 { "none".to_owned() } else { length.to_string() };
    let noun = |count: u64| if count == 1 { one } else { many };
    if let Some(least) = least.filter(|least| length < *least) {
        return Some(format!("must have at least {least} {}, and has {found}", noun(least)));
    }
    let most = most.filter(|most| length > *most)?;
    Some(format!("must have at most {most} {}, and has {found}", noun(most)))
}
