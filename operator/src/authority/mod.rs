//! Whom data planes trust as an operator, and whom operators admit as a data plane.
//!
//! The authority is a certificate of our own in one Secret of the release namespace. Every replica
//! reads it and issues itself a short-lived certificate for the config stream, whose key never leaves
//! its memory. Any replica takes the steps of a rotation when they are due: the version of the Secret
//! lets one of them win, and the others read what it wrote.
//!
//! [`Authority::run`] is the one loop here; what it says goes to the server of the stream (certificate
//! and key) and to [`crate::provision`] (the bundle, which each Gateway's pods mount).
//! [`TokenReviews`] is the other direction.

mod certificates;
mod review;
mod stages;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::standard::Secret;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::api::PostParams;
use kube::{Api, Client};
use thiserror::Error;
use tokio::sync::watch;
use zeroize::Zeroizing;

pub use certificates::CertificateError;
pub use review::{AUDIENCE, TokenReviews};
pub use stages::Lifetimes;

use crate::owner;
use certificates::{Pair, validity};
use stages::{Held, Step};

/// The type of the Secret. One of another type is somebody else's. An empty one of this type is
/// filled, so that whoever likes may make it beforehand.
pub const SECRET_TYPE: &str = "doorward.dev/authority";

/// Who writes the Secret, to the API server.
const MANAGER: &str = "doorward-authority";
/// The longest time after which the Secret is read again.
const READ_AGAIN: Duration = Duration::from_secs(60);
/// Waits after a failure: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// Where an authority lies and what it issues for.
#[derive(Clone, Debug)]
pub struct Place {
    /// The release namespace.
    pub namespace: String,
    /// The Secret.
    pub secret: String,
    /// The Service of the config stream, in the same namespace.
    pub service: String,
    /// What the Secret goes with.
    pub owner: Option<OwnerReference>,
}

impl Place {
    fn names(&self) -> Vec<String> {
        let name = format!("{}.{}.svc", self.service, self.namespace);
        vec![format!("{name}.cluster.local"), name]
    }
}

/// What a replica shows, and what data planes are to trust.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    /// The certificate of the config stream, in PEM.
    pub chain: String,
    /// Its private key, in PEM.
    pub key: Zeroizing<String>,
    /// All certificates of authorities that are to be trusted, in PEM.
    pub bundle: String,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("chain", &self.chain).field("bundle", &self.bundle).finish_non_exhaustive()
    }
}

