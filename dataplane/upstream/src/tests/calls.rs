//! Connections: kept, left, lost; endpoints: tried, shunned, forgotten.

use std::sync::Arc;
use std::time::Duration;

use cause::Upstream as Cause;
use futures_util::future::join_all;
use ir::Reach;

use super::*;
use crate::{Delivery, Guard};

#[test]
fn a_kept_connection_serves_the_next_call() {
    on_worker(async {
        let chunked = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        let empty = answer("HTTP/1.1 204 No Content\r\n\r\n");
        let upstream = Upstream::following(vec![vec![ok(), chunked, empty, ok()]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        for expected in [(200, "ok"), (200, "ok"), (204, ""), (200, "ok")] {
            assert_eq!(call(&upstreams, &target).await.unwrap(), (expected.0, expected.1.to_owned()));
        }
        assert_eq!(upstream.connections(), 1);
        assert_eq!(
            upstream.seen().await,
            Seen::Request(0, "GET /orders?page=2 HTTP/1.1\r\nhost: orders\r\nx-trace: t 7\r\n\r\n".into())
        );
    });
}

#[test]
fn the_connection_used_last_is_used_next() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok(), ok(), ok()]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        let both = join_all([call(&upstreams, &target), call(&upstreams, &target)]).await;
        assert!(both.iter().all(Result::is_ok));
        // Which of the two came back last is told by the call after them: from then on it is that one.
        call(&upstreams, &target).await.unwrap();
        call(&upstreams, &target).await.unwrap();
        let mut numbers = Vec::new();
        for _ in 0..4 {
            let Seen::Request(number, _) = upstream.seen().await else { panic!("a connection ended") };
            numbers.push(number);
        }
        assert_eq!(upstream.connections(), 2);
        assert_eq!(numbers[2], numbers[3]);
    });
}

#[test]
fn connections_that_cannot_serve_again_are_left() {
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
    let to_the_end = "HTTP/1.1 200 OK\r\n\r\nok";
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let more = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
    for text in [close, to_the_end, old, more] {
        on_worker(async {
            let upstream = Upstream::following(vec![vec![answer(text), Step::Close], vec![ok()]]).await;
            let (upstreams, target) = (Upstreams::new(1), upstream.target());
            for _ in 0..2 {
                assert_eq!(call(&upstreams, &target).await.unwrap(), (200, "ok".to_owned()), "{text}");
            }
            assert_eq!(upstream.connections(), 2, "{text}");
        });
    }
}

#[test]
fn an_answer_that_is_not_wanted_ends_its_connection() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        drop(upstreams.send(&target, get(), TIMEOUTS).await.unwrap());
        assert!(matches!(upstream.seen().await, Seen::Request(0, _)));
        assert_eq!(upstream.seen().await, Seen::End(0));
        // The same while the answer is awaited.
        let upstream = Upstream::following(vec![vec![Step::Read]]).await;
        let target = upstream.target();
        let mut waiting = Box::pin(upstreams.send(&target, get(), TIMEOUTS));
        tokio::select! {
            _ = &mut waiting => panic!("there was no answer to give"),
            seen = upstream.seen() => assert!(matches!(seen, Seen::Request(0, _))),
        }
        drop(waiting);
        assert_eq!(upstream.seen().await, Seen::End(0));
    });
}

/// A kept connection that ends under the second request without a byte.
async fn raced(method: Method, body: &'static str) -> (Result<(u16, String), SendError>, Upstream) {
    let upstream = Upstream::following(vec![vec![ok(), Step::Read, Step::Close], vec![ok()]]).await;
    let (upstreams, target) = (Upstreams::new(1), upstream.target());
    call(&upstreams, &target).await.unwrap();
    upstream.seen().await;
    let outcome = match upstreams.send(&target, request(method, body), TIMEOUTS).await {
        Ok(response) => Ok(read(Ok(response)).await),
        Err(error) => Err(error),
    };
    (outcome, upstream)
}

#[test]
fn idempotent_requests_survive_the_close_of_a_kept_connection() {
    for (method, body) in [(Method::GET, ""), (Method::DELETE, ""), (Method::OPTIONS, ""), (Method::PUT, "a whole body")] {
        on_worker(async {
            let (outcome, upstream) = raced(method.clone(), body).await;
            assert_eq!(outcome.unwrap(), (200, "ok".to_owned()), "{method}");
            let (first, second) = (upstream.seen().await, upstream.seen().await);
            let (Seen::Request(0, first), Seen::Request(1, second)) = (&first, &second) else { panic!("{first:?} {second:?}") };
            assert_eq!(first, second, "the request is the same");
            assert!(first.ends_with(body));
        });
    }
    for (method, body) in [(Method::POST, "a whole body"), (Method::PATCH, "")] {
        on_worker(async {
            let (outcome, upstream) = raced(method.clone(), body).await;
            let error = outcome.unwrap_err();
            assert!(
                matches!(error, SendError::Upstream { cause: Cause::Reset { .. }, delivery: Delivery::Possible }),
                "{method}: {error:?}"
            );
            assert_eq!(upstream.connections(), 1);
        });
    }
}

