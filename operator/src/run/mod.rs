//! The operator as a process: its tasks and what ends them.

mod api_servers;
mod contents;
mod cycle;
mod keeping;
mod statuses;
mod upkeep;

use std::net::SocketAddr;
use std::sync::Arc;

use cause::ObjectName;
use delivery::{Publisher, Server, ServerCertificate};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Client;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::authority::{Authority, Lifetimes, Material, Place, TokenReviews};
use crate::health::{self, Figures};
use crate::kinds::Kind;
use crate::leader::Candidate;
use crate::owner;
use crate::provision::{Image, Surroundings};
use crate::reconcile::Reconciler;
use crate::store::Store;
use crate::watch::{Source, watch};

/// News of watches that wait for the store; watches wait when it is full.
const QUEUE: usize = 64;
/// The Secret of the authority.
const AUTHORITY: &str = "doorward-authority";

/// What an operator is told when it starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace that it runs in.
    pub namespace: String,
    /// Its own name, which no other operator has.
    pub me: String,
    /// The Service of operators, in the same namespace.
    pub service: String,
    /// The Gateway of routes that name none.
    pub default_gateway: ObjectName,
    /// The image of data planes.
    pub image: Image,
    /// The namespaces to be watched; empty is all.
    pub watch_namespaces: Vec<String>,
    /// Where data planes stream from.
    pub config_stream: SocketAddr,
    /// Where health and metrics are.
    pub metrics: SocketAddr,
}

