//! `access.*`: the principal is known, and may not do this.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Action, Entry, FieldPath, Fixer, Listed, ObjectName, ObjectRef, Retry, Status, Tell};

/// Why one rule did not match, or what it would do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RuleFailure {
    /// The method is not one of the rule's.
    Method {
        /// The rule's methods.
        methods: Vec<Arc<str>>,
    },
    /// The principal has none of the rule's roles.
    Roles {
        /// The rule's roles, of which one is enough.
        roles: Vec<Arc<str>>,
    },
    /// The token lacks a scope of the rule.
    Scopes {
        /// The rule's scopes, of which all are needed.
        scopes: Vec<Arc<str>>,
    },
    /// The rule's expression is false.
    Condition,
    /// The rule's expression could not be evaluated.
    Error {
        /// What failed, for the owner.
        reason: Arc<str>,
    },
}

impl fmt::Display for RuleFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method { methods } => write!(f, "the method is not one of {}", Listed(methods)),
            Self::Roles { roles } => write!(f, "needs one of the roles {}", Listed(roles)),
            Self::Scopes { scopes } => write!(f, "needs the scopes {}", Listed(scopes)),
            Self::Condition => f.write_str("its condition is false"),
            Self::Error { reason } => write!(f, "its condition failed: {reason}"),
        }
    }
}

/// What became of one rule: evidence for the log and `explain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleReport {
    /// The rule's name.
    pub rule: Arc<str>,
    /// Whether it is a Deny rule.
    pub deny: bool,
    /// Whether it is only observed (`mode: Shadow`).
    pub shadow: bool,
    /// Why it did not match; `None` when it matched.
    pub failure: Option<RuleFailure>,
}

/// A rule that did not match, and why.
fn tried(report: &RuleReport) -> String {
    report.failure.as_ref().map_or_else(|| report.rule.to_string(), |failure| format!("{} ({failure})", report.rule))
}

/// Why access is refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Access {
    /// The route does not admit keys of this namespace.
    ConsumerNotAdmitted {
        /// The route.
        route: ObjectName,
        /// The ApiKey.
        key: ObjectName,
    },
    /// The key names its routes and this is not one of them.
    RouteNotGranted {
        /// The route.
        route: ObjectName,
        /// The ApiKey.
        key: ObjectName,
    },
    /// A Deny rule matched.
    RuleDenied {
        /// The route.
        route: ObjectName,
        /// The rule.
        rule: Arc<str>,
    },
    /// Roles are all that is missing for the nearest Allow rule.
    RoleMissing {
        /// The route.
        route: ObjectName,
        /// The request's method.
        method: Arc<str>,
        /// The nearest rule.
        rule: Arc<str>,
        /// Its roles, of which one is enough.
        needed: Vec<Arc<str>>,
        /// The roles that the principal has.
        held: Vec<Arc<str>>,
        /// The ApiKey, where a key was used.
        key: Option<ObjectName>,
        /// Whether the request carries no credential at all.
        anonymous: bool,
    },
    /// Scopes are all that is missing for the nearest Allow rule.
    ScopeMissing {
        /// The route.
        route: ObjectName,
        /// The request's method.
        method: Arc<str>,
        /// The nearest rule.
        rule: Arc<str>,
        /// Its scopes, all needed.
        needed: Vec<Arc<str>>,
        /// The scopes that the token has.
        held: Vec<Arc<str>>,
        /// The ApiKey, where a key was used: it can have none.
        key: Option<ObjectName>,
        /// Whether the request carries no credential at all.
        anonymous: bool,
    },
    /// There are Allow rules and none matched.
    NoRuleMatched {
        /// The route.
        route: ObjectName,
        /// The request's method.
        method: Arc<str>,
        /// Each Allow rule and why it did not match.
        rules: Vec<RuleReport>,
    },
    /// An expression of an enforced rule could not be evaluated.
    RuleError {
        /// The route.
        route: ObjectName,
        /// The rule.
        rule: Arc<str>,
        /// What failed, for the owner.
        reason: Arc<str>,
    },
    /// Disclosure Minimal says no more than this about any refused access.
    Refused,
}

