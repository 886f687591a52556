//! Real streams over real TLS between operators and replicas in one process.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Instant;

use delivery::{Held, Seal, Sealer};
use files::{Input, Session};
use ir::{Delta, ResourceId, Route, RouteId, Snapshot};
use jiff::Timestamp;
use support::{Authority, Operator, Pod, Wire, gateway, ports, snapshot, soon, take, with};
use translate::Context;

const MANY: u16 = 2_000;

#[tokio::test]
async fn a_replica_gets_all_and_then_what_differs() {
    let authority = Authority::new();
    let operator = Operator::start(&authority).await;
    let wire = Wire::to(operator.address).await;
    let pod = Pod::new("a", &authority, &[wire.address]);
    let first = snapshot(0..MANY, 1);
    operator.publisher.publish(&gateway(), first.clone());
    let mut subscriber = pod.subscribe(Held::default());
    let held = take(&mut subscriber).await;
    assert_eq!(**held.snapshot(), *first);
    assert!(held.is_complete());
    let all = wire.came_down();
    assert!(all > 100 * u64::from(MANY), "{all}");

    let second = with(&first, 7, 2);
    let revision = operator.publisher.publish(&gateway(), second.clone());
    let held = take(&mut subscriber).await;
    assert_eq!(**held.snapshot(), *second);
    let replica = operator.hears("a", "an answer", |replica| replica.applied == Some(revision)).await;
    assert!(replica.connected && replica.refused.is_empty(), "{replica:?}");
    let one = wire.came_down();
    assert!(one < 4_000, "{one}");

    let third = snapshot(1..2, 1);
    operator.publisher.publish(&gateway(), third.clone());
    assert_eq!(**take(&mut subscriber).await.snapshot(), *third, "what is gone goes");
    assert_eq!(operator.publisher.publish(&gateway(), third.clone()), operator.publisher.publish(&gateway(), third));
}

#[tokio::test]
async fn another_operator_goes_on_where_the_first_ended() {
    let authority = Authority::new();
    let (one, other) = (Operator::start(&authority).await, Operator::start(&authority).await);
    let wire = Wire::to(other.address).await;
    let first = snapshot(0..MANY, 1);
    one.publisher.publish(&gateway(), first.clone());
    let pod = Pod::new("a", &authority, &[one.address]);
    let mut subscriber = pod.subscribe(Held::default());
    take(&mut subscriber).await;

    let second = with(&first, 7, 2);
    other.publisher.publish(&gateway(), second.clone());
    pod.find(&[wire.address]);
    drop(one);
    assert_eq!(**take(&mut subscriber).await.snapshot(), *second);
    let sent = wire.came_down();
    assert!(sent < 16_000, "{sent}");
}

#[tokio::test]
async fn every_operator_hears_what_a_replica_serves() {
    let authority = Authority::new();
    let (one, other) = (Operator::start(&authority).await, Operator::start(&authority).await);
    let pod = Pod::new("a", &authority, &[one.address, other.address]);
    let mut subscriber = pod.subscribe(Held::default());
    let mut current = snapshot(0..10, 1);
    for port in 2..5 {
        current = with(&current, 3, port);
        // One of them is ahead of the other each time.
        let by_one = one.publisher.publish(&gateway(), current.clone());
        let by_other = other.publisher.publish(&gateway(), current.clone());
        let mut held = take(&mut subscriber).await;
        while **held.snapshot() != *current {
            held = take(&mut subscriber).await;
        }
        one.hears("a", "an answer to one", |replica| replica.applied == Some(by_one)).await;
        other.hears("a", "an answer to the other", |replica| replica.applied == Some(by_other)).await;
    }
}

#[tokio::test]
async fn an_operator_that_has_nothing_else_goes_on_all_the_same() {
    let authority = Authority::new();
    let (one, other) = (Operator::start(&authority).await, Operator::start(&authority).await);
    let pod = Pod::new("a", &authority, &[one.address]);
    let mut subscriber = pod.subscribe(Held::default());
    let first = snapshot(0..10, 1);
    one.publisher.publish(&gateway(), first.clone());
    let same = other.publisher.publish(&gateway(), first.clone());
    take(&mut subscriber).await;
    pod.find(&[one.address, other.address]);
    other.hears("a", "what both say", |replica| replica.applied == Some(same)).await;
    pod.find(&[other.address]);
    drop(one);
    // The same again, which is told again.
    assert_eq!(**take(&mut subscriber).await.snapshot(), *first);
    let second = with(&first, 3, 2);
    other.publisher.publish(&gateway(), second.clone());
    assert_eq!(**take(&mut subscriber).await.snapshot(), *second);
}

