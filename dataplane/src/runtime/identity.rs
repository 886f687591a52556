//! Issuers of tokens, and what upstreams are told of a principal.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;
use policy::principal::Principal;

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

/// What is compiled of a key beside its place in the ring.
#[derive(Debug)]
pub(crate) struct Holder {
    /// The stable hash of its principal.
    pub(crate) principal: u64,
    /// What upstreams are told of its principal.
    pub(crate) headers: IdentityHeaders,
    /// Its limits.
    pub(crate) limits: Box<[HeldLimit]>,
}

/// Field values that were made before: a thousand keys of one team share its name.
#[derive(Debug, Default)]
pub(crate) struct FieldTexts(HashMap<Box<str>, HeaderValue>);

impl FieldTexts {
    /// The value of a field; `None` for no text.
    fn value(&mut self, text: &str) -> Option<HeaderValue> {
        if let Some(known) = self.0.get(text) {
            return Some(known.clone());
        }
        let value = HeaderValue::from_str(text).ok().filter(|_| !text.is_empty())?;
        // A clone of what is kept, so that all share one text.
        self.0.insert(text.into(), value.clone());
        Some(value)
    }
}

impl IdentityHeaders {
    /// The fields of a principal. Text that no field value may hold is percent-encoded, and in a role the comma
    /// too, so that no role reads as two.
    #[must_use]
    pub(crate) fn of(principal: &Principal, texts: &mut FieldTexts) -> Self {
        let roles: Vec<Cow<'_, str>> = principal.roles.iter().map(|role| encoded(role, b"%,")).collect();
        Self {
            principal: texts.value(&encoded(&principal.name, b"%")),
            team: principal.team.as_deref().and_then(|team| texts.value(&encoded(team, b"%"))),
            roles: texts.value(&roles.join(",")),
        }
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
            let fields = IdentityHeaders::of(&principal, &mut FieldTexts::default());
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
