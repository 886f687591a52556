//! `identify`: who calls.
//!
//! Every place that the route's methods name is looked at. One good credential admits; what failed
//! beside it is remembered. Two values in one place, or two principals, are ambiguous. A caller
//! learns of a key's state only because the digest of its text matched.

use std::sync::Arc;

use cause::{Check, Credential, CredentialKind, CredentialReport, CredentialState, Denial};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::request::Parts;
use ir::AuthenticationMode;
use observe::evidence::Evidence;
use policy::key_text::{self, KeyForm};
use policy::keys::HeldKey;
use policy::principal::Principal;
use upstream::Lines;

use super::admit::Context;
use super::locate::Located;
use super::tokens;
use crate::runtime::{Authentication, BEARER, Holder, KeyPlace, Runtime};

/// Who calls, proven.
pub(crate) struct Credentials {
    /// Who.
    pub(crate) principal: Principal,
    /// What upstreams are told of a token's principal; what they are told of a key's stands in the runtime.
    pub(crate) told: Option<Arc<Lines>>,
    /// The key that was used, by its place in the ring.
    pub(crate) key_index: Option<usize>,
}

impl Credentials {
    /// Nobody in particular.
    pub(super) fn nobody(runtime: &Runtime) -> Self {
        Self { principal: runtime.anonymous.clone(), told: None, key_index: None }
    }

    fn of_key(held: &HeldKey) -> Self {
        Self { principal: held.principal.clone(), told: None, key_index: Some(held.index) }
    }

    /// The key that was used.
    pub(crate) fn key<'a>(&self, runtime: &'a Runtime) -> Option<&'a HeldKey> {
        runtime.keys.get(self.key_index?)
    }

    /// What is compiled of the key that was used.
    pub(crate) fn holder<'a>(&self, runtime: &'a Runtime) -> Option<&'a Holder> {
        runtime.holders.get(self.key_index?)
    }
}

/// What one place came to.
pub(super) struct Tried {
    pub(super) report: CredentialReport,
    pub(super) outcome: Result<Credentials, Denial>,
}

/// Finds out who calls.
pub(crate) async fn identify(
    context: &Context<'_>,
    parts: &Parts,
    located: &Located<'_>,
    evidence: &mut Evidence,
) -> Result<Credentials, Denial> {
    let Some(authentication) = &located.serve.authentication else {
        let nobody = Credentials::nobody(context.runtime);
        evidence.principal = Some(nobody.principal.clone());
        return Ok(nobody);
    };
    let missing = || missing(located, authentication, parts);
    let judged = judge(context, parts, authentication, evidence).await;
    let credentials = match (judged, authentication.mode) {
        (Ok(Some(credentials)), _) => credentials,
        (Ok(None), AuthenticationMode::Optional | AuthenticationMode::Anonymous) => Credentials::nobody(context.runtime),
        (Ok(None), AuthenticationMode::Shadow) => {
            evidence.shadow.push((Check::Identify, missing()));
            Credentials::nobody(context.runtime)
        }
        (Ok(None), AuthenticationMode::Required) => return Err(missing()),
        (Err(denial), AuthenticationMode::Shadow) => {
            evidence.shadow.push((Check::Identify, denial));
            Credentials::nobody(context.runtime)
        }
        (Err(denial), AuthenticationMode::Required | AuthenticationMode::Optional | AuthenticationMode::Anonymous) => {
            return Err(denial);
        }
    };
    evidence.principal = Some(credentials.principal.clone());
    Ok(credentials)
}

/// No accepted credential came: none at all, or one of a kind that the route does not accept.
fn missing(located: &Located<'_>, authentication: &Authentication, parts: &Parts) -> Denial {
    let accepted = authentication.accepted.clone();
    let unaccepted = parts.headers.contains_key(AUTHORIZATION);
    Denial::Credential(if unaccepted {
        Credential::NotAccepted { source: "header Authorization".into(), accepted }
    } else {
        Credential::Missing { route: located.route.id.name.clone(), accepted }
    })
}