#[test]
fn a_first_connection_that_ends_is_not_a_race() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![Step::Read, Step::Close]]).await;
        let error = Upstreams::new(1).send(&upstream.target(), get(), TIMEOUTS).await.err();
        assert!(
            matches!(error, Some(SendError::Upstream { cause: Cause::Reset { .. }, delivery: Delivery::Possible })),
            "{error:?}"
        );
        assert_eq!(upstream.connections(), 1);
    });
}

#[test]
fn what_was_not_sent_is_sent_whatever_the_method() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok(), Step::Close], vec![ok()]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        call(&upstreams, &target).await.unwrap();
        look_around().await;
        let post = upstreams.send(&target, request(Method::POST, "once"), TIMEOUTS).await;
        assert_eq!(read(post).await, (200, "ok".to_owned()));
        upstream.seen().await;
        let Seen::Request(1, head) = upstream.seen().await else { panic!("it goes on another connection") };
        assert!(head.ends_with("once"));
    });
}

/// An address that refuses connections.
async fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[test]
fn a_refused_connect_moves_on() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok(); 60]]).await;
        let target = target_of([refusing().await, upstream.address, refusing().await]);
        let upstreams = Upstreams::new(9);
        for _ in 0..50 {
            assert_eq!(call(&upstreams, &target).await.unwrap(), (200, "ok".to_owned()));
        }
        assert_eq!(upstream.connections(), 1);

        let address = refusing().await;
        let target = target_of([address]);
        let error = upstreams.send(&target, request(Method::POST, "x"), TIMEOUTS).await.err().unwrap();
        let reason = Arc::from(format!("{address} refuses connections"));
        assert_eq!(
            error,
            SendError::Upstream {
                cause: Cause::Unreachable { backend: "Service shop/orders:8080".into(), reason },
                delivery: Delivery::None
            }
        );
        let error = upstreams.send(&target_of([]), get(), TIMEOUTS).await.err().unwrap();
        assert!(matches!(error, SendError::Upstream { cause: Cause::NoEndpoints { .. }, delivery: Delivery::None }));
    });
}

#[test]
fn calls_spread_over_endpoints() {
    on_worker(async {
        let first = Upstream::following(vec![vec![Step::Read]]).await;
        let second = Upstream::following(vec![vec![Step::Read]]).await;
        let (upstreams, target) = (Upstreams::new(5), target_of([first.address, second.address]));
        let mut calls: Vec<_> = (0..20).map(|_| Box::pin(upstreams.send(&target, get(), TIMEOUTS))).collect();
        let arrived = async {
            for _ in 0..10 {
                first.seen().await;
                second.seen().await;
            }
        };
        tokio::select! {
            _ = join_all(calls.iter_mut()) => panic!("nothing is answered"),
            () = arrived => {}
        }
        assert_eq!((first.connections(), second.connections()), (10, 10));
    });
}

#[test]
fn silence_ends_a_call() {
    on_worker(async {
        for timeouts in [Timeouts { response_ms: 30, ..TIMEOUTS }, Timeouts { whole_ms: Some(30), ..TIMEOUTS }] {
            let upstream = Upstream::following(vec![vec![Step::Read]]).await;
            let error = Upstreams::new(1).send(&upstream.target(), get(), timeouts).await.err().unwrap();
            let cause = Cause::Timeout { backend: "Service shop/orders:8080".into(), limit_ms: 30 };
            assert_eq!(error, SendError::Upstream { cause, delivery: Delivery::Possible });
            upstream.seen().await;
            assert_eq!(upstream.seen().await, Seen::End(0));
        }
    });
}

#[test]
fn a_peer_that_is_full_is_left_alone() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok()]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        let peers = upstreams.peers_of(&target, 1_000).await.unwrap();
        let busy: Vec<_> = (0..16_384).map(|_| peers[0].enter()).collect();
        let error = upstreams.send(&target, get(), TIMEOUTS).await.err().unwrap();
        assert!(matches!(
            error,
            SendError::Upstream { cause: Cause::Overloaded { limit: 16_384, .. }, delivery: Delivery::None }
        ));
        drop(busy);
        call(&upstreams, &target).await.unwrap();
    });
}

#[test]
fn a_new_configuration_keeps_what_it_still_names() {
    on_worker(async {
        let (kept, gone) = (Upstream::following(vec![vec![ok(); 9]]).await, Upstream::following(vec![vec![ok(); 9]]).await);
        let upstreams = Upstreams::new(1);
        for upstream in [&kept, &gone] {
            call(&upstreams, &upstream.target()).await.unwrap();
            upstream.seen().await;
        }
        let next = kept.target();
        upstreams.retain([&next].into_iter());
        assert_eq!(gone.seen().await, Seen::End(0));
        call(&upstreams, &next).await.unwrap();
        assert_eq!(kept.connections(), 1);
    });
}

