//! `GatewayConfig`: how the gateway behaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Disclosure, Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::v1alpha1 as written;
use ir::{AccessLog, ClientAddress, Reach, Settings, Timeouts, Traces};

use crate::checks::shared;
use crate::gateways;
use crate::manifests::Written;
use crate::ownership;
use crate::parse;
use crate::rehearsal::Rehearsal;
use crate::report::Report;
use crate::world::World;

const KIND: &str = "GatewayConfig";

/// What a GatewayConfig says, and which of its values it gives itself.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) settings: Settings,
    /// The fields that it has, by the names of [`crate::effective`].
    pub(crate) given: BTreeSet<&'static str>,
}

/// What holds for one Gateway.
#[derive(Debug)]
pub(crate) struct Governing {
    /// The GatewayConfig; `None` where the defaults hold.
    pub(crate) name: Option<ObjectName>,
    pub(crate) config: Arc<Config>,
    /// Why it is not the one that was asked for.
    pub(crate) fault: Option<Arc<Fault>>,
}

/// How every Gateway behaves.
#[derive(Debug, Default)]
pub(crate) struct Governed {
    pub(crate) gateways: BTreeMap<ObjectName, Governing>,
    /// What holds where all manifests are served by one process.
    pub(crate) whole: Arc<Config>,
}

/// The settings of every Gateway. A field that is wrong keeps its default.
pub(crate) fn translate(world: &World<'_>, faults: &mut Vec<Fault>) -> Governed {
    let configs: BTreeMap<&ObjectName, Arc<Config>> = world
        .manifests
        .gateway_configs
        .iter()
        .map(|(name, written)| (name, Arc::new(one(world, (name, written), faults))))
        .collect();
    let mut governed = Governed::default();
    for (name, written) in &world.gateways {
        let Some(gateway) = written.value() else { continue };
        let (config, fault) = match ownership::config_of(world.manifests, world.context, (name, gateway)) {
            None => (None, None),
            Some(Ok(config)) => (Some(config), None),
            Some(Err((at, cause))) => {
                let fault = Fault::error(ObjectRef::new(gateways::KIND, (*name).clone()), at, cause);
                faults.push(fault.clone());
                (None, Some(Arc::new(fault)))
            }
        };
        let found = config.as_ref().and_then(|name| configs.get(name)).map(Arc::clone);
        let config_value = found.unwrap_or_else(|| Arc::new(unnamed(world, fault.is_some())));
        governed.gateways.insert((*name).clone(), Governing { name: config, config: config_value, fault });
    }
    if world.context.is_standalone() {
        in_one_process(world, &configs, &mut governed, faults);
    }
    governed
}

/// What holds without a GatewayConfig. What an owner wanted to hide cannot be told where the one
/// that was asked for is missing, so everything is.
fn unnamed(world: &World<'_>, is_missing: bool) -> Config {
    let disclosure = if is_missing { Disclosure::Minimal } else { Disclosure::Standard };
    Config { settings: Settings { disclosure, reach: reach(world, None), ..Settings::default() }, given: BTreeSet::new() }
}

/// One process behaves in one way: as the first Gateway asks, or else as the first GatewayConfig
/// says.
fn in_one_process(
    world: &World<'_>,
    configs: &BTreeMap<&ObjectName, Arc<Config>>,
    governed: &mut Governed,
    faults: &mut Vec<Fault>,
) {
    let asked: BTreeSet<ObjectName> = governed.gateways.values().filter_map(|governing| governing.name.clone()).collect();
    let first = governed.gateways.values().find_map(|governing| governing.name.clone());
    let Some(first) = first.or_else(|| configs.keys().next().map(|name| (*name).clone())) else { return };
    for name in configs.keys().filter(|name| ***name != first) {
        let mut report = Report::new(KIND, name);
        let chosen = ObjectRef::new(KIND, first.clone());
        if asked.contains(*name) {
            let what = format!("one process serves all Gateways here, as {chosen} says");
            report.warn(&FieldPath::root(), FaultCause::NotHere { what: what.into() });
        } else {
            let message = format!("{chosen} already says how this gateway behaves; keep one of the two");
            report.error(&FieldPath::root(), FaultCause::RuleViolated { message: message.into() });
        }
        report.finish(faults);
    }
    if let Some(config) = configs.get(&first) {
        governed.whole = Arc::clone(config);
        let implicit = || [gateways::implicit()].into_iter().filter(|_| world.gateways.is_empty());
        let all: Vec<ObjectName> = world.gateways.keys().map(|name| (*name).clone()).chain(implicit()).collect();
        for name in all {
            governed.gateways.insert(name, Governing { name: Some(first.clone()), config: Arc::clone(config), fault: None });
        }
    }
}

