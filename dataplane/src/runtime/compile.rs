//! From a snapshot to a runtime. Total: what cannot be compiled is closed with its fault, as the
//! translator would have closed it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use cause::{Fault, FaultCause, FieldPath, ObjectRef};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ir::{Part, ProviderId, ServiceId, SharedMap, Snapshot};
use policy::addresses::AddressRules;
use policy::keys::{HeldKey, KeyRing};
use policy::principal::Principal;
use policy::rules::RuleSet;
use policy::version::Versions;
use upstream::{Guard, Target};

use super::parts::Parts;
use super::{
    Authentication, Backend, Fixed, HeaderChanges, HeldLimit, Holder, IntrospectionTarget, ModelTarget, Models, Placement,
    Provider, Runtime, Serve, Service, Services, Settings, Traffic, Url, Version, told,
};
use crate::state::State;

/// Compiles a snapshot. Counters and key sets come from `state`, where they outlive the runtime.
#[must_use]
pub(crate) fn compile(snapshot: &Snapshot, placement: &Placement, state: &State, generation: u64) -> Runtime {
    compile_after(None, snapshot, (placement, state), generation)
}

/// Compiles a snapshot: what is as it was in the runtime before is taken from there.
#[must_use]
pub(crate) fn compile_after(
    before: Option<&Runtime>,
    snapshot: &Snapshot,
    (placement, state): (&Placement, &State),
    generation: u64,
) -> Runtime {
    let guard = state.reach(&snapshot.settings);
    // Where URLs may lead is in every target.
    let before = before.filter(|before| before.parts.guard == guard);
    let mut parts = before.map_or_else(|| Parts::new(guard), |before| before.parts.clone());
    let stale = parts.follow(snapshot, state);
    let owned = parts.routes(snapshot, &stale, state);
    let ports = parts.place(before.map(|before| &before.ports), snapshot, placement);
    let is_same_keys = |before: &&Runtime| snapshot.keys.since(&before.parts.written.keys, Arc::ptr_eq).next().is_none();
    let (keys, held) = match before.filter(is_same_keys) {
        Some(before) => (Arc::clone(&before.keys), Arc::clone(&before.holders)),
        None => {
            let keys = KeyRing::new(snapshot.keys.values().map(Arc::clone));
            let holders = holders(&keys, state);
            (Arc::new(keys), Arc::new(holders))
        }
    };
    parts.written = snapshot.clone();
    Runtime {
        generation,
        settings: settings(&snapshot.settings),
        ports,
        holders: held,
        keys,
        anonymous: Principal::anonymous(),
        forsakes: before.is_none() || stale.forsakes || owned,
        parts,
    }
}

fn holders(keys: &KeyRing, state: &State) -> Vec<Holder> {
    let holder = |held: &HeldKey| Holder {
        principal: state.principal_hash(&held.principal),
        told: told(&held.principal),
        limits: limits(&ObjectRef::new("ApiKey", held.key.id.0.clone()), &held.key.limits, state),
    };
    keys.iter().map(holder).collect()
}

fn settings(written: &ir::Settings) -> Settings {
    let mut plain = wire::Limits::default();
    plain.methods.extend(written.methods.iter().map(ToString::to_string));
    let tls = wire::Limits { scheme: wire::Scheme::Https, ..plain.clone() };
    Settings {
        client_address: written.client_address.clone(),
        disclosure: written.disclosure,
        timeouts: written.timeouts,
        docs: Arc::clone(&written.docs),
        sample_ppm: written.traces.as_ref().map_or(0, |traces| traces.sample_ppm),
        plain: Arc::new(plain),
        tls: Arc::new(tls),
    }
}

/// Where the backends of a snapshot are, each made once.
pub(super) struct Targets<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) guard: &'a Guard,
    pub(super) services: &'a SharedMap<ServiceId, Arc<Target>>,
    pub(super) urls: RefCell<HashMap<&'a ir::UrlBackend, Arc<Url>>>,
}