#[test]
fn unused_connections_end() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok(); 9]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        call(&upstreams, &target).await.unwrap();
        upstream.seen().await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(49)).await;
        look_around().await;
        call(&upstreams, &target).await.unwrap();
        assert_eq!(upstream.connections(), 1);
        upstream.seen().await;
        assert_eq!(upstream.seen().await, Seen::End(0), "the clock runs on by itself while nothing else happens");
        call(&upstreams, &target).await.unwrap();
        assert_eq!(upstream.connections(), 2);
    });
}

#[test]
fn whole_answers_are_bounded() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok(), ok(), Step::Read]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        let request = || Request::get("/keys").header("host", "id").body(Bytes::new()).unwrap();
        let fetched = upstreams.fetch(&target, request(), 2, 5_000).await.unwrap();
        assert_eq!((fetched.status.as_u16(), &*fetched.body, fetched.headers.len()), (200, &b"ok"[..], 1));
        let error = upstreams.fetch(&target, request(), 1, 5_000).await.unwrap_err();
        assert!(matches!(error, Cause::Protocol { .. }), "{error:?}");
        let upstream = Upstream::following(vec![vec![answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")]]).await;
        let error = upstreams.fetch(&upstream.target(), request(), 99, 40).await.unwrap_err();
        assert_eq!(error, Cause::Silent { backend: "Service shop/orders:8080".into(), limit_ms: 40 });
    });
}

#[test]
fn names_lead_to_all_their_addresses() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok(); 9]]).await;
        let lookup: crate::resolve::Lookup = Rc::new(|name| {
            Box::pin(async move {
                match &*name {
                    // The first of them serves nothing on that port.
                    "orders" => Ok(vec![[127, 0, 0, 2].into(), [127, 0, 0, 1].into()]),
                    "slow" => std::future::pending().await,
                    _ => Err(std::io::ErrorKind::NotFound.into()),
                }
            })
        });
        let upstreams = Upstreams::with_lookup(1, lookup);
        let named = |name: &str| {
            Target::new("orders".into(), vec![Endpoint::Name(name.into(), upstream.address.port())], Protocol::Http1)
        };
        for _ in 0..3 {
            assert_eq!(call(&upstreams, &named("orders")).await.unwrap(), (200, "ok".to_owned()));
        }
        let cases = [("nowhere", "the name nowhere cannot be resolved"), ("slow", "the name slow was not resolved within 30 ms")];
        for (name, reason) in cases {
            let timeouts = Timeouts { connect_ms: 30, ..TIMEOUTS };
            let error = upstreams.send(&named(name), get(), timeouts).await.err().unwrap();
            let cause = Cause::NameNotResolved { backend: "orders".into(), reason: reason.into() };
            assert_eq!(error, SendError::Upstream { cause, delivery: Delivery::None });
        }
        let mixed = Target::new(
            "orders".into(),
            vec![Endpoint::Name("nowhere".into(), 1), Endpoint::Address(upstream.address)],
            Protocol::Http1,
        );
        assert_eq!(call(&upstreams, &mixed).await.unwrap(), (200, "ok".to_owned()));
    });
}

#[test]
fn a_backend_leads_only_where_it_may() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok(); 9]]).await;
        let lookup: crate::resolve::Lookup = Rc::new(|_| Box::pin(async { Ok(vec![[127, 0, 0, 1].into()]) }));
        let upstreams = Upstreams::with_lookup(1, lookup);
        let port = upstream.address.port();
        let (name, written) = (Endpoint::Name("rebound".into(), port), Endpoint::Name("127.0.0.1".into(), port));
        let url = |reach| Guard::new(reach, Arc::from([]));
        let check = async |endpoint: &Endpoint, guard: Guard, is_called: bool| {
            let target = Target::new("orders".into(), vec![endpoint.clone()], Protocol::Http1).guarded(guard);
            let cause = Cause::AddressRefused {
                backend: "orders".into(),
                address: [127, 0, 0, 1].into(),
                why: "loopback or link-local".into(),
            };
            let refused = SendError::Upstream { cause, delivery: Delivery::None };
            let found = upstreams.send(&target, get(), TIMEOUTS).await.map(|answer| answer.status().as_u16());
            assert_eq!(found, if is_called { Ok(200) } else { Err(refused) }, "{endpoint:?}");
        };
        check(&name, url(Reach::Anywhere), true).await;
        check(&name, url(Reach::Private), false).await;
        check(&written, url(Reach::Public), false).await;
        check(&Endpoint::Address(upstream.address), url(Reach::Public), true).await;
    });
}

#[test]
fn a_call_in_flight_is_small() {
    let (upstreams, target) = (Upstreams::new(1), target_of([]));
    let size = size_of_val(&upstreams.send(&target, get(), TIMEOUTS));
    assert!(size <= 4 * 1024, "{size} bytes");
}
