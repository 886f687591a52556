//! Tokens: judged by their signature (RFC 7519), or by asking their issuer (RFC 7662).

use std::sync::Arc;

use cause::{Credential, CredentialKind, CredentialReport, CredentialState, Denial, Token, TokenPart};
use jiff::SignedDuration;
use observe::evidence::Evidence;
use policy::jwt::{self, Refused, shown_claim};
use policy::key_text::{self, KeyForm};

use super::admit::Context;
use super::identify::{Credentials, Tried};
use crate::egress;
use crate::runtime::{Authentication, Provider, told};
use crate::state::{Introspected, KeysView, Verified, form_encode};

/// How long a verified token is not verified again.
const VERIFIED_FOR: SignedDuration = SignedDuration::from_mins(5);
/// How long an issuer's good and bad word count.
const ACTIVE_FOR: SignedDuration = SignedDuration::from_secs(30);
const INACTIVE_FOR: SignedDuration = SignedDuration::from_secs(5);
/// Why `explain` of files cannot judge what an issuer would have to be asked about.
const UNASKED: &str = "`doorward explain -f` opens no connection, so the real call may end otherwise; \
    ask a running gateway with --management, or give the key set inline";
/// The largest answer of an introspection endpoint.
const ANSWER_BYTES: usize = 64 * 1024;

/// A signed token of a known issuer.
pub(super) async fn signed(
    context: &Context<'_>,
    text: &str,
    provider: &Arc<Provider>,
    source: &Arc<str>,
    evidence: &Evidence,
) -> Tried {
    let worker = context.worker;
    let arrived = worker.clock.monotonic();
    let digest = key_text::digest(text);
    let view = provider.keys.view(arrived);
    let known = view.as_ref().ok().filter(|_| context.present).and_then(|keys| {
        let judged_by = (provider.version, keys.generation);
        worker.tokens.borrow_mut().verified(provider.id, &digest, evidence.received.at, judged_by)
    });
    let outcome = match known {
        Some(known) => Ok(known),
        None => Box::pin(verify(context, text, provider, evidence.received.at, (digest, arrived, view))).await,
    };
    tried(CredentialKind::Jwt, source, outcome)
}

async fn verify(
    context: &Context<'_>,
    text: &str,
    provider: &Arc<Provider>,
    now: jiff::Timestamp,
    (digest, arrived, mut view): ([u8; 32], u64, Result<KeysView, Token>),
) -> Result<Verified, Token> {
    let worker = context.worker;
    if view.is_err() {
        view = if context.live { provider.keys.fresher(None, arrived).await } else { Err(unasked_keys(provider)) };
    }
    let mut keys = view?;
    let verified = match jwt::verify(text, &provider.rules, &keys.keys, now) {
        Err(Refused::KeyUnknown) if context.live => {
            keys = provider.keys.fresher(Some(&keys), arrived).await?;
            jwt::verify(text, &provider.rules, &keys.keys, now)
        }
        judged => judged,
    };
    let token = verified.map_err(|refused| refused.into_cause(&provider.rules))?;
    let until = token.expires_at.map_or(now + VERIFIED_FOR, |at| at.min(now + VERIFIED_FOR));
    let verified = remember(token.principal, until, provider, &keys);
    if !context.explaining {
        worker.tokens.borrow_mut().keep_verified(provider.id, digest, verified.clone());
    }
    Ok(verified)
}

/// `explain` of files knows no key set that would have to be fetched.
fn unasked_keys(provider: &Provider) -> Token {
    Token::KeysUnavailable { provider: provider.rules.name().clone(), reason: UNASKED.into() }
}

fn remember(principal: policy::principal::Principal, until: jiff::Timestamp, provider: &Provider, keys: &KeysView) -> Verified {
    let told = Arc::new(told(&principal));
    Verified { principal, told, until, judged_by: (provider.version, keys.generation) }
}

/// A token that issuers are asked about, in the order of the manifest, until one knows it.
pub(super) async fn introspected(
    context: &Context<'_>,
    text: &str,
    providers: &[Arc<Provider>],
    source: &Arc<str>,
    evidence: &Evidence,
) -> Tried {
    let mut unknown = None;
    for provider in providers {
        match ask(context, text, provider, evidence).await {
            // Another issuer may know a token that this one does not; that one cannot be asked says more than that
            // another calls it inactive.
            Err(cause @ Token::Inactive { .. }) => {
                unknown.get_or_insert(cause);
            }
            Err(cause @ (Token::IntrospectionUnavailable { .. } | Token::IntrospectionRefused { .. })) => {
                unknown = unknown.filter(|earlier| !matches!(earlier, Token::Inactive { .. })).or(Some(cause));
            }
            outcome => return tried(CredentialKind::Introspection, source, outcome),
        }
    }
    let cause = unknown.unwrap_or(Token::Malformed { part: TokenPart::Structure });
    tried(CredentialKind::Introspection, source, Err(cause))
}

