//! The one type of a refusal.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    Access, Address, Credential, Entry, Fault, FieldPath, Framing, Limit, Model, ObjectRef, Payload, Route, Tell, Token,
    Upstream, Version,
};

/// Why a request is refused, with everything its text needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Denial {
    /// `framing.*`: the bytes are not one unambiguous HTTP request.
    Framing(Framing),
    /// `route.*`: nothing serves this request.
    Route(Route),
    /// `version.*`: the API has no such version.
    Version(Version),
    /// `address.*`: the client's address is not admitted.
    Address(Address),
    /// `credential.*`: the credential is missing or not accepted.
    Credential(Credential),
    /// `token.*`: the token is not accepted.
    Token(Token),
    /// `access.*`: the principal may not do this.
    Access(Access),
    /// `payload.*`: the body is not acceptable.
    Payload(Payload),
    /// `limit.*`: too many calls.
    Limit(Limit),
    /// `upstream.*`: the upstream did not answer as it must.
    Upstream(Upstream),
    /// `model.*`: the unified AI API has no such model or operation.
    Model(Model),
    /// `config.*`: a manifest is wrong, so the route is closed.
    Misconfigured(Arc<Fault>),
}

impl Denial {
    /// Delivers this cause's row of the table.
    pub fn tell(&self, tell: Tell<'_>) {
        match self {
            Self::Framing(cause) => cause.tell(tell),
            Self::Route(cause) => cause.tell(tell),
            Self::Version(cause) => cause.tell(tell),
            Self::Address(cause) => cause.tell(tell),
            Self::Credential(cause) => cause.tell(tell),
            Self::Token(cause) => cause.tell(tell),
            Self::Access(cause) => cause.tell(tell),
            Self::Payload(cause) => cause.tell(tell),
            Self::Limit(cause) => cause.tell(tell),
            Self::Upstream(cause) => cause.tell(tell),
            Self::Model(cause) => cause.tell(tell),
            Self::Misconfigured(fault) => fault.tell_caller(tell),
        }
    }

    /// Where in the manifests its owner would mend it, where that is one field; of a named rule, the list
    /// that it stands in.
    #[must_use]
    pub fn mended_at(&self) -> Option<(ObjectRef, FieldPath)> {
        match self {
            Self::Address(cause) => Some(cause.mended_at()),
            Self::Credential(cause) => cause.mended_at(),
            Self::Access(cause) => cause.mended_at(),
            Self::Misconfigured(fault) => Some((fault.object.clone()?, fault.field.clone())),
            Self::Framing(_)
            | Self::Route(_)
            | Self::Version(_)
            | Self::Token(_)
            | Self::Payload(_)
            | Self::Limit(_)
            | Self::Upstream(_)
            | Self::Model(_) => None,
        }
    }

    /// The static entry alone; formats nothing.
    #[must_use]
    pub fn entry(&self) -> Entry {
        let mut found = None;
        self.tell(&mut |entry, _| found = Some(entry));
        found.unwrap_or(UNTOLD)
    }
}

/// What a row that tells nothing would be; the test `every_cause_tells_once` keeps it unreachable.
const UNTOLD: Entry = Entry {
    code: "config.untold",
    status: crate::Status::new(500),
    by: crate::Fixer::Platform,
    action: crate::Action::FixManifest,
    retry: crate::Retry::Never,
    title: "The gateway refused the request without a cause",
};
