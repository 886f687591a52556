//! The task that writes statuses, on the operator that leads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cause::ObjectName;
use delivery::Replicas;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use tokio::sync::watch;

use super::Shared;
use super::cycle::Pass;
use crate::health::Gateway;
use crate::status::{Board, Facts, Notice, Notices, Plan, Provisioned, Writer, Written, compute};

/// How long a Secret that is being made is not missed.
const ISSUING: Duration = Duration::from_secs(1);

/// How long news wait for others that belong to them: what was just published reaches data planes first, and what they
/// say of it comes as soon.
const GATHERED: Duration = Duration::from_millis(100);

/// Between two times that events are told of which there are many.
const MORE: Duration = Duration::from_secs(1);

/// How many times as long as it took to compute them statuses are left alone then.
const RESTS: u32 = 3;

/// What upkeep tells of Gateways.
pub(super) type States = Arc<BTreeMap<ObjectName, Provisioned>>;
/// The replicas of a Gateway that are ready or connected.
type Company = BTreeSet<(Arc<str>, bool)>;

/// Writes whatever is to be written, for as long as it is polled.
pub(super) async fn run(
    mut shared: Shared,
    mut passes: watch::Receiver<Option<Arc<Pass>>>,
    mut states: watch::Receiver<States>,
    mut replicas: watch::Receiver<Arc<Replicas>>,
) {
    let writer = Writer::new(shared.client.clone(), &shared.options.me);
    let mut scribe = Scribe::new();
    let mut flying = FuturesUnordered::new();
    let mut again = None;
    loop {
        tokio::select! {
            changed = passes.changed() => if changed.is_err() { return },
            changed = states.changed() => if changed.is_err() { return },
            changed = replicas.changed() => if changed.is_err() { return },
            changed = shared.leading.changed() => if changed.is_err() { return },
            Some((key, written)) = flying.next() => {
                shared.figures.write(!matches!(written, Written::Failed));
                scribe.board.ended(&key, written, Instant::now());
            }
            () = sleep_until(again) => {}
        }
        let leads = *shared.leading.borrow_and_update();
        shared.figures.leader(leads);
        let said = Arc::clone(&replicas.borrow_and_update());
        let connected = said.values().flat_map(BTreeMap::values).filter(|replica| replica.connected).count();
        shared.figures.replicas(connected);
        let pass = passes.borrow_and_update().clone();
        let provisioned = Arc::clone(&states.borrow_and_update());
        let Some(pass) = pass else { continue };
        scribe.meet(&pass, &said);
        let gateway = |(name, holding): (&ObjectName, &crate::reconcile::Holding)| {
            let replicas = said.get(name).cloned().unwrap_or_default();
            (name.clone(), Gateway { revision: holding.revision.0, replicas })
        };
        shared.figures.gateways(pass.round.holdings.iter().map(gateway).collect());
        again = Some(scribe.due(Instant::now())).filter(|due| leads && *due > Instant::now());
        if !leads || again.is_some() {
            continue;
        }
        // Away from this thread: streams go on meanwhile.
        let planned = tokio::task::spawn_blocking(move || {
            let plan = scribe.plan(&pass, &said, &provisioned);
            let notices = scribe.notices(&pass);
            (scribe, plan, notices)
        });
        let Ok((back, plan, (notices, are_more))) = planned.await else {
            // A panic in there is a defect of ours; the process starts anew.
            tracing::error!("computing statuses ended in a panic");
            std::process::abort();
        };
        scribe = back;
        again = plan.again.into_iter().chain(are_more.then(|| Instant::now() + MORE)).min();
        for notice in notices {
            tokio::spawn(writer.clone().notice(notice));
        }
        for write in plan.writes {
            flying.push(writer.clone().write(write));
        }
    }
}

struct Scribe {
    board: Board,
    notices: Notices,
    begun: Instant,
    companies: BTreeMap<ObjectName, Company>,
    steady: BTreeMap<ObjectName, Instant>,
    /// Until when nothing is computed again, so that statuses of many objects take a part of one core.
    rests: Option<Instant>,
    /// Since when there is something new.
    news: Option<Instant>,
}

impl Scribe {
    fn new() -> Self {
        Self {
            board: Board::default(),
            notices: Notices::default(),
            begun: Instant::now(),
            companies: BTreeMap::new(),
            steady: BTreeMap::new(),
            rests: None,
            news: None,
        }
    }

    /// When statuses are to be computed, if there is something new now.
    fn due(&mut self, now: Instant) -> Instant {
        let gathered = *self.news.get_or_insert(now) + GATHERED;
        self.rests.map_or(gathered, |rests| rests.max(gathered))
    }

    /// Remembers since when the replicas of each Gateway are the same.
    fn meet(&mut self, pass: &Pass, replicas: &Replicas) {
        for gateway in pass.round.holdings.keys() {
            let ready = pass.pods.ready(gateway).map(|(_, pod)| (Arc::clone(&pod.uid), false));
            let connected = replicas.get(gateway).into_iter().flat_map(BTreeMap::values).filter(|replica| replica.connected);
            let company: Company = ready.chain(connected.map(|replica| (Arc::clone(&replica.uid), true))).collect();
            if self.companies.get(gateway) != Some(&company) {
                self.companies.insert(gateway.clone(), company);
                self.steady.insert(gateway.clone(), Instant::now());
            }
        }
        self.companies.retain(|gateway, _| pass.round.holdings.contains_key(gateway));
        self.steady.retain(|gateway, _| pass.round.holdings.contains_key(gateway));
    }

    /// What to tell now of objects whose status does not, and whether that is not all.
    fn notices(&mut self, pass: &Pass) -> (Vec<Notice>, bool) {
        self.notices.due(&pass.round.translation.standings.ingresses, &pass.known)
    }

    /// What to write now.
    fn plan(&mut self, pass: &Pass, replicas: &Replicas, provisioned: &BTreeMap<ObjectName, Provisioned>) -> Plan {
        let begun = Instant::now();
        self.news = None;
        let issued = pass.keys.work.iter().map(|work| {
            let metadata = &work.key.metadata;
            let name = |text: &Option<String>| text.clone().unwrap_or_default();
            ObjectName::new(name(&metadata.namespace), name(&metadata.name))
        });
        let facts = Facts {
            issued: &issued.collect(),
            issuing: pass.made + ISSUING,
            standings: &pass.round.translation.standings,
            holdings: &pass.round.holdings,
            replicas,
            pods: &pass.pods,
            known: &pass.known,
            provisioned,
            steady: &self.steady,
            begun: self.begun,
            foreign: &pass.foreign,
        };
        let mut planning = self.board.begin(&pass.known, begun, Timestamp::now());
        compute(&facts, &mut |key, basis, wanted| planning.consider(key, basis, wanted));
        let plan = planning.end();
        self.rests = Some(Instant::now() + begun.elapsed() * RESTS);
        plan
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake.into()).await,
        None => std::future::pending().await,
    }
}