#[tokio::test]
async fn an_operator_that_has_nothing_yet_is_not_waited_for() {
    let authority = Authority::new();
    let (empty, full) = (Operator::start(&authority).await, Operator::start(&authority).await);
    let pod = Pod::new("a", &authority, &[empty.address]);
    let mut subscriber = pod.subscribe(Held::default());
    empty.hears("a", "a stream", |replica| replica.connected).await;
    let state = snapshot(0..3, 1);
    full.publisher.publish(&gateway(), state.clone());
    pod.find(&[empty.address, full.address]);
    assert_eq!(**take(&mut subscriber).await.snapshot(), *state);
}

#[tokio::test]
async fn a_slow_replica_skips_what_it_missed() {
    let authority = Authority::new();
    let operator = Operator::start(&authority).await;
    let wire = Wire::to(operator.address).await;
    let pod = Pod::new("a", &authority, &[wire.address]);
    let mut current = snapshot(0..100, 1);
    operator.publisher.publish(&gateway(), current.clone());
    let mut subscriber = pod.subscribe(Held::default());
    let first = soon("a state", subscriber.next()).await.unwrap();
    let _ = wire.came_down();
    let mut last = None;
    for port in 2..500 {
        current = with(&current, port % 100, port);
        last = Some(operator.publisher.publish(&gateway(), current.clone()));
    }
    subscriber.settle(&first, Vec::new()).await;
    assert_eq!(**take(&mut subscriber).await.snapshot(), *current, "the newest comes next");
    operator.hears("a", "an answer", |replica| replica.applied == last).await;
    let sent = wire.came_down();
    assert!(sent < 40_000, "{sent}");
}

