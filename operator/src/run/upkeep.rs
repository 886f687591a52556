//! The task that makes what Gateways and keys need in the cluster, on the operator that leads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cause::ObjectName;
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::cycle::{Owned, Pass};
use super::statuses::States;
use crate::classes;
use crate::keys;
use crate::provision::{self, ChildKind, Live, Problem, Surroundings, Wanted};
use crate::status::Provisioned;

/// The wait after something failed.
const PAUSE: Duration = Duration::from_millis(500);
/// The wait after which it is looked again at what keeps a Gateway from something: it may be gone,
/// and nobody tells.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long one Gateway or key may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps up whatever is to be kept up, for as long as it is polled.
pub(super) async fn run(mut shared: Shared, mut passes: watch::Receiver<Option<Arc<Pass>>>, states: watch::Sender<States>) {
    let mut told = std::pin::pin!(provision::follow(&shared.client, &shared.namespaces()));
    let mut upkeep = Upkeep { live: Live::default(), done: BTreeMap::new(), problems: BTreeMap::new(), states };
    let mut again: Option<Instant> = None;
    let mut look_again: Option<Instant> = None;
    loop {
        tokio::select! {
            changed = passes.changed() => if changed.is_err() { return },
            changed = shared.leading.changed() => if changed.is_err() { return },
            changed = shared.material.changed() => if changed.is_err() { return },
            Some(news) = told.next() => upkeep.note(news),
            () = sleep_until(again) => {}
            () = sleep_until(look_again) => {
                look_again = None;
                upkeep.doubt();
            }
        }
        while let Some(Some(news)) = told.next().now_or_never() {
            upkeep.note(news);
        }
        let leads = *shared.leading.borrow_and_update();
        let bundle = shared.material.borrow_and_update().as_ref().map(|material| material.bundle.clone());
        let pass = passes.borrow_and_update().clone();
        let Some(pass) = pass else { continue };
        again = None;
        if leads
            && upkeep.live.is_complete()
            && let Some(bundle) = bundle
        {
            let are_gateways_done = upkeep.gateways(&shared, &pass, &shared.surroundings(bundle)).await;
            let are_keys_done = make_keys(&shared, &pass).await;
            let are_classes_done = hold_classes(&shared, &pass).await;
            again = (!are_gateways_done || !are_keys_done || !are_classes_done).then(|| Instant::now() + PAUSE);
        }
        if look_again.is_none() && upkeep.problems.values().any(|problems| !problems.is_empty()) {
            look_again = Some(Instant::now() + LOOK_AGAIN);
        }
        upkeep.tell(&pass);
    }
}

struct Upkeep {
    live: Live,
    /// From what each Gateway was made that has all that it needs.
    done: BTreeMap<ObjectName, (Owned, Surroundings)>,
    problems: BTreeMap<ObjectName, Vec<Problem>>,
    states: watch::Sender<States>,
}

impl Upkeep {
    fn note(&mut self, news: provision::News) {
        for gateway in self.live.note(news) {
            self.done.remove(&gateway);
        }
    }

    /// Forgets that the Gateways that lack something are done.
    fn doubt(&mut self) {
        let problems = &self.problems;
        self.done.retain(|name, _| problems.get(name).is_none_or(Vec::is_empty));
    }

    /// Makes what Gateways lack; whether nothing is left to be done.
    async fn gateways(&mut self, shared: &Shared, pass: &Pass, around: &Surroundings) -> bool {
        self.done.retain(|name, _| pass.gateways.contains_key(name));
        self.problems.retain(|name, _| pass.gateways.contains_key(name));
        let mut is_done = true;
        for (name, owned) in &*pass.gateways {
            let is_same = |(of, by): &(Owned, Surroundings)| of.is_same(owned) && by == around;
            if owned.gateway.metadata.deletion_timestamp.is_some() || self.done.get(name).is_some_and(is_same) {
                continue;
            }
            let deployment = owned.config.as_ref().and_then(|config| config.spec.deployment.as_ref());
            let Owned { drain, ingress_tls, is_accepted, .. } = *owned;
            let wanted = Wanted { deployment, drain, ingress_tls, is_accepted };
            let making = provision::reconcile(&shared.client, &self.live, &owned.gateway, (&wanted, around));
            match tokio::time::timeout(PATIENCE, making).await {
                Ok(Ok(problems)) => {
                    self.problems.insert(name.clone(), problems);
                    self.done.insert(name.clone(), (owned.clone(), around.clone()));
                }
                Ok(Err(error)) => {
                    is_done = false;
                    tracing::warn!(gateway = %name, error = &error as &dyn std::error::Error, "a Gateway cannot be provisioned");
                }
                Err(_) => is_done = false,
            }
        }
        for name in self.live.gateways().intersection(&pass.foreign) {
            let going = provision::withdraw(&shared.client, &self.live, name);
            if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, going).await {
                is_done = false;
                tracing::warn!(gateway = %name, error = &error as &dyn std::error::Error, "what a Gateway had cannot be taken away");
            }
        }
        is_done
    }

    /// Tells where Gateways are reached and what they lack.
    fn tell(&self, pass: &Pass) {
        let state = |(name, owned): (&ObjectName, &Owned)| {
            let service = ObjectName::new(Arc::clone(&name.namespace), provision::child_name(name));
            let service = self.live.get(ChildKind::Service, &service);
            Provisioned {
                addresses: service.map(provision::addresses).unwrap_or_default(),
                asked: provision::asked(&owned.gateway),
                problems: self.problems.get(name).cloned().unwrap_or_default(),
            }
        };
        let states: BTreeMap<ObjectName, Provisioned> =
            pass.gateways.iter().map(|(name, owned)| (name.clone(), state((name, owned)))).collect();
        self.states.send_if_modified(|told| {
            let changed = **told != states;
            if changed {
                *told = Arc::new(states);
            }
            changed
        });
    }
}

/// Holds the classes that Gateways use, and lets go of those that none does; whether nothing is left to be done.
async fn hold_classes(shared: &Shared, pass: &Pass) -> bool {
    let mut is_done = true;
    for change in &pass.classes {
        let holding = classes::carry_out(&shared.client, change);
        match tokio::time::timeout(PATIENCE, holding).await {
            // What was written comes back by watching.
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                is_done = false;
                tracing::warn!(class = %change.class.name, %error, "the finalizer of a GatewayClass is not written");
            }
            Err(_) => is_done = false,
        }
    }
    is_done
}

/// Makes and rotates keys that are due; whether nothing is left to be done.
async fn make_keys(shared: &Shared, pass: &Pass) -> bool {
    let mut is_done = true;
    for work in &pass.keys.work {
        let making = keys::carry_out(&shared.client, work, Timestamp::now());
        match tokio::time::timeout(PATIENCE, making).await {
            // What was written comes back by watching.
            Ok(Ok(outcome @ keys::Outcome::Rotated { ended_early: 1.., .. })) => {
                let key = work.key.metadata.name.as_deref().unwrap_or_default();
                tracing::warn!(key, ?outcome, "a key was rotated so often that an earlier text ended before its overlap");
            }
            Ok(Ok(outcome)) => tracing::debug!(?outcome, "a key"),
            Ok(Err(error)) => {
                is_done = false;
                tracing::warn!(error = &error as &dyn std::error::Error, "a key is not written");
            }
            Err(_) => is_done = false,
        }
    }
    is_done
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
