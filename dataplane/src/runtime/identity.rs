//! Issuers of tokens, and what upstreams are told of a principal.

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
    /// The fields of a principal. Text that no field value may hold is percent-encoded.
    #[must_use]
    pub(crate) fn of(principal: &Principal) -> Self {
        let roles = principal.roles.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(",");
        Self { principal: field(&principal.name), team: principal.team.as_deref().and_then(field), roles: field(&roles) }
    }
}

fn field(text: &str) -> Option<HeaderValue> {
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'%') {
        return HeaderValue::from_str(text).ok();
    }
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if (b'!'..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            use std::fmt::Write as _;
            // Writing into a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    HeaderValue::from_str(&encoded).ok()
}
