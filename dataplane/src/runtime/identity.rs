//! Issuers of tokens, and what upstreams are told of a principal.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use policy::principal::Principal;
use upstream::Lines;

use super::{HeldLimit, Url};
use crate::state::KeySetCell;

/// An issuer of tokens.
#[derive(Debug)]
pub(crate) struct Provider {
    /// Its stable hash, for caches that outlive a configuration.
    pub(crate) id: u64,
    /// Changes whenever its rules do.
    pub(crate) version: u64,
    /// What its tokens must be.
    pub(crate) rules: policy::jwt::Rules,
    /// Its keys, which outlive this configuration.
    pub(crate) keys: Arc<KeySetCell>,
    /// Where it is asked about tokens.
    pub(crate) introspection: Option<IntrospectionTarget>,
}

/// Where an issuer is asked about tokens.
#[derive(Debug)]
pub(crate) struct IntrospectionTarget {
    /// Where it is; the prefix is the whole path.
    pub(crate) url: Url,
    /// The gateway's own credential, as a field value that is never logged.
    pub(crate) authorization: HeaderValue,
}

/// What is compiled of a key beside its place in the ring, in one line of cache.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Holder {
    /// The stable hash of its principal.
    pub(crate) principal: u64,
    /// What upstreams are told of its principal.
    pub(crate) told: Lines,
    /// Its limits.
    pub(crate) limits: Box<[HeldLimit]>,
}

const PRINCIPAL: HeaderName = HeaderName::from_static("doorward-principal");
const TEAM: HeaderName = HeaderName::from_static("doorward-team");
const ROLES: HeaderName = HeaderName::from_static("doorward-roles");

/// What upstreams are told of a principal: who, of which team, in which roles, with commas between. Text that no field
/// value may hold is percent-encoded, and in a role the comma too, so that no role reads as two.
#[must_use]
pub(crate) fn told(principal: &Principal) -> Lines {
    let roles: Vec<Cow<'_, str>> = principal.roles.iter().map(|role| encoded(role, b"%,")).collect();
    let team = principal.team.as_deref().unwrap_or_default();
    let fields = [(PRINCIPAL, encoded(&principal.name, b"%")), (TEAM, encoded(team, b"%")), (ROLES, roles.join(",").into())];
    let mut lines = Lines::default();
    for (name, text) in fields.iter().filter(|(_, text)| !text.is_empty()) {
        lines.push(name, text.as_bytes());
    }
    // A clone has no more memory than it needs.
    lines.clone()
}

/// The text where it is printable ASCII without the reserved bytes; else with all others, and blanks, in percent form.
fn encoded<'a>(text: &'a str, reserved: &[u8]) -> Cow<'a, str> {
    let is_plain = |byte: u8| (b'!'..=b'~').contains(&byte) && !reserved.contains(&byte);
    if text.bytes().all(|byte| byte == b' ' || is_plain(byte)) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            // Writing into a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use policy::principal::Facts;

    use super::*;

    #[test]
    fn upstreams_read_of_a_principal_what_it_is() {
        let check = |name: &str, roles: &[&str], expected: (&str, &str)| {
            let roles: Arc<[Arc<str>]> = roles.iter().map(|role| Arc::from(*role)).collect();
            let principal =
                Principal::from(Facts { name: name.into(), roles: Arc::clone(&roles), ..Facts::clone(&Principal::anonymous()) });
            let mut fields = HeaderMap::new();
            told(&principal).move_to(&mut fields);
            let text = |name: HeaderName| fields.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
            assert_eq!((text(PRINCIPAL), text(ROLES)), expected, "{name} {roles:?}");
        };
        check("alice", &["a", "b c"], ("alice", "a,b c"));
        check("zo\u{eb} 1", &["\u{eb} 1", "b c"], ("zo%C3%AB%201", "%C3%AB%201,b c"));
        check("50%", &["50%"], ("50%25", "50%25"));
        check("a,b", &["a,admin", "c"], ("a,b", "a%2Cadmin,c"));
        check("", &[], ("", ""));
    }
}
