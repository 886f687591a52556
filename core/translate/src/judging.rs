//! From what was found to what the status of each object says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FaultOrigin, ObjectName, ObjectRef, Severity};
use crds::standard::HttpRoute;
use crds::v1alpha1 as written;
use ir::{Dialect, Key, KeyId, KeySet, ModelEndpoint, Part, RouteId, RouteKind, Scheme, SharedMap, Snapshot};
use jiff::Timestamp;
use serde_json::Value;

use crate::effective;
use crate::http_routes;
use crate::issue;
use crate::manifests::{Kind, Objects, Written};
use crate::memory::Memory;
use crate::ownership;
use crate::settings::Governed;
use crate::standings::{
    AiModelStanding, ApiKeyStanding, ApiRouteStanding, ClassStanding, GatewayConfigStanding, GatewayStanding,
    IdentityProviderStanding, ParentStanding, SERVING_LAST_GOOD, Standing, Standings, Verdict, told,
};
use crate::world::{World, target};

/// Most faults that one condition tells.
const TOLD: usize = 4;
/// Most Gateways that a GatewayConfig's status names.
const NAMED: usize = 64;

/// What was found, for judgement.
pub(crate) struct Found<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) governed: &'a Governed,
    pub(crate) snapshot: &'a Snapshot,
    /// Sorted.
    pub(crate) faults: &'a [Fault],
    pub(crate) conflicts: &'a BTreeMap<RouteId, Conflicts>,
}

/// What the Gateways say of each route, by kind and name.
pub(crate) type Parents = SharedMap<(RouteKind, ObjectName), Arc<Vec<ParentStanding>>>;

/// On which Gateways a route claims what another one does.
pub(crate) type Conflicts = BTreeMap<ObjectName, Fault>;

/// What the status of every object says.
pub(crate) fn standings(
    found: &Found<'_>,
    mut gateways: BTreeMap<ObjectName, GatewayStanding>,
    parents: &Parents,
    memory: &mut Memory,
) -> Standings {
    let errors = Errors::new(found.faults);
    let manifests = found.world.manifests;
    // Attachment is a matter of the listeners and what the route asks of them alone.
    memory.attachments.follow(parents);
    memory.attachments.count(&mut gateways);
    for (name, gateway) in gateways.iter_mut().filter(|(_, gateway)| gateway.accepted == Verdict::holds("Accepted")) {
        gateway.accepted = errors.accepted(crate::gateways::KIND, name);
    }
    let first = (RouteKind::HttpRoute, ObjectName::new("", ""));
    let of_http = parents.range_from(&first).take_while(|((kind, _), _)| *kind == RouteKind::HttpRoute);
    let http_routes = of_http.map(|((_, name), parents)| (name.clone(), http_route(found, &errors, name, parents)));
    Standings {
        gateway_classes: classes(found),
        gateways,
        api_routes: api_routes(found, &errors, parents, memory),
        http_routes: http_routes.collect(),
        ingresses: ingresses(found, &errors),
        api_keys: api_keys(found, &errors),
        ai_models: each(&manifests.ai_models, &errors, |name, standing, _| AiModelStanding {
            standing,
            status: model(found.snapshot, name),
        }),
        identity_providers: each(&manifests.identity_providers, &errors, |name, standing, _| IdentityProviderStanding {
            standing,
            status: provider(found.snapshot, name),
        }),
        gateway_configs: each(&manifests.gateway_configs, &errors, |name, standing, _| GatewayConfigStanding {
            standing,
            status: config(found.governed, name),
        }),
    }
}

fn http_route(found: &Found<'_>, errors: &Errors<'_>, name: &ObjectName, parents: &[ParentStanding]) -> Vec<ParentStanding> {
    let kind = RouteKind::HttpRoute;
    let written = found.world.manifests.http_routes.get(name);
    let is_kept = matches!(written, Some(Written::LastGood(..)));
    let standing = errors.standing(kind.name(), name, is_kept);
    let own = errors.own_text(kind.name(), name).filter(|_| !is_kept);
    let partly = written.filter(|_| own.is_some()).and_then(|written| partially_invalid(errors.of(kind.name(), name), written));
    let mut parents = judged(kind, parents, &standing, own.filter(|_| partly.is_none()));
    for parent in parents.iter_mut().filter(|parent| parent.accepted.holds) {
        // An HTTPRoute has no conditions but those at its parents.
        parent.accepted = errors.accepted(kind.name(), name);
        parent.partially_invalid.clone_from(&partly);
    }
    parents
}

