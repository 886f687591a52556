//! TLS, ALPN and HTTP/2.

use std::convert::Infallible;
use std::sync::Arc;

use cause::Upstream as Cause;
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ir::Roots;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::h2::Local;
use crate::{Lines, Outgoing, TlsIdentity, tls};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// How an upstream's certificate and protocol are.
#[derive(Clone, Copy)]
struct Manner {
    name: &'static str,
    expired: bool,
    speaks: &'static [&'static [u8]],
}

const HTTP_2: Manner = Manner { name: "orders.test", expired: false, speaks: &[b"h2"] };

fn acceptor(authority: &Authority, manner: Manner) -> TlsAcceptor {
    let mut params = CertificateParams::new(vec![manner.name.to_owned()]).unwrap();
    if manner.expired {
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    config.alpn_protocols = manner.speaks.iter().map(|name| name.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// An upstream that hyper serves. Calls below `/held` are answered when the test says so.
struct Served {
    address: SocketAddr,
    connections: Rc<Cell<usize>>,
    held: Rc<tokio::sync::Semaphore>,
    arrived: Rc<tokio::sync::Semaphore>,
}

async fn serve(tls: Option<TlsAcceptor>, streams: u32) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let served = Served {
        address: listener.local_addr().unwrap(),
        connections: Rc::default(),
        held: Rc::new(tokio::sync::Semaphore::new(0)),
        arrived: Rc::new(tokio::sync::Semaphore::new(0)),
    };
    let (connections, held, arrived) = (Rc::clone(&served.connections), Rc::clone(&served.held), Rc::clone(&served.arrived));
    spawn_local(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            connections.set(connections.get() + 1);
            let (tls, held, arrived) = (tls.clone(), Rc::clone(&held), Rc::clone(&arrived));
            spawn_local(async move {
                match tls {
                    None => speak(tcp, true, streams, held, arrived).await,
                    Some(tls) => {
                        let Ok(stream) = tls.accept(tcp).await else { return };
                        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        speak(stream, http2, streams, held, arrived).await;
                    }
                }
            });
        }
    });
    served
}

async fn speak<T: AsyncRead + AsyncWrite + Unpin + 'static>(
    io: T,
    http2: bool,
    streams: u32,
    held: Rc<tokio::sync::Semaphore>,
    arrived: Rc<tokio::sync::Semaphore>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (held, arrived) = (Rc::clone(&held), Rc::clone(&arrived));
        async move {
            arrived.add_permits(1);
            if request.uri().path() == "/held" {
                held.acquire().await.unwrap().forget();
            }
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let text = format!(
                "{:?} {} {} host={:?} length={:?} {}",
                head.version,
                head.method,
                head.uri,
                head.headers.get("host"),
                head.headers.get("content-length"),
                String::from_utf8_lossy(&body)
            );
            let close = head.headers.contains_key("x-close");
            let mut response = Response::new(Full::new(Bytes::from(text)));
            if close {
                response.headers_mut().insert("x-closing", "1".parse().unwrap());
            }
            Ok::<_, Infallible>(response)
        }
    });
    let _ended = if http2 {
        http2::Builder::new(Local).max_concurrent_streams(streams).serve_connection(TokioIo::new(io), service).await
    } else {
        http1::Builder::new().serve_connection(TokioIo::new(io), service).await
    };
}

fn identity(authority: &Authority, host: &str) -> TlsIdentity {
    TlsIdentity::new(host.into(), Roots::Given(authority.pem().into())).unwrap()
}

fn target(served: &Served, protocol: Protocol) -> Target {
    Target::new("https://orders.test".into(), vec![Endpoint::Address(served.address)], protocol)
}

#[test]
fn tls_speaks_what_was_agreed() {
    let cases: [(&[&[u8]], &str); 4] = [
        (&[b"h2"], "HTTP/2.0 GET https://orders/orders?page=2 host=None length=None "),
        (&[b"h2", b"http/1.1"], "HTTP/2.0 GET https://orders/orders?page=2 host=None length=None "),
        (&[b"http/1.1"], "HTTP/1.1 GET /orders?page=2 host=Some(\"orders\") length=None "),
        (&[], "HTTP/1.1 GET /orders?page=2 host=Some(\"orders\") length=None "),
    ];
    for (speaks, expected) in cases {
        on_worker(async {
            let authority = authority();
            let served = serve(Some(acceptor(&authority, Manner { speaks, ..HTTP_2 })), 9).await;
            let (upstreams, target) = (Upstreams::new(1), target(&served, Protocol::Tls(identity(&authority, "orders.test"))));
            for _ in 0..3 {
                assert_eq!(call(&upstreams, &target).await.unwrap(), (200, expected.to_owned()));
            }
            assert_eq!(served.connections.get(), 1);
        });
    }
}

