//! What a Secret keeps of the texts that rotations replaced.
//!
//! The newest is `previous-sha256`, `previous-id` and `previous-until`; those before it are
//! `previous-2-sha256` and so on.

use cause::{FaultCause, ObjectName, ObjectRef};
use crds::standard::Secret;
use ir::EarlierText;
use jiff::Timestamp;

use crate::keys::hexadecimal;
use crate::secrets::{required_text, value};

/// Earlier texts of a key that can be good at once. A further rotation ends the oldest of them.
pub const GOOD_AT_ONCE: usize = 4;
/// Earlier texts of which something is kept: one more than can be good, so that who sends the one that ended last reads
/// so.
pub const KEPT: usize = GOOD_AT_ONCE + 1;

/// What an entry holds of an earlier text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// SHA-256 of it, in hexadecimal digits.
    Sha256,
    /// Its public id.
    Id,
    /// Its end (RFC 3339).
    Until,
    /// The end that it had before later rotations ended it early (RFC 3339).
    InsteadOf,
}

impl What {
    const ALL: [Self; 4] = [Self::Sha256, Self::Id, Self::Until, Self::InsteadOf];

    /// The entry of the text at this place, the newest being at 0.
    fn entry(self, place: usize) -> String {
        let what = match self {
            Self::Sha256 => "sha256",
            Self::Id => "id",
            Self::Until => "until",
            Self::InsteadOf => "instead-of",
        };
        if place == 0 { format!("previous-{what}") } else { format!("previous-{}-{what}", place + 1) }
    }
}

/// One text that a rotation replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// What is known of it.
    pub text: EarlierText,
    /// The end of its overlap, where it ended before that because later texts were replaced too.
    pub instead_of: Option<Timestamp>,
}

impl Earlier {
    /// Whether it is good at this time.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        now < self.text.until
    }

    /// Whether it would be good at this time, had no later rotation ended it.
    #[must_use]
    pub fn ended_early(&self, now: Timestamp) -> bool {
        !self.is_good(now) && self.instead_of.is_some_and(|end| now < end)
    }
}

/// The texts that a Secret tells of, newest first, and of each that cannot be read why.
pub fn earlier<'a>(secret: &'a Secret, name: &'a ObjectName) -> impl Iterator<Item = Result<Earlier, FaultCause>> + 'a {
    (0..KEPT).filter_map(move |place| one(secret, name, place).transpose())
}

fn one(secret: &Secret, name: &ObjectName, place: usize) -> Result<Option<Earlier>, FaultCause> {
    let invalid = |what: What, fault: &str| {
        let reason = format!("`{}` is not {fault}", what.entry(place)).into();
        FaultCause::SecretInvalid { target: ObjectRef::new("Secret", name.clone()), reason }
    };
    let time = |what: What, text: &str| text.trim().parse().map_err(|_| invalid(what, "a time of RFC 3339"));
    let Some(hash) = value(secret, &What::Sha256.entry(place)) else { return Ok(None) };
    let hash = hexadecimal(hash.trim_ascii()).ok_or_else(|| invalid(What::Sha256, "64 hexadecimal digits"))?;
    let until = time(What::Until, &required_text(secret, name, &What::Until.entry(place))?)?;
    let text = |what: What| value(secret, &what.entry(place)).and_then(|bytes| String::from_utf8(bytes).ok());
    let instead_of = text(What::InsteadOf).map(|text| time(What::InsteadOf, &text)).transpose()?;
    Ok(Some(Earlier { text: EarlierText { hash, public_id: text(What::Id).map(Into::into), until }, instead_of }))
}

/// What is kept of earlier texts once one more was replaced.
#[must_use]
pub fn with_replaced(earlier: impl IntoIterator<Item = Earlier>, replaced: EarlierText, now: Timestamp) -> Vec<Earlier> {
    let mut kept = vec![Earlier { text: replaced, instead_of: None }];
    // A text that comes twice ends when it ended last.
    kept.extend(earlier);
    for earlier in kept.iter_mut().filter(|earlier| earlier.is_good(now)).skip(GOOD_AT_ONCE) {
        earlier.instead_of = Some(earlier.text.until);
        earlier.text.until = now;
    }
    kept.truncate(KEPT);
    kept
}

