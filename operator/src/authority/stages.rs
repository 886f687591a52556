//! What an authority's Secret holds, and the step that it is due for.
//!
//! A new certificate is trusted everywhere before anything is issued from it, and an old one as long
//! as something issued from it may be shown. So a rotation is three steps: announce, promote, retire.

use std::collections::BTreeMap;
use std::time::Duration;

use crds::standard::Secret;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use zeroize::Zeroizing;

use super::certificates::{self, CertificateError, Pair, validity};

/// How long things are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// An authority.
    pub authority: Duration,
    /// A server's certificate.
    pub server: Duration,
    /// How long a new authority is announced before anything is issued from it. A kubelet renews
    /// what it mounted within two minutes.
    pub announced: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Lifetimes {
    fn default() -> Self {
        Self { authority: DAY.saturating_mul(365), server: DAY.saturating_mul(7), announced: Duration::from_secs(60 * 60) }
    }
}

const CURRENT: (&str, &str) = ("ca.crt", "ca.key");
const NEXT: (&str, &str) = ("next.crt", "next.key");
const NEXT_SINCE: &str = "next-since";
const PREVIOUS: &str = "previous.crt";
const PREVIOUS_UNTIL: &str = "previous-until";

/// What the Secret holds.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// What is issued from.
    pub(super) current: Pair,
    /// What will be, and since when it is announced.
    next: Option<(Pair, Timestamp)>,
    /// What was, and until when something issued from it may be shown.
    previous: Option<(String, Timestamp)>,
}

/// What an authority is due for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing before this time.
    Wait(Timestamp),
    /// Make the next authority and announce it.
    Announce,
    /// Issue from the next authority from now on.
    Promote,
    /// Trust the previous authority no longer.
    Retire,
}

impl Held {
    /// A first authority.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn first(now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, CertificateError> {
        Ok(Self { current: certificates::authority(now, lifetimes.authority)?, next: None, previous: None })
    }

    /// What a Secret says. `None` where nothing can be issued from it any more: it was damaged, or
    /// its authority is over. A damaged neighbour of a good authority is as if it were not there.
    #[must_use]
    pub(super) fn read(secret: &Secret, now: Timestamp) -> Option<Self> {
        let text = |name: &str| -> Option<String> {
            let bytes = secret.data.as_ref()?.get(name)?;
            String::from_utf8(bytes.0.clone()).ok()
        };
        let time = |name: &str| text(name)?.parse::<Timestamp>().ok();
        let pair = |(certificate, key): (&str, &str)| {
            let pair = Pair { certificate: text(certificate)?, key: Zeroizing::new(text(key)?) };
            let is_good = validity(&pair.certificate).is_ok_and(|validity| now < validity.until);
            (is_good && certificates::belong_together(&pair)).then_some(pair)
        };
        let next = pair(NEXT).zip(time(NEXT_SINCE));
        let previous = text(PREVIOUS).filter(|pem| validity(pem).is_ok()).zip(time(PREVIOUS_UNTIL));
        match (pair(CURRENT), next) {
            (Some(current), next) => Some(Self { current, next, previous }),
            // The operator was away for a long time; what was announced is trusted, so it goes on.
            (None, Some((current, _))) => Some(Self { current, next: None, previous }),
            (None, None) => None,
        }
    }

    /// What the Secret is to hold.
    #[must_use]
    pub(super) fn data(&self) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::new();
        let mut put = |name: &str, text: &str| data.insert(name.to_owned(), ByteString(text.as_bytes().to_vec()));
        put(CURRENT.0, &self.current.certificate);
        put(CURRENT.1, &self.current.key);
        if let Some((next, since)) = &self.next {
            put(NEXT.0, &next.certificate);
            put(NEXT.1, &next.key);
            put(NEXT_SINCE, &since.to_string());
        }
        if let Some((previous, until)) = &self.previous {
            put(PREVIOUS, previous);
            put(PREVIOUS_UNTIL, &until.to_string());
        }
        data
    }

    /// All certificates that are to be trusted, in PEM.
    #[must_use]
    pub(super) fn bundle(&self) -> String {
        let next = self.next.as_ref().map(|(next, _)| next.certificate.as_str());
        let previous = self.previous.as_ref().map(|(previous, _)| previous.as_str());
        [Some(self.current.certificate.as_str()), next, previous].into_iter().flatten().collect()
    }

    /// What it is due for.
    #[must_use]
    pub(super) fn due(&self, now: Timestamp, lifetimes: &Lifetimes) -> Step {
        if let Some((_, until)) = &self.previous
            && *until <= now
        {
            return Step::Retire;
        }
        let at = match &self.next {
            Some((_, since)) => after(*since, lifetimes.announced),
            // A text that was read is a certificate.
            None => validity(&self.current.certificate).map_or(now, |validity| validity.renewal()),
        };
        match (&self.next, at <= now) {
            (Some(_), true) => Step::Promote,
            (None, true) => Step::Announce,
            (_, false) => Step::Wait(self.previous.as_ref().map_or(at, |(_, until)| at.min(*until))),
        }
    }

    /// What it is after a step.
    ///
    /// # Errors
    /// The next authority cannot be made.
    pub(super) fn after(self, step: Step, now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, CertificateError> {
        Ok(match (step, self) {
            (Step::Announce, held) => {
                let next = certificates::authority(now, lifetimes.authority)?;
                Self { next: Some((next, now)), ..held }
            }
            (Step::Promote, Self { current, next: Some((next, _)), previous: _ }) => {
                // What was issued a moment ago from the old one is shown no longer than this.
                let previous = Some((current.certificate, after(now, lifetimes.server)));
                Self { current: next, next: None, previous }
            }
            (Step::Retire, held) => Self { previous: None, ..held },
            (Step::Wait(_) | Step::Promote, held) => held,
        })
    }
}