/// Judges every credential of the request; `None` when it carries none.
async fn judge(
    context: &Context<'_>,
    parts: &Parts,
    authentication: &Authentication,
    evidence: &mut Evidence,
) -> Result<Option<Credentials>, Denial> {
    let mut good: Option<(Credentials, Arc<str>)> = None;
    // Beside the first: mostly there is one.
    let mut others: Vec<Arc<str>> = Vec::new();
    let mut refused: Option<Denial> = None;
    let mut settle = |tried: Tried, evidence: &mut Evidence| -> Result<(), Denial> {
        let source = Arc::clone(&tried.report.source);
        evidence.credentials.push(tried.report);
        match tried.outcome {
            Ok(credentials) => match &good {
                None => good = Some((credentials, source)),
                Some((known, first)) => {
                    others.push(Arc::clone(&source));
                    if !known.principal.is_same(&credentials.principal) {
                        for (source, principal) in [(first, &known.principal), (&source, &credentials.principal)] {
                            evidence.keys.extend(principal.key.as_ref().map(|id| (Arc::clone(source), id.0.clone())));
                        }
                        let sources = std::iter::once(first).chain(&others).cloned().collect();
                        return Err(Denial::Credential(Credential::Ambiguous { sources }));
                    }
                }
            },
            // Two values in one place decide at once; so nothing about the others is told.
            Err(denial @ Denial::Credential(Credential::Ambiguous { .. })) => return Err(denial),
            Err(denial) => {
                if let Denial::Credential(cause) = &denial {
                    evidence.keys.extend(cause.key().map(|key| (source, key.clone())));
                }
                // A credential that cannot be judged now may well be good: that is not the caller's to mend.
                let is_ours = |denial: &Denial| denial.entry().status.as_u16() >= 500;
                if refused.as_ref().is_none_or(|earlier| is_ours(&denial) && !is_ours(earlier)) {
                    refused = Some(denial);
                }
            }
        }
        Ok(())
    };
    for place in &authentication.keys {
        match key_at(context, parts, place, evidence) {
            Some(tried) => settle(tried, evidence)?,
            None if context.explaining => evidence.credentials.push(absent(place.source(), CredentialKind::ApiKey)),
            None => {}
        }
    }
    if authentication.takes_bearer() {
        match bearer(context, parts, authentication, evidence).await {
            Some(tried) => settle(tried, evidence)?,
            None if context.explaining => evidence.credentials.push(absent(&BEARER, authentication.bearer_kind())),
            None => {}
        }
    }
    match (good, refused) {
        (Some((credentials, _)), _) => Ok(Some(credentials)),
        (None, Some(denial)) => Err(denial),
        (None, None) => Ok(None),
    }
}

/// An API key in a header field or query parameter.
fn key_at(context: &Context<'_>, parts: &Parts, place: &KeyPlace, evidence: &Evidence) -> Option<Tried> {
    match place {
        KeyPlace::Header(name, source) => {
            let mut values = parts.headers.get_all(name).into_iter();
            let first = values.next()?;
            if values.next().is_some() {
                return Some(ambiguous(source, CredentialKind::ApiKey));
            }
            Some(key(context, first.to_str().unwrap_or_default(), source, evidence))
        }
        KeyPlace::Query(name, source) => {
            let mut values = policy::query::values(parts.uri.query().unwrap_or_default(), name);
            let first = values.next()?;
            if values.next().is_some() {
                return Some(ambiguous(source, CredentialKind::ApiKey));
            }
            Some(key(context, &first, source, evidence))
        }
    }
}

/// A place that holds nothing, as `explain` tells it.
fn absent(source: &Arc<str>, kind: CredentialKind) -> CredentialReport {
    CredentialReport { source: Arc::clone(source), kind, state: CredentialState::Missing, id: None }
}

fn ambiguous(source: &Arc<str>, kind: CredentialKind) -> Tried {
    Tried {
        report: CredentialReport { source: Arc::clone(source), kind, state: CredentialState::Ambiguous, id: None },
        outcome: Err(Denial::Credential(Credential::Ambiguous { sources: vec![Arc::clone(source)] })),
    }
}

