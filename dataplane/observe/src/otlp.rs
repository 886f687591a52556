//! Calls as spans, in OTLP: the protobuf of one `POST v1/traces` at a time.
//!
//! Nothing here opens a connection: a batch is given to whoever does, and what they cannot take
//! now is counted and gone.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cause::{Audience, Denial, view};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;

use crate::evidence::Record;
use crate::{log, redact};

/// Spans of one batch.
const BATCH: usize = 512;
/// How long a span waits for others.
const WAIT: Duration = Duration::from_secs(1);

/// Takes a batch, if it can without waiting.
pub type Export = Box<dyn FnMut(Bytes) -> bool + Send>;

/// Where spans go.
pub struct Spans {
    resource: Resource,
    export: Export,
    waiting: Vec<Span>,
    first: Option<Instant>,
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Spans {
    /// Spans of this service, given to `export` in batches: the bodies of `POST v1/traces` with
    /// `Content-Type: application/x-protobuf`. `export` must not wait, and says whether it took
    /// the batch.
    #[must_use]
    pub fn new(service: &str, version: &str, export: Export) -> Self {
        let attributes = vec![text("service.name", service), text("service.version", version)];
        Self { resource: Resource { attributes, ..Resource::default() }, export, waiting: Vec::new(), first: None }
    }

    /// Adds a call, if its trace is kept. Returns how many spans were dropped.
    pub(crate) fn add(&mut self, record: &Record, docs: &str, now: Instant) -> u64 {
        if !record.evidence.received.trace.sampled {
            return 0;
        }
        self.first.get_or_insert(now);
        self.waiting.push(span(record, docs));
        if self.waiting.len() >= BATCH { self.flush() } else { 0 }
    }

    /// How long until the waiting spans are due; `None` where none waits.
    pub(crate) fn due_in(&self, now: Instant) -> Option<Duration> {
        self.first.map(|first| (first + WAIT).saturating_duration_since(now))
    }

    /// Gives away what waits. Returns how many spans were dropped.
    pub(crate) fn flush(&mut self) -> u64 {
        self.first = None;
        if self.waiting.is_empty() {
            return 0;
        }
        let spans = std::mem::take(&mut self.waiting);
        let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        let scope = InstrumentationScope { name: "doorward".to_owned(), ..InstrumentationScope::default() };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }],
                schema_url: String::new(),
            }],
        };
        if (self.export)(Bytes::from(request.encode_to_vec())) { 0 } else { count }
    }
}

/// A call as a span of kind server.
fn span(record: &Record, docs: &str) -> Span {
    let received = &record.evidence.received;
    let start = u64::try_from(received.at.as_nanosecond()).unwrap_or(0);
    let took = u64::try_from(record.outcome.duration.as_nanos()).unwrap_or(u64::MAX);
    let method = received.method.as_ref().and_then(|method| known_method(method.as_str())).unwrap_or("HTTP");
    let name = match &record.evidence.located {
        Some(located) => format!("{method} {}", located.route()),
        None => method.to_owned(),
    };
    let cause = record.outcome.refused.as_deref();
    let message = cause.map(|(_, denial)| denial.entry().code.to_owned()).unwrap_or_default();
    // The conventions: for a server, only its own failures are errors of the span.
    let failed = record.outcome.status >= 500 || !record.outcome.complete;
    let status = failed.then(|| Status { message, code: StatusCode::Error.into() });
    // W3C trace flags, and whether the parent is remote: known, and so where there is one.
    let remote = 0x100 | if received.trace.parent_id.is_some() { 0x200 } else { 0 };
    Span {
        trace_id: received.trace.trace_id.to_be_bytes().to_vec(),
        span_id: received.trace.span_id.to_be_bytes().to_vec(),
        parent_span_id: received.trace.parent_id.map(|parent| parent.to_be_bytes().to_vec()).unwrap_or_default(),
        flags: remote | 1,
        name,
        kind: SpanKind::Server.into(),
        start_time_unix_nano: start,
        end_time_unix_nano: start.saturating_add(took),
        attributes: attributes(record, docs),
        status,
        ..Span::default()
    }
}

