//! Reading what is referred to: Secrets and ConfigMaps, one by one.

use std::sync::Arc;
use std::time::Duration;

use kube::{Api, Client};
use tokio::sync::{Semaphore, mpsc};

use crate::store::{Content, Wanted};
use crate::watch::Seen;

/// Reads under way at once.
const AT_ONCE: usize = 16;
/// How long one read may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The wait after a read that failed.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads contents and tells them.
#[derive(Clone)]
pub(super) struct Reader {
    client: Client,
    room: Arc<Semaphore>,
    to: mpsc::UnboundedSender<Content>,
}

impl Reader {
    /// A reader that tells what it reads to `to`.
    pub(super) fn new(client: Client, to: mpsc::UnboundedSender<Content>) -> Self {
        Self { client, room: Arc::new(Semaphore::new(AT_ONCE)), to }
    }

    /// Begins to read.
    pub(super) fn read(&self, wanted: Vec<Wanted>) {
        for wanted in wanted {
            let reader = self.clone();
            tokio::spawn(async move { reader.one(wanted).await });
        }
    }

    async fn one(self, wanted: Wanted) {
        let mut is_told = false;
        loop {
            let Ok(_permit) = self.room.acquire().await else { return };
            let answer = tokio::time::timeout(PATIENCE, self.get(&wanted)).await;
            let value = match answer {
                Ok(Ok(value)) => value,
                // What may not be read is as absent, and whoever refers to it is told so.
                Ok(Err(kube::Error::Api(status))) if status.code == 403 => None,
                Ok(Err(error)) => {
                    if !is_told {
                        tracing::warn!(object = %wanted.key.reference(), %error, "it cannot be read");
                        is_told = true;
                    }
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(_) => continue,
            };
            // An error means that nobody wants to know any more.
            let _told = self.to.send(Content { wanted, value });
            return;
        }
    }

    async fn get(&self, wanted: &Wanted) -> Result<Option<serde_json::Value>, kube::Error> {
        let kind = wanted.key.kind;
        let api: Api<Seen<false>> = Api::namespaced_with(self.client.clone(), &wanted.key.name.namespace, &kind.resource());
        let object = api.get_opt(&wanted.key.name.name).await?;
        Ok(object.map(|object| object.into_object(kind).value))
    }
}
