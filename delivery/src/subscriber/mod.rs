//! The data plane's side: one stream to each operator, of which one is the source of what is served.
//!
//! All operators hear what this replica settled, so that the one that writes statuses knows it, whichever serves the
//! replica. When the source goes, another becomes the source and sends only what differs.

mod connect;
mod engine;
mod link;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use cause::ObjectName;
use ir::ResourceId;
use tokio::net::lookup_host;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::held::Held;

/// What a replica asks for, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name that the operators' certificates are for.
    pub server_name: String,
    /// The Gateway.
    pub gateway: ObjectName,
    /// The certificate authorities that are trusted, in PEM. Read at each connect, so that they can be replaced.
    pub ca: PathBuf,
    /// The token of the pod. Read at each connect.
    pub token: PathBuf,
}

/// Finds the addresses of all operators that are there now.
pub type Resolve = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>> + Send + Sync>;

/// Any number: spreads reconnects.
pub type Dice = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a subscriber cannot do by itself.
#[derive(Clone)]
pub struct Surroundings {
    /// Where operators are.
    pub resolve: Resolve,
    /// Randomness.
    pub dice: Dice,
}

/// Asks the system for the addresses of `authority` (`name:port`): for a headless Service, one for each operator.
#[must_use]
pub fn by_name(authority: String) -> Resolve {
    Arc::new(move || {
        let authority = authority.clone();
        Box::pin(async move { Ok(lookup_host(authority).await?.collect()) })
    })
}

/// A replica's view of its Gateway. Its streams end when it is dropped.
pub struct Subscriber {
    newest: watch::Receiver<Held>,
    settled: mpsc::Sender<Settlement>,
    engine: JoinHandle<()>,
}

/// What became of a state at the data plane.
pub(crate) struct Settlement {
    held: Held,
    refused: Vec<(ResourceId, String)>,
}

/// Settlements that wait for the engine; there is one for each state.
const SETTLEMENTS: usize = 8;

impl Subscriber {
    /// Begins to connect. `held` is what the replica has already.
    #[must_use]
    pub fn start(options: Options, held: Held, surroundings: Surroundings) -> Self {
        let (states, newest) = watch::channel(held.clone());
        let (settled, settlements) = mpsc::channel(SETTLEMENTS);
        let engine = engine::Engine::new(Arc::new(options), held, surroundings, states);
        Self { newest, settled, engine: tokio::spawn(engine.run(settlements)) }
    }

    /// The next complete state that has not been seen yet: the newest, whatever came between. Nothing is lost when
    /// the future is dropped. `None` once there will be none.
    pub async fn next(&mut self) -> Option<Held> {
        self.newest.changed().await.ok()?;
        Some(self.newest.borrow_and_update().clone())
    }

    /// Tells the operators that `held` serves from now on, except for what the data plane `refused` with a reason.
    /// All that is still refused is told each time.
    pub async fn settle(&self, held: &Held, refused: Vec<(ResourceId, String)>) {
        // It fails when the engine has ended, which `next` tells.
        let _ = self.settled.send(Settlement { held: held.clone(), refused }).await;
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.engine.abort();
    }
}