/// `PartiallyInvalid`, where what is wrong with an HTTPRoute is in some of its rules and others serve (Gateway API: the
/// message begins with what is done about them).
fn partially_invalid(errors: &[&Fault], written: &Written<HttpRoute>) -> Option<Verdict> {
    let rules = match written {
        Written::Good(object) | Written::LastGood(object, _) => object.spec.rules.as_ref().map(Vec::len),
        Written::Broken(_, tree) => tree.pointer("/spec/rules").and_then(Value::as_array).map(Vec::len),
    };
    let own: Vec<&Fault> = errors.iter().copied().filter(|fault| fault.cause.origin() == FaultOrigin::Text).collect();
    let dropped: BTreeSet<usize> = own.iter().map(|fault| http_routes::rule_of(&fault.field)).collect::<Option<_>>()?;
    if dropped.is_empty() || dropped.len() >= rules.unwrap_or_default() {
        return None;
    }
    let (plural, dropped) = (if dropped.len() == 1 { "" } else { "s" }, dropped.iter().map(ToString::to_string));
    let dropped = dropped.collect::<Vec<_>>().join(", ");
    let told = all_told(&own);
    let message = format!("Dropped Rule{plural} {dropped}, whose requests are refused while all others are served. {told}");
    Some(Verdict { message: message.into(), ..Verdict::holds("UnsupportedValue") })
}

/// What there is to say of each Ingress: what is not served of it, else what will surprise.
fn ingresses(found: &Found<'_>, errors: &Errors<'_>) -> BTreeMap<ObjectName, Verdict> {
    let kind = RouteKind::Ingress.name();
    let said = found.world.manifests.ingresses.iter().filter_map(|(name, written)| {
        let is_kept = matches!(written, Written::LastGood(..));
        let Standing { accepted, resolved_refs, .. } = errors.standing(kind, name, is_kept);
        let worst = if accepted.holds && !resolved_refs.holds { resolved_refs } else { accepted };
        (!worst.message.is_empty()).then(|| (name.clone(), worst))
    });
    said.collect()
}

/// What Gateways say of a route when its own faults are known.
fn judged(kind: RouteKind, parents: &[ParentStanding], standing: &Standing, own: Option<&Fault>) -> Vec<ParentStanding> {
    let mut parents = parents.to_vec();
    for parent in &mut parents {
        parent.resolved_refs = standing.resolved_refs.clone();
        if let (true, Some(fault)) = (parent.accepted.holds, own) {
            parent.accepted = Verdict::fails_for(word(kind, fault), fault);
        } else if parent.accepted.holds && standing.accepted.reason == SERVING_LAST_GOOD {
            parent.accepted = standing.accepted.clone();
        }
    }
    parents
}

/// Gateway API's word for a fault of a route's own text.
fn word(kind: RouteKind, fault: &Fault) -> &'static str {
    match kind {
        RouteKind::ApiRoute => fault.reason(),
        RouteKind::HttpRoute | RouteKind::Ingress => "UnsupportedValue",
    }
}

/// How many routes each listener takes.
#[derive(Debug, Default)]
pub(crate) struct Attachments {
    parents: Parents,
    counts: BTreeMap<ObjectName, BTreeMap<Arc<str>, i32>>,
}

impl Attachments {
    /// Knows what Gateways say of routes from now on.
    pub(crate) fn follow(&mut self, parents: &Parents) {
        let before = std::mem::replace(&mut self.parents, parents.clone());
        for difference in parents.since(&before, Arc::ptr_eq) {
            let (gone, come) = difference.sides();
            gone.into_iter().for_each(|parents| self.add(parents, -1));
            come.into_iter().for_each(|parents| self.add(parents, 1));
        }
    }

    fn add(&mut self, parents: &[ParentStanding], number: i32) {
        let accepted = parents.iter().filter(|parent| parent.accepted.holds);
        // A route may ask for one listener in several ways.
        let places: BTreeSet<(&ObjectName, &Arc<str>)> =
            accepted.flat_map(|parent| parent.listeners.iter().map(move |listener| (&parent.gateway, listener))).collect();
        for (gateway, listener) in places {
            *self.counts.entry(gateway.clone()).or_default().entry(Arc::clone(listener)).or_default() += number;
        }
    }

    /// Tells how many routes each listener takes.
    fn count(&self, gateways: &mut BTreeMap<ObjectName, GatewayStanding>) {
        for (name, gateway) in gateways {
            let Some(counts) = self.counts.get(name) else { continue };
            for listener in &mut gateway.listeners {
                listener.attached_routes = counts.get(&listener.name).copied().unwrap_or_default();
            }
        }
    }
}