async fn ask(context: &Context<'_>, text: &str, provider: &Arc<Provider>, evidence: &Evidence) -> Result<Verified, Token> {
    let worker = context.worker;
    let now = evidence.received.at;
    let unavailable =
        |reason: String| Token::IntrospectionUnavailable { provider: provider.rules.name().clone(), reason: reason.into() };
    if text.is_empty() || text.len() > jwt::LONGEST {
        return Err(Token::Malformed { part: TokenPart::Structure });
    }
    let digest = key_text::digest(text);
    if context.present
        && let Some(known) = worker.tokens.borrow_mut().introspected(provider.id, &digest, now, provider.version)
    {
        return known.verdict;
    }
    let Some(endpoint) = &provider.introspection else {
        return Err(unavailable("its endpoint cannot be used".to_owned()));
    };
    if !context.live {
        return Err(unavailable(UNASKED.to_owned()));
    }
    let form = format!("token={}&token_type_hint=access_token", form_encode(text));
    let fetched = egress::post_form(&worker.upstreams, &endpoint.url, &endpoint.authorization, form, ANSWER_BYTES).await;
    let fetched = fetched.map_err(unavailable)?;
    match fetched.status.as_u16() {
        200 => {}
        401 | 403 => return Err(Token::IntrospectionRefused { provider: provider.rules.name().clone() }),
        status => return Err(unavailable(format!("it answered {status}"))),
    }
    let judged = policy::introspection::judge(&fetched.body, &provider.rules, now);
    let until = match &judged {
        // An answer that says nothing is no word to keep.
        Err(cause @ Token::IntrospectionUnavailable { .. }) => return Err(cause.clone()),
        Ok(token) => token.expires_at.map_or(now + ACTIVE_FOR, |at| at.min(now + ACTIVE_FOR)),
        Err(_) => now + INACTIVE_FOR,
    };
    let verdict = judged.map(|token| {
        let told = Arc::new(told(&token.principal));
        Verified { principal: token.principal, told, until, judged_by: (provider.version, 0) }
    });
    if !context.explaining {
        let known = Introspected { verdict: verdict.clone(), until, judged_by: provider.version };
        worker.tokens.borrow_mut().keep_introspected(provider.id, digest, known);
    }
    verdict
}

/// `Authorization` in another scheme than Bearer.
pub(super) fn unaccepted_scheme(authentication: &Authentication) -> Tried {
    let source: Arc<str> = "header Authorization".into();
    let denial = Credential::NotAccepted { source: Arc::clone(&source), accepted: authentication.accepted.clone() };
    let kind = authentication.bearer_kind();
    Tried {
        report: CredentialReport { source, kind, state: CredentialState::NotAccepted, id: None },
        outcome: Err(Denial::Credential(denial)),
    }
}

/// A text that none of the route's methods takes.
pub(super) fn unaccepted(text: &str, issuer: Option<String>, authentication: &Authentication, source: &Arc<str>) -> Tried {
    let cause = if let Some(issuer) = issuer {
        let accepted = authentication.jwt.iter().map(|provider| provider.rules.issuer().into()).collect();
        Token::IssuerUnknown { accepted, found: shown_claim(&issuer) }
    } else if let KeyForm::Ours { .. } | KeyForm::Mistyped = key_text::classify(text) {
        let accepted = authentication.accepted_but(source);
        let denial = Denial::Credential(Credential::NotAccepted { source: Arc::clone(source), accepted });
        let report = CredentialReport {
            source: Arc::clone(source),
            kind: CredentialKind::ApiKey,
            state: CredentialState::NotAccepted,
            id: None,
        };
        return Tried { report, outcome: Err(denial) };
    } else {
        jwt::malformed(text)
    };
    tried(CredentialKind::Jwt, source, Err(cause))
}

fn tried(kind: CredentialKind, source: &Arc<str>, outcome: Result<Verified, Token>) -> Tried {
    let state = match &outcome {
        Ok(_) => CredentialState::Accepted,
        Err(cause) => state_of(cause),
    };
    Tried {
        report: CredentialReport { source: Arc::clone(source), kind, state, id: None },
        outcome: match outcome {
            Ok(verified) => Ok(Credentials { principal: verified.principal, told: Some(verified.told), key_index: None }),
            Err(cause) => Err(Denial::Token(cause)),
        },
    }
}

const fn state_of(cause: &Token) -> CredentialState {
    match cause {
        Token::Malformed { .. } => CredentialState::Malformed,
        Token::Expired { .. } | Token::TooOld { .. } => CredentialState::Expired,
        Token::NotYetValid { .. } => CredentialState::NotYetValid,
        Token::KeysUnavailable { .. } | Token::IntrospectionUnavailable { .. } | Token::IntrospectionRefused { .. } => {
            CredentialState::Unavailable
        }
        Token::KeyUnknown { .. } | Token::Inactive { .. } => CredentialState::Unknown,
        Token::Encrypted
        | Token::AlgorithmNotAllowed { .. }
        | Token::CriticalHeader
        | Token::TypeNotAccepted
        | Token::IssuerUnknown { .. }
        | Token::SignatureInvalid { .. }
        | Token::AudienceWrong { .. }
        | Token::ClaimMissing { .. } => CredentialState::NotAccepted,
    }
}
