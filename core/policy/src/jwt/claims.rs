//! Which claims say who a token's principal is.

use std::sync::Arc;

use cause::Token;
use serde_json::{Map, Value};

use super::rules::Rules;
use crate::principal::{Facts, Principal, PrincipalKind};

/// A dotted path. A claim whose own name has dots (`https://example.com/roles`) goes before one
/// that is reached by them.
#[derive(Clone, Debug)]
pub(crate) struct ClaimPath(Arc<str>);

impl ClaimPath {
    pub(crate) fn new(path: &Arc<str>) -> Self {
        Self(Arc::clone(path))
    }

    fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        find(claims, &self.0)
    }
}

/// The longest name that exists goes first, at every step.
fn find<'a>(members: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(found) = members.get(path) {
        return Some(found);
    }
    path.rmatch_indices('.').find_map(|(dot, _)| {
        let inner = members.get(path.get(..dot)?)?.as_object()?;
        find(inner, path.get(dot + 1..)?)
    })
}

/// The principal that the claims name.
pub(crate) fn principal(kind: PrincipalKind, rules: &Rules, claims: Map<String, Value>) -> Result<Principal, Token> {
    let name = rules.principal.find(&claims).and_then(Value::as_str).filter(|name| is_name(name));
    let name: Arc<str> = name.ok_or_else(|| Token::ClaimMissing { claim: Arc::clone(&rules.principal.0) })?.into();
    let team = rules.team.as_ref().and_then(|path| path.find(&claims)).and_then(Value::as_str);
    let team = team.filter(|team| is_name(team)).map(Into::into);
    let roles = rules.roles.as_ref().and_then(|path| path.find(&claims)).map(names).unwrap_or_default();
    let scopes = rules.scopes.find(&claims).map(names).unwrap_or_default();
    Ok(Principal::from(Facts {
        kind,
        name,
        team,
        roles: roles.into(),
        scopes: scopes.into(),
        claims: Arc::new(claims),
        key: None,
        provider: Some(rules.id.clone()),
    }))
}

/// Not empty, and without control characters, which no log line or header field should carry.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// The texts of a list, or those between the blanks of one text; anything else grants nothing.
fn names(value: &Value) -> Vec<Arc<str>> {
    let listed: Vec<&str> = if let Value::String(text) = value {
        text.split(' ').collect()
    } else if let Value::Array(items) = value {
        items.iter().filter_map(Value::as_str).collect()
    } else {
        Vec::new()
    };
    listed.into_iter().filter(|name| is_name(name)).map(Into::into).collect()
}