/// The entries of a Secret that say this of earlier texts, and the names of those that must not be there.
#[must_use]
pub fn entries(earlier: &[Earlier]) -> (Vec<(String, String)>, Vec<String>) {
    let mut present = Vec::new();
    for (place, Earlier { text, instead_of }) in earlier.iter().enumerate().take(KEPT) {
        let digits = text.hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let hash = digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect();
        present.push((What::Sha256.entry(place), hash));
        present.push((What::Until.entry(place), text.until.to_string()));
        present.extend(text.public_id.as_ref().map(|id| (What::Id.entry(place), id.to_string())));
        present.extend(instead_of.map(|end| (What::InsteadOf.entry(place), end.to_string())));
    }
    let all = (0..KEPT).flat_map(|place| What::ALL.map(|what| what.entry(place)));
    let absent = all.filter(|name| present.iter().all(|(there, _)| there != name)).collect();
    (present, absent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cause::{Fault, FieldPath};
    use std::collections::BTreeMap;

    const NOW: &str = "2026-06-01T12:00:00Z";

    fn time(hour: i64) -> Timestamp {
        let now: Timestamp = NOW.parse().unwrap();
        now + jiff::SignedDuration::from_hours(hour)
    }

    fn text(number: u8, hour: i64) -> EarlierText {
        EarlierText { hash: [number; 32], public_id: number.is_multiple_of(2).then(|| "dw_live_even".into()), until: time(hour) }
    }

    fn secret(entries: impl IntoIterator<Item = (String, String)>) -> Secret {
        Secret { string_data: Some(entries.into_iter().collect::<BTreeMap<_, _>>()), ..Secret::default() }
    }

    #[test]
    fn one_more_text_ends_the_oldest_of_those_that_are_good() {
        /// Texts as (number, end, the end that it should have had), all in hours from now.
        fn check(earlier: &[(u8, i64)], expected: &[(u8, i64, Option<i64>)]) {
            let before = earlier.iter().map(|(number, hour)| Earlier { text: text(*number, *hour), instead_of: None });
            let kept = with_replaced(before, text(9, 24), time(0));
            let expected = expected
                .iter()
                .map(|(number, hour, was)| Earlier { text: text(*number, *hour), instead_of: was.map(time) })
                .collect::<Vec<_>>();
            assert_eq!(kept, expected, "{earlier:?}");
            let (present, absent) = entries(&kept);
            let (secret, name) = (secret(present.clone()), ObjectName::new("shop", "app"));
            assert_eq!(super::earlier(&secret, &name).collect::<Result<Vec<_>, _>>().unwrap(), kept, "{earlier:?}");
            assert_eq!(present.len() + absent.len(), KEPT * What::ALL.len(), "{earlier:?}");
            let early = kept.iter().filter(|earlier| earlier.ended_early(time(0))).count();
            assert_eq!(early, expected.iter().filter(|earlier| earlier.instead_of.is_some()).count());
        }
        let (new, kept) = ((9, 24, None), |number, hour| (number, hour, None));
        check(&[], &[new]);
        check(&[(1, 20)], &[new, kept(1, 20)]);
        check(&[(1, 20), (2, 10), (3, 5)], &[new, kept(1, 20), kept(2, 10), kept(3, 5)]);
        check(&[(1, 20), (2, 10), (3, 5), (4, 4)], &[new, kept(1, 20), kept(2, 10), kept(3, 5), (4, 0, Some(4))]);
        // Each has its own end: the oldest ends early, not the one that would end first.
        check(&[(1, 1), (2, 10), (3, 5), (4, 40)], &[new, kept(1, 1), kept(2, 10), kept(3, 5), (4, 0, Some(40))]);
        // Those that ended take nobody's place, and go when there is none left.
        check(&[(1, 20), (2, -1), (3, -5), (4, 4)], &[new, kept(1, 20), kept(2, -1), kept(3, -5), kept(4, 4)]);
        check(&[(1, 20), (2, 10), (3, 5), (4, 4), (5, -1)], &[new, kept(1, 20), kept(2, 10), kept(3, 5), (4, 0, Some(4))]);
        check(&[(1, -1), (2, -2), (3, -3), (4, -4), (5, -5)], &[new, kept(1, -1), kept(2, -2), kept(3, -3), kept(4, -4)]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let hash = "11112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let message =
            |cause| Fault::error(ObjectRef::new("ApiKey", ObjectName::new("shop", "app")), FieldPath::root(), cause).message();
        let check = |entries: &[(&str, &str)], expected: Result<usize, &str>| {
            let secret = secret(entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            let name = ObjectName::new("shop", "app");
            let found: Result<Vec<_>, _> = super::earlier(&secret, &name).collect();
            assert_eq!(found.map(|found| found.len()).map_err(message), expected.map_err(ToOwned::to_owned));
        };
        check(&[], Ok(0));
        check(&[("previous-until", NOW), ("previous-7-sha256", "x")], Ok(0));
        check(&[("previous-sha256", hash), ("previous-until", NOW)], Ok(1));
        check(&[("previous-3-sha256", hash), ("previous-3-until", NOW)], Ok(1));
        check(
            &[("previous-2-sha256", "77"), ("previous-2-until", NOW)],
            Err("Secret shop/app: `previous-2-sha256` is not 64 hexadecimal digits"),
        );
        check(
            &[("previous-2-sha256", hash), ("previous-2-until", "soon")],
            Err("Secret shop/app: `previous-2-until` is not a time of RFC 3339"),
        );
        check(
            &[("previous-sha256", hash), ("previous-until", NOW), ("previous-instead-of", "x")],
            Err("Secret shop/app: `previous-instead-of` is not a time of RFC 3339"),
        );
    }
}