impl Access {
    /// The rule that decided, where one did.
    #[must_use]
    pub fn rule(&self) -> Option<(&ObjectName, &Arc<str>)> {
        match self {
            Self::RuleDenied { route, rule }
            | Self::RoleMissing { route, rule, .. }
            | Self::ScopeMissing { route, rule, .. }
            | Self::RuleError { route, rule, .. } => Some((route, rule)),
            Self::ConsumerNotAdmitted { .. } | Self::RouteNotGranted { .. } | Self::NoRuleMatched { .. } | Self::Refused => None,
        }
    }

    /// What the API's owner does, who is not sent to himself.
    pub(crate) fn owner_remedy(&self) -> Option<String> {
        match self {
            Self::ConsumerNotAdmitted { route, key } => {
                Some(format!("Admit the namespace {} in `spec.consumers` of ApiRoute {route}, if it should be.", key.namespace))
            }
            Self::RuleDenied { route, rule } => {
                Some(format!("Change the rule {rule} of ApiRoute {route}, if the call should be allowed."))
            }
            Self::NoRuleMatched { route, method, .. } => {
                Some(format!("Let a rule of ApiRoute {route} allow {method} for this principal, if it should be allowed."))
            }
            Self::RuleError { route, rule, .. } => Some(format!("Mend the expression of the rule {rule} of ApiRoute {route}.")),
            Self::RouteNotGranted { .. } | Self::RoleMissing { .. } | Self::ScopeMissing { .. } | Self::Refused => None,
        }
    }

    /// The field that the owner would change to admit the call; of a rule, the list that it stands in.
    pub(crate) fn mended_at(&self) -> Option<(ObjectRef, FieldPath)> {
        let route = |name: &ObjectName, field| Some((ObjectRef::new("ApiRoute", name.clone()), FieldPath::of(field)));
        let key = |name: &ObjectName, field| Some((ObjectRef::new("ApiKey", name.clone()), FieldPath::of(field)));
        match self {
            Self::ConsumerNotAdmitted { route: name, .. } => route(name, "spec.consumers"),
            Self::RouteNotGranted { key: name, .. } => key(name, "spec.routes"),
            Self::RoleMissing { key: Some(name), .. } => key(name, "spec.roles"),
            Self::RuleDenied { route: name, .. }
            | Self::RoleMissing { route: name, key: None, .. }
            | Self::ScopeMissing { route: name, .. }
            | Self::NoRuleMatched { route: name, .. }
            | Self::RuleError { route: name, .. } => route(name, "spec.authorization.rules"),
            Self::Refused => None,
        }
    }

