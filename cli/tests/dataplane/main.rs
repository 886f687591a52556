//! The program as a pod runs it: from an operator's stream, from what it sealed, and to its end.

#![expect(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a test fails by panicking")]

mod support;

use std::net::TcpListener;
use std::sync::Arc;

use support::{Operator, Pod, free_port, state};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_serves_what_an_operator_says_and_survives_without_one() {
    let (plain, operator_port) = (free_port(), free_port());
    let pod = Pod::new(operator_port);
    let program = pod.start();
    program.is_ready(false).await;
    assert_eq!(program.get(plain, "/orders").await, None, "nothing is listened on before there is a configuration");

    let operator = Operator::start(&pod, operator_port).await;
    operator.publish(state(plain, "first")).await;
    program.is_ready(true).await;
    program.answers(plain, "first").await;
    let second = state(plain, "second");
    operator.publish(second.clone()).await;
    program.answers(plain, "second").await;
    pod.has_sealed(&second).await;

    // Without an operator the configuration goes on, also in a container that is started again.
    drop(operator);
    program.kill().await;
    let mut program = pod.start();
    program.is_ready(true).await;
    program.answers(plain, "second").await;

    // An operator that comes back is found, and heard.
    let operator = Operator::start(&pod, operator_port).await;
    operator.publish(state(plain, "third")).await;
    program.answers(plain, "third").await;

    // A pod that ends says so first, and serves on until nobody can still come.
    program.terminate();
    program.is_ready(false).await;
    program.answers(plain, "third").await;
    assert!(program.ended().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_cannot_be_had_is_told_and_the_others_serve() {
    let (plain, operator_port) = (free_port(), free_port());
    let taken = TcpListener::bind(("0.0.0.0", free_port())).unwrap();
    let pod = Pod::new(operator_port);
    let program = pod.start();
    let operator = Operator::start(&pod, operator_port).await;
    let mut both = (*state(plain, "both")).clone();
    let listener = both.listeners.values().next().unwrap().clone();
    for (name, port) in [("taken", taken.local_addr().unwrap().port()), ("reserved", 50_080)] {
        let id = ir::ListenerId { name: name.into(), ..listener.id.clone() };
        both.listeners.insert(id.clone(), ir::Listener { id, port, ..listener.clone() });
    }
    let revision = operator.publish(both.into()).await;
    let replica = operator.hears(|replica| replica.applied == Some(revision)).await;
    let mut refused: Vec<_> = replica.refused.iter().map(|refusal| refusal.resource.to_string()).collect();
    refused.sort();
    assert_eq!(refused, ["Listener default/public/reserved", "Listener default/public/taken"], "{replica:?}");
    program.is_ready(true).await;
    program.answers(plain, "both").await;

    // It is tried again until it can be had.
    drop(taken);
    let replica = operator.hears(|replica| replica.refused.len() == 1).await;
    assert_eq!(&*replica.refused[0].reason, "port 50080 cannot be served from a pod; choose another");
    program.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_that_only_this_pod_cannot_serve_is_closed_and_told() {
    let (plain, operator_port) = (free_port(), free_port());
    let pod = Pod::new(operator_port);
    let program = pod.start();
    let operator = Operator::start(&pod, operator_port).await;
    let good = state(plain, "good");
    operator.publish(good.clone()).await;
    program.answers(plain, "good").await;
    let mut skewed = (*good).clone();
    let (id, route) = good.routes.iter().next().unwrap();
    // An older one, which its own manifest closes, is served first and written last: nothing is said of it.
    let closed = ir::RouteId { name: cause::ObjectName::new("default", "zebra"), ..id.clone() };
    let fault = cause::Fault::error(
        cause::ObjectRef::new("ApiRoute", closed.name.clone()),
        cause::FieldPath::of("spec.path"),
        cause::FaultCause::NotHere { what: "this route".into() },
    );
    skewed.routes.insert(
        closed.clone(),
        Arc::new(ir::Route {
            id: closed,
            created_at: Some(jiff::Timestamp::UNIX_EPOCH),
            serve: ir::Part::Broken(fault.into()),
            ..(**route).clone()
        }),
    );
    let mut serve = (**route.serve.as_result().unwrap()).clone();
    serve.checks.authorization.rules.push(ir::Rule {
        name: "of-tomorrow".into(),
        effect: ir::Effect::Deny,
        enforcement: ir::Enforcement::Enforce,
        methods: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        when: Some(ir::Part::Ready("request.mood(".into())),
    });
    let skew = ir::Route { created_at: Some(jiff::Timestamp::MAX), serve: ir::Part::Ready(serve.into()), ..(**route).clone() };
    skewed.routes.insert(id.clone(), Arc::new(skew));
    operator.publish(skewed.into()).await;
    let replica = operator.hears(|replica| !replica.refused.is_empty()).await;
    let refused: Vec<_> = replica.refused.iter().map(|refusal| refusal.resource.clone()).collect();
    assert_eq!(refused, [ir::ResourceId::Route(id.clone())]);
    assert!(!replica.refused[0].reason.is_empty());
    assert_eq!(program.get(plain, "/orders").await, None, "what cannot be checked is not served");
    let revision = operator.publish(good).await;
    operator.hears(|replica| replica.applied == Some(revision) && replica.refused.is_empty()).await;
    program.answers(plain, "good").await;
    program.kill().await;
}
