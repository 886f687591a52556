//! The checks of a route: who may call, from where and how much.

use std::collections::BTreeSet;
use std::sync::Arc;

use cause::{FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::v1alpha1 as written;
use ir::{
    Authentication, AuthenticationMode, Authorization, Checks, Consumers, Effect, Enforcement, KeySource, Method, Part,
    ProviderId, Rule,
};

use crate::backends::assumed;
use crate::checks::{addresses, enforcement, limits, shared};
use crate::grants::{Referrer, Target};
use crate::parse;
use crate::providers;
use crate::report::Report;
use crate::routes::Surroundings;
use crate::rules;
use crate::world::{Found, World, target};

/// All checks of a route; `None` after a fault that closes it.
pub(crate) fn checks(
    around: &Surroundings<'_>,
    own: &ObjectName,
    spec: &written::ApiRouteSpec,
    report: &mut Report,
) -> Option<Checks> {
    let at = FieldPath::of("spec");
    let authentication = authentication(around, own, &spec.authentication, report);
    let consumers = consumers(around.world, own, spec.consumers.as_ref());
    let authorization = authorization(spec.authorization.as_ref(), &at.field("authorization"), report);
    let addresses = addresses(spec.addresses.as_ref(), &at.field("addresses"), report);
    let limits = limits(spec.limits.as_ref(), &at.field("limits"), report);
    let size = spec.validation.as_ref().and_then(|validation| validation.max_body_bytes.as_ref());
    let max_body_bytes = size.map(|text| report.need(&at.field("validation").field("maxBodyBytes"), parse::quantity(text)));
    let authentication = authentication?;
    if spec.consumers.is_some() && !authentication.methods.iter().any(|method| matches!(method, Method::ApiKey(_))) {
        let reason = "`consumers` judges API keys and no method accepts one".into();
        report.warn(&at.field("consumers"), FaultCause::NoEffect { reason });
    }
    rules::warn(around, spec, &authentication, report);
    let max_body_bytes = match max_body_bytes {
        None => None,
        Some(bytes) => Some(bytes?),
    };
    Some(Checks { authentication, consumers, authorization, addresses, limits, max_body_bytes })
}

fn authentication(
    around: &Surroundings<'_>,
    own: &ObjectName,
    written: &written::Authentication,
    report: &mut Report,
) -> Option<Authentication> {
    let at = FieldPath::of("spec.authentication");
    let mode = match written.mode {
        None | Some(written::AuthenticationMode::Required) => AuthenticationMode::Required,
        Some(written::AuthenticationMode::Optional) => AuthenticationMode::Optional,
        Some(written::AuthenticationMode::Anonymous) => AuthenticationMode::Anonymous,
        Some(written::AuthenticationMode::Shadow) => AuthenticationMode::Shadow,
    };
    let given = written.methods.as_deref().unwrap_or_default();
    if (mode == AuthenticationMode::Anonymous) != given.is_empty() {
        let message = "`methods` must name at least one method, unless `mode` is Anonymous, where there must be none";
        report.close(&at, FaultCause::RuleViolated { message: message.into() });
        return None;
    }
    let mut methods: Vec<Method> = Vec::new();
    let mut issuers: BTreeSet<Arc<str>> = BTreeSet::new();
    for (index, one) in given.iter().enumerate() {
        let at = at.field("methods").index(index);
        let Some(method) = method(around, own, one, &at, report) else { continue };
        if let Method::Jwt(id) = &method
            && let Some(provider) = around.providers.get(id)
            && !issuers.insert(Arc::clone(&provider.issuer))
        {
            // A token goes to the one method that names its issuer.
            let message = format!(
                "another method names an IdentityProvider of the issuer {}; one with the audiences of both takes all its tokens",
                provider.issuer
            );
            report.close(&at.field("jwt").field("providerRef"), FaultCause::RuleViolated { message: message.into() });
        } else if let Some(first) = methods.iter().position(|other| *other == method) {
            let message = format!("`methods[{first}]` says the same");
            report.close(&at, FaultCause::RuleViolated { message: message.into() });
        }
        methods.push(method);
    }
    (methods.len() == given.len()).then_some(Authentication { mode, methods })
}

fn method(
    around: &Surroundings<'_>,
    own: &ObjectName,
    written: &written::Method,
    at: &FieldPath,
    report: &mut Report,
) -> Option<Method> {
    match (&written.api_key, &written.jwt, &written.introspection) {
        (Some(key), None, None) => key_source(key, &at.field("apiKey"), report).map(Method::ApiKey),
        (None, Some(token), None) => {
            provider(around, own, &token.provider_ref, &at.field("jwt").field("providerRef"), report).map(Method::Jwt)
        }
        (None, None, Some(token)) => {
            let at = at.field("introspection").field("providerRef");
            let id = provider(around, own, &token.provider_ref, &at, report)?;
            if around.providers.get(&id).is_none_or(|provider| provider.introspection.is_some()) {
                return Some(Method::Introspection(id));
            }
            let message = format!("{} has no `introspection`", ObjectRef::new(providers::KIND, id.0));
            report.close(&at, FaultCause::RuleViolated { message: message.into() });
            None
        }
        (_, _, _) => {
            let message = "a method must have exactly one of `apiKey`, `jwt` and `introspection`".into();
            report.close(at, FaultCause::RuleViolated { message });
            None
        }
    }
}

fn key_source(written: &written::ApiKeyMethod, at: &FieldPath, report: &mut Report) -> Option<KeySource> {
    match (&written.header, &written.bearer, &written.query) {
        (Some(header), None, None) => report.need(&at.field("header"), parse::readable_header(header)).map(KeySource::Header),
        (None, Some(_), None) => Some(KeySource::Bearer),
        (None, None, Some(query)) => Some(KeySource::Query(query.as_str().into())),
        (_, _, _) => {
            let message = "apiKey must have exactly one of `header`, `bearer` and `query`".into();
            report.close(at, FaultCause::RuleViolated { message });
            None
        }
    }
}

/// The provider of a method. A route whose provider is missing is closed: without it nobody could
/// be told from anybody.
fn provider(
    around: &Surroundings<'_>,
    own: &ObjectName,
    reference: &written::NameRef,
    at: &FieldPath,
    report: &mut Report,
) -> Option<ProviderId> {
    let world = around.world;
    let name = target(&reference.name, reference.namespace.as_ref(), own);
    report.need(at, world.grants.check(Referrer::ApiRoute, own, Target::IdentityProvider, &name))?;
    let object = || ObjectRef::new(providers::KIND, name.clone());
    let id = ProviderId(name.clone());
    match world.find(&world.manifests.identity_providers, providers::KIND, &name) {
        Ok(Found::Here(_)) if around.providers.contains_key(&id) => Some(id),
        Ok(Found::Here(_)) => report.need(at, Err(FaultCause::ReferenceBroken { target: object() })),
        Ok(Found::Assumed) => {
            let fault = report.unreported(at, assumed(providers::KIND, &name));
            report.close_for(&Arc::new(fault));
            None
        }
        Err(missing) => report.need(at, Err(missing.into_cause(object()))),
    }
}

/// The namespaces whose keys are admitted; omitted is the route's own.
fn consumers(world: &World<'_>, own: &ObjectName, written: Option<&written::Consumers>) -> Consumers {
    let only_own = || BTreeSet::from([Arc::clone(&own.namespace)]);
    let Some(written) = written else {
        return Consumers { namespaces: Some(only_own()), enforcement: Enforcement::Enforce };
    };
    let namespaces = match written.from {
        written::ConsumersFrom::All => None,
        written::ConsumersFrom::Same => Some(only_own()),
        written::ConsumersFrom::Selector => {
            let mut admitted = only_own();
            if let Some(selector) = &written.selector {
                admitted.extend(world.namespaces_where(|labels| labels.have(&selector.match_labels)));
            }
            Some(admitted)
        }
    };
    Consumers { namespaces, enforcement: enforcement(written.mode) }
}

fn authorization(written: Option<&written::Authorization>, at: &FieldPath, report: &mut Report) -> Authorization {
    let mut rules = Vec::new();
    for (index, rule) in written.iter().flat_map(|written| &written.rules).enumerate() {
        let at = at.field("rules").index(index).field("when");
        let when = rule.when.as_deref().map(|text| match rules::expression(text) {
            Ok(text) => Part::Ready(text),
            // Nobody knows what the rule would say, so a route that enforces it is closed.
            Err(cause) => Part::Broken(match enforcement(rule.mode) {
                Enforcement::Enforce => report.close(&at, cause),
                Enforcement::Shadow => report.error(&at, cause),
            }),
        });
        rules.push(Rule {
            name: rule.name.as_str().into(),
            effect: match rule.effect {
                None | Some(written::Effect::Allow) => Effect::Allow,
                Some(written::Effect::Deny) => Effect::Deny,
            },
            enforcement: enforcement(rule.mode),
            methods: shared(rule.methods.as_ref()),
            roles: shared(rule.roles.as_ref()),
            scopes: shared(rule.scopes.as_ref()),
            when,
        });
    }
    Authorization { rules }
}