async fn tls_error(manner: Manner, host: &str, trusted: bool) -> Cause {
    let (own, other) = (authority(), authority());
    let served = serve(Some(acceptor(&own, manner)), 9).await;
    let identity = identity(if trusted { &own } else { &other }, host);
    let error = Upstreams::new(1).send(&target(&served, Protocol::Tls(identity)), get(), TIMEOUTS).await.err().unwrap();
    let SendError::Upstream { cause, delivery: crate::Delivery::None } = error else { panic!("{error:?}") };
    cause
}

#[test]
fn failed_handshakes_say_why() {
    let cases = [
        (HTTP_2, "orders.test", false, "its certificate is not signed by a trusted authority"),
        (HTTP_2, "other.test", true, "its certificate is not for other.test"),
        (Manner { expired: true, ..HTTP_2 }, "orders.test", true, "its certificate has expired"),
        (Manner { speaks: &[b"spdy/3"], ..HTTP_2 }, "orders.test", true, "it speaks neither HTTP/2 nor HTTP/1.1"),
    ];
    for (manner, host, trusted, expected) in cases {
        on_worker(async {
            let cause = tls_error(manner, host, trusted).await;
            assert_eq!(cause, Cause::Tls { backend: "https://orders.test".into(), reason: expected.into() });
        });
    }
    on_worker(async {
        let plain = Upstream::following(vec![vec![Step::Read], vec![Step::Close]]).await;
        let target =
            |identity| Target::new("https://orders.test".into(), vec![Endpoint::Address(plain.address)], Protocol::Tls(identity));
        let target = target(identity(&authority(), "orders.test"));
        let timeouts = Timeouts { connect_ms: 30, ..TIMEOUTS };
        let error = Upstreams::new(1).send(&target, get(), timeouts).await.err().unwrap();
        let SendError::Upstream { cause, .. } = error else { panic!("{error:?}") };
        assert_eq!(cause, Cause::ConnectTimeout { backend: "https://orders.test".into(), limit_ms: 30 });
        let error = Upstreams::new(1).send(&target, get(), TIMEOUTS).await.err().unwrap();
        let SendError::Upstream { cause, .. } = error else { panic!("{error:?}") };
        let reason = "the connection ended within the TLS handshake".into();
        assert_eq!(cause, Cause::Tls { backend: "https://orders.test".into(), reason });
    });
}

#[test]
fn roots_must_be_usable() {
    let cases = [
        ("", "there is no certificate in the certificate authorities"),
        ("nonsense", "there is no certificate in the certificate authorities"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "one of the certificate authorities is not a usable certificate",
        ),
        ("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", "the certificate authorities are not valid PEM"),
    ];
    for (pem, expected) in cases {
        assert_eq!(tls::client_config(&Roots::Given(pem.into())).err().as_deref(), Some(expected), "{pem}");
    }
    let roots = Roots::Given(authority().pem().into());
    let error = TlsIdentity::new("not a host".into(), roots).unwrap_err();
    assert_eq!(&*error, "the host is neither a DNS name nor an address");
}

#[test]
fn http2_shares_one_connection() {
    on_worker(async {
        let served = serve(None, 100).await;
        let (upstreams, target) = (Upstreams::new(1), target(&served, Protocol::Http2));
        let all = join_all((0..20).map(|_| call(&upstreams, &target))).await;
        for answer in all {
            let expected = "HTTP/2.0 GET http://orders/orders?page=2 host=None length=None ";
            assert_eq!(answer.unwrap(), (200, expected.to_owned()));
        }
        assert_eq!(served.connections.get(), 1);
        let post = upstreams.send(&target, request(Method::POST, "a body"), TIMEOUTS).await;
        assert!(read(post).await.1.ends_with("length=Some(\"6\") a body"));
    });
}

#[test]
fn http2_opens_another_connection_past_the_limit() {
    on_worker(async {
        let served = serve(None, 2).await;
        let (upstreams, target) = (Upstreams::new(1), target(&served, Protocol::Http2));
        // The limit is known once the other side has said it.
        call(&upstreams, &target).await.unwrap();
        served.arrived.acquire().await.unwrap().forget();
        let held = || {
            let mut request = get();
            *request.uri_mut() = "/held".parse().unwrap();
            request
        };
        let mut calls: Vec<_> = (0..3).map(|_| Box::pin(upstreams.send(&target, held(), TIMEOUTS))).collect();
        tokio::select! {
            _ = join_all(calls.iter_mut()) => panic!("nothing is answered yet"),
            all = served.arrived.acquire_many(3) => all.unwrap().forget(),
        }
        assert_eq!(served.connections.get(), 2);
        served.held.add_permits(3);
        for call in calls {
            assert_eq!(read(call.await).await.0, 200);
        }
    });
}