fn after(start: Timestamp, span: Duration) -> Timestamp {
    start.saturating_add(span).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes =
        Lifetimes { authority: DAY.saturating_mul(30), server: DAY.saturating_mul(2), announced: Duration::from_secs(3600) };

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn secret(held: &Held) -> Secret {
        Secret { data: Some(held.data()), ..Secret::default() }
    }

    fn count(held: &Held) -> usize {
        held.bundle().matches("BEGIN CERTIFICATE").count()
    }

    #[test]
    fn a_rotation_trusts_before_it_issues_and_as_long_as_something_is_shown() {
        let mut held = Held::first(time("2026-06-01T00:00:00Z"), &LIFETIMES).unwrap();
        let first = held.current.certificate.clone();
        // When, what it is due for then, and how many certificates are trusted after it.
        for (now, step, trusted) in [
            ("2026-06-01T00:00:00Z", Step::Wait(time("2026-06-20T23:58:20Z")), 1),
            ("2026-06-20T23:58:19Z", Step::Wait(time("2026-06-20T23:58:20Z")), 1),
            ("2026-06-20T23:58:20Z", Step::Announce, 2),
            ("2026-06-21T00:58:19Z", Step::Wait(time("2026-06-21T00:58:20Z")), 2),
            ("2026-06-21T00:58:20Z", Step::Promote, 2),
            ("2026-06-21T00:58:20Z", Step::Wait(time("2026-06-23T00:58:20Z")), 2),
            ("2026-06-23T00:58:20Z", Step::Retire, 1),
            ("2026-06-23T00:58:20Z", Step::Wait(time("2026-07-10T23:56:40Z")), 1),
            ("2026-07-10T23:56:40Z", Step::Announce, 2),
        ] {
            let now = time(now);
            assert_eq!(held.due(now, &LIFETIMES), step, "{now}");
            let issued = held.current.certificate.clone();
            let before = held.bundle();
            held = held.after(step, now, &LIFETIMES).unwrap();
            assert_eq!(count(&held), trusted, "{now} {step:?}");
            assert!(before.contains(&held.current.certificate), "{now}: issued from what nobody trusts yet");
            assert!(step == Step::Retire || held.bundle().contains(&issued), "{now}: what is shown is trusted no longer");
            held = Held::read(&secret(&held), now).unwrap();
        }
        assert_ne!(held.current.certificate, first);
    }

    #[test]
    fn an_operator_that_was_away_issues_from_what_is_trusted() {
        let start = time("2026-06-01T00:00:00Z");
        let held = Held::first(start, &LIFETIMES).unwrap();
        let held = held.after(Step::Announce, time("2026-06-21T00:00:00Z"), &LIFETIMES).unwrap();
        let next = held.next.as_ref().unwrap().0.certificate.clone();
        let late = Held::read(&secret(&held), time("2026-07-05T00:00:00Z")).unwrap();
        assert_eq!((late.current.certificate == next, late.next.is_some()), (true, false));
        assert!(Held::read(&secret(&held), time("2027-06-01T00:00:00Z")).is_none());
    }

    #[test]
    fn what_was_damaged_is_not_there() {
        fn check(change: impl Fn(&mut BTreeMap<String, ByteString>), expected: Option<(bool, bool)>) {
            let now = time("2026-06-21T00:00:00Z");
            let held = Held::first(time("2026-06-01T00:00:00Z"), &LIFETIMES).unwrap();
            let held = held.after(Step::Announce, now, &LIFETIMES).unwrap().after(Step::Promote, now, &LIFETIMES).unwrap();
            let held = held.after(Step::Announce, now, &LIFETIMES).unwrap();
            let mut secret = secret(&held);
            change(secret.data.as_mut().unwrap());
            let read = Held::read(&secret, now);
            assert_eq!(read.map(|held| (held.next.is_some(), held.previous.is_some())), expected);
        }
        check(|_| {}, Some((true, true)));
        let spoil = |data: &mut BTreeMap<String, ByteString>, name: &str| data.insert(name.into(), ByteString(b"x".to_vec()));
        check(|data| drop(spoil(data, "next.key")), Some((false, true)));
        check(|data| drop(spoil(data, "next-since")), Some((false, true)));
        check(|data| drop(spoil(data, "previous.crt")), Some((true, false)));
        check(|data| drop(spoil(data, "ca.key")), Some((false, true)));
        check(|data| data.clear(), None);
        let swap = |data: &mut BTreeMap<String, ByteString>| {
            let key = data.get("next.key").unwrap().clone();
            data.insert("ca.key".into(), key);
            data.remove("next.crt");
        };
        check(swap, None);
    }
}