/// Why there is no certificate to show.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// The API server did not answer as needed.
    #[error("Secret {namespace}/{secret} of the authority")]
    Api {
        /// The release namespace.
        namespace: String,
        /// The Secret.
        secret: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// A Secret of that name is somebody else's.
    #[error("Secret {namespace}/{secret} is not of type {SECRET_TYPE}, so it is left alone")]
    NotOwned {
        /// The release namespace.
        namespace: String,
        /// The Secret.
        secret: String,
    },
    /// No certificate can be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// One replica's view of the authority.
pub struct Authority {
    secrets: Api<Secret>,
    place: Place,
    lifetimes: Lifetimes,
    /// What it shows, and the authority's certificate that issued it.
    shown: Option<(Pair, String)>,
}

/// What became of one look at the authority.
enum Turn {
    /// All is as it should be until then.
    Settled(Material, Timestamp),
    /// Something was written, by us or by another replica; it is to be looked at again.
    Again,
}

impl Authority {
    /// The authority of this place.
    #[must_use]
    pub fn new(client: Client, place: Place, lifetimes: Lifetimes) -> Self {
        Self { secrets: Api::namespaced(client, &place.namespace), place, lifetimes, shown: None }
    }

    /// Keeps the authority and this replica's certificate fresh, and says each change to `to`. Ends
    /// when nobody listens any more.
    pub async fn run(mut self, to: watch::Sender<Option<Arc<Material>>>) {
        let mut pause = PAUSES.0;
        loop {
            let wait = match self.turn(Timestamp::now()).await {
                Ok(Turn::Again) => Duration::ZERO,
                Ok(Turn::Settled(material, next)) => {
                    pause = PAUSES.0;
                    let known = |old: &Option<Arc<Material>>| old.as_deref() == Some(&material);
                    if !known(&to.borrow()) {
                        to.send_replace(Some(Arc::new(material)));
                    }
                    Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default().min(READ_AGAIN)
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the authority of the config stream fails");
                    let longer = (pause * 2).min(PAUSES.1);
                    std::mem::replace(&mut pause, longer)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = to.closed() => return,
            }
        }
    }

    /// Looks once, and takes one step where one is due.
    async fn turn(&mut self, now: Timestamp) -> Result<Turn, AuthorityError> {
        let found = self.secrets.get_opt(&self.place.secret).await.map_err(|error| self.failed(error))?;
        let Some(mut secret) = found else {
            let held = Held::first(now, &self.lifetimes)?;
            return self.write(Secret { metadata: self.metadata(), ..Secret::default() }, &held).await;
        };
        if secret.type_.as_deref() != Some(SECRET_TYPE) {
            let Place { namespace, secret, .. } = self.place.clone();
            return Err(AuthorityError::NotOwned { namespace, secret });
        }
        let Some(held) = Held::read(&secret, now) else {
            let held = Held::first(now, &self.lifetimes)?;
            return self.write(secret, &held).await;
        };
        match held.due(now, &self.lifetimes) {
            // It was made by an earlier installation, or by hand.
            _ if owner::claim(&mut secret.metadata, self.place.owner.as_ref()) => self.write(secret, &held).await,
            Step::Wait(until) => {
                let (shown, renewal) = self.shown(&held, now)?;
                let Pair { certificate: chain, key } = shown;
                Ok(Turn::Settled(Material { chain, key, bundle: held.bundle() }, until.min(renewal)))
            }
            step @ (Step::Announce | Step::Promote | Step::Retire) => {
                tracing::info!(?step, "the authority of the config stream is renewed");
                let held = held.after(step, now, &self.lifetimes)?;
                self.write(secret, &held).await
            }
        }
    }

    /// What is shown, made anew where it is due or its authority is another; and when it is due.
    fn shown(&mut self, held: &Held, now: Timestamp) -> Result<(Pair, Timestamp), CertificateError> {
        if let Some((pair, issuer)) = &self.shown {
            let renewal = validity(&pair.certificate)?.renewal();
            if *issuer == held.current.certificate && now < renewal {
                return Ok((pair.clone(), renewal));
            }
        }
        let pair = certificates::server(&held.current, &self.place.names(), now, self.lifetimes.server)?;
        let renewal = validity(&pair.certificate)?.renewal();
        self.shown = Some((pair.clone(), held.current.certificate.clone()));
        Ok((pair, renewal))
    }

    /// Writes what is held, over the version that was read.
    async fn write(&self, mut secret: Secret, held: &Held) -> Result<Turn, AuthorityError> {
        secret.data = Some(held.data());
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let written = if secret.metadata.resource_version.is_some() {
            self.secrets.replace(&self.place.secret, &params, &secret).await
        } else {
            secret.type_ = Some(SECRET_TYPE.to_owned());
            self.secrets.create(&params, &secret).await
        };
        match written {
            Ok(_) => Ok(Turn::Again),
            // Another replica was first, or somebody took it away.
            Err(kube::Error::Api(status)) if status.code == 409 || status.is_not_found() => Ok(Turn::Again),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn metadata(&self) -> ObjectMeta {
        let labels = [("app.kubernetes.io/name", "doorward"), ("app.kubernetes.io/managed-by", "doorward")];
        ObjectMeta {
            name: Some(self.place.secret.clone()),
            namespace: Some(self.place.namespace.clone()),
            labels: Some(BTreeMap::from(labels.map(|(name, value)| (name.to_owned(), value.to_owned())))),
            owner_references: self.place.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        }
    }

    fn failed(&self, source: kube::Error) -> AuthorityError {
        let Place { namespace, secret, .. } = self.place.clone();
        AuthorityError::Api { namespace, secret, source: Box::new(source) }
    }
}

#[cfg(test)]
mod tests;
