//! `config.*`: one thing that is wrong with a manifest.
//!
//! A fault is a report to whoever wrote the manifest and, as [`crate::Denial::Misconfigured`],
//! the cause of every request that the broken object would have served. The caller of such a
//! request reads the code and who mends it, never a value of the manifest.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use meant::FieldMeant;
pub use origin::FaultOrigin;

use crate::{FieldPath, Fixer, Listed, ObjectRef, Status, Syntax};
use remedies::{Apart, DidYouMean, Named, Nearest, Within, obeying};

mod closed;
mod meant;
mod origin;
mod remedies;

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// The object, or a part of it, is closed.
    Error,
    /// It works, but will surprise.
    Warning,
    /// Worth knowing.
    Notice,
}

/// What a reference pointed at and did not find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenReference {
    /// What was referred to.
    pub target: ObjectRef,
    /// An existing name that is nearly the same.
    pub nearest: Option<Arc<str>>,
}

/// What is wrong.
#[expect(missing_docs, reason = "the variants say what their fields hold")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultCause {
    /// The text is not YAML, or more than a bound allows.
    Yaml { reason: Arc<str> },
    /// A file or folder that is missing, unreadable or holds no manifest.
    PathUnusable { path: Arc<str>, reason: Arc<str> },
    /// A document without `kind` or `apiVersion`.
    KindMissing,
    /// A kind or version of our group that does not exist.
    KindUnknown { kind: Arc<str>, nearest: Option<Arc<str>> },
    /// A kind of another group that is not used here.
    KindForeign { kind: Arc<str> },
    /// A field that the kind does not have.
    FieldUnknown { field: Arc<str>, parent: Arc<str>, meant: FieldMeant },
    /// A field that is needed.
    FieldMissing { field: Arc<str> },
    /// A key that stands twice in one map.
    FieldDuplicate { field: Arc<str> },
    /// A field that is read by nobody, such as `status`.
    FieldIgnored { field: Arc<str> },
    /// A value of the wrong type.
    TypeWrong { expected: Arc<str>, found: Arc<str> },
    /// `yes`, `no`, `on`, `off`, `y` or `n` without quotes, where readers disagree.
    BooleanAmbiguous {
        /// The word.
        text: Arc<str>,
        /// Whether only text may stand there.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_text: bool,
    },
    /// A value outside an enumeration.
    ValueUnknown { allowed: Vec<Arc<str>>, nearest: Option<Arc<str>> },
    /// A value outside its bounds.
    OutOfBounds { bound: Arc<str> },
    /// A text of the wrong syntax.
    Malformed { syntax: Syntax, suggestion: Option<Arc<str>> },
    /// A rule of the kind, as an API server would say it.
    RuleViolated { message: Arc<str> },
    /// Text that does not match the pattern of its field.
    PatternMismatch { pattern: Arc<str>, meant: Option<Arc<str>> },
    /// Two items of a list with the same key.
    ItemDuplicate { key: Arc<str> },
    /// The same object twice, differently.
    ObjectDuplicate { other: Arc<str> },
    /// A reference to an object that does not exist.
    ReferenceNotFound(BrokenReference),
    /// A reference into another namespace without a ReferenceGrant there.
    ReferenceNotPermitted { target: ObjectRef },
    /// A reference to an object that is itself broken.
    ReferenceBroken { target: ObjectRef },
    /// A backend Service that does not exist.
    BackendNotFound(BrokenReference),
    /// A Service without this port.
    PortNotFound { service: ObjectRef, port: Arc<str>, known: Vec<Arc<str>> },
    /// A Secret that does not exist.
    SecretNotFound(BrokenReference),
    /// A Secret or ConfigMap without this key.
    SecretKeyMissing { target: ObjectRef, key: Arc<str>, known: Vec<Arc<str>> },
    /// A Secret whose content is not what is needed.
    SecretInvalid { target: ObjectRef, reason: Arc<str> },
    /// A Secret that the operator should write, and that is not of its making.
    SecretNotOwned { target: ObjectRef },
    /// A certificate or private key that cannot be used.
    CertificateInvalid { target: ObjectRef, reason: Arc<str> },
    /// A key set that cannot be used.
    KeySetInvalid { reason: Arc<str> },
    /// An expression that does not compile, with its place in the text.
    ExpressionInvalid { reason: Arc<str>, start: usize, end: usize },
    /// A rule that can never match.
    RuleNeverMatches { rule: Arc<str>, reason: Arc<str> },
    /// Two routes with the same host, path and matches; the other one is named where whoever reads
    /// this may know of it.
    Conflict { other: Option<ObjectRef>, what: Arc<str> },
    /// Two keys with the same text.
    KeyDuplicate,
    /// Two versions that differ only in build metadata.
    VersionDuplicate { version: Arc<str> },
    /// A Gateway or listener that does not take this route.
    ListenerNotAllowed { why: Unattached, reason: Arc<str> },
    /// An object that works and does nothing.
    NoEffect { reason: Arc<str> },
    /// The last good version of the object goes on serving.
    ServingLastGood,
    /// What a file-based gateway cannot do.
    NotHere { what: Arc<str> },
    /// A part of the object is closed by faults that are reported beside this one.
    RouteBroken,
    /// A reference to a kind that cannot be named there.
    KindNotServed { kind: Arc<str>, expected: Arc<str> },
}