fn one(world: &World<'_>, (name, written): (&ObjectName, &Written<written::GatewayConfig>), faults: &mut Vec<Fault>) -> Config {
    let mut report = Report::new(KIND, name);
    match written {
        Written::Good(config) | Written::LastGood(config, _) => {
            let settings = settings(world, &config.spec, &mut report);
            report.finish(faults);
            Config { settings, given: given(&config.spec) }
        }
        Written::Broken(found, tree) => {
            if let Some(rehearsal) = Rehearsal::<written::GatewayConfig>::new(tree, found) {
                let _closed = settings(world, &rehearsal.object.spec, &mut report);
                rehearsal.finish(report, faults);
            }
            unnamed(world, true)
        }
    }
}

/// The values that a GatewayConfig gives itself, of those that routes show.
fn given(spec: &written::GatewayConfigSpec) -> BTreeSet<&'static str> {
    let times = spec.timeouts.as_ref();
    let has = [
        ("clientAddress", spec.client_address.is_some()),
        ("disclosure", spec.disclosure.is_some()),
        ("timeouts.connect", times.is_some_and(|times| times.connect.is_some())),
        ("timeouts.response", times.is_some_and(|times| times.response.is_some())),
        ("timeouts.stream", times.is_some_and(|times| times.stream.is_some())),
        ("upstreams.privateAddresses", spec.upstreams.as_ref().is_some_and(|upstreams| upstreams.private_addresses.is_some())),
    ];
    has.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name).collect()
}

/// Which addresses URLs of manifests may lead to.
fn reach(world: &World<'_>, written: Option<&written::Upstreams>) -> Reach {
    match written.and_then(|upstreams| upstreams.private_addresses) {
        _ if world.context.is_standalone() => Reach::Anywhere,
        Some(written::PrivateAddresses::Allow) => Reach::Private,
        Some(written::PrivateAddresses::Deny) | None => Reach::Public,
    }
}

/// What only a cluster makes true.
fn elsewhere(world: &World<'_>, spec: &written::GatewayConfigSpec, report: &mut Report) {
    if !world.context.is_standalone() {
        return;
    }
    let at = FieldPath::of("spec");
    if spec.deployment.is_some() {
        let what = "nothing is deployed here; the operator of a cluster deploys data planes".into();
        report.warn(&at.field("deployment"), FaultCause::NotHere { what });
    }
    if spec.upstreams.as_ref().and_then(|upstreams| upstreams.private_addresses) == Some(written::PrivateAddresses::Deny) {
        let what = "every address that a manifest names is called here; a cluster refuses private ones".into();
        report.warn(&at.field("upstreams").field("privateAddresses"), FaultCause::NotHere { what });
    }
}

/// Methods beside the usual ones. CONNECT asks for a tunnel, which is no call of an API.
fn methods(spec: &written::GatewayConfigSpec, at: &FieldPath, report: &mut Report) -> Vec<Arc<str>> {
    let mut methods = shared(spec.methods.as_ref());
    if let Some(index) = methods.iter().position(|method| &**method == "CONNECT") {
        let message = "CONNECT asks for a tunnel, and tunnels are not served".into();
        report.error(&at.index(index), FaultCause::RuleViolated { message });
        methods.remove(index);
    }
    methods
}

