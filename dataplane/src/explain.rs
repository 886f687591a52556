//! What would become of a described request: the same checks on the same configuration, with
//! nothing forwarded, counted or kept. A running gateway asks issuers what a real call would ask.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use cause::{Check, Denial, Framing, TargetFlaw};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use jiff::Timestamp;
use observe::evidence::{Evidence, HeadText, Received};
use observe::metrics::Shard;
use observe::observer::Recorder;
use observe::report::{Find, Reader, Report, nowhere};
use observe::trace::TraceContext;
use serde::{Deserialize, Serialize};
use upstream::{RequestBody, Upstreams};
use wire::h1::Glimpse;

use crate::clock::Clock;
use crate::control::GatewayHandle;
use crate::gateway::{Context, Rejection, Trail, admit, client, of_refused};
use crate::listen::{Connection, Tls};
use crate::runtime::{Placement, Port, PortProtocol, Runtime, compile};
use crate::state::State;
use crate::threads::{Command, local};
use crate::worker::{Parts, Worker};

mod written_body;

/// A request in words.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Described {
    /// The method.
    pub method: String,
    /// Path and query, or an absolute URL.
    pub target: String,
    /// The fields.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body; in JSON a text, or `{"base64": "..."}` where it is none.
    #[serde(default, with = "written_body")]
    pub body: Option<Vec<u8>>,
    /// The peer of the connection.
    pub from: IpAddr,
    /// The time; omitted is now.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

/// Says what would become of a request under these manifests, whose places `find` knows. Opens no connection.
#[must_use]
pub fn explain_offline(snapshot: &ir::Snapshot, described: &Described, now: Timestamp, find: Find<'_>) -> Option<Report> {
    // On a thread of its own, so that it may be called from within an event loop.
    std::thread::scope(|scope| scope.spawn(|| alone(snapshot, described, now, find)).join().ok().flatten())
}

fn alone(snapshot: &ir::Snapshot, described: &Described, now: Timestamp, find: Find<'_>) -> Option<Report> {
    let at = described.at.unwrap_or(now);
    let clock = Clock::manual(at);
    let state = Arc::new(State::new(None));
    let runtime = Arc::new(compile(snapshot, &Placement::default(), &state, 1));
    let parts = Parts {
        state,
        upstreams: Upstreams::new(1),
        metrics: Shard::detached(),
        recorder: Recorder::detached(),
        clock,
        number: 0,
        seed: 1,
    };
    let worker = Worker::new(Arc::clone(&runtime), parts);
    local(judge(&worker, &runtime, described, Some(find)))
}

/// Says what would become of a request at this worker now.
pub(crate) async fn on_worker(worker: &Rc<Worker>, described: Described) -> Report {
    let runtime = worker.runtime();
    judge(worker, &runtime, &described, None).await
}

impl GatewayHandle {
    /// Says what would become of a request now; `None` when the gateway has stopped.
    pub async fn explain(&self, described: Described) -> Option<Report> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.commands.first()?.send(Command::Explain(Box::new(described), sender)).ok()?;
        receiver.await.ok()
    }
}

/// Judges by what serves, or by the manifests whose places `find` knows.
async fn judge(worker: &Worker, runtime: &Runtime, described: &Described, find: Option<Find<'_>>) -> Report {
    let at = described.at.unwrap_or_else(|| worker.clock.now());
    let reader = Reader { docs: &runtime.settings.docs, find: find.unwrap_or(&nowhere) };
    let (connection, request) = match arrange(runtime, described) {
        Ok(arranged) => arranged,
        Err(cause) => {
            let head = format!("{} {} HTTP/1.1\r\n", described.method, described.target);
            let read = of_refused(&Glimpse::of(head.as_bytes()));
            let evidence = evidence_of(worker, runtime, described, (at, read, false));
            return Report::of(&evidence, Some((Check::Guard, &Denial::Framing(cause))), &reader);
        }
    };
    let (mut parts, ()) = request.into_parts();
    let head = HeadText::of(&parts.uri, parts.headers.get(http::header::HOST), None);
    let read = (Some(parts.method.clone()), head);
    let mut evidence = evidence_of(worker, runtime, described, (at, read, connection.tls.is_some()));
    evidence.client = Some(client(&runtime.settings.client_address, described.from, &parts.headers));
    wire::fields::strip_at_entry(&mut parts.headers);
    let mut body = RequestBody::of(Bytes::from(described.body.clone().unwrap_or_default()));
    let mut trail = Trail::default();
    evidence.explained = Some(Box::default());
    let now = Cell::new(worker.clock.monotonic());
    let (live, present) = (find.is_none(), described.at.is_none());
    let context = Context { runtime, worker, connection: &connection, now, explaining: true, live, present };
    let refused = admit(&context, &parts, &mut body, &mut evidence, &mut trail).await.err();
    let refused = refused.as_ref().map(|Rejection { check, denial }| (*check, denial));
    Report::of(&evidence, refused, &reader)
}

