//! The one task that owns the store: news in, rounds out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cause::ObjectName;
use crds::standard::Gateway;
use crds::v1alpha1::GatewayConfig;
use ir::SharedMap;
use jiff::Timestamp;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use translate::{GatewayStanding, Manifests, Written};

use super::Shared;
use super::api_servers;
use super::contents::Reader;
use crate::classes;
use crate::keys::{self, Survey};
use crate::kinds::Kind;
use crate::last_good;
use crate::reconcile::{After, Holding, Reconciler, Round};
use crate::store::{Change, Content, Kept, Key, Known, Pods, Recalled, Store};
use crate::watch::{News, What};

/// Between two passes over statuses and children.
const APART: Duration = Duration::from_millis(50);
/// News that are taken in at a stretch.
const STRETCH: usize = 4_096;
/// When to look again at a content that is waited for.
const LACKING: Duration = Duration::from_millis(250);
/// How long one reading of last good versions may take.
const RECALLING: Duration = Duration::from_secs(10);
/// The definition whose annotation tells the version of Gateway API.
const DEFINITION: &str = "gatewayclasses.gateway.networking.k8s.io";

/// Everything that statuses and children are made from.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    /// What objects mean and data planes should hold.
    pub(super) round: Round,
    /// What is known of all objects.
    pub(super) known: SharedMap<Key, Known>,
    /// The pods of data planes.
    pub(super) pods: Pods,
    /// The Gateways that are ours.
    pub(super) gateways: Arc<BTreeMap<ObjectName, Owned>>,
    /// The Gateways of which it is known that they are somebody else's.
    pub(super) foreign: BTreeSet<ObjectName>,
    /// Keys to be made or rotated.
    pub(super) keys: Arc<Survey>,
    /// Finalizers of classes that are not as they should be.
    pub(super) classes: Vec<classes::Change>,
    /// The versions that serve although newer ones are there.
    pub(super) kept: Arc<BTreeMap<Key, Kept>>,
    /// When this was put together.
    pub(super) made: std::time::Instant,
}

/// A Gateway that is ours, with what says how it is deployed.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    /// The Gateway.
    pub(super) gateway: Arc<Gateway>,
    /// The GatewayConfig that holds for it.
    pub(super) config: Option<Arc<GatewayConfig>>,
    /// How long calls in flight may go on when a pod ends.
    pub(super) drain: Duration,
    /// The port at which certificates of Ingresses are shown, beside those of its own listeners.
    pub(super) ingress_tls: Option<u16>,
    /// Whether it may be made what it asks for.
    pub(super) is_accepted: bool,
}

impl Owned {
    /// Whether both are made from the same objects.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let is_same_config = match (&self.config, &other.config) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_same_config
            && Arc::ptr_eq(&self.gateway, &other.gateway)
            && self.drain == other.drain
            && self.ingress_tls == other.ingress_tls
            && self.is_accepted == other.is_accepted
    }
}

/// Runs until watches end.
pub(super) async fn run(
    shared: Shared,
    reconciler: Reconciler,
    mut news: mpsc::Receiver<News>,
    passes: watch::Sender<Option<Arc<Pass>>>,
) {
    let (contents_to, mut contents) = mpsc::unbounded_channel();
    let (version_to, mut version) = mpsc::channel(1);
    let (recalled_to, mut recalled) = mpsc::channel(1);
    let (api_servers_to, mut api_servers) = mpsc::channel(1);
    tokio::spawn(api_servers::follow(shared.client.clone(), api_servers_to));
    let mut material = shared.material.clone();
    let reader = Reader::new(shared.client.clone(), contents_to);
    let mut cycle = Cycle {
        shared,
        reader,
        version_to,
        recalled_to,
        recall: Recall::Due,
        reconciler: Some(reconciler),
        passes,
        round: None,
        due: None,
        pass_due: None,
        passed: Instant::now(),
        is_ready: false,
    };
    loop {
        cycle.shared.figures.queue(news.len());
        let wake = cycle.wake();
        let mut change = tokio::select! {
            told = news.recv() => match told {
                Some(told) => cycle.take(told),
                None => return,
            },
            Some(content) = contents.recv() => cycle.fill(content),
            Some(version) = version.recv() => cycle.set_version(version),
            Some(addresses) = api_servers.recv() => cycle.set_api_servers(addresses),
            Some(recalled) = recalled.recv() => cycle.recalled(recalled),
            changed = material.changed() => if changed.is_err() { return } else { Change::Nothing },
            () = sleep_until(wake) => Change::Nothing,
        };
        for _ in 0..STRETCH {
            let Ok(told) = news.try_recv() else { break };
            change = change.max(cycle.take(told));
        }
        while let Ok(content) = contents.try_recv() {
            change = change.max(cycle.fill(content));
        }
        cycle.turn(change).await;
    }
}

