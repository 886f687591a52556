//! Why a request is refused or a manifest is wrong, who can fix it, and how.
//!
//! Two families, never mixed: a [`Denial`] is the answer to one request; a [`Fault`] is one
//! finding in a manifest. Both carry every value that their text needs, so remedies are
//! computed, not worded by whoever found the problem. A `Denial` has no `Display`: only
//! [`view`] turns one into text, because it alone knows what the reader has proven.
//!
//! **Invariant:** each family has exactly one `match`, in its `tell`; a variant without a row
//! does not compile.

mod access;
mod address;
mod credential;
mod denial;
mod entry;
mod fault;
mod field;
mod framing;
mod limit;
mod listed;
mod model;
mod name;
mod nearest;
mod payload;
mod route;
mod token;
mod upstream;
mod version;
mod view;

pub use access::{Access, RuleFailure, RuleReport};
pub use address::Address;
pub use credential::{Credential, CredentialKind, CredentialReport, CredentialState};
pub use denial::Denial;
pub use entry::{Action, Check, Entry, Fixer, Retry, Status};
pub use fault::{BrokenReference, Fault, FaultCause, FaultOrigin, FieldMeant, Severity, Unattached};
pub use field::{FieldPath, Segment, Syntax};
pub use framing::{Framing, TargetFlaw};
pub use limit::Limit;
pub use listed::Listed;
pub use model::Model;
pub use name::{ObjectName, ObjectRef};
pub use nearest::{nearest, nearest_or_related};
pub use payload::Payload;
pub use route::Route;
pub use token::{Token, TokenPart};
pub use upstream::Upstream;
pub use version::Version;
pub use view::{Audience, Disclosure, Remedy, View, documentation, view};

/// Where one row of the table of causes is delivered: the static entry, what happened, what to
/// do, and what only the owner may read besides.
///
/// The three texts are unformatted [`std::fmt::Arguments`]: a reader that wants only the code
/// pays for no formatting.
pub type Tell<'a> = &'a mut dyn FnMut(Entry, [std::fmt::Arguments<'_>; 3]);