    #[expect(clippy::too_many_lines, reason = "the table of this family, one row each")]
    pub(crate) fn tell(&self, tell: Tell<'_>) {
        let entry = |code, by, action, title| Entry { code, status: Status::new(403), by, action, retry: Retry::Never, title };
        match self {
            Self::ConsumerNotAdmitted { route, key } => tell(
                entry(
                    "access.consumer_not_admitted",
                    Fixer::ApiOwner,
                    Action::RequestAccess,
                    "The API does not admit this consumer",
                ),
                [
                    format_args!("{route} does not admit keys of this key's namespace."),
                    format_args!("Ask the owner of {route} to admit the namespace {}.", key.namespace),
                    format_args!("`spec.consumers` of ApiRoute {route} does not admit ApiKey {key}."),
                ],
            ),
            Self::RouteNotGranted { route, key } => tell(
                entry("access.route_not_granted", Fixer::KeyOwner, Action::RequestAccess, "The key is not for this API"),
                [
                    format_args!("The key names the APIs that it is for, and {route} is not one of them."),
                    format_args!("Ask the owner of the key to add {route} to it, or use another key."),
                    format_args!("`spec.routes` of ApiKey {key} does not name {route}."),
                ],
            ),
            Self::RuleDenied { route, rule } => tell(
                entry("access.rule_denied", Fixer::ApiOwner, Action::RequestAccess, "A rule of the API denies this call"),
                [
                    format_args!("The rule {rule} of {route} denies this call."),
                    format_args!("Ask the owner of {route} about the rule {rule}."),
                    format_args!("`spec.authorization.rules` of ApiRoute {route}: the Deny rule {rule} matched."),
                ],
            ),
            Self::RoleMissing { anonymous: true, route, method, rule, .. } => tell(
                entry("access.role_missing", Fixer::Caller, Action::SendCredential, "The operation is not for anonymous callers"),
                [
                    format_args!("{method} on {route} needs a role, and the request carries no credential."),
                    format_args!("Send a credential whose holder may {method} on {route}."),
                    format_args!("The rule {rule} of ApiRoute {route} asks for roles; anonymous callers have none."),
                ],
            ),
            Self::ScopeMissing { anonymous: true, route, method, rule, .. } => tell(
                entry(
                    "access.scope_missing",
                    Fixer::Caller,
                    Action::SendCredential,
                    "The operation is not for anonymous callers",
                ),
                [
                    format_args!("{method} on {route} needs a scope, and the request carries no credential."),
                    format_args!("Send a token whose holder may {method} on {route}."),
                    format_args!("The rule {rule} of ApiRoute {route} asks for scopes; anonymous callers have none."),
                ],
            ),
            Self::RoleMissing { route, method, rule, needed, held, key, .. } => {
                let first = needed.first().map_or("", |role| role);
                match key {
                    Some(key) => tell(
                        entry(
                            "access.role_missing",
                            Fixer::KeyOwner,
                            Action::RequestRole,
                            "The key lacks a role that this operation needs",
                        ),
                        [
                            format_args!(
                                "{method} on {route} needs one of the roles {}; this key has {}.",
                                Listed(needed),
                                Listed(held)
                            ),
                            format_args!("Ask the owner of the key {} to add the role {first} to it.", key.name),
                            format_args!(
                                "Add {first} to `spec.roles` of ApiKey {key}, or change the rule {rule} of ApiRoute {route}."
                            ),
                        ],
                    ),
                    None => tell(
                        entry(
                            "access.role_missing",
                            Fixer::Caller,
                            Action::RequestRole,
                            "The principal lacks a role that this operation needs",
                        ),
                        [
                            format_args!(
                                "{method} on {route} needs one of the roles {}; the token has {}.",
                                Listed(needed),
                                Listed(held)
                            ),
                            format_args!("Ask whoever manages the identity provider for the role {first}, then get a new token."),
                            format_args!(
                                "See `spec.claims.roles` of the IdentityProvider and the rule {rule} of ApiRoute {route}."
                            ),
                        ],
                    ),
                }
            }
            Self::ScopeMissing { route, method, rule, needed, held, key, .. } => {
                let of = |title| entry("access.scope_missing", Fixer::Caller, Action::RefreshToken, title);
                match key {
                    Some(key) => tell(
                        of("Only a token can have the scope that this operation needs"),
                        [
                            format_args!("{method} on {route} needs the scopes {}; API keys have none.", Listed(needed)),
                            format_args!("Call with a token of the scopes {}, or ask for access by roles.", Listed(needed)),
                            format_args!("ApiKey {key} has no scopes; let the rule {rule} of ApiRoute {route} ask for roles."),
                        ],
                    ),
                    None => tell(
                        of("The token lacks a scope that this operation needs"),
                        [
                            format_args!(
                                "{method} on {route} needs the scopes {}; the token has {}.",
                                Listed(needed),
                                Listed(held)
                            ),
                            format_args!("Ask the issuer for a token with the scopes {}.", Listed(needed)),
                            format_args!("See the rule {rule} of ApiRoute {route}; API keys have no scopes."),
                        ],
                    ),
                }
            }
            Self::NoRuleMatched { route, method, rules } => {
                let tried: Vec<String> = rules.iter().map(tried).collect();
                tell(
                    entry(
                        "access.no_rule_matched",
                        Fixer::ApiOwner,
                        Action::RequestAccess,
                        "No rule of the API allows this call",
                    ),
                    [
                        format_args!("{method} on {route} is allowed by none of its rules."),
                        format_args!("Ask the owner of {route} to allow {method} for this principal."),
                        format_args!("Allow rules tried: {}.", Listed(&tried)),
                    ],
                );
            }
            Self::RuleError { route, rule, reason } => tell(
                Entry {
                    status: Status::new(500),
                    ..entry("access.rule_error", Fixer::ApiOwner, Action::FixManifest, "A rule of the API cannot be evaluated")
                },
                [
                    format_args!("The rule {rule} of {route} failed on this request, so the call is refused."),
                    format_args!("Report the decision id to the owner of {route}."),
                    format_args!("The rule {rule} of ApiRoute {route}: {reason}"),
                ],
            ),
            Self::Refused => tell(
                entry("access.refused", Fixer::ApiOwner, Action::RequestAccess, "The call is not allowed"),
                [
                    format_args!("The call is not allowed."),
                    format_args!("Ask the API's owner, naming the decision id."),
                    format_args!(""),
                ],
            ),
        }
    }
}