/// What the last round came to.
struct Done {
    round: Round,
    survey: Arc<Survey>,
    kept: Arc<BTreeMap<Key, Kept>>,
}

/// How far the reading of last good versions is, which earlier operators wrote down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recall {
    Due,
    Asked,
    Done,
}

struct Cycle {
    shared: Shared,
    reader: Reader,
    version_to: mpsc::Sender<Option<Arc<str>>>,
    recalled_to: mpsc::Sender<Vec<Recalled>>,
    recall: Recall,
    /// Away only while it computes.
    reconciler: Option<Reconciler>,
    passes: watch::Sender<Option<Arc<Pass>>>,
    round: Option<Done>,
    /// When time alone changes what objects mean.
    due: Option<Instant>,
    /// When the next pass is to be made, if one is.
    pass_due: Option<Instant>,
    passed: Instant,
    /// Whether everything was translated once.
    is_ready: bool,
}

impl Cycle {
    fn store(&mut self) -> Option<&mut Store> {
        self.reconciler.as_mut().map(Reconciler::store_mut)
    }

    fn take(&mut self, news: News) -> Change {
        if matches!(news.what, What::Failing(_)) {
            self.shared.figures.watch_failure();
        }
        match &news.what {
            What::Failing(why) => self.shared.figures.watch(&news.source, Some(Arc::clone(why))),
            // A list that begins has been asked for, not answered.
            What::ListBegins | What::Listed(_) | What::Changed(_) | What::Gone(_) | What::Unknown => {}
            What::ListEnds => self.shared.figures.watch(&news.source, None),
        }
        if matches!(news.what, What::ListEnds) && news.source.kind == Kind::GatewayClass {
            tokio::spawn(gateway_api(self.shared.client.clone(), self.version_to.clone()));
        }
        let Some(store) = self.store() else { return Change::Nothing };
        let knew_all = store.missing().is_empty();
        let change = store.take(news);
        if let (true, Some(what)) = (knew_all, lacking(store)) {
            tracing::warn!("{what}");
        }
        change
    }

    fn fill(&mut self, content: Content) -> Change {
        match self.store().map(|store| store.fill(content)) {
            // Even one that is not there ends a wait.
            Some(Change::Marks | Change::Manifests) => Change::Manifests,
            Some(Change::Nothing) | None => Change::Nothing,
        }
    }

    fn set_version(&mut self, version: Option<Arc<str>>) -> Change {
        let changed = self.reconciler.as_mut().is_some_and(|reconciler| reconciler.set_gateway_api(version));
        if changed { Change::Manifests } else { Change::Nothing }
    }

    fn set_api_servers(&mut self, addresses: Vec<IpAddr>) -> Change {
        let changed = self.reconciler.as_mut().is_some_and(|reconciler| reconciler.set_api_servers(addresses));
        if changed { Change::Manifests } else { Change::Nothing }
    }

    fn recalled(&mut self, recalled: Vec<Recalled>) -> Change {
        self.recall = Recall::Done;
        self.store().map(|store| store.recall(recalled));
        Change::Manifests
    }

    fn wake(&self) -> Option<Instant> {
        self.due.into_iter().chain(self.pass_due).min()
    }

    /// Does what the change asks for, and what is due.
    async fn turn(&mut self, change: Change) {
        let Some(reconciler) = self.reconciler.as_ref() else { return };
        if !reconciler.store().is_complete() {
            self.shared.figures.await_for(awaited(reconciler.store()));
            return;
        }
        if self.recall != Recall::Done {
            // What is refused now may have been good before this operator was there.
            if self.recall == Recall::Due {
                self.recall = Recall::Asked;
                tokio::spawn(recall(self.shared.clone(), self.recalled_to.clone()));
            }
            self.shared.figures.await_for(Some("last good versions are being read".to_owned()));
            return;
        }
        let now = Instant::now();
        if change == Change::Manifests || self.round.is_none() || self.due.is_some_and(|due| due <= now) {
            self.round().await;
        }
        if self.is_ready {
            // A data plane that came now would find nobody.
            let waits = self.shared.material.borrow().is_none();
            self.shared.figures.await_for(waits.then(|| "the certificate of the config stream".to_owned()));
        }
        if change > Change::Nothing {
            self.read();
            self.pass_due.get_or_insert((self.passed + APART).max(now));
        }
        if self.pass_due.is_some_and(|due| due <= Instant::now()) {
            self.pass();
        }
    }

