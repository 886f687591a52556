//! `GatewayConfig`: how the gateway behaves.

use std::sync::Arc;

use cause::{Disclosure, Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::v1alpha1 as written;
use ir::{AccessLog, ClientAddress, Settings, Timeouts, Traces};

use crate::checks::shared;
use crate::manifests::{Manifests, Written};
use crate::parse;
use crate::rehearsal::Rehearsal;
use crate::report::Report;

const KIND: &str = "GatewayConfig";

/// The settings of the one GatewayConfig; the first by name where there are several. A field that
/// is wrong keeps its default.
pub(crate) fn translate(manifests: &Manifests, faults: &mut Vec<Fault>) -> Settings {
    let mut all = manifests.gateway_configs.iter();
    let Some((first, written)) = all.next() else { return Settings::default() };
    for (name, other) in all {
        let mut report = Report::new(KIND, name);
        let message =
            format!("{} already says how this gateway behaves; keep one of the two", ObjectRef::new(KIND, first.clone()));
        report.error(&FieldPath::root(), FaultCause::RuleViolated { message: message.into() });
        report.finish(faults);
        let _unused = one(name, other, faults);
    }
    one(first, written, faults)
}

fn one(name: &ObjectName, written: &Written<written::GatewayConfig>, faults: &mut Vec<Fault>) -> Settings {
    let mut report = Report::new(KIND, name);
    match written {
        Written::Good(config) | Written::LastGood(config, _) => {
            let settings = settings(&config.spec, &mut report);
            report.finish(faults);
            settings
        }
        Written::Broken(found, tree) => {
            if let Some(rehearsal) = Rehearsal::<written::GatewayConfig>::new(tree, found) {
                let _closed = settings(&rehearsal.object.spec, &mut report);
                rehearsal.finish(report, faults);
            }
            // What its owner wanted to hide cannot be told, so everything is.
            Settings { disclosure: Disclosure::Minimal, ..Settings::default() }
        }
    }
}

fn settings(spec: &written::GatewayConfigSpec, report: &mut Report) -> Settings {
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
        methods: shared(spec.methods.as_ref()),
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