fn classes(found: &Found<'_>) -> BTreeMap<ObjectName, ClassStanding> {
    let world = found.world;
    let ours = world.manifests.gateway_classes.iter().filter_map(|(name, written)| Some((name, written.value()?)));
    ours.filter(|(_, class)| ownership::is_class_ours(class))
        .map(|(name, class)| {
            let accepted = match ownership::config_of_class(world.manifests, world.context, class) {
                Some(Err((at, cause))) => {
                    let object = ObjectRef::new("GatewayClass", name.clone());
                    Verdict::fails_for("InvalidParameters", &Fault::error(object, at, cause))
                }
                Some(Ok(_)) | None => Verdict::holds("Accepted"),
            };
            let installed = world.context.cluster.as_ref().and_then(|cluster| cluster.gateway_api.as_deref());
            (name.clone(), ClassStanding { accepted, supported_version: installed.map(supported_version) })
        })
        .collect()
}

/// Whether the installed definitions of Gateway API are of a version that is known here.
fn supported_version(installed: &str) -> Verdict {
    let version: Option<semver::Version> = installed.trim_start_matches('v').parse().ok();
    match version {
        Some(version) if version.major == 1 && (2..=7).contains(&version.minor) => Verdict::holds("SupportedVersion"),
        Some(_) | None => {
            let message = format!("Gateway API {installed} is installed; versions 1.2 to 1.7 are known. Install one of these.");
            Verdict::fails("UnsupportedVersion", message)
        }
    }
}

fn each<T: Kind, S>(
    objects: &Objects<T>,
    errors: &Errors<'_>,
    build: impl Fn(&ObjectName, Standing, Option<&T>) -> S,
) -> BTreeMap<ObjectName, S> {
    let standing = |(name, written): (&ObjectName, &Written<T>)| {
        let standing = errors.standing(T::KIND, name, matches!(written, Written::LastGood(..)));
        (name.clone(), build(name, standing, written.value().map(|object| &**object)))
    };
    objects.iter().map(standing).collect()
}

/// What was said of ApiRoutes, with the conflicts that there were.
#[derive(Debug, Default)]
pub(crate) struct Said {
    standings: SharedMap<ObjectName, Arc<ApiRouteStanding>>,
    conflicts: BTreeMap<RouteId, Conflicts>,
}

fn api_routes(
    found: &Found<'_>,
    errors: &Errors<'_>,
    parents: &Parents,
    memory: &mut Memory,
) -> SharedMap<ObjectName, Arc<ApiRouteStanding>> {
    let said = &mut memory.said;
    let moved = found.conflicts.keys().chain(said.conflicts.keys());
    let moved = moved.filter(|id| found.conflicts.get(id) != said.conflicts.get(id)).map(|id| &id.name);
    let stale: BTreeSet<&ObjectName> = memory.api_routes.renewed().iter().chain(moved).collect();
    let of = |name: &ObjectName| {
        let written = found.world.manifests.api_routes.get(name)?;
        Some(Arc::new(api_route(found, errors, (name, written), parents)))
    };
    if said.standings.is_empty() {
        said.standings = stale.into_iter().filter_map(|name| Some((name.clone(), of(name)?))).collect();
    } else {
        for name in stale {
            match of(name) {
                Some(standing) => drop(said.standings.insert(name.clone(), standing)),
                None => drop(said.standings.remove(name)),
            }
        }
    }
    said.conflicts.clone_from(found.conflicts);
    said.standings.clone()
}

fn api_route(
    found: &Found<'_>,
    errors: &Errors<'_>,
    (name, written): (&ObjectName, &Written<written::ApiRoute>),
    parents: &Parents,
) -> ApiRouteStanding {
    let is_kept = matches!(written, Written::LastGood(..));
    let standing = errors.standing(written::ApiRoute::KIND, name, is_kept);
    let own = errors.own_text(written::ApiRoute::KIND, name).filter(|_| !is_kept);
    let parents = parents.get(&(RouteKind::ApiRoute, name.clone())).map(|parents| parents.as_slice()).unwrap_or_default();
    let parents = judged(RouteKind::ApiRoute, parents, &standing, own);
    let status = written.value().map(|object| status(found.governed, &object.spec, &parents)).unwrap_or_default();
    ApiRouteStanding { standing, parents, status }
}

