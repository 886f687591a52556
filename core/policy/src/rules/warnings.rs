//! Rules that can never match, or never decide: most likely not what was meant.

use std::sync::Arc;

use ir::{Authentication, AuthenticationMode, Authorization, Effect, Enforcement, Method, Part, Rule};

use crate::cel::{Expression, Phase};

/// The rules that can never match, by their places, and why.
#[must_use]
pub fn never_match(authorization: &Authorization, authentication: &Authentication) -> Vec<(usize, Arc<str>)> {
    let everyone = authorization
        .rules
        .iter()
        .find(|rule| rule.effect == Effect::Deny && rule.enforcement == Enforcement::Enforce && is_unconditional(rule));
    let mut found = Vec::new();
    for (index, rule) in authorization.rules.iter().enumerate() {
        if let Some(reason) = reason(rule, authentication) {
            found.push((index, reason.into()));
        } else if let Some(deny) = everyone
            && rule.effect == Effect::Allow
        {
            found.push((index, format!("the Deny rule `{}` matches every call before it", deny.name).into()));
        }
    }
    found
}

fn reason(rule: &Rule, authentication: &Authentication) -> Option<&'static str> {
    let anonymous = authentication.mode == AuthenticationMode::Anonymous;
    let tokens = authentication.methods.iter().any(|method| match method {
        Method::ApiKey(_) => false,
        Method::Jwt(_) | Method::Introspection(_) => true,
    });
    if anonymous && !rule.roles.is_empty() {
        Some("callers are anonymous, so nobody has a role")
    } else if anonymous && !rule.scopes.is_empty() {
        Some("callers are anonymous, so nobody has a scope")
    } else if !tokens && !rule.scopes.is_empty() {
        Some("the route accepts API keys only, and keys have no scopes")
    } else if constant(rule) == Some(false) {
        Some("its condition is false for every request")
    } else {
        None
    }
}

fn is_unconditional(rule: &Rule) -> bool {
    let always = rule.when.is_none() || constant(rule) == Some(true);
    rule.methods.is_empty() && rule.roles.is_empty() && rule.scopes.is_empty() && always
}

fn constant(rule: &Rule) -> Option<bool> {
    match rule.when.as_ref()? {
        Part::Ready(source) => Expression::compile(source, Phase::Authorization).ok()?.constant(),
        Part::Broken(_) => None,
    }
}
