//! What a candidate does about the Lease that it sees.

use std::time::Duration;

/// What a Lease says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Who holds it; empty is nobody.
    pub(super) holder: String,
    /// How long it holds without a word of its holder.
    pub(super) lasts: Duration,
    /// How long this candidate has seen it without a change.
    pub(super) unchanged: Duration,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is no Lease: make one.
    Create,
    /// Nobody holds it any more: take it.
    Take,
    /// It is ours: say so again.
    Renew,
    /// Somebody else holds it: look again then.
    Wait(Duration),
}

/// What a candidate does that looks at least every `often`.
pub(super) fn decide(held: Option<&Held>, me: &str, often: Duration) -> Step {
    let Some(held) = held else { return Step::Create };
    if held.holder == me {
        return Step::Renew;
    }
    match held.lasts.checked_sub(held.unchanged) {
        _ if held.holder.is_empty() => Step::Take,
        None | Some(Duration::ZERO) => Step::Take,
        Some(left) => Step::Wait(left.min(often)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_taken_when_nobody_holds_it_and_never_before() {
        let seconds = Duration::from_secs;
        let check = |holder: &str, lasts: u64, unchanged: u64, expected: Step| {
            let held = Held { holder: holder.into(), lasts: seconds(lasts), unchanged: seconds(unchanged) };
            assert_eq!(decide(Some(&held), "me", seconds(2)), expected, "{held:?}");
        };
        assert_eq!(decide(None, "me", seconds(2)), Step::Create);
        check("me", 6, 0, Step::Renew);
        check("me", 6, 60, Step::Renew);
        check("", 6, 0, Step::Take);
        check("other", 6, 0, Step::Wait(seconds(2)));
        check("other", 6, 5, Step::Wait(seconds(1)));
        check("other", 6, 6, Step::Take);
        check("other", 6, 60, Step::Take);
        check("other", 1, 2, Step::Take);
    }
}
