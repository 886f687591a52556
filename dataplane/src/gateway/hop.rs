//! Requests that come round again (RFC 8586): what is sent on says that it was here, and how often.
//!
//! Once is no mistake: a route may lead to another route of the same gateway. The count stands in each request and not in
//! the number of lines, so that a route that takes fields off cannot hide it.

use cause::{Denial, Upstream as UpstreamCause};
use http::{HeaderMap, HeaderName, HeaderValue};
use upstream::{Lines, Target};

use crate::state::State;

/// The field that tells of those that sent a request on.
pub(super) const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// How often one process sends a request on.
const PASSES: usize = 3;

/// The parameter that counts.
const COUNT: &str = "n=";

/// A request that may be sent on.
pub(super) struct Hop<'a> {
    pseudonym: &'a str,
    passes: usize,
    /// Nobody else has signed it either.
    is_first: bool,
}

impl<'a> Hop<'a> {
    /// The next hop of a request with these fields, as they came in.
    ///
    /// # Errors
    /// `upstream.loop`.
    pub(super) fn of(state: &'a State, headers: &HeaderMap, target: &Target) -> Result<Self, Denial> {
        let pseudonym = state.pseudonym();
        let mut values = headers.get_all(CDN_LOOP).iter().peekable();
        let is_first = values.peek().is_none();
        let texts = values.filter_map(|value| value.to_str().ok());
        let passes = texts.flat_map(|text| text.split(',')).filter_map(|hop| passes(hop, pseudonym)).max().unwrap_or(0);
        if passes < PASSES {
            return Ok(Self { pseudonym, passes, is_first });
        }
        Err(Denial::Upstream(UpstreamCause::Loop { backend: std::sync::Arc::clone(target.name()), passes }))
    }

    /// Signs what is sent on, behind the names of all others.
    pub(super) fn sign(&self, headers: &mut HeaderMap, lines: &mut Lines) {
        if self.is_first {
            lines.push(&CDN_LOOP, self.pseudonym.as_bytes());
        } else if let Ok(value) = HeaderValue::try_from(format!("{}; {COUNT}{}", self.pseudonym, self.passes + 1)) {
            headers.append(CDN_LOOP, value);
        }
    }
}

/// How often we sent on what this hop tells of, where it is ours.
fn passes(hop: &str, pseudonym: &str) -> Option<usize> {
    let mut parts = hop.split(';').map(str::trim);
    if parts.next()? != pseudonym {
        return None;
    }
    // Whoever changes the count of a request cannot make it count less than the one pass that it tells of.
    Some(parts.find_map(|parameter| parameter.strip_prefix(COUNT)?.parse().ok()).unwrap_or(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use upstream::Protocol;

    #[test]
    fn a_request_passes_a_few_times() {
        let state = State::new(None);
        let target = Target::new("orders".into(), Vec::new(), Protocol::Http1);
        let check = |fields: &[&str], passes: Option<usize>| {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(CDN_LOOP, HeaderValue::from_str(&field.replace("US", state.pseudonym())).unwrap());
            }
            match (Hop::of(&state, &headers, &target), passes) {
                (Ok(hop), Some(passes)) => {
                    assert_eq!(hop.passes, passes, "{fields:?}");
                    let mut lines = Lines::default();
                    hop.sign(&mut headers, &mut lines);
                    lines.move_to(&mut headers);
                    let after = Hop::of(&state, &headers, &target).map_or(PASSES, |hop| hop.passes);
                    assert_eq!(after, passes + 1, "{fields:?}");
                }
                (Err(denial), None) => assert_eq!(denial.entry().code, "upstream.loop", "{fields:?}"),
                (found, _) => panic!("{fields:?}: passes is {}", found.is_ok()),
            }
        };
        check(&[], Some(0));
        check(&["elsewhere, doorward-0123456789abcdef; n=9", "\u{e9}"], Some(0));
        check(&["US"], Some(1));
        check(&["elsewhere;x=y, US ; n=2,US"], Some(2));
        check(&["US; n=0"], Some(1));
        check(&["US; n=none"], Some(1));
        check(&["US", "elsewhere, US;n=3"], None);
        check(&["US; n=18446744073709551615"], None);
    }
}