/// An API key's text.
fn key(context: &Context<'_>, text: &str, source: &Arc<str>, evidence: &Evidence) -> Tried {
    let kind = CredentialKind::ApiKey;
    let refused = |state, denial: Credential| Tried {
        report: CredentialReport { source: Arc::clone(source), kind, state, id: None },
        outcome: Err(Denial::Credential(denial)),
    };
    let source = || Arc::clone(source);
    let form = key_text::classify(text);
    match form {
        KeyForm::Malformed => return refused(CredentialState::Malformed, Credential::Malformed { source: source() }),
        KeyForm::Mistyped => return refused(CredentialState::Malformed, Credential::Checksum { source: source() }),
        KeyForm::Ours { .. } | KeyForm::Foreign => {}
    }
    let Some(found) = context.runtime.keys.find(&key_text::digest(text)) else {
        return refused(CredentialState::Unknown, Credential::Unknown { source: source() });
    };
    let id = found.public_id().cloned();
    match found.judge(evidence.received.at) {
        Ok(()) => Tried {
            report: CredentialReport { source: source(), kind, state: CredentialState::Accepted, id },
            outcome: Ok(Credentials::of_key(found.held)),
        },
        Err(denial) => {
            let state = match &denial {
                Credential::Expired { .. } => CredentialState::Expired,
                Credential::NotYetValid { .. } => CredentialState::NotYetValid,
                Credential::Suspended { .. } => CredentialState::Suspended,
                Credential::Rotated { .. } => CredentialState::Rotated,
                Credential::Missing { .. }
                | Credential::Malformed { .. }
                | Credential::Checksum { .. }
                | Credential::Unknown { .. }
                | Credential::Ambiguous { .. }
                | Credential::NotAccepted { .. }
                | Credential::Refused => CredentialState::Unknown,
            };
            // Whoever sent it holds the text, so its public part is no secret to it.
            let written = if let KeyForm::Ours { public_id } = form { Some(public_id.into()) } else { None };
            let report = CredentialReport { source: source(), kind, state, id: id.or(written) };
            Tried { report, outcome: Err(Denial::Credential(denial)) }
        }
    }
}

/// `Authorization: Bearer`: a key, a signed token, or a token that the issuer is asked about.
async fn bearer(context: &Context<'_>, parts: &Parts, authentication: &Authentication, evidence: &Evidence) -> Option<Tried> {
    let source = &*BEARER;
    let mut values = parts.headers.get_all(AUTHORIZATION).into_iter();
    let first = values.next()?;
    if values.next().is_some() {
        return Some(ambiguous(source, authentication.bearer_kind()));
    }
    let Some(text) = bearer_text(first) else { return Some(tokens::unaccepted_scheme(authentication)) };
    let issuer = policy::jwt::peek_issuer(text);
    if let Some(issuer) = &issuer
        && let Some(provider) = authentication.jwt.iter().find(|provider| provider.rules.issuer() == &**issuer)
    {
        return Some(tokens::signed(context, text, provider, source, evidence).await);
    }
    if authentication.bearer_keys {
        let tried = key(context, text, source, evidence);
        let is_ours = matches!(key_text::classify(text), KeyForm::Ours { .. } | KeyForm::Mistyped);
        let may_be_token = matches!(tried.report.state, CredentialState::Unknown | CredentialState::Malformed);
        // Nobody else is shown a text of our own form: it is a key, or one letter from it.
        let known = is_ours || !may_be_token;
        if known || authentication.introspection.is_empty() && (authentication.jwt.is_empty() || issuer.is_none()) {
            return Some(tried);
        }
    }
    if !authentication.introspection.is_empty() {
        let asked = tokens::introspected(context, text, &authentication.introspection, source, evidence);
        return Some(Box::pin(asked).await);
    }
    Some(tokens::unaccepted(text, issuer, authentication, source))
}

/// The credential of a bearer scheme, whatever its case (RFC 9110 section 11.1); empty where it holds
/// what no credential may. `None` for another scheme.
pub(super) fn bearer_text(value: &HeaderValue) -> Option<&str> {
    let (scheme, rest) = value.as_bytes().split_at_checked(BEARER_SCHEME.len())?;
    let bounded = rest.first().is_none_or(|next| matches!(next, b' ' | b'\t'));
    if !scheme.eq_ignore_ascii_case(BEARER_SCHEME) || !bounded {
        return None;
    }
    Some(std::str::from_utf8(rest).unwrap_or_default().trim_matches([' ', '\t']))
}

const BEARER_SCHEME: &[u8] = b"bearer";
