//! Authorization rules: their expressions, and which of them can never match.

use std::sync::Arc;

use cause::{FaultCause, FieldPath};
use crds::v1alpha1 as written;
use ir::{Authentication, AuthenticationMode, Method, ProviderId};
use policy::cel::{Expression, ExpressionFault, Phase};

use crate::report::Report;
use crate::routes::Surroundings;

/// An expression that compiles with what rules see.
pub(crate) fn expression(text: &str) -> Result<Arc<str>, FaultCause> {
    compile(text).map(|_| text.into()).map_err(|ExpressionFault { reason, start, end }| FaultCause::ExpressionInvalid {
        reason,
        start,
        end,
    })
}

fn compile(text: &str) -> Result<Expression, ExpressionFault> {
    Expression::compile(text, Phase::Authorization)
}

/// Methods that are served everywhere.
const USUAL: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Warns of each rule that no request can match.
pub(crate) fn warn(
    around: &Surroundings<'_>,
    spec: &written::ApiRouteSpec,
    authentication: &Authentication,
    report: &mut Report,
) {
    let can = Possible::of(around, spec, authentication);
    for (index, rule) in spec.authorization.iter().flat_map(|authorization| &authorization.rules).enumerate() {
        let Some((field, reason)) = can.hindrance(rule) else { continue };
        let at = FieldPath::of("spec.authorization.rules").index(index).field(field);
        report.warn(&at, FaultCause::RuleNeverMatches { rule: rule.name.as_str().into(), reason: reason.into() });
    }
}

/// What requests of a route can bring.
struct Possible {
    anonymous_only: bool,
    roles: bool,
    scopes: bool,
    /// `None` is every method.
    methods: Option<Vec<String>>,
    served: Vec<Arc<str>>,
}

impl Possible {
    fn of(around: &Surroundings<'_>, spec: &written::ApiRouteSpec, authentication: &Authentication) -> Self {
        let tells = |id: &ProviderId, pick: fn(&ir::Claims) -> bool| {
            around.providers.get(id).is_none_or(|provider| pick(&provider.claims))
        };
        let roles = authentication.methods.iter().any(|method| match method {
            Method::ApiKey(_) => true,
            Method::Jwt(id) | Method::Introspection(id) => tells(id, |claims| claims.roles.is_some()),
        });
        let scopes = authentication.methods.iter().any(|method| match method {
            Method::ApiKey(_) => false,
            Method::Jwt(_) | Method::Introspection(_) => true,
        });
        let matches = spec.matches.as_deref().unwrap_or_default();
        let restricted = !matches.is_empty() && matches.iter().all(|one| one.methods.is_some());
        let methods = restricted.then(|| matches.iter().flat_map(|one| one.methods.iter().flatten().cloned()).collect());
        Self {
            anonymous_only: authentication.mode == AuthenticationMode::Anonymous,
            roles,
            scopes,
            methods,
            served: around.methods.to_vec(),
        }
    }

    /// Why a rule can never match, and the field that says so.
    fn hindrance(&self, rule: &written::AuthorizationRule) -> Option<(&'static str, String)> {
        let asks = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        if asks(&rule.roles) && !self.roles {
            let reason = if self.anonymous_only { "callers are anonymous" } else { "no method of the route gives roles" };
            return Some(("roles", format!("it asks for roles and {reason}")));
        }
        if asks(&rule.scopes) && !self.scopes {
            let reason = if self.anonymous_only { "callers are anonymous" } else { "API keys have no scopes" };
            return Some(("scopes", format!("it asks for scopes and {reason}")));
        }
        let constant = rule.when.as_deref().and_then(|text| compile(text).ok()).and_then(|expression| expression.constant());
        if constant == Some(false) {
            return Some(("when", "its expression is false for every request".to_owned()));
        }
        let wanted = rule.methods.as_ref().filter(|methods| !methods.is_empty())?;
        let serves = |method: &String| USUAL.contains(&method.as_str()) || self.served.iter().any(|served| **served == **method);
        if !wanted.iter().any(serves) {
            return Some(("methods", "its methods are not served; GatewayConfig `methods` adds to the usual seven".to_owned()));
        }
        let taken = self.methods.as_ref()?;
        let covers = |method: &String| taken.contains(method) || (method == "GET" && taken.iter().any(|taken| taken == "HEAD"));
        (!wanted.iter().any(covers)).then(|| ("methods", "the route's `matches` take none of its methods".to_owned()))
    }
}
