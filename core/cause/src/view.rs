//! From a cause to text, for one reader: the only place that decides what a reader may see.

use jiff::Timestamp;
use serde::Serialize;

use crate::{Access, Action, Address, Credential, Denial, Entry, Fixer, Limit, Retry, Status};

/// How much a caller that has proven a credential may learn (`GatewayConfig.spec.disclosure`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
pub enum Disclosure {
    /// Only that it is refused, by class.
    Minimal,
    /// What the caller can act on.
    #[default]
    Standard,
    /// What the owner sees too.
    Full,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The caller. `proven` tells whether a credential was verified before the refusal.
    Caller {
        /// What the gateway discloses.
        disclosure: Disclosure,
        /// Whether this caller has proven to hold a credential.
        proven: bool,
    },
    /// Whoever owns the API or runs the gateway.
    Owner,
}

/// What a reader may see of a cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Stable dotted code.
    pub code: &'static str,
    /// HTTP status.
    #[serde(skip)]
    pub status: Status,
    /// One line, the same for every occurrence.
    pub title: &'static str,
    /// What happened in this one.
    pub detail: String,
    /// `namespace/route/rule`, where a rule decided and the reader may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What mends it.
    pub remedy: Remedy,
    /// Whether the same request can succeed later.
    pub retryable: bool,
    /// Whether the reader may see what became of each credential.
    #[serde(skip)]
    pub shows_credentials: bool,
}

/// What mends a cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Remedy {
    /// One sentence.
    pub text: String,
    /// The same for scripts.
    pub action: Action,
    /// Who does it.
    pub by: Fixer,
    /// The page of the cause.
    pub docs: String,
    /// When the same request can be sent again.
    #[serde(rename = "retryAt", skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

/// The address of a cause's page below `base`, which ends without a slash.
#[must_use]
pub fn documentation(base: &str, code: &str) -> String {
    format!("{base}/{code}")
}

/// What this reader may see of this cause. `docs` is the base address of the pages.
#[must_use]
pub fn view(denial: &Denial, audience: Audience, docs: &str) -> View {
    let is_minimal = matches!(audience, Audience::Caller { disclosure: Disclosure::Minimal, .. });
    let class = if is_minimal { class(denial) } else { None };
    let denial = class.as_ref().unwrap_or(denial);
    let everything = match audience {
        Audience::Owner => true,
        Audience::Caller { disclosure, proven } => disclosure == Disclosure::Full && proven,
    };
    let rule = if is_minimal {
        None
    } else if let Denial::Access(access) = denial {
        access.rule().map(|(route, rule)| format!("{route}/{rule}"))
    } else if let Denial::Limit(Limit::Requests { holder, limit, .. }) = denial {
        Some(format!("{}/{limit}", holder.name))
    } else {
        None
    };
    let retry_at = if let Denial::Limit(Limit::Requests { retry_at, .. }) = denial {
        Some(*retry_at)
    } else if let Denial::Credential(Credential::NotYetValid { valid_from, .. }) = denial {
        Some(*valid_from)
    } else {
        None
    };
    let own_remedy = match (audience, denial) {
        (Audience::Owner, Denial::Access(access)) => access.owner_remedy(),
        (_, _) => None,
    };
    let mut seen = None;
    let mut see = |entry: Entry, [detail, remedy, owner]: [std::fmt::Arguments<'_>; 3]| {
        // What an owner called his rules is told to none that may learn the class alone.
        let names_rule = is_minimal && matches!(denial, Denial::Access(_));
        let mut detail = if names_rule { format!("{}.", entry.title) } else { detail.to_string() };
        if everything {
            use std::fmt::Write as _;
            let before = detail.len();
            // Writing into a String cannot fail.
            let _ = write!(detail, " {owner}");
            detail.truncate(detail.trim_end().len().max(before));
        }
        seen = Some(View {
            code: entry.code,
            status: entry.status,
            title: entry.title,
            detail,
            rule: rule.clone(),
            remedy: Remedy {
                text: own_remedy.clone().unwrap_or_else(|| remedy.to_string()),
                action: entry.action,
                by: entry.by,
                docs: documentation(docs, entry.code),
                retry_at,
            },
            retryable: entry.retry == Retry::Later,
            shows_credentials: !is_minimal,
        });
    };
    match (denial, audience) {
        (Denial::Misconfigured(fault), Audience::Owner) => fault.tell_owner(&mut see),
        (_, _) => denial.tell(&mut see),
    }
    seen.unwrap_or_else(|| untold(docs))
}

/// What Minimal disclosure says instead of a cause: its class.
fn class(denial: &Denial) -> Option<Denial> {
    let status = denial.entry().status;
    let is_credential = if let Denial::Credential(cause) = denial {
        hides(cause)
    } else {
        matches!(denial, Denial::Token(_)) && status == Status::new(401)
    };
    // Which key may be used from where tells that the key is good.
    let is_access = matches!(denial, Denial::Access(_) | Denial::Address(Address::KeyNotAllowed { .. }));
    if is_credential {
        Some(Denial::Credential(Credential::Refused))
    } else if is_access && status == Status::new(403) {
        Some(Denial::Access(Access::Refused))
    } else {
        None
    }
}

/// Whether Minimal disclosure hides which of these it is.
const fn hides(cause: &Credential) -> bool {
    match cause {
        Credential::Unknown { .. }
        | Credential::Expired { .. }
        | Credential::NotYetValid { .. }
        | Credential::Suspended { .. }
        | Credential::Rotated { .. } => true,
        Credential::Missing { .. }
        | Credential::Malformed { .. }
        | Credential::Checksum { .. }
        | Credential::Ambiguous { .. }
        | Credential::NotAccepted { .. }
        | Credential::Refused => false,
    }
}

fn untold(docs: &str) -> View {
    View {
        code: "route.internal",
        status: Status::new(500),
        title: "The gateway failed on this request",
        detail: String::new(),
        rule: None,
        remedy: Remedy {
            text: String::new(),
            action: Action::FixUpstream,
            by: Fixer::Platform,
            docs: documentation(docs, "route.internal"),
            retry_at: None,
        },
        retryable: false,
        shows_credentials: false,
    }
}
