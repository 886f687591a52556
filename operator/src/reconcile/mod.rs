//! One round: everything that is known becomes what data planes should serve.

mod holding;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cause::ObjectName;
use delivery::{Publisher, Revision};
use jiff::Timestamp;
use translate::{Cluster, Context, Memory, Translation, translate_again};

use crate::store::{Store, Wanted};
pub use holding::{Held, Holding};

/// How long a translation waits for contents that it refers to. A Secret that cannot be read keeps
/// nobody else from being served for longer.
const HELD: Duration = Duration::from_secs(2);

/// What is known, and what was made of it.
pub struct Reconciler {
    store: Store,
    publisher: Publisher,
    cluster: Cluster,
    /// Where API servers are.
    api_servers: Vec<IpAddr>,
    /// What was translated before.
    memory: Memory,
    holdings: Arc<BTreeMap<ObjectName, Holding>>,
    lacking: Option<Instant>,
}

/// What a round came to.
#[derive(Clone, Debug)]
pub struct Round {
    /// What the objects mean.
    pub translation: Arc<Translation>,
    /// What each Gateway's data planes should hold.
    pub holdings: Arc<BTreeMap<ObjectName, Holding>>,
    /// States that were not published before.
    pub revisions: u64,
}

/// What is to be done after a round.
#[derive(Debug)]
pub struct After {
    /// Contents to be read.
    pub wanted: Vec<Wanted>,
    /// What came of it; `None` while a content is waited for.
    pub round: Option<Round>,
}

impl Reconciler {
    /// One that knows nothing yet.
    #[must_use]
    pub fn new(store: Store, publisher: Publisher, default_gateway: ObjectName) -> Self {
        let cluster = Cluster { default_gateway, gateway_api: None };
        let api_servers = Vec::new();
        Self { store, publisher, cluster, api_servers, memory: Memory::default(), holdings: Arc::default(), lacking: None }
    }

    /// What is known.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// What is known, to be told more.
    pub const fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The version of Gateway API's definitions; whether it is another than before.
    pub fn set_gateway_api(&mut self, version: Option<Arc<str>>) -> bool {
        let changed = self.cluster.gateway_api != version;
        self.cluster.gateway_api = version;
        changed
    }

    /// Where API servers are, to which no URL of a manifest may lead; whether that is another answer than before.
    pub fn set_api_servers(&mut self, addresses: Vec<IpAddr>) -> bool {
        let changed = self.api_servers != addresses;
        self.api_servers = addresses;
        changed
    }

    /// Translates everything and publishes what each Gateway should serve. Computes, and so blocks.
    pub fn round(&mut self, now: Timestamp) -> After {
        let context = Context::of_cluster(now, self.cluster.clone());
        let mut translation = translate_again(self.store.manifests(), &context, &mut self.memory);
        if self.store.settle(&translation) {
            translation = translate_again(self.store.manifests(), &context, &mut self.memory);
            self.store.settle(&translation);
        }
        let wanted = self.store.wanted();
        if self.store.lacks_content() {
            let since = *self.lacking.get_or_insert_with(Instant::now);
            if since.elapsed() < HELD {
                return After { wanted, round: None };
            }
        } else {
            self.lacking = None;
        }
        let revisions = self.publish(&translation);
        let round = Round { translation: Arc::new(translation), holdings: Arc::clone(&self.holdings), revisions };
        After { wanted, round: Some(round) }
    }

    fn publish(&mut self, translation: &Translation) -> u64 {
        let mut holdings = BTreeMap::new();
        let mut revisions = 0;
        for (gateway, standing) in &translation.standings.gateways {
            let mut snapshot = translation.for_gateway(gateway);
            snapshot.settings.never.clone_from(&self.api_servers);
            let snapshot = Arc::new(snapshot);
            let revision: Revision = self.publisher.publish(gateway, Arc::clone(&snapshot));
            let before = self.holdings.get(gateway);
            revisions += u64::from(before.is_none_or(|before| before.revision != revision));
            holdings.insert(
                gateway.clone(),
                Holding::after(before, (gateway, standing.config.as_ref()), &snapshot, revision, self.store.known()),
            );
        }
        let gone: BTreeSet<&ObjectName> = self.holdings.keys().filter(|gateway| !holdings.contains_key(*gateway)).collect();
        for gateway in gone {
            self.publisher.withdraw(gateway);
        }
        self.holdings = Arc::new(holdings);
        revisions
    }
}