/// One finding in one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// How bad.
    pub severity: Severity,
    /// The object, where one could be told.
    pub object: Option<ObjectRef>,
    /// The field.
    pub field: FieldPath,
    /// What is wrong.
    pub cause: FaultCause,
}

impl Fault {
    /// An error of an object's field.
    #[must_use]
    pub const fn error(object: ObjectRef, field: FieldPath, cause: FaultCause) -> Self {
        Self { severity: Severity::Error, object: Some(object), field, cause }
    }

    /// A warning about an object's field.
    #[must_use]
    pub const fn warning(object: ObjectRef, field: FieldPath, cause: FaultCause) -> Self {
        Self { severity: Severity::Warning, object: Some(object), field, cause }
    }

    /// The stable dotted code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        let mut found = "";
        self.cause.tell(&mut |row, _, _| found = row.code);
        found
    }

    /// The reason in `status.conditions`: one CamelCase word, Gateway API's where it has one.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        let mut found = "";
        self.cause.tell(&mut |row, _, _| found = row.reason);
        found
    }

    /// What is wrong, for whoever wrote the manifest; repeats no value of a Secret.
    #[must_use]
    pub fn message(&self) -> String {
        let mut text = String::new();
        self.cause.tell(&mut |_, message, _| text = message.to_string());
        text
    }

    /// What to write instead; empty where nothing is to be done.
    #[must_use]
    pub fn remedy(&self) -> String {
        let mut text = String::new();
        self.cause.tell(&mut |_, _, remedy| text = remedy.to_string());
        text
    }

    /// What a request to the closed object is answered: Gateway API asks for 500 of an HTTPRoute.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::new(if self.object.as_ref().is_some_and(|object| &*object.kind == "HTTPRoute") { 500 } else { 503 })
    }
}

/// Why no listener of a Gateway takes a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Unattached {
    /// The Gateway has no listener of that name or port.
    NoMatchingParent,
    /// No listener admits the route's kind and namespace.
    NotAllowed,
    /// No listener has a host in common with the route.
    NoMatchingHostname,
}

impl Unattached {
    /// Gateway API's word for it.
    const fn reason(self) -> &'static str {
        match self {
            Self::NoMatchingParent => "NoMatchingParent",
            Self::NotAllowed => "NotAllowedByListeners",
            Self::NoMatchingHostname => "NoMatchingListenerHostname",
        }
    }
}

/// The static half of a fault's row.
struct Row {
    code: &'static str,
    reason: &'static str,
    title: &'static str,
    by: Fixer,
}

type TellFault<'a> = &'a mut dyn FnMut(Row, fmt::Arguments<'_>, fmt::Arguments<'_>);

const fn row(code: &'static str, reason: &'static str, title: &'static str) -> Row {
    Row { code, reason, title, by: Fixer::ApiOwner }
}

