//! IdentityProviders: who vouches for tokens.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::v1alpha1 as written;
use ir::{Claims, Introspection, KeySet, Provider, ProviderId, Secret};

use crate::backends::assumed;
use crate::manifests::Written;
use crate::parse;
use crate::reach;
use crate::rehearsal::Rehearsal;
use crate::report::Report;
use crate::secrets::{Text, secret_text};
use crate::world::{World, target};

pub(crate) const KIND: &str = "IdentityProvider";
/// A minute.
const LEEWAY_MS: u64 = 60_000;

/// The IdentityProviders that can be used. One with a fault is absent, so that every method that
/// names it is closed.
pub(crate) fn translate(world: &World<'_>, faults: &mut Vec<Fault>) -> BTreeMap<ProviderId, Arc<Provider>> {
    let mut providers = BTreeMap::new();
    for (name, written) in &world.manifests.identity_providers {
        match written {
            Written::Broken(found, tree) => {
                let Some(rehearsal) = Rehearsal::<written::IdentityProvider>::new(tree, found) else { continue };
                let mut report = Report::new(KIND, name);
                let _absent = provider(world, name, &rehearsal.object.spec, &mut report);
                rehearsal.finish(report, faults);
            }
            Written::Good(object) | Written::LastGood(object, _) => {
                let mut report = Report::new(KIND, name);
                let provider = provider(world, name, &object.spec, &mut report);
                if let (Some(provider), None) = (provider, report.closing()) {
                    providers.insert(ProviderId(name.clone()), Arc::new(provider));
                }
                report.finish(faults);
            }
        }
    }
    providers
}

fn provider(world: &World<'_>, name: &ObjectName, spec: &written::IdentityProviderSpec, report: &mut Report) -> Option<Provider> {
    let at = FieldPath::of("spec");
    let standalone = world.context.is_standalone();
    let issuer = report.need(&at.field("issuer"), parse::issuer(&spec.issuer, standalone));
    let asked = [
        (spec.jwks.is_none().then_some(spec.issuer.as_str()), "issuer"),
        (spec.jwks.as_ref().and_then(|jwks| jwks.uri.as_deref()), "jwks.uri"),
        (spec.introspection.as_ref().map(|written| written.uri.as_str()), "introspection.uri"),
    ];
    for (text, field) in asked {
        if let Some(host) = text.and_then(parse::vouching_host) {
            reach::warn(world, &host, &FieldPath::of(&format!("spec.{field}")), report);
        }
    }
    if spec.audiences.is_empty() {
        report.close(&at.field("audiences"), FaultCause::FieldMissing { field: "audiences".into() });
    }
    let algorithms = algorithms(spec.algorithms.as_deref());
    let keys = key_set(spec.jwks.as_ref(), &algorithms, standalone, report);
    let introspection = spec.introspection.as_ref().map(|written| introspection(world, name, written, report));
    let leeway = spec.leeway.as_ref().map(|text| report.need(&at.field("leeway"), parse::duration(text)));
    let max_age = spec.max_age.as_ref().map(|text| report.need(&at.field("maxAge"), parse::lifetime(text)));
    let claims = spec.claims.as_ref();
    let path = |pick: fn(&written::ClaimPaths) -> &Option<String>| {
        claims.and_then(|claims| pick(claims).as_deref()).map(Arc::<str>::from)
    };
    Some(Provider {
        id: ProviderId(name.clone()),
        issuer: issuer?,
        audiences: spec.audiences.iter().map(|audience| audience.as_str().into()).collect(),
        algorithms,
        keys: keys?,
        introspection: match introspection {
            None => None,
            Some(introspection) => Some(introspection?),
        },
        claims: Claims {
            principal: path(|claims| &claims.principal).unwrap_or_else(|| "sub".into()),
            team: path(|claims| &claims.team),
            roles: path(|claims| &claims.roles),
            scopes: path(|claims| &claims.scopes).unwrap_or_else(|| "scope".into()),
        },
        leeway_ms: leeway.map_or(Some(LEEWAY_MS), |leeway| leeway)?,
        max_age_ms: match max_age {
            None => None,
            Some(max_age) => Some(max_age?),
        },
    })
}

fn algorithms(written: Option<&[written::Algorithm]>) -> Vec<Arc<str>> {
    let usual = [written::Algorithm::RS256, written::Algorithm::ES256, written::Algorithm::EdDSA];
    let name = |algorithm: &written::Algorithm| match algorithm {
        written::Algorithm::RS256 => "RS256",
        written::Algorithm::RS384 => "RS384",
        written::Algorithm::RS512 => "RS512",
        written::Algorithm::PS256 => "PS256",
        written::Algorithm::PS384 => "PS384",
        written::Algorithm::PS512 => "PS512",
        written::Algorithm::ES256 => "ES256",
        written::Algorithm::ES384 => "ES384",
        written::Algorithm::EdDSA => "EdDSA",
    };
    written.unwrap_or(&usual).iter().map(|algorithm| name(algorithm).into()).collect()
}

fn key_set(written: Option<&written::Jwks>, algorithms: &[Arc<str>], standalone: bool, report: &mut Report) -> Option<KeySet> {
    let at = &FieldPath::of("spec.jwks");
    let Some(jwks) = written else { return Some(KeySet::Discovery) };
    match (&jwks.uri, &jwks.inline) {
        (Some(uri), None) => report.need(&at.field("uri"), parse::vouching_url(uri, standalone)).map(KeySet::Uri),
        (None, Some(text)) => report.need(&at.field("inline"), inline(text, algorithms)).map(KeySet::Inline),
        (None, None) | (Some(_), Some(_)) => {
            let message = "jwks must have exactly one of `uri` and `inline`".into();
            report.close(at, FaultCause::RuleViolated { message });
            None
        }
    }
}

/// The text of a key set that holds at least one key for the algorithms, all of them public and
/// asymmetric.
fn inline(text: &str, algorithms: &[Arc<str>]) -> Result<Arc<str>, FaultCause> {
    match policy::jwt::KeySet::parse(text.as_bytes(), algorithms) {
        Ok(_) => Ok(text.into()),
        Err(fault) => Err(FaultCause::KeySetInvalid { reason: Arc::clone(fault.reason()) }),
    }
}

fn introspection(
    world: &World<'_>,
    own: &ObjectName,
    written: &written::Introspection,
    report: &mut Report,
) -> Option<Introspection> {
    let at = FieldPath::of("spec.introspection");
    let uri = report.need(&at.field("uri"), parse::vouching_url(&written.uri, world.context.is_standalone()));
    let reference = &written.client_secret_ref;
    let name = target(&reference.name, None, own);
    let place = at.field("clientSecretRef");
    let secret = match secret_text(world, &name, &reference.key) {
        Ok(Text::Known(text)) => {
            let text = text.trim_end_matches(['\r', '\n']);
            let reason = || format!("`{}` is empty", reference.key).into();
            let found = if text.is_empty() {
                Err(FaultCause::SecretInvalid { target: ObjectRef::new("Secret", name.clone()), reason: reason() })
            } else {
                Ok(Secret::new(text))
            };
            report.need(&place, found)
        }
        Ok(Text::Assumed) => {
            let fault = report.unreported(&place, assumed("Secret", &name));
            report.close_for(&Arc::new(fault));
            None
        }
        Err(cause) => report.need(&place, Err(cause)),
    };
    Some(Introspection { uri: uri?, client_id: written.client_id.as_str().into(), client_secret: secret? })
}
