//! Issuers of tokens, and what upstreams are told of a principal.

use std::borrow::Cow;
use std::sync::Arc;

use http::HeaderValue;
use policy::principal::Principal;

use super::Url;
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

/// What upstreams are told of a principal.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdentityHeaders {
    /// `Doorward-Principal`.
    pub(crate) principal: Option<HeaderValue>,
    /// `Doorward-Team`.
    pub(crate) team: Option<HeaderValue>,
    /// `Doorward-Roles`, with commas between.
    pub(crate) roles: Option<HeaderValue>,
}

impl IdentityHeaders {
    /// The fields of a principal. Text that no field value may hold is percent-encoded, and in a role the comma
    /// too, so that no role reads as two.
    #[must_use]
    pub(crate) fn of(principal: &Principal) -> Self {
        let roles: Vec<Cow<'_, str>> = principal.roles.iter().map(|role| encoded(role, b"%,")).collect();
        let field = |text: &str| (!text.is_empty()).then(|| HeaderValue::from_str(text).ok()).flatten();
        let text = |text: &str| field(&encoded(text, b"%"));
        Self { principal: text(&principal.name), team: principal.team.as_deref().and_then(text), roles: field(&roles.join(",")) }
    }
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
    use policy::principal::Facts;

    use super::*;

    #[test]
    fn upstreams_read_of_a_principal_what_it_is() {
        let check = |name: &str, roles: &[&str], expected: (&str, &str)| {
            let roles: Arc<[Arc<str>]> = roles.iter().map(|role| Arc::from(*role)).collect();
            let principal =
                Principal::from(Facts { name: name.into(), roles: Arc::clone(&roles), ..Facts::clone(&Principal::anonymous()) });
            let fields = IdentityHeaders::of(&principal);
            let text = |value: Option<HeaderValue>| value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
            assert_eq!((text(fields.principal).as_str(), text(fields.roles).as_str()), expected, "{name} {roles:?}");
        };
        check("alice", &["a", "b c"], ("alice", "a,b c"));
        check("zo\u{eb} 1", &["\u{eb} 1", "b c"], ("zo%C3%AB%201", "%C3%AB%201,b c"));
        check("50%", &["50%"], ("50%25", "50%25"));
        check("a,b", &["a,admin", "c"], ("a,b", "a%2Cadmin,c"));
        check("", &[], ("", ""));
    }
}