#[test]
fn http2_that_is_not_spoken_is_said_so() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![answer("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")]]).await;
        let target = Target::new("h2c".into(), vec![Endpoint::Address(upstream.address)], Protocol::Http2);
        let error = Upstreams::new(1).send(&target, get(), TIMEOUTS).await.err().unwrap();
        let SendError::Upstream { cause, .. } = error else { panic!("{error:?}") };
        assert_eq!(cause, Cause::Protocol { backend: "h2c".into(), reason: "it does not keep to HTTP/2".into() });
    });
}

/// What a scripted HTTP/2 upstream does with one request.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Answer,
    Refuse,
    Fail,
    /// Answers, and says that it is about to go.
    AnswerAndGo,
    /// Ends the connection.
    Vanish,
}

/// The address of an upstream that does these on its n-th connection, and how many it has had.
async fn doing(script: &'static [&'static [Deed]]) -> (SocketAddr, Rc<Cell<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, connections) = (listener.local_addr().unwrap(), Rc::new(Cell::new(0)));
    let counted = Rc::clone(&connections);
    spawn_local(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let deeds = script[counted.replace(counted.get() + 1)];
            spawn_local(async move {
                let mut connection = ::h2::server::handshake(tcp).await.unwrap();
                let mut deeds = deeds.iter();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    assert_eq!(request.headers().get_all("x-said").iter().collect::<Vec<_>>(), ["once"]);
                    match deeds.next().unwrap() {
                        Deed::Refuse => respond.send_reset(::h2::Reason::REFUSED_STREAM),
                        Deed::Fail => respond.send_reset(::h2::Reason::INTERNAL_ERROR),
                        Deed::Vanish => return,
                        deed @ (Deed::Answer | Deed::AnswerAndGo) => {
                            drop(respond.send_response(Response::new(()), true).unwrap());
                            if matches!(deed, Deed::AnswerAndGo) {
                                connection.graceful_shutdown();
                            }
                        }
                    }
                }
            });
        }
    });
    (address, connections)
}

#[test]
fn streams_that_were_not_looked_at_are_sent_again() {
    use Deed::{Answer, AnswerAndGo, Fail, Refuse, Vanish};
    type Script = &'static [&'static [Deed]];
    type Calls<'a> = &'a [(Method, bool)];
    let cases: [(Script, Calls<'_>, usize); 7] = [
        (&[&[Answer, Answer]], &[(Method::GET, true), (Method::POST, true)], 1),
        (&[&[Refuse, Answer]], &[(Method::POST, true)], 1),
        (&[&[Answer, Fail, Answer]], &[(Method::GET, true), (Method::GET, false), (Method::POST, true)], 1),
        (&[&[AnswerAndGo], &[Answer]], &[(Method::GET, true), (Method::POST, true)], 2),
        (&[&[Answer, Vanish], &[Answer]], &[(Method::GET, true), (Method::GET, true)], 2),
        (&[&[Answer, Vanish], &[Answer]], &[(Method::GET, true), (Method::POST, false), (Method::POST, true)], 2),
        (&[&[Vanish], &[Answer]], &[(Method::GET, false), (Method::GET, true)], 2),
    ];
    for (script, calls, expected) in cases {
        on_worker(async {
            let (address, connections) = doing(script).await;
            let (upstreams, target) =
                (Upstreams::new(1), Target::new("h2c".into(), vec![Endpoint::Address(address)], Protocol::Http2));
            for (number, (method, answered)) in calls.iter().enumerate() {
                let mut lines = Lines::default();
                lines.push(&http::HeaderName::from_static("x-said"), b"once");
                let sent = upstreams.send(&target, Outgoing::new(request(method.clone(), "body"), lines), TIMEOUTS).await;
                assert_eq!(sent.is_ok(), *answered, "{script:?} call {number}: {:?}", sent.err());
                look_around().await;
            }
            assert_eq!(connections.get(), expected, "{script:?}");
        });
    }
}

#[test]
fn what_tls_agrees_on_is_learned_once() {
    on_worker(async {
        let authority = authority();
        let served = serve(Some(acceptor(&authority, HTTP_2)), 100).await;
        let target = target(&served, Protocol::Tls(identity(&authority, "orders.test")));
        let upstreams = Upstreams::new(1);
        let all = join_all((0..20).map(|_| call(&upstreams, &target))).await;
        assert!(all.iter().all(Result::is_ok));
        assert_eq!(served.connections.get(), 1);
    });
}
