//! The access log: one call, one JSON object, one line.
//!
//! Names follow the semantic conventions of OpenTelemetry where they have one. Whatever a caller
//! sent, a line holds one object and no character that a terminal or a reader of lines acts on.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::{self, Write};

use cause::{Audience, Check, CredentialReport, Denial, view};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use crate::evidence::{self, Evidence, Outcome, Record};
use crate::redact;

/// What the conventions write for a method that is none.
const UNREADABLE: &str = "_OTHER";

/// Appends the line of a call, its line feed included. `docs` is the base address of the causes'
/// pages. Fails only where a value cannot be JSON; then `lines` is as before.
pub fn write(record: &Record, docs: &str, lines: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let before = lines.len();
    let written = Line::of(record, docs).serialize(&mut serde_json::Serializer::with_formatter(&mut *lines, OneLine));
    if written.is_ok() {
        lines.push(b'\n');
    } else {
        lines.truncate(before);
    }
    written
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    decision: &'a str,
    #[serde(rename = "http.request.method")]
    method: &'a str,
    #[serde(rename = "url.scheme")]
    scheme: &'static str,
    #[serde(rename = "server.address", skip_serializing_if = "Option::is_none")]
    host: Option<Cow<'a, str>>,
    #[serde(rename = "server.port", skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(rename = "url.path", skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(rename = "url.query", skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    #[serde(rename = "network.protocol.version")]
    protocol: &'static str,
    #[serde(rename = "http.response.status_code")]
    status: u16,
    #[serde(flatten)]
    refusal: Option<Refusal>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shadow: Vec<Refusal>,
    duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_ms: Option<f64>,
    #[serde(rename = "http.request.body.size")]
    bytes_in: u64,
    #[serde(rename = "http.response.body.size")]
    bytes_out: u64,
    complete: bool,
    #[serde(rename = "client.address", skip_serializing_if = "Option::is_none")]
    client: Option<std::net::IpAddr>,
    #[serde(rename = "network.peer.address")]
    peer: std::net::IpAddr,
    #[serde(rename = "network.peer.port")]
    peer_port: u16,
    #[serde(rename = "user_agent.original", skip_serializing_if = "Option::is_none")]
    user_agent: Option<Cow<'a, str>>,
    #[serde(flatten)]
    judged: Judged<'a>,
    #[serde(flatten)]
    served: Served<'a>,
    trace_id: Shown<Hex128>,
    span_id: Shown<Hex64>,
}

/// What the steps proved.
#[derive(Serialize)]
struct Judged<'a> {
    generation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Shown<&'a cause::ObjectName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    credentials: &'a [CredentialReport],
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_remaining: Option<u64>,
}

/// What a model did.
#[derive(Serialize)]
struct Served<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(rename = "gen_ai.usage.input_tokens", skip_serializing_if = "Option::is_none")]
    input: Option<u64>,
    #[serde(rename = "gen_ai.usage.output_tokens", skip_serializing_if = "Option::is_none")]
    output: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_estimated: Option<bool>,
}

/// Why a call was refused, or would have been.
#[derive(Serialize)]
struct Refusal {
    check: Check,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    detail: String,
    by: cause::Fixer,
}

impl Refusal {
    fn of((check, denial): &(Check, Denial), docs: &str) -> Self {
        let view = view(denial, Audience::Owner, docs);
        let detail = redact::text(&view.detail).into_owned();
        Self { check: *check, code: view.code, rule: view.rule, detail, by: view.remedy.by }
    }
}

impl<'a> Line<'a> {
    fn of(record: &'a Record, docs: &str) -> Self {
        let Record { evidence, outcome } = record;
        let received = &evidence.received;
        let header = |value: &'a [u8]| match String::from_utf8_lossy(value) {
            Cow::Borrowed(text) => redact::text(text),
            Cow::Owned(text) => Cow::Owned(redact::text(&text).into_owned()),
        };
        let (host, port) = received.head.host().map(header).map_or((None, None), |host| {
            let (host, port) = address(host);
            (Some(host), port)
        });
        Self {
            timestamp: received.at,
            decision: received.decision.as_str(),
            method: received.method.as_ref().map_or(UNREADABLE, http::Method::as_str),
            scheme: if received.tls { "https" } else { "http" },
            host,
            port,
            path: received.head.path().map(redact::path),
            query: redact::query(evidence),
            protocol: protocol(received.protocol),
            status: outcome.status,
            refusal: outcome.refused.as_deref().map(|refused| Refusal::of(refused, docs)),
            shadow: evidence.shadow.iter().map(|refused| Refusal::of(refused, docs)).collect(),
            duration_ms: milliseconds(outcome.duration),
            upstream_ms: outcome.upstream.map(milliseconds),
            bytes_in: outcome.bytes_in,
            bytes_out: outcome.bytes_out,
            complete: outcome.complete,
            client: evidence.client,
            peer: received.peer.ip(),
            peer_port: received.peer.port(),
            user_agent: received.head.user_agent().map(header),
            judged: Judged::of(evidence),
            served: Served::of(evidence, outcome),
            trace_id: Shown(Hex128(received.trace.trace_id)),
            span_id: Shown(Hex64(received.trace.span_id)),
        }
    }
}