fn attributes(record: &Record, docs: &str) -> Vec<KeyValue> {
    let evidence = &record.evidence;
    let received = &evidence.received;
    let mut all = vec![
        text("url.scheme", if received.tls { "https" } else { "http" }),
        text("network.protocol.version", log::protocol(received.protocol)),
        text("network.peer.address", &received.peer.ip().to_string()),
        number("network.peer.port", received.peer.port().into()),
        number("http.response.status_code", record.outcome.status.into()),
        number("http.request.body.size", record.outcome.bytes_in),
        number("http.response.body.size", record.outcome.bytes_out),
        text("doorward.decision", received.decision.as_str()),
        number("doorward.generation", evidence.generation),
    ];
    all.extend(received.head.path().map(|path| text("url.path", &redact::path(path))));
    let method = received.method.as_ref().map(http::Method::as_str);
    match method.and_then(known_method) {
        Some(method) => all.push(text("http.request.method", method)),
        None => {
            all.push(text("http.request.method", "_OTHER"));
            all.extend(method.map(|method| text("http.request.method_original", method)));
        }
    }
    if let Some(host) = received.head.host() {
        let host = String::from_utf8_lossy(host);
        let (host, port) = log::address(redact::text(&host));
        all.push(text("server.address", &host));
        all.extend(port.map(|port| number("server.port", port.into())));
    }
    all.extend(redact::query(evidence).map(|query| text("url.query", &query)));
    all.extend(evidence.client.map(|client| text("client.address", &client.to_string())));
    if let Some(agent) = received.head.user_agent() {
        all.push(text("user_agent.original", &redact::text(&String::from_utf8_lossy(agent))));
    }
    own_attributes(record, docs, &mut all);
    all
}

/// What no convention has a name for, and what models did.
fn own_attributes(record: &Record, docs: &str, all: &mut Vec<KeyValue>) {
    let evidence = &record.evidence;
    if let Some(located) = &evidence.located {
        all.push(text("doorward.route", &located.route().to_string()));
        all.extend(located.version().map(|version| text("doorward.version", version)));
    }
    if let Some(principal) = evidence.principal.as_ref().filter(|_| evidence.proven()) {
        all.push(text("doorward.principal", &principal.name));
        all.extend(principal.team.as_deref().map(|team| text("doorward.team", team)));
        all.extend(principal.key.as_ref().map(|key| text("doorward.key", &key.to_string())));
    }
    if let Some((check, denial)) = record.outcome.refused.as_deref() {
        all.push(text("doorward.check", check.as_str()));
        all.extend(refusal(denial, docs));
        all.push(text("error.type", denial.entry().code));
    } else if record.outcome.status >= 500 {
        all.push(text("error.type", &record.outcome.status.to_string()));
    }
    let shadow: Vec<AnyValue> = evidence.shadow.iter().map(|(_, denial)| string(denial.entry().code)).collect();
    if !shadow.is_empty() {
        let values = opentelemetry_proto::tonic::common::v1::ArrayValue { values: shadow };
        all.push(pair("doorward.shadow", AnyValue { value: Some(Value::ArrayValue(values)) }));
    }
    all.extend(evidence.model.as_deref().map(|model| text("gen_ai.request.model", model)));
    if let Some(usage) = record.outcome.usage {
        all.push(number("gen_ai.usage.input_tokens", usage.input));
        all.push(number("gen_ai.usage.output_tokens", usage.output));
    }
}

fn refusal(denial: &Denial, docs: &str) -> Vec<KeyValue> {
    let view = view(denial, Audience::Owner, docs);
    let mut all = vec![text("doorward.code", view.code), text("doorward.detail", &redact::text(&view.detail))];
    all.extend(view.rule.map(|rule| text("doorward.rule", &rule)));
    all
}

/// The methods that the conventions know.
fn known_method(method: &str) -> Option<&'static str> {
    const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];
    METHODS.into_iter().find(|known| *known == method)
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, string(value))
}

fn string(value: &str) -> AnyValue {
    AnyValue { value: Some(Value::StringValue(value.to_owned())) }
}