/// The columns of an ApiRoute, and what holds for it at each Gateway that takes it.
fn status(governed: &Governed, spec: &written::ApiRouteSpec, parents: &[ParentStanding]) -> written::ApiRouteStatus {
    let mut taken: BTreeMap<&ObjectName, BTreeSet<&str>> = BTreeMap::new();
    for parent in parents {
        taken.entry(&parent.gateway).or_default().extend(parent.listeners.iter().map(|name| &**name));
    }
    let mut status = effective::columns(spec);
    for (gateway, listeners) in taken.into_iter().filter(|(_, listeners)| !listeners.is_empty()) {
        let Some(governing) = governed.gateways.get(gateway) else { continue };
        status.effective.push(written::EffectivePolicy {
            gateway: gateway.to_string(),
            listeners: listeners.into_iter().map(ToOwned::to_owned).collect(),
            rules: effective::rules(spec, governing),
        });
    }
    status
}

fn api_keys(found: &Found<'_>, errors: &Errors<'_>) -> BTreeMap<ObjectName, Arc<ApiKeyStanding>> {
    let now = found.world.context.now;
    let secrets = &found.world.manifests.secrets;
    each(&found.world.manifests.api_keys, errors, |name, standing, object| {
        let key = found.snapshot.keys.get(&KeyId(name.clone()));
        let mut status = key.map(|key| key_status(key, now)).unwrap_or_default();
        let is_held = key.is_some_and(|key| key.hash.is_some());
        let secret = object.and_then(|key| {
            let name = target(&key.spec.secret_ref.name, None, name);
            Some((key, secrets.get(&name)?.value()?, name))
        });
        if let Some((key, secret, name)) = secret {
            status.next_rotation_at = issue::next_rotation(key, secret).map(|next| next.to_string());
            // Of a Secret that is not the key's nothing is told.
            let earlier = issue::earlier(secret, &name).flatten().filter(|_| is_held);
            status.earlier_texts = earlier.filter_map(|earlier| earlier_text(&earlier, now)).collect();
        }
        Arc::new(ApiKeyStanding { standing, status })
    })
}

fn key_status(key: &Key, now: Timestamp) -> written::ApiKeyStatus {
    let previous = key.earlier.iter().find(|earlier| earlier.until > now);
    let state = if key.suspended {
        Some("Suspended")
    } else if key.expires_at.is_some_and(|end| end <= now) {
        Some("Expired")
    } else if key.not_before.is_some_and(|begin| begin > now) {
        Some("NotYetValid")
    } else if previous.is_some() {
        Some("Rotating")
    } else {
        key.hash.map(|_| "Active")
    };
    written::ApiKeyStatus {
        state: state.map(ToOwned::to_owned),
        consumer: Some(key.consumer.to_string()),
        public_id: key.public_id.as_ref().map(ToString::to_string),
        expires_at: key.expires_at.map(|end| end.to_string()),
        previous_until: previous.map(|previous| previous.until.to_string()),
        ..written::ApiKeyStatus::default()
    }
}

/// What is said of an earlier text: nothing of one that ended when it should.
fn earlier_text(earlier: &issue::Earlier, now: Timestamp) -> Option<written::EarlierText> {
    let ended_early = earlier.ended_early(now);
    (ended_early || earlier.is_good(now)).then(|| written::EarlierText {
        public_id: earlier.text.public_id.as_ref().map(ToString::to_string),
        until: earlier.text.until.to_string(),
        ended_early: ended_early.then_some(true),
    })
}

fn model(snapshot: &Snapshot, name: &ObjectName) -> written::AiModelStatus {
    let Some(Part::Ready(model)) = snapshot.models.get(&ir::ModelId(name.clone())) else {
        return written::AiModelStatus::default();
    };
    let dialect = match model.dialect {
        Dialect::OpenAi => "OpenAi",
    };
    let endpoint = match &model.endpoint {
        ModelEndpoint::Url(url) => {
            let scheme = match url.scheme {
                Scheme::Http => "http",
                Scheme::Https => "https",
            };
            format!("{scheme}://{}:{}{}", url.host, url.port, url.path)
        }
        ModelEndpoint::Service { service, path } => format!("Service {service}{path}"),
    };
    written::AiModelStatus { dialect: Some(dialect.to_owned()), endpoint: Some(endpoint), ..written::AiModelStatus::default() }
}

fn provider(snapshot: &Snapshot, name: &ObjectName) -> written::IdentityProviderStatus {
    let keys = snapshot.providers.get(&ir::ProviderId(name.clone())).map(|provider| match &provider.keys {
        KeySet::Inline(_) => "Inline".to_owned(),
        KeySet::Discovery => "Discovery".to_owned(),
        KeySet::Uri(uri) => uri.to_string(),
    });
    written::IdentityProviderStatus { keys, ..written::IdentityProviderStatus::default() }
}