    /// Reads contents of which a newer version was told.
    fn read(&mut self) {
        let wanted = self.store().map(Store::wanted).unwrap_or_default();
        self.reader.read(wanted);
    }

    /// One round, away from this thread: streams go on meanwhile.
    async fn round(&mut self) {
        let Some(mut reconciler) = self.reconciler.take() else { return };
        let begun = Instant::now();
        let computed = tokio::task::spawn_blocking(move || {
            let now = Timestamp::now();
            let after = reconciler.round(now);
            let survey = keys::survey(reconciler.store().manifests(), now);
            let kept = reconciler.store().kept();
            (reconciler, after, survey, kept)
        });
        let Ok((reconciler, After { wanted, round }, survey, kept)) = computed.await else {
            // A panic in there is a defect of ours; the process starts anew.
            tracing::error!("a translation ended in a panic");
            std::process::abort();
        };
        self.reconciler = Some(reconciler);
        self.reader.read(wanted);
        let changes = round.as_ref().and_then(|round| round.translation.next_change);
        let next = survey.next.into_iter().chain(changes).min();
        self.shared.figures.due(next);
        self.due = next.and_then(|next| later(begun, next));
        match round {
            Some(round) => {
                self.shared.figures.round(begun.elapsed());
                self.shared.figures.revisions(round.revisions);
                self.round = Some(Done { round, survey: Arc::new(survey), kept: Arc::new(kept) });
                self.pass_due.get_or_insert((self.passed + APART).max(Instant::now()));
                self.is_ready = true;
            }
            None => self.due = Some(begun + LACKING),
        }
    }

    /// Hands what statuses and children are made from to whoever makes them.
    fn pass(&mut self) {
        self.pass_due = None;
        self.passed = Instant::now();
        let (Some(Done { round, survey, kept }), Some(reconciler)) = (&self.round, &self.reconciler) else { return };
        let store = reconciler.store();
        self.shared.figures.objects(Kind::ALL.into_iter().map(|kind| (kind, store.of_kind(kind).count())).collect());
        let manifests = store.manifests();
        let owned = |name: &ObjectName, holding: &Holding| {
            let standing = round.translation.standings.gateways.get(name);
            let config = standing.and_then(|standing| standing.config.as_ref());
            Some(Owned {
                gateway: Arc::clone(manifests.gateways.get(name)?.value()?),
                config: config.and_then(|config| manifests.gateway_configs.get(config)?.value()).map(Arc::clone),
                drain: holding.drain,
                ingress_tls: ingress_tls(&round.translation.snapshot, name),
                is_accepted: standing.is_some_and(GatewayStanding::is_deployable),
            })
        };
        let gateways = round.holdings.iter().filter_map(|(name, holding)| Some((name.clone(), owned(name, holding)?))).collect();
        let pass = Pass {
            round: round.clone(),
            known: store.known().clone(),
            pods: store.pods().clone(),
            gateways: Arc::new(gateways),
            foreign: foreign(manifests),
            // Who does not see all Gateways cannot tell that none uses a class.
            classes: if self.shared.namespaces().is_empty() { classes::survey(manifests) } else { Vec::new() },
            keys: Arc::clone(survey),
            kept: Arc::clone(kept),
            made: std::time::Instant::now(),
        };
        self.passes.send_replace(Some(Arc::new(pass)));
    }
}

/// What keeps everything from being translated.
fn awaited(store: &Store) -> Option<String> {
    lacking(store).or_else(|| {
        let kind = store.awaited().next()?.kind.name();
        Some(format!("objects of kind {kind} are being listed"))
    })
}

