//! Names: remembered, refreshed, used stale.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::LocalSet;
use tokio::time::{advance, sleep};

use crate::choose::Dice;
use crate::resolve::{Lookup, Resolver};

/// A name service whose answers change.
struct Service {
    answer: RefCell<io::Result<Vec<IpAddr>>>,
    asked: Cell<usize>,
    takes: Cell<Duration>,
}

impl Service {
    fn says(&self, addresses: &[[u8; 4]]) {
        *self.answer.borrow_mut() = Ok(addresses.iter().map(|octets| IpAddr::from(*octets)).collect());
    }

    fn fails(&self) {
        *self.answer.borrow_mut() = Err(io::ErrorKind::TimedOut.into());
    }
}

fn service() -> (Rc<Service>, Rc<Resolver>) {
    let service = Rc::new(Service { answer: RefCell::new(Ok(Vec::new())), asked: Cell::new(0), takes: Cell::default() });
    let asked = Rc::clone(&service);
    let lookup: Lookup = Rc::new(move |_| {
        let asked = Rc::clone(&asked);
        let lookup: Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>>>> = Box::pin(async move {
            asked.asked.set(asked.asked.get() + 1);
            sleep(asked.takes.get()).await;
            match &*asked.answer.borrow() {
                Ok(addresses) => Ok(addresses.clone()),
                Err(error) => Err(error.kind().into()),
            }
        });
        lookup
    });
    (service, Resolver::new(lookup, Rc::new(Dice::new(4))))
}

async fn ask(resolver: &Rc<Resolver>, name: &str) -> Result<Vec<String>, Arc<str>> {
    let addresses = resolver.addresses(&name.into()).await?;
    Ok(addresses.iter().map(ToString::to_string).collect())
}

fn found(addresses: &[&str]) -> Result<Vec<String>, Arc<str>> {
    Ok(addresses.iter().map(|address| (*address).to_owned()).collect())
}

async fn check(test: impl Future<Output = ()>) {
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn answers_are_remembered_and_refreshed() {
    check(async {
        let (service, resolver) = service();
        service.says(&[[10, 0, 0, 2], [10, 0, 0, 1], [10, 0, 0, 2]]);
        for _ in 0..3 {
            assert_eq!(ask(&resolver, "orders").await, found(&["10.0.0.1", "10.0.0.2"]));
        }
        assert_eq!(service.asked.get(), 1);
        service.says(&[[10, 0, 0, 3]]);
        advance(Duration::from_millis(5_001)).await;
        assert_eq!(ask(&resolver, "orders").await, found(&["10.0.0.1", "10.0.0.2"]), "old ones at once");
        sleep(Duration::from_millis(1)).await;
        assert_eq!((ask(&resolver, "orders").await, service.asked.get()), (found(&["10.0.0.3"]), 2));
        service.says(&[[10, 0, 0, 4]]);
        advance(Duration::from_millis(60_001)).await;
        assert_eq!(ask(&resolver, "orders").await, found(&["10.0.0.4"]), "very old ones are not used");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn failures_leave_old_answers_standing() {
    check(async {
        let (service, resolver) = service();
        service.fails();
        assert_eq!(ask(&resolver, "orders").await, Err("the name orders cannot be resolved".into()));
        service.says(&[]);
        assert_eq!(ask(&resolver, "orders").await, Err("the name orders has no address".into()));
        service.says(&[[10, 0, 0, 1]]);
        assert_eq!(ask(&resolver, "orders").await, found(&["10.0.0.1"]));
        service.fails();
        advance(Duration::from_secs(3_600)).await;
        let asked = service.asked.get();
        for _ in 0..5 {
            assert_eq!(ask(&resolver, "orders").await, found(&["10.0.0.1"]));
        }
        assert_eq!(service.asked.get(), asked + 1, "and the service is left alone for a second");
        advance(Duration::from_millis(2_001)).await;
        service.says(&[[10, 0, 0, 9]]);
        assert_eq!(ask(&resolver, "orders").await, found(&["10.0.0.9"]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_question_serves_all_who_wait() {
    check(async {
        let (service, resolver) = service();
        service.says(&[[10, 0, 0, 1]]);
        service.takes.set(Duration::from_secs(2));
        let all = join_all((0..50).map(|_| ask(&resolver, "orders"))).await;
        assert!(all.iter().all(|answer| *answer == found(&["10.0.0.1"])));
        assert_eq!(service.asked.get(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn addresses_are_not_asked_for_and_names_are_bounded() {
    check(async {
        let (service, resolver) = service();
        for address in ["10.1.2.3", "::1"] {
            assert_eq!(ask(&resolver, address).await, found(&[address]));
        }
        assert_eq!(service.asked.get(), 0);
        service.says(&[[10, 0, 0, 1]]);
        for number in 0..1_100 {
            ask(&resolver, &format!("name-{number}")).await.unwrap();
            advance(Duration::from_millis(1)).await;
        }
        assert!(resolver.remembered("name-0").is_none());
        assert_eq!((0..1_100).filter(|number| resolver.remembered(&format!("name-{number}")).is_some()).count(), 1_024);
    })
    .await;
}