fn config(governed: &Governed, name: &ObjectName) -> written::GatewayConfigStatus {
    let gateways = governed.gateways.iter().filter(|(_, governing)| governing.name.as_ref() == Some(name));
    let gateways: Vec<String> = gateways.take(NAMED).map(|(gateway, _)| gateway.to_string()).collect();
    let gateways = (!gateways.is_empty()).then(|| gateways.join(", "));
    written::GatewayConfigStatus { gateways, ..written::GatewayConfigStatus::default() }
}

/// The faults of each object.
type Faults<'a> = BTreeMap<&'a ObjectRef, Vec<&'a Fault>>;

/// The errors of each object, and what else its owner should know.
struct Errors<'a> {
    errors: Faults<'a>,
    warnings: Faults<'a>,
}

impl<'a> Errors<'a> {
    fn new(faults: &'a [Fault]) -> Self {
        let (mut errors, mut warnings) = (Faults::new(), Faults::new());
        for fault in faults {
            let among = match fault.severity {
                Severity::Error => &mut errors,
                // Conditions say that by their reason.
                Severity::Warning if fault.cause == FaultCause::ServingLastGood => continue,
                Severity::Warning => &mut warnings,
                Severity::Notice => continue,
            };
            if let Some(object) = &fault.object {
                among.entry(object).or_default().push(fault);
            }
        }
        Self { errors, warnings }
    }

    fn of(&self, kind: &str, name: &ObjectName) -> &[&'a Fault] {
        among(&self.errors, kind, name)
    }

    /// `Accepted`, with what works and will surprise.
    fn accepted(&self, kind: &str, name: &ObjectName) -> Verdict {
        let warnings = among(&self.warnings, kind, name);
        Verdict { message: all_told(warnings).into(), ..Verdict::holds("Accepted") }
    }

    /// The first fault that nothing but a change of the object itself mends.
    fn own_text(&self, kind: &str, name: &ObjectName) -> Option<&'a Fault> {
        self.of(kind, name).iter().find(|fault| fault.cause.origin() == FaultOrigin::Text).copied()
    }

    fn standing(&self, kind: &str, name: &ObjectName, is_kept: bool) -> Standing {
        let errors = self.of(kind, name);
        if errors.is_empty() && !is_kept {
            return Standing {
                accepted: self.accepted(kind, name),
                resolved_refs: Verdict::holds("ResolvedRefs"),
                stalled: None,
            };
        }
        let (references, own): (Vec<&Fault>, Vec<&Fault>) = errors.iter().copied().partition(|fault| is_of_reference(fault));
        let accepted = if is_kept {
            let message = format!("{} The last good version goes on serving.", all_told(&own));
            Verdict::fails(SERVING_LAST_GOOD, message.trim_start().to_owned())
        } else {
            own.first().map_or_else(|| self.accepted(kind, name), |first| Verdict::fails(first.reason(), all_told(&own)))
        };
        let resolved_refs = references
            .first()
            .map_or_else(|| Verdict::holds("ResolvedRefs"), |first| Verdict::fails(first.reason(), all_told(&references)));
        let lasts = |fault: &&&Fault| fault.cause.origin() == FaultOrigin::Text;
        let stalled = if is_kept || own.iter().any(|fault| lasts(&fault)) {
            Some(Verdict { holds: true, ..accepted.clone() })
        } else {
            None
        };
        Standing { accepted, resolved_refs, stalled }
    }
}

fn among<'f, 'a>(faults: &'f Faults<'a>, kind: &str, name: &ObjectName) -> &'f [&'a Fault] {
    if faults.is_empty() {
        return &[];
    }
    faults.get(&ObjectRef::new(kind, name.clone())).map_or(&[], Vec::as_slice)
}

/// Faults as one text.
fn all_told(faults: &[&Fault]) -> String {
    let mut text: Vec<String> = faults.iter().take(TOLD).map(|fault| told(fault)).collect();
    if faults.len() > TOLD {
        text.push(format!("{} more faults are not told here.", faults.len() - TOLD));
    }
    text.join(" ")
}

/// Whether a fault is about something that the object names and that calls need.
fn is_of_reference(fault: &Fault) -> bool {
    let is_of_parent = fault.field.0.get(1).is_some_and(|field| *field == cause::Segment::Field("parentRefs".into()));
    fault.cause.origin() == FaultOrigin::Reference && !is_of_parent
}