fn settings(world: &World<'_>, spec: &written::GatewayConfigSpec, report: &mut Report) -> Settings {
    elsewhere(world, spec, report);
    let defaults = Settings::default();
    let at = FieldPath::of("spec");
    let telemetry = spec.telemetry.as_ref();
    Settings {
        client_address: spec.client_address.as_ref().map_or(ClientAddress::Peer, client_address),
        disclosure: match spec.disclosure {
            None | Some(written::Disclosure::Standard) => Disclosure::Standard,
            Some(written::Disclosure::Minimal) => Disclosure::Minimal,
            Some(written::Disclosure::Full) => Disclosure::Full,
        },
        timeouts: spec.timeouts.as_ref().map_or_else(Timeouts::default, |times| timeouts(times, &at.field("timeouts"), report)),
        methods: methods(spec, &at.field("methods"), report),
        access_log: match telemetry.and_then(|telemetry| telemetry.access_log) {
            None | Some(written::AccessLog::Json) => AccessLog::Json,
            Some(written::AccessLog::Off) => AccessLog::Off,
        },
        traces: telemetry
            .and_then(|telemetry| telemetry.traces.as_ref())
            .and_then(|written| traces(written, &at.field("telemetry").field("traces"), report)),
        docs: spec
            .docs
            .as_ref()
            .and_then(|docs| report.need(&at.field("docs").field("baseUrl"), parse::url(&docs.base_url)))
            .map_or(defaults.docs, |url| url.to_string().into()),
        reach: reach(world, spec.upstreams.as_ref()),
        never: defaults.never,
    }
}

fn client_address(written: &written::ClientAddress) -> ClientAddress {
    match written.source {
        written::ClientAddressSource::Peer => ClientAddress::Peer,
        written::ClientAddressSource::ProxyProtocol => ClientAddress::ProxyProtocol,
        written::ClientAddressSource::Forwarded => {
            let forwarded = written.forwarded.as_ref();
            let hops =
                forwarded.and_then(|forwarded| forwarded.hops).and_then(|hops| u8::try_from(hops).ok()).unwrap_or(1).max(1);
            let header = forwarded.and_then(|forwarded| forwarded.header.as_deref()).unwrap_or("X-Forwarded-For");
            ClientAddress::Forwarded { hops, header: header.to_ascii_lowercase().into() }
        }
    }
}

fn timeouts(written: &written::Timeouts, at: &FieldPath, report: &mut Report) -> Timeouts {
    let defaults = Timeouts::default();
    let mut time = |text: Option<&String>, name: &str, default: u64| {
        text.and_then(|text| report.need(&at.field(name), parse::duration(text))).unwrap_or(default)
    };
    Timeouts {
        header_ms: time(written.header.as_ref(), "header", defaults.header_ms),
        idle_ms: time(written.idle.as_ref(), "idle", defaults.idle_ms),
        handshake_ms: time(written.handshake.as_ref(), "handshake", defaults.handshake_ms),
        connect_ms: time(written.connect.as_ref(), "connect", defaults.connect_ms),
        response_ms: time(written.response.as_ref(), "response", defaults.response_ms),
        stream_ms: time(written.stream.as_ref(), "stream", defaults.stream_ms),
        drain_ms: time(written.drain.as_ref(), "drain", defaults.drain_ms),
    }
}

/// One call in a hundred.
const SAMPLE: u32 = 10_000;

fn traces(written: &written::Traces, at: &FieldPath, report: &mut Report) -> Option<Traces> {
    let sample_ppm =
        written.sample.as_ref().and_then(|text| report.need(&at.field("sample"), parse::share(text))).unwrap_or(SAMPLE);
    let endpoint = report.need(&at.field("endpoint"), parse::url(&written.endpoint))?;
    Some(Traces { endpoint: Arc::from(endpoint.to_string()), sample_ppm })
}