impl<'a> Judged<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let located = evidence.located.as_ref();
        let principal = evidence.principal.as_ref();
        let metered = evidence.metered.as_ref();
        Self {
            generation: evidence.generation,
            route: located.map(|located| Shown(located.route())),
            version: located.and_then(evidence::Located::version),
            principal: principal.map(|principal| &*principal.name).filter(|name| !name.is_empty()),
            principal_kind: principal.map(|principal| principal.kind.as_str()),
            team: principal.and_then(|principal| principal.team.as_deref()),
            key: principal.and_then(|principal| principal.key.as_ref()).map(ToString::to_string).or_else(|| {
                let refused = evidence.keys.first();
                refused.map(|(_, key)| key.to_string())
            }),
            credentials: &evidence.credentials,
            allowed_by: evidence.authorized.as_ref().and_then(Option::as_deref),
            limit: metered.map(|metered| &*metered.limit),
            limit_remaining: metered.map(|metered| metered.remaining),
        }
    }
}

impl<'a> Served<'a> {
    fn of(evidence: &'a Evidence, outcome: &Outcome) -> Self {
        Self {
            model: evidence.model.as_deref(),
            input: outcome.usage.map(|usage| usage.input),
            output: outcome.usage.map(|usage| usage.output),
            usage_estimated: outcome.usage.map(|usage| usage.estimated),
        }
    }
}

/// A `Host` as the conventions divide it.
pub(crate) fn address(host: Cow<'_, str>) -> (Cow<'_, str>, Option<u16>) {
    match host.rsplit_once(':').map(|(before, port)| (before.len(), port.parse())) {
        Some((length, Ok(port))) => match host {
            Cow::Borrowed(text) => (Cow::Borrowed(text.get(..length).unwrap_or(text)), Some(port)),
            Cow::Owned(mut text) => {
                text.truncate(length);
                (Cow::Owned(text), Some(port))
            }
        },
        Some((_, Err(_))) | None => (host, None),
    }
}

/// The version of HTTP as the conventions write it.
pub(crate) fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 => "0.9",
        http::Version::HTTP_10 => "1.0",
        http::Version::HTTP_11 => "1.1",
        http::Version::HTTP_2 => "2",
        _ => "3",
    }
}

/// Milliseconds, to the microsecond.
fn milliseconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// A value that is written as its text.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Hex128(u128);

impl Display for Hex128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

struct Hex64(u64);