#[tokio::test]
async fn only_a_pod_of_the_gateway_is_served() {
    let authority = Authority::new();
    for wrong in ["nonsense", "a@other/public-doorward", "a@web/private-doorward", "a@web/default"] {
        let operator = Operator::start(&authority).await;
        let wire = Wire::to(operator.address).await;
        operator.publisher.publish(&gateway(), snapshot(0..3, 1));
        let pod = Pod::new("a", &authority, &[wire.address]);
        pod.token(wrong);
        let mut subscriber = pod.subscribe(Held::default());
        wire.see(2).await;
        assert!(operator.publisher.replicas().borrow().is_empty(), "{wrong:?} is known");
        // The file is read again at the next attempt.
        pod.token("a@web/public-doorward");
        take(&mut subscriber).await;
        drop(subscriber);
        operator.hears("a", "the end of the stream", |replica| !replica.connected).await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_begins_with_the_next() {
    let authority = Authority::new();
    let operator = Operator::start(&authority).await;
    operator.publisher.publish(&gateway(), snapshot(0..3, 1));
    let pod = Pod::new("a", &authority, &[operator.address]);
    pod.token("a@web/public-doorward#1");
    let mut subscriber = pod.subscribe(Held::default());
    take(&mut subscriber).await;
    operator.reviews.revoke("a@web/public-doorward#1");
    operator.hears("a", "the end of the stream", |replica| !replica.connected).await;
    operator.publisher.publish(&gateway(), snapshot(0..3, 2));
    // A kubelet writes another one long before.
    pod.token("a@web/public-doorward#2");
    assert_eq!(ports(&take(&mut subscriber).await), [2].into());
}

#[tokio::test]
async fn authority_and_certificate_are_replaced_while_streams_go_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let operator = Operator::start(&old).await;
    operator.publisher.publish(&gateway(), snapshot(0..3, 1));
    let pod = Pod::new("a", &old, &[operator.address]);
    let mut kept = pod.subscribe(Held::default());
    take(&mut kept).await;

    let (chain, key) = new.issue();
    operator.certificate.replace(&chain, &key).unwrap();
    assert!(operator.certificate.replace(&chain, "no key").is_err(), "what cannot be used is not shown");
    operator.publisher.publish(&gateway(), snapshot(0..3, 2));
    assert_eq!(ports(&take(&mut kept).await), [2].into(), "the stream goes on");

    let wire = Wire::to(operator.address).await;
    let other = Pod::new("b", &old, &[wire.address]);
    let mut fresh = other.subscribe(Held::default());
    wire.see(2).await;
    assert!(!operator.publisher.replicas().borrow()[&gateway()].contains_key("b"), "the new authority is not trusted yet");
    other.trust(&[&old, &new]);
    assert_eq!(ports(&take(&mut fresh).await), [2].into());
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_until_it_is_mended() {
    let authority = Authority::new();
    let operator = Operator::start(&authority).await;
    let state = snapshot(0..3, 1);
    let revision = operator.publisher.publish(&gateway(), state.clone());
    let pod = Pod::new("a", &authority, &[operator.address]);
    let mut subscriber = pod.subscribe(Held::default());
    let held = soon("a state", subscriber.next()).await.unwrap();
    subscriber.settle(&held, vec![(ResourceId::Settings, "port 8080 is taken".to_owned())]).await;
    let replica = operator.hears("a", "a refusal", |replica| !replica.refused.is_empty()).await;
    assert_eq!(replica.applied, Some(revision));
    assert_eq!(replica.refused[0].resource, ResourceId::Settings);
    assert_eq!(&*replica.refused[0].reason, "port 8080 is taken");
    subscriber.settle(&held, Vec::new()).await;
    operator.hears("a", "that it is mended", |replica| replica.refused.is_empty()).await;
}

#[tokio::test]
async fn a_restarted_replica_serves_what_it_sealed() {
    let authority = Authority::new();
    let operator = Operator::start(&authority).await;
    let wire = Wire::to(operator.address).await;
    let pod = Pod::new("a", &authority, &[wire.address]);
    let first = snapshot(0..MANY, 1);
    operator.publisher.publish(&gateway(), first.clone());
    let open = || Seal::open(&pod.path("."), &pod.path("key"), &gateway()).unwrap();
    assert!(open().load().unwrap().is_none(), "{} is new", pod.name());
    let mut subscriber = pod.subscribe(Held::default());
    let held = take(&mut subscriber).await;
    drop(subscriber);
    let sealer = Sealer::start(open().into());
    sealer.put(&held);
    sealer.finish().await;

    let restored = open().load().unwrap().unwrap();
    assert_eq!(restored, held);
    let _ = wire.came_down();
    let second = with(&first, 7, 2);
    operator.publisher.publish(&gateway(), second.clone());
    let mut subscriber = pod.subscribe(restored);
    assert_eq!(**take(&mut subscriber).await.snapshot(), *second);
    let sent = wire.came_down();
    assert!(sent < 16_000, "{sent}");

    let sealed = std::fs::read(pod.path("snapshot.sealed")).unwrap();
    assert!(!sealed.windows(9).any(|window| window == b"service-7"), "it is encrypted");
    let check = |bytes: &[u8], what: &str| {
        std::fs::write(pod.path("snapshot.sealed"), bytes).unwrap();
        let error = open().load().err().unwrap_or_else(|| panic!("{what} is taken")).to_string();
        assert!(error.contains("it was not sealed by this pod for this Gateway"), "{what}: {error}");
    };
    let mut flipped = sealed.clone();
    flipped[sealed.len() / 2] ^= 1;
    check(&flipped, "a changed file");
    check(&sealed[..sealed.len() - 1], "a cut file");
    check(&[], "an empty file");
    std::fs::write(pod.path("snapshot.sealed"), &sealed).unwrap();
    let other = cause::ObjectName::new("web", "other");
    assert!(Seal::open(&pod.path("."), &pod.path("key"), &other).unwrap().load().is_err(), "another Gateway's");
    assert!(Seal::open(&pod.path("."), &pod.path("key-2"), &gateway()).unwrap().load().is_err(), "another pod's");
}

/// The state that the examples of this repository make.
fn examples() -> Snapshot {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all = Snapshot::default();
    for path in files {
        let mut session = Session::new(Input::new(vec![path]), Context::of_files(Timestamp::UNIX_EPOCH, Vec::new()));
        all.apply(Delta::between(&Snapshot::default(), &session.reload(Timestamp::UNIX_EPOCH).snapshot));
    }
    all
}

#[tokio::test]
async fn whatever_manifests_say_comes_as_it_is() {
    let authority = Authority::new();
    let operator = Operator::start(&authority).await;
    let pod = Pod::new("a", &authority, &[operator.address]);
    let all = Arc::new(examples());
    let counts = [all.routes.len(), all.keys.len(), all.providers.len(), all.models.len(), all.services.len()];
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    operator.publisher.publish(&gateway(), all.clone());
    let mut subscriber = pod.subscribe(Held::default());
    assert_eq!(**take(&mut subscriber).await.snapshot(), *all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_routes_come_at_once() {
    let authority = Authority::new();
    let operator = Operator::start(&authority).await;
    let wire = Wire::to(operator.address).await;
    let pod = Pod::new("a", &authority, &[wire.address]);
    let mut all = examples();
    let route = all.routes.values().next().unwrap().clone();
    for index in 0..5_000 {
        let id = RouteId::api(cause::ObjectName::new("shop", format!("route-{index}")));
        all.routes.insert(id.clone(), Arc::new(Route { id, ..Route::clone(&route) }));
    }
    let all = Arc::new(all);
    let began = Instant::now();
    operator.publisher.publish(&gateway(), all.clone());
    let published = began.elapsed();
    let mut subscriber = pod.subscribe(Held::default());
    let held = take(&mut subscriber).await;
    println!("published in {published:?}, there after {:?}, {} bytes", began.elapsed(), wire.came_down());
    assert_eq!(**held.snapshot(), *all);
    let seal = Seal::open(&pod.path("."), &pod.path("key"), &gateway()).unwrap();
    let began = Instant::now();
    seal.save(&held).unwrap();
    println!("sealed in {:?}", began.elapsed());
}