impl FaultCause {
    #[expect(clippy::too_many_lines, reason = "the table of faults, one row each")]
    fn tell(&self, tell: TellFault<'_>) {
        const BROKEN: &str = "The API's manifest is not valid";
        const REFERENCE: &str = "Something that the API's manifest names is missing";
        match self {
            Self::Yaml { reason } => tell(
                row("config.yaml", "Invalid", BROKEN),
                format_args!("not YAML that can be read: {reason}"),
                format_args!("Mend the YAML; the rest of this document was not read."),
            ),
            Self::PathUnusable { path, reason } => tell(
                row("config.path", "Invalid", BROKEN),
                format_args!("`{path}`: {reason}"),
                format_args!("Name a readable file or folder that holds manifests."),
            ),
            Self::KindMissing => tell(
                row("config.kind_missing", "Invalid", BROKEN),
                format_args!("the document has no `apiVersion` and `kind`"),
                format_args!("Begin with `apiVersion: doorward.dev/v1alpha1` and `kind:`."),
            ),
            Self::KindUnknown { kind, nearest } => tell(
                row("config.kind_unknown", "Invalid", BROKEN),
                format_args!("`{kind}` is not a kind of doorward.dev/v1alpha1"),
                format_args!("{}", DidYouMean(nearest)),
            ),
            Self::KindForeign { kind } => tell(
                row("config.kind_foreign", "PassedOver", "A manifest is not used here"),
                format_args!("`{kind}` is passed over: Doorward does not use it"),
                format_args!(""),
            ),
            Self::FieldUnknown { field, parent, meant } => tell(
                row("config.unknown_field", "Invalid", BROKEN),
                format_args!("`{field}` is not a field of {parent}"),
                format_args!("{}", meant.remedy(field)),
            ),
            Self::FieldMissing { field } => tell(
                row("config.missing_field", "Invalid", BROKEN),
                format_args!("`{field}` is required"),
                format_args!("Add `{field}`."),
            ),
            Self::FieldDuplicate { field } => tell(
                row("config.duplicate_field", "Invalid", BROKEN),
                format_args!("`{field}` stands twice in one map"),
                format_args!("Keep one of them."),
            ),
            Self::FieldIgnored { field } => tell(
                row("config.field_ignored", "PassedOver", "A field is not used here"),
                format_args!("`{field}` is passed over"),
                format_args!(""),
            ),
            Self::TypeWrong { expected, found } => tell(
                row("config.wrong_type", "Invalid", BROKEN),
                format_args!("expected {expected}, found {found}"),
                format_args!("Write {expected}."),
            ),
            Self::BooleanAmbiguous { text, is_text } => {
                let or = if *is_text { "" } else { "Write true or false; for text, " };
                tell(
                    row("config.ambiguous_boolean", "Invalid", BROKEN),
                    format_args!(
                        "`{text}` without quotes means a boolean to some readers, Kubernetes among them, and text to others"
                    ),
                    format_args!("{or}{} it in quotes: \"{text}\".", if *is_text { "Put" } else { "put" }),
                );
            }
            Self::ValueUnknown { allowed, nearest } => match nearest {
                Some(nearest) => tell(
                    row("config.unknown_value", "Invalid", BROKEN),
                    format_args!("not one of {}", Listed(allowed)),
                    format_args!("Did you mean `{nearest}`?"),
                ),
                None => tell(
                    row("config.unknown_value", "Invalid", BROKEN),
                    format_args!("not one of {}", Listed(allowed)),
                    format_args!("Write one of {}.", Listed(allowed)),
                ),
            },
            Self::OutOfBounds { bound } => {
                tell(row("config.out_of_bounds", "Invalid", BROKEN), format_args!("{bound}"), format_args!("{}", Within(bound)))
            }
            Self::Malformed { syntax, suggestion: Some(suggestion) } => tell(
                row("config.malformed", "Invalid", BROKEN),
                format_args!("not {}", syntax.describe()),
                format_args!("Did you mean `{suggestion}`?"),
            ),
            Self::Malformed { syntax, suggestion: None } => tell(
                row("config.malformed", "Invalid", BROKEN),
                format_args!("not {}", syntax.describe()),
                format_args!("Write {}.", syntax.describe()),
            ),
            Self::RuleViolated { message } => tell(
                row("config.rule_violated", "Invalid", BROKEN),
                format_args!("{message}"),
                format_args!("{}", obeying(message)),
            ),
            Self::PatternMismatch { pattern, meant: None } => tell(
                row("config.rule_violated", "Invalid", BROKEN),
                format_args!("must match the pattern `{pattern}`"),
                format_args!("Write text that matches `{pattern}`."),
            ),
            Self::PatternMismatch { pattern, meant } => tell(
                row("config.rule_violated", "Invalid", BROKEN),
                format_args!("must match the pattern `{pattern}`"),
                format_args!("{}", DidYouMean(meant)),
            ),
            Self::ItemDuplicate { key } => tell(
                row("config.duplicate_item", "Invalid", BROKEN),
                format_args!("two items have the key `{key}`"),
                format_args!("Give each item its own key."),
            ),
            Self::ObjectDuplicate { other } => tell(
                row("config.duplicate_object", "Invalid", BROKEN),
                format_args!("the same object stands in {other}, differently"),
                format_args!("Keep one of the two."),
            ),
            Self::ReferenceNotFound(BrokenReference { target, nearest }) => tell(
                row("config.reference_not_found", "RefNotFound", REFERENCE),
                format_args!("{target} not found"),
                format_args!("{}", Nearest(target, nearest)),
            ),
            Self::BackendNotFound(BrokenReference { target, nearest }) => tell(
                row("config.backend_not_found", "BackendNotFound", "The API's backend is missing"),
                format_args!("{target} not found"),
                format_args!("{}", Nearest(target, nearest)),
            ),
            Self::SecretNotFound(BrokenReference { target, nearest }) => tell(
                row("config.secret_not_found", "SecretNotFound", "A Secret that the API needs is missing"),
                format_args!("{target} not found"),
                format_args!("{}", Nearest(target, nearest)),
            ),
            Self::ReferenceNotPermitted { target } => tell(
                row("config.reference_not_permitted", "RefNotPermitted", "The API's manifest refers to what it may not use"),
                format_args!("{target} may not be referred to from this namespace"),
                format_args!(
                    "Create a ReferenceGrant in namespace {} that admits this kind and namespace.",
                    target.name.namespace
                ),
            ),
            Self::ReferenceBroken { target } => tell(
                row("config.reference_broken", "RefNotResolved", "Something that the API's manifest names is broken"),
                format_args!("{target} is itself broken"),
                format_args!("Mend {target}."),
            ),
            Self::PortNotFound { service, port, known } => tell(
                row("config.port_not_found", "BackendNotFound", "The API's backend has no such port"),
                format_args!("{service} has no port {port}; it has {}", Listed(known)),
                format_args!("Use one of the Service's ports."),
            ),
            Self::SecretKeyMissing { target, key, known } => tell(
                row("config.secret_key_missing", "SecretNotFound", "A Secret that the API needs is incomplete"),
                format_args!("{target} has no key `{key}`; it has {}", Listed(known)),
                format_args!("Add `{key}` to {target}, or name another key."),
            ),
            Self::SecretInvalid { target, reason } => tell(
                row("config.secret_invalid", "InvalidSecret", "A Secret that the API needs is not usable"),
                format_args!("{target}: {reason}"),
                format_args!("Mend the content of {target}."),
            ),
            Self::SecretNotOwned { target } => tell(
                row("config.secret_not_owned", "SecretNotOwned", "A Secret that the API needs belongs to somebody else"),
                format_args!("{target} exists and was not made for this object, so it is not written"),
                format_args!("Name a Secret that does not exist, or read this one by `issue: Provided`."),
            ),
            Self::CertificateInvalid { target, reason } => tell(
                row("config.certificate_invalid", "InvalidCertificateRef", "A certificate is not usable"),
                format_args!("{target}: {reason}"),
                format_args!("Put a matching `tls.crt` and `tls.key` into {target}."),
            ),
            Self::KeySetInvalid { reason } => tell(
                row("config.key_set_invalid", "InvalidKeySet", "The issuer's key set is not usable"),
                format_args!("the key set cannot be used: {reason}"),
                format_args!("Give a JWK set of public keys."),
            ),
            Self::ExpressionInvalid { reason, .. } => tell(
                row("config.expression_invalid", "InvalidExpression", "A rule of the API is not valid"),
                format_args!("the expression is not valid: {reason}"),
                format_args!("`doorward explain --variables` lists what expressions see."),
            ),
            Self::RuleNeverMatches { rule, reason } => tell(
                row("config.rule_never_matches", "RuleNeverMatches", "A rule can never match"),
                format_args!("rule `{rule}` can never match: {reason}"),
                format_args!("Change or remove the rule."),
            ),
            Self::Conflict { other, what } => tell(
                row("config.conflict", "Conflicted", "Two APIs claim the same requests"),
                format_args!("{} has the same {what}", Named(other)),
                format_args!("{}", Apart(other)),
            ),
            Self::KeyDuplicate => tell(
                row("config.duplicate_key", "DuplicateKey", "Two keys have the same text"),
                format_args!("another ApiKey holds the same key text"),
                format_args!("Issue a key of its own."),
            ),
            Self::VersionDuplicate { version } => tell(
                row("config.duplicate_version", "Invalid", "Two versions are the same"),
                format_args!("another version differs from {version} only in build metadata"),
                format_args!("Keep one of them."),
            ),
            Self::ListenerNotAllowed { why, reason } => tell(
                row("config.listener_not_allowed", why.reason(), "No listener takes the API"),
                format_args!("{reason}"),
                format_args!("Change `parentRefs`, or the listener."),
            ),
            Self::NoEffect { reason } => {
                tell(row("config.no_effect", "NoEffect", "A manifest has no effect"), format_args!("{reason}"), format_args!(""))
            }
            Self::ServingLastGood => tell(
                row("config.serving_last_good", "ServingLastGood", "The last change was refused"),
                format_args!("this change was refused; the last good version goes on serving"),
                format_args!("Mend the faults reported for this object."),
            ),
            Self::NotHere { what } => tell(
                row("config.not_here", "Unsupported", "The API's manifest asks for what is not served here"),
                format_args!("{what}"),
                format_args!(""),
            ),
            Self::RouteBroken => tell(
                row("config.route_broken", "Invalid", "The API's manifest is not valid"),
                format_args!("the manifest has faults"),
                format_args!("Mend the faults reported for this object."),
            ),
            Self::KindNotServed { kind, expected } => tell(
                row("config.kind_not_served", "InvalidKind", "The API's manifest names a kind that is not served here"),
                format_args!("{kind} is not a kind that can be named here"),
                format_args!("Name a {expected}."),
            ),
        }
    }
}