impl<'a> Targets<'a> {
    fn backend(&self, written: &'a ir::Backend, route: &ObjectRef) -> Result<Backend, Arc<Fault>> {
        Ok(match written {
            ir::Backend::Services(shares) => Backend::Services(Services::new(
                shares
                    .iter()
                    .map(|share| Service {
                        target: self.service(&share.service, route),
                        weight: share.weight,
                        request: share.request_headers.as_ref().map(HeaderChanges::compile).unwrap_or_default(),
                        response: share.response_headers.as_ref().map(HeaderChanges::compile).unwrap_or_default(),
                    })
                    .collect(),
            )),
            ir::Backend::Url(written) => Backend::Url(self.url(written, route)?),
            ir::Backend::Models(ids) => Backend::Models(Models(ids.iter().map(|id| self.model(id, route)).collect())),
            ir::Backend::Response(written) => response(written),
            ir::Backend::Redirect(written) => Backend::Redirect(Box::new(written.clone())),
        })
    }

    fn url(&self, written: &'a ir::UrlBackend, route: &ObjectRef) -> Result<Arc<Url>, Arc<Fault>> {
        if let Some(known) = self.urls.borrow().get(written) {
            return Ok(Arc::clone(known));
        }
        let name = format!("{}:{}", written.host, written.port).into();
        let made = Arc::new(url(written, name, (self.guard, route))?);
        self.urls.borrow_mut().insert(written, Arc::clone(&made));
        Ok(made)
    }

    fn service(&self, written: &Part<ir::ServiceId>, route: &ObjectRef) -> Result<Arc<Target>, Arc<Fault>> {
        let id = written.as_result().map_err(Arc::clone)?;
        self.services.get(id).cloned().ok_or_else(|| {
            let target = ObjectRef::new("Service", id.name.clone());
            let cause = FaultCause::BackendNotFound(cause::BrokenReference { target, nearest: None });
            Arc::new(Fault::error(route.clone(), FieldPath::of("spec.versions"), cause))
        })
    }

    /// Where a model's provider is.
    fn place(&self, written: &ir::ModelEndpoint, id: &ir::ModelId, route: &ObjectRef) -> Result<Url, Arc<Fault>> {
        match written {
            ir::ModelEndpoint::Url(place) => url(place, format!("AiModel {id}").into(), (self.guard, route)),
            ir::ModelEndpoint::Service { service, path } => {
                let target = self.service(&Part::Ready(service.clone()), route)?;
                let host = format!("{}.{}.svc:{}", service.name.name, service.name.namespace, service.port);
                // Names of Services are fit for a header field; an unfit one is not looked up by its name.
                let host = HeaderValue::from_str(&host).unwrap_or_else(|_| HeaderValue::from_static("localhost"));
                Ok(Url { target, host, prefix: Arc::clone(path) })
            }
        }
    }

    fn model(&self, id: &ir::ModelId, route: &ObjectRef) -> ModelTarget {
        let own = id.0.namespace == route.name.namespace;
        let qualified: Arc<str> = id.to_string().into();
        let names = [if own { Arc::clone(&id.0.name) } else { Arc::clone(&qualified) }, qualified];
        let unusable = |fault: &Arc<Fault>| ModelTarget {
            names: names.clone(),
            upstream_name: "".into(),
            place: Err(Arc::clone(fault)),
            authorization: None,
        };
        let written = match self.snapshot.models.get(id) {
            Some(Part::Ready(written)) => written,
            Some(Part::Broken(fault)) => return unusable(fault),
            None => {
                let target = ObjectRef::new("AiModel", id.0.clone());
                let cause = FaultCause::ReferenceNotFound(cause::BrokenReference { target, nearest: None });
                return unusable(&Arc::new(Fault::error(route.clone(), FieldPath::of("spec.versions"), cause)));
            }
        };
        let authorization =
            written.credential.as_ref().and_then(|credential| secret_header(&format!("Bearer {}", credential.expose())));
        ModelTarget {
            upstream_name: Arc::clone(&written.model),
            place: self.place(&written.endpoint, id, route),
            authorization,
            names,
        }
    }
}

fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn response(written: &ir::FixedResponse) -> Backend {
    let headers = written
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)))
        .fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        });
    Backend::Response(Box::new(Fixed {
        status: StatusCode::from_u16(written.status).unwrap_or(StatusCode::OK),
        headers,
        body: Bytes::copy_from_slice(written.body.as_bytes()),
    }))
}

/// A URL as a target named `name`; `holder` is whose fault an unusable one is.
fn url(written: &ir::UrlBackend, name: Arc<str>, (guard, holder): (&Guard, &ObjectRef)) -> Result<Url, Arc<Fault>> {
    Url::of(written, name, guard).map_err(|reason| {
        let cause = FaultCause::CertificateInvalid { target: holder.clone(), reason };
        Arc::new(Fault::error(holder.clone(), FieldPath::of("spec"), cause))
    })
}

pub(super) fn provider(written: &Arc<ir::Provider>, guard: &Guard, state: &State) -> Provider {
    let holder = ObjectRef::new("IdentityProvider", written.id.0.clone());
    let introspection = written.introspection.as_ref().and_then(|introspection| {
        let place = crate::state::parse_url(&introspection.uri)?;
        let url = url(&place, format!("IdentityProvider {}", written.id).into(), (guard, &holder)).ok()?;
        let authorization = secret_header(&crate::state::basic(&introspection.client_id, introspection.client_secret.expose()))?;
        Some(IntrospectionTarget { url, authorization })
    });
    Provider {
        id: state.stable_hash(&holder.to_string()),
        version: state.stable_hash(&format!("{written:?}")),
        rules: policy::jwt::Rules::compile(written),
        keys: state.key_set(written),
        introspection,
    }
}

fn limits(holder: &ObjectRef, written: &[ir::Limit], state: &State) -> Box<[HeldLimit]> {
    written.iter().map(|limit| HeldLimit::compile(holder, limit, |text| state.stable_hash(text))).collect()
}

pub(super) fn serve<'a>(
    route: &'a ir::Route,
    targets: &Targets<'a>,
    providers: &SharedMap<ProviderId, Arc<Provider>>,
    state: &State,
) -> Result<Serve, Arc<Fault>> {
    let written = route.serve.as_result().map_err(Arc::clone)?;
    let name = &route.id.name;
    let holder = route.id.object();
    let path = route.matches.first().map_or("/", |first| match &first.path {
        ir::PathMatch::Exact(path) | ir::PathMatch::Prefix(path) => path,
        ir::PathMatch::Regex(_) => "/",
    });
    let checks = &written.checks;
    let rules = RuleSet::compile(&checks.authorization).map_err(|faults| {
        let (index, cause) = faults.into_iter().next().map_or((0, FaultCause::RouteBroken), |(index, fault)| {
            (index, FaultCause::ExpressionInvalid { reason: fault.reason, start: fault.start, end: fault.end })
        });
        let field = FieldPath::of("spec.authorization.rules").index(index).field("when");
        Arc::new(Fault::error(holder.clone(), field, cause))
    })?;
    Ok(Serve {
        choice: Versions::compile(name, path, &written.versioning, &written.versions),
        versions: written
            .versions
            .iter()
            .map(|version| Version {
                text: version.version.to_string().into(),
                backend: version.backend.as_result().map_err(Arc::clone).and_then(|backend| targets.backend(backend, &holder)),
            })
            .collect(),
        authentication: Authentication::compile(checks, |id| providers.get(id).cloned()).map(Box::new),
        rules,
        addresses: AddressRules::compile(&checks.addresses),
        limits: limits(&holder, &checks.limits, state),
        max_body_bytes: checks.max_body_bytes,
        traffic: Traffic::compile(&written.traffic),
    })
}