/// Which definitions the cluster lacks, and where they come from.
fn lacking(store: &Store) -> Option<String> {
    let missing: Vec<&str> = store.missing().iter().map(|kind| kind.name()).collect();
    let missing = (!missing.is_empty()).then(|| missing.join(", "))?;
    Some(format!(
        "the cluster does not know {missing}; install the definitions of this version: Helm chart `doorward-crds`, or \
         `kubectl apply --server-side -f charts/install.yaml`; they are looked for again every few seconds"
    ))
}

/// The port of the listener that a Gateway got for the certificates of Ingresses.
fn ingress_tls(snapshot: &ir::Snapshot, gateway: &ObjectName) -> Option<u16> {
    let id = ir::ListenerId { gateway: gateway.clone(), name: translate::INGRESS_LISTENER.into() };
    snapshot.listeners.get(&id).map(|listener| listener.port)
}

/// The Gateways whose class is there and somebody else's.
fn foreign(manifests: &Manifests) -> BTreeSet<ObjectName> {
    let is_foreign = |gateway: &Gateway| {
        let class = ObjectName::new("", gateway.spec.gateway_class_name.as_str());
        let class = manifests.gateway_classes.get(&class).and_then(Written::value);
        class.is_some_and(|class| class.spec.controller_name != translate::CONTROLLER)
    };
    let gateways = manifests.gateways.iter().filter(|(_, written)| written.value().is_some_and(|gateway| is_foreign(gateway)));
    gateways.map(|(name, _)| name.clone()).collect()
}

/// When a time comes, on the clock that waits are made by.
fn later(now: Instant, then: Timestamp) -> Option<Instant> {
    let wait = Duration::try_from(then.duration_since(Timestamp::now())).unwrap_or_default();
    // A moment more, so that the time has come by any rounding.
    now.checked_add(wait.saturating_add(Duration::from_millis(1)))
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

/// Reads what earlier operators wrote down, for as long as it takes.
async fn recall(shared: Shared, to: mpsc::Sender<Vec<Recalled>>) {
    let mut is_told = false;
    loop {
        let asked = last_good::recall(&shared.client, &shared.options.namespace);
        match tokio::time::timeout(RECALLING, asked).await {
            Ok(Ok(recalled)) => {
                // An error means that the operator stops.
                let _told = to.send(recalled).await;
                return;
            }
            Ok(Err(error)) if !is_told => {
                tracing::warn!(error = &error as &dyn std::error::Error, "last good versions cannot be read");
                is_told = true;
            }
            Ok(Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(LACKING).await;
    }
}

/// Asks which version of Gateway API's definitions the cluster has.
async fn gateway_api(client: Client, to: mpsc::Sender<Option<Arc<str>>>) {
    let definitions: Api<PartialObjectMeta<CustomResourceDefinition>> = Api::all(client);
    match definitions.get(DEFINITION).await {
        Ok(definition) => {
            let version =
                definition.annotations().get("gateway.networking.k8s.io/bundle-version").map(|text| text.as_str().into());
            // An error means that the operator stops.
            let _told = to.send(version).await;
        }
        Err(error) => tracing::warn!(%error, "the version of Gateway API is not known"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Source;

    #[test]
    fn what_the_cluster_lacks_is_told_with_what_brings_it() {
        let check = |news: &[(Kind, What)], expected: &[&str]| {
            let source = |kind| Source { kind, namespace: None };
            let mut store = Store::new([Kind::ApiRoute, Kind::ApiKey, Kind::Service].map(source));
            for (kind, what) in news {
                store.take(News { source: source(*kind), what: what.clone() });
            }
            let told = awaited(&store).unwrap_or_default();
            assert!(expected.iter().all(|word| told.contains(word)), "{told}");
            assert_eq!(told.is_empty(), expected.is_empty(), "{told}");
        };
        check(&[], &["objects of kind ApiRoute are being listed"]);
        check(&[(Kind::ApiRoute, What::Unknown)], &["does not know ApiRoute;", "doorward-crds", "charts/install.yaml"]);
        check(&[(Kind::ApiRoute, What::Unknown), (Kind::ApiKey, What::Unknown)], &["does not know ApiRoute, ApiKey;"]);
        let installed = [(Kind::ApiRoute, What::Unknown), (Kind::ApiRoute, What::ListEnds), (Kind::ApiKey, What::ListEnds)];
        check(&installed, &["objects of kind Service are being listed"]);
        let all = [Kind::ApiRoute, Kind::ApiKey, Kind::Service].map(|kind| (kind, What::ListEnds));
        check(&all, &[]);
    }
}