/// Why an operator cannot start or go on.
#[derive(Debug, Error)]
pub enum OperatorError {
    /// There is no cluster to be found in variables and files.
    #[error("no cluster is configured")]
    NoCluster(#[source] Box<kube::config::InferConfigError>),
    /// The cluster cannot be talked to as configured.
    #[error("the client of the cluster cannot be made")]
    Client(#[source] Box<kube::Error>),
    /// An address cannot be listened on.
    #[error("{what} cannot listen on {address}")]
    Bind {
        /// What would have listened.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A task ended that never should.
    #[error("{0} ended")]
    Ended(&'static str),
}

/// Runs an operator until it is told to stop.
///
/// # Errors
/// It cannot start: there is no cluster, or an address is taken.
pub async fn run(options: Options, stop: impl Future<Output = ()> + Send) -> Result<(), OperatorError> {
    let client = client().await?;
    let (health, health_at) = bind("health", options.metrics, health::bind(options.metrics).await)?;
    let server = bind("the config stream", options.config_stream, Server::bind(options.config_stream).await)?;
    let figures = Arc::new(Figures::default());
    let mut stop = std::pin::pin!(stop);
    let mut tasks = JoinSet::new();
    tasks.spawn(named("health", health::serve(health, Arc::clone(&figures))));
    let owner = tokio::select! {
        owner = owner::find(&client, &options.namespace, &options.service) => owner,
        () = stop.as_mut() => return Ok(()),
    };
    let publisher = Publisher::new();
    let (material_to, material) = watch::channel(None);
    let (stop_to, stopped) = watch::channel(false);
    tracing::info!(%health_at, stream = %options.config_stream, me = %options.me, "started");

    tasks.spawn(named("the authority", authority(&options, client.clone(), owner.clone()).run(material_to)));
    tasks.spawn(named("the config stream", stream(server, publisher.clone(), client.clone(), material.clone())));
    let candidate = Candidate::new(client.clone(), &options.namespace, &options.me, owner.clone());
    let leading = candidate.leading();
    let leadership = tokio::spawn(candidate.run(until(stopped.clone())));

    let sources = sources(&options);
    let (news_to, news) = mpsc::channel(QUEUE);
    for source in sources.clone() {
        tasks.spawn(named("a watch", watch(client.clone(), source, news_to.clone())));
    }
    let reconciler = Reconciler::new(Store::new(sources), publisher.clone(), options.default_gateway.clone());
    let (passes_to, passes) = watch::channel(None);
    let (gateways_to, states) = watch::channel(Arc::default());
    let shared = Shared { client, options: Arc::new(options), owner, figures, leading, material };
    tasks.spawn(named("statuses", statuses::run(shared.clone(), passes.clone(), states, publisher.replicas())));
    tasks.spawn(named("last good versions", keeping::run(shared.clone(), passes.clone())));
    tasks.spawn(named("upkeep", upkeep::run(shared.clone(), passes, gateways_to)));
    tasks.spawn(named("the store", cycle::run(shared, reconciler, news, passes_to)));

    let outcome = tokio::select! {
        () = stop.as_mut() => Ok(()),
        ended = tasks.join_next() => Err(OperatorError::Ended(ended.and_then(Result::ok).unwrap_or("a task"))),
    };
    stop_to.send_replace(true);
    // The lease is given back while streams still go on, so that another operator leads meanwhile.
    let _left = leadership.await;
    tasks.shutdown().await;
    outcome
}

/// What tasks have in common.
#[derive(Clone)]
struct Shared {
    client: Client,
    options: Arc<Options>,
    /// What the operator's own objects go with.
    owner: Option<OwnerReference>,
    figures: Arc<Figures>,
    leading: watch::Receiver<bool>,
    material: watch::Receiver<Option<Arc<Material>>>,
}

impl Shared {
    /// The namespaces that are watched; empty is all.
    fn namespaces(&self) -> Vec<Arc<str>> {
        self.options.namespaces()
    }

    /// What is the same for all Gateways.
    fn surroundings(&self, bundle: String) -> Surroundings {
        let Options { service, namespace, config_stream, image, .. } = &*self.options;
        let stream = format!("https://{service}.{namespace}.svc:{}", config_stream.port());
        Surroundings { image: image.clone(), stream, bundle }
    }
}

impl Options {
    /// The namespaces that are watched, with the operator's own; empty is all.
    fn namespaces(&self) -> Vec<Arc<str>> {
        let mut namespaces: Vec<Arc<str>> = self.watch_namespaces.iter().map(|name| Arc::from(name.as_str())).collect();
        if !namespaces.is_empty() {
            namespaces.push(self.namespace.as_str().into());
        }
        namespaces.sort();
        namespaces.dedup();
        namespaces
    }
}

async fn named(name: &'static str, task: impl Future<Output = ()> + Send) -> &'static str {
    task.await;
    name
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that whoever would say so is gone.
    let _said = stopped.wait_for(|stopped| *stopped).await;
}

async fn client() -> Result<Client, OperatorError> {
    let config = kube::Config::infer().await.map_err(|error| OperatorError::NoCluster(Box::new(error)))?;
    Client::try_from(config).map_err(|error| OperatorError::Client(Box::new(error)))
}

fn bind<T>(what: &'static str, address: SocketAddr, bound: std::io::Result<T>) -> Result<T, OperatorError> {
    bound.map_err(|source| OperatorError::Bind { what, address, source })
}

fn authority(options: &Options, client: Client, owner: Option<OwnerReference>) -> Authority {
    let (namespace, service) = (options.namespace.clone(), options.service.clone());
    let place = Place { namespace, secret: AUTHORITY.to_owned(), service, owner };
    Authority::new(client, place, Lifetimes::default())
}

/// The server of the config stream, from when it has a certificate.
async fn stream(server: Server, publisher: Publisher, client: Client, mut material: watch::Receiver<Option<Arc<Material>>>) {
    let Some(certificate) = certificate(&mut material).await else { return };
    let reviews = Arc::new(TokenReviews::new(client));
    let serving = server.serve(publisher, reviews, certificate.clone());
    let renewing = async {
        while material.changed().await.is_ok() {
            let now = material.borrow_and_update().clone();
            if let Some(now) = now
                && let Err(error) = certificate.replace(&now.chain, &now.key)
            {
                tracing::error!(%error, "a new certificate of the config stream is not used");
            }
        }
    };
    tokio::select! {
        Err(error) = serving => tracing::error!(%error, "the config stream cannot be served"),
        () = renewing => {}
    }
}

async fn certificate(material: &mut watch::Receiver<Option<Arc<Material>>>) -> Option<ServerCertificate> {
    loop {
        let now = material.wait_for(Option::is_some).await.ok()?.clone()?;
        match ServerCertificate::new(&now.chain, &now.key) {
            Ok(certificate) => return Some(certificate),
            Err(error) => tracing::error!(%error, "the certificate of the config stream cannot be used"),
        }
        material.changed().await.ok()?;
    }
}

/// Every watch there is: with namespaces given, one for each and one for the operator's own.
fn sources(options: &Options) -> Vec<Source> {
    let namespaces = options.namespaces();
    let mut sources = Vec::new();
    for kind in Kind::ALL {
        if namespaces.is_empty() || !kind.is_namespaced() {
            sources.push(Source { kind, namespace: None });
        } else {
            sources.extend(namespaces.iter().map(|namespace| Source { kind, namespace: Some(Arc::clone(namespace)) }));
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_namespaces_are_watched_one_by_one_with_the_own_one() {
        let check = |namespaces: &[&str], kind: Kind, expected: &[Option<&str>]| {
            let options = Options {
                namespace: "doorward-system".into(),
                me: "me".into(),
                service: "s".into(),
                default_gateway: ObjectName::new("a", "b"),
                image: Image { reference: "i".into(), pull_policy: None, pull_secrets: Vec::new() },
                watch_namespaces: namespaces.iter().map(ToString::to_string).collect(),
                config_stream: SocketAddr::from(([0, 0, 0, 0], 0)),
                metrics: SocketAddr::from(([0, 0, 0, 0], 0)),
            };
            let sources = sources(&options);
            let of_kind = sources.iter().filter(|source| source.kind == kind);
            let found: Vec<Option<&str>> = of_kind.map(|source| source.namespace.as_deref()).collect();
            assert_eq!(found, expected, "{namespaces:?} {kind:?}");
        };
        check(&[], Kind::ApiRoute, &[None]);
        check(&["shop"], Kind::ApiRoute, &[Some("doorward-system"), Some("shop")]);
        check(&["shop", "doorward-system"], Kind::Pod, &[Some("doorward-system"), Some("shop")]);
        check(&["shop"], Kind::GatewayClass, &[None]);
    }
}