fn number(key: &str, value: u64) -> KeyValue {
    pair(key, AnyValue { value: Some(Value::IntValue(i64::try_from(value).unwrap_or(i64::MAX))) })
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc;

    use cause::{Check, Upstream};

    use super::*;
    use crate::evidence::Usage;
    use crate::samples;

    fn channel(room: usize) -> (Spans, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::sync_channel(room);
        (Spans::new("doorward", "1.2.3", Box::new(move |batch| sender.try_send(batch).is_ok())), receiver)
    }

    fn decoded(batch: &Bytes) -> (Resource, Vec<Span>) {
        let mut request = ExportTraceServiceRequest::decode(&**batch).unwrap();
        let mut resource = request.resource_spans.pop().unwrap();
        assert!(request.resource_spans.is_empty());
        (resource.resource.unwrap(), resource.scope_spans.pop().unwrap().spans)
    }

    fn values(all: &[KeyValue]) -> BTreeMap<String, String> {
        let value = |value: &Value| {
            if let Value::StringValue(text) = value {
                return text.clone();
            }
            if let Value::IntValue(number) = value { number.to_string() } else { format!("{value:?}") }
        };
        let pairs = all.iter().map(|pair| (pair.key.clone(), value(pair.value.as_ref().unwrap().value.as_ref().unwrap())));
        let found: BTreeMap<_, _> = pairs.collect();
        assert_eq!(found.len(), all.len(), "no key stands twice");
        found
    }

    /// The one span of a call.
    fn sent(record: &Record) -> Span {
        let (mut spans, receiver) = channel(1);
        assert_eq!(spans.add(record, "https://docs", Instant::now()), 0);
        assert_eq!(spans.flush(), 0);
        let (resource, mut spans) = decoded(&receiver.recv().unwrap());
        let expected = [("service.name", "doorward"), ("service.version", "1.2.3")];
        assert_eq!(values(&resource.attributes), expected.map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_eq!(spans.len(), 1);
        spans.pop().unwrap()
    }

    #[test]
    fn a_refused_call_is_a_span() {
        let mut record = samples::refused("/orders/7?api_key=hush&page=2");
        record.evidence.received.trace.parent_id = Some(0xb7ad);
        let span = sent(&record);
        assert_eq!(span.name, "DELETE shop/orders");
        assert_eq!(span.kind, i32::from(SpanKind::Server));
        assert_eq!(span.trace_id, 0x11_0000_0000_4400_0001_u128.to_be_bytes());
        assert_eq!(span.span_id, 0x2201_u64.to_be_bytes());
        assert_eq!(span.parent_span_id, 0xb7ad_u64.to_be_bytes());
        assert_eq!(span.flags, 0x301);
        assert_eq!(span.start_time_unix_nano, 1_772_366_400_250_000_000);
        assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 1_234_000);
        assert_eq!(span.status, None, "what a caller did wrong is no error of the gateway");
        let found = values(&span.attributes);
        for (key, value) in [
            ("http.request.method", "DELETE"),
            ("url.path", "/orders/7"),
            ("url.query", "api_key=REDACTED&page=2"),
            ("server.address", "api.example.com"),
            ("server.port", "8443"),
            ("http.response.status_code", "403"),
            ("error.type", "access.role_missing"),
            ("doorward.code", "access.role_missing"),
            ("doorward.rule", "shop/orders/writers"),
            ("doorward.key", "shop/mobile-app"),
            ("doorward.version", "2.1.0"),
            ("doorward.decision", record.evidence.received.decision.as_str()),
        ] {
            assert_eq!(found.get(key).map(String::as_str), Some(value), "{key}");
        }
        assert!(found["doorward.shadow"].contains("access.rule_denied"));
    }

    #[test]
    fn names_stay_few_and_failures_are_errors() {
        let mut record = samples::served("/v1/chat/completions");
        record.evidence.received.method = "BREW".parse().ok();
        record.evidence.located = None;
        record.evidence.model = Some("gpt".into());
        record.outcome.usage = Some(Usage { input: 11, output: 22, estimated: false });
        record.outcome.status = 502;
        let denial = cause::Denial::Upstream(Upstream::Reset { backend: "b".into(), reason: "r".into() });
        record.outcome.refused = Some(Box::new((Check::Forward, denial)));
        let span = sent(&record);
        assert_eq!(span.name, "HTTP");
        let status = span.status.unwrap();
        assert_eq!((status.code, status.message.as_str()), (StatusCode::Error.into(), "upstream.reset"));
        let found = values(&span.attributes);
        assert_eq!(found["http.request.method_original"], "BREW");
        assert_eq!(found["gen_ai.request.model"], "gpt");
        assert_eq!(found["gen_ai.usage.output_tokens"], "22");
    }

    #[test]
    fn spans_wait_for_each_other_and_are_counted_when_nobody_takes_them() {
        let (mut spans, receiver) = channel(1);
        let now = Instant::now();
        let mut unsampled = samples::served("/a");
        unsampled.evidence.received.trace.sampled = false;
        assert_eq!(spans.add(&unsampled, "", now), 0);
        assert_eq!(spans.due_in(now), None);
        let record = samples::served("/a");
        assert_eq!(spans.add(&record, "", now), 0);
        assert_eq!(spans.add(&record, "", now + WAIT / 2), 0);
        assert_eq!(spans.due_in(now + WAIT / 2), Some(WAIT / 2));
        assert_eq!(spans.due_in(now + WAIT * 2), Some(Duration::ZERO));
        for _ in 2..BATCH {
            assert_eq!(spans.add(&record, "", now), 0);
        }
        assert_eq!(spans.due_in(now), None);
        assert_eq!(decoded(&receiver.try_recv().unwrap()).1.len(), BATCH);
        let dropped: u64 = (0..2 * BATCH).map(|_| spans.add(&record, "", now)).sum();
        assert_eq!(dropped, u64::try_from(BATCH).unwrap(), "the channel takes one batch, not two");
    }
}