impl Display for Hex64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// JSON whose texts hold nothing that ends a line, moves a cursor or turns the direction of
/// writing: JSON itself escapes only what is below U+0020.
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| crate::printable::is_active(*character)) {
            let (safe, tail) = rest.split_at(at);
            writer.write_all(safe.as_bytes())?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = tail.get(character.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::evidence::Usage;
    use crate::samples;

    fn line(record: &Record) -> (String, Value) {
        let mut lines = Vec::new();
        write(record, "https://docs", &mut lines).unwrap();
        let text = String::from_utf8(lines).unwrap();
        let object = text.strip_suffix('\n').unwrap();
        let active = |character: char| character.is_control() || crate::printable::is_active(character);
        assert!(!object.chars().any(active), "{object:?}");
        let value: Value = serde_json::from_str(object).unwrap();
        assert!(value.is_object());
        (text, value)
    }

    #[test]
    fn a_refused_call_reads() {
        let (text, _) = line(&samples::refused("/orders/7?page=2&api_key=x"));
        assert_eq!(
            text,
            concat!(
                r#"{"timestamp":"2026-03-01T12:00:00.25Z","decision":"06EAJH8AZ803001A","http.request.method":"DELETE","#,
                r#""url.scheme":"https","server.address":"api.example.com","server.port":8443,"url.path":"/orders/7","#,
                r#""url.query":"page=2&api_key=REDACTED","network.protocol.version":"1.1","http.response.status_code":403,"#,
                r#""check":"authorize","code":"access.role_missing","rule":"shop/orders/writers","#,
                r#""detail":"DELETE on shop/orders needs one of the roles orders-writer, orders-admin; this key has "#,
                r#"orders-reader. Add orders-writer to `spec.roles` of ApiKey shop/mobile-app, or change the rule writers of "#,
                r#"ApiRoute shop/orders.","by":"KeyOwner","#,
                r#""shadow":[{"check":"authorize","code":"access.rule_denied","rule":"shop/orders/office-hours","#,
                r#""detail":"The rule office-hours of shop/orders denies this call. `spec.authorization.rules` of ApiRoute "#,
                r#"shop/orders: the Deny rule office-hours matched.","by":"ApiOwner"}],"#,
                r#""duration_ms":1.234,"http.request.body.size":0,"http.response.body.size":512,"complete":true,"#,
                r#""client.address":"203.0.113.9","network.peer.address":"203.0.113.9","network.peer.port":50123,"#,
                r#""user_agent.original":"curl/8.9","generation":7,"route":"shop/orders","version":"2.1.0","#,
                r#""principal":"mobile","principal_kind":"ApiKey","team":"shop","key":"shop/mobile-app","#,
                r#""credentials":[{"source":"header X-Api-Key","kind":"ApiKey","state":"Accepted","#,
                r#""id":"dw_live_4f7k2m9qp3xw8b6n"},{"source":"bearer","kind":"Jwt","state":"Missing"}],"#,
                r#""limit":"per-key","limit_remaining":97,"#,
                r#""trace_id":"00000000000000110000000044000001","span_id":"0000000000002201"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_served_call_has_no_cause() {
        let mut record = samples::served("/v1/chat/completions");
        record.evidence.model = Some("gpt".into());
        record.outcome.usage = Some(Usage { input: 11, output: 22, estimated: false });
        let (_, value) = line(&record);
        assert_eq!(value.get("code"), None);
        assert_eq!(value["allowed_by"], "writers");
        assert_eq!(value["model"], "gpt");
        assert_eq!(value["gen_ai.usage.input_tokens"], 11);
        assert_eq!(value["gen_ai.usage.output_tokens"], 22);
        assert_eq!(value["upstream_ms"], 0.9);
    }

    #[test]
    fn what_could_not_be_read_is_not_made_up() {
        let mut record = samples::refused("/orders");
        record.evidence.received.method = None;
        record.evidence.received.head = evidence::HeadText::of_refused(None, None, None);
        let (_, value) = line(&record);
        assert_eq!(value["http.request.method"], "_OTHER");
        assert_eq!([value.get("url.path"), value.get("url.query"), value.get("server.address")], [None; 3]);
    }

    #[test]
    fn what_a_caller_sends_stays_in_its_field() {
        fn check(text: &str) {
            let mut record = samples::refused("/orders");
            record.evidence.credentials[0].id = Some(text.into());
            record.evidence.model = Some(text.into());
            if HeaderValue::from_bytes(text.as_bytes()).is_ok() {
                record.evidence.received.head = samples::head("/orders", text.as_bytes(), text.as_bytes());
            }
            let (_, value) = line(&record);
            assert_eq!(value["credentials"][0]["id"], *text);
            assert_eq!(value["model"], *text);
        }
        check("a\r\nb");
        check("\u{1b}[31mred\u{1b}[0m");
        check(r#"","code":"x"#);
        check("\\");
        check("\u{85}\u{9b}\u{2028}\u{2029}\u{7f}");
        check("\u{202e}\u{2066}\u{feff}\u{e0041}");
        check("Grüße 世界 🦀");
    }

    #[test]
    fn octets_that_are_no_text_are_replaced() {
        let mut record = samples::refused("/\"{}%0d%0a");
        record.evidence.received.head = samples::head("/\"{}%0d%0a", b"h", b"a\xff\"\tb");
        let (_, value) = line(&record);
        assert_eq!(value["user_agent.original"], "a\u{fffd}\"\tb");
        assert_eq!(value["url.path"], "/\"{}%0d%0a");
    }

    #[test]
    fn no_credential_is_written() {
        let secret = "2JqWz9f0aBcDeFgHiJkLmNoPqRsTuV1x2y3z4";
        let key = format!("dw_live_4f7k2m9qp3xw8b6n_{secret}");
        for located in [true, false] {
            let mut record = samples::refused("/");
            let target = format!("/o/{key}?q={key}&{key}&k=dw%5Flive%5F4f7k2m9qp3xw8b6n%5F{secret}");
            record.evidence.received.head = samples::head(&target, key.as_bytes(), key.as_bytes());
            let requested = key.clone();
            record.outcome.refused =
                Some(Box::new((Check::Validate, Denial::Model(cause::Model::NotFound { requested, available: Vec::new() }))));
            if !located {
                record.evidence.located = None;
            }
            let (text, _) = line(&record);
            assert!(!text.contains(secret), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_one_object(text in any::<String>(), octets in any::<Vec<u8>>()) {
            let mut record = samples::refused("/orders");
            record.evidence.credentials[0].source = text.as_str().into();
            record.evidence.model = Some(text.as_str().into());
            if HeaderValue::from_bytes(&octets).is_ok() {
                record.evidence.received.head = samples::head("/orders", b"h", &octets);
            }
            let (_, value) = line(&record);
            prop_assert_eq!(&value["credentials"][0]["source"], &Value::from(text.as_str()));
        }
    }
}