fn evidence_of(
    worker: &Worker,
    runtime: &Runtime,
    described: &Described,
    (at, (method, head), tls): (Timestamp, (Option<Method>, HeadText), bool),
) -> Evidence {
    let random = [worker.random(), worker.random(), worker.random()];
    let received = Received {
        decision: worker.decisions.next(u64::try_from(at.as_millisecond()).unwrap_or(0)),
        at,
        peer: SocketAddr::new(described.from, 0),
        protocol: http::Version::HTTP_11,
        tls,
        method,
        head,
        trace: TraceContext::of(&HeaderMap::new(), random, 0),
    };
    let mut evidence = Evidence::new(received, runtime.generation);
    evidence.client = Some(described.from.to_canonical());
    evidence
}

/// The connection and request that the words describe, judged by the same guard as real bytes.
fn arrange(runtime: &Runtime, described: &Described) -> Result<(Connection, Request<()>), Framing> {
    let parsed: Option<Uri> = described.target.parse().ok();
    let url = parsed.as_ref().filter(|uri| uri.scheme().is_some());
    let target = url.map_or(&*described.target, |url| url.path_and_query().map_or("/", |path| path.as_str()));
    let tls = url.is_some_and(|url| url.scheme_str() == Some("https"));
    let mut headers = HeaderMap::new();
    for (name, value) in &described.headers {
        let name: HeaderName = name.parse().map_err(|_| Framing::FieldName)?;
        // Blanks around a value are no part of it (RFC 9110 section 5.5).
        let value = value.trim_matches([' ', '\t']);
        headers.append(name, HeaderValue::from_str(value).map_err(|_| Framing::FieldValue)?);
    }
    if let Some(authority) = url.and_then(Uri::authority) {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Framing::Host)?;
        headers.entry(http::header::HOST).or_insert(host);
    } else {
        headers.entry(http::header::HOST).or_insert(HeaderValue::from_static("localhost"));
    }
    let body = described.body.as_deref().unwrap_or_default();
    if !body.is_empty() {
        headers.entry(http::header::CONTENT_LENGTH).or_insert(HeaderValue::from(body.len()));
    }
    let limits = runtime.wire_limits(if tls { PortProtocol::Https } else { PortProtocol::Http });
    let mut head = format!("{} {target} HTTP/1.1\r\n", described.method).into_bytes();
    for (name, value) in &headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    if let Some(violation) = wire::h1::Guard::new(limits).feed(&head).violation {
        return Err(violation.cause);
    }
    let method = Method::from_bytes(described.method.as_bytes()).map_err(|_| Framing::RequestLine)?;
    let mut request = Request::new(());
    let uri = parsed.ok_or(Framing::Target { flaw: TargetFlaw::Form })?;
    *request.method_mut() = method;
    *request.uri_mut() = uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    let host = headers.get(http::header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name: Arc<str> = wire::host::parse(host)?.name.into();
    *request.headers_mut() = headers;
    let protocol = if tls { PortProtocol::Https } else { PortProtocol::Http };
    let port = port(runtime, protocol, &uri);
    let tls = tls.then_some(Tls { server_name: Some(name) });
    Ok((Connection::new(SocketAddr::new(described.from, 0), port, tls), request))
}

/// The port that a described request comes in on: the URL's, where one is listened on, else the
/// first of the protocol.
fn port(runtime: &Runtime, protocol: PortProtocol, uri: &Uri) -> Port {
    let all = runtime.ports.all();
    let named = uri.port_u16().map(|number| Port { protocol, number });
    let first = all.iter().copied().find(|port| port.protocol == protocol);
    named.filter(|port| all.contains(port)).or(first).unwrap_or(Port { protocol, number: 0 })
}
