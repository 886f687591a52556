//! Operators, replicas and the network between them, in one process.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cause::ObjectName;
use delivery::{
    Authenticate, Held, Identity, Options, Publisher, Replica, Reviewed, Server, ServerCertificate, Subscriber, Surroundings,
    Unauthenticated,
};
use ir::{Endpoint, Service, ServiceId, Snapshot};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) const NAME: &str = "doorward-operator.system.svc";

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

pub(crate) fn gateway() -> ObjectName {
    ObjectName::new("web", "public")
}

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A chain and its key.
    pub(crate) fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![NAME.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (leaf.pem(), key.serialize_pem())
    }
}

/// Tokens are `pod@namespace/service account#anything`.
#[derive(Default)]
pub(crate) struct Reviews(Mutex<BTreeSet<String>>);

impl Reviews {
    /// Nobody accepts this token any more.
    pub(crate) fn revoke(&self, token: &str) {
        self.0.lock().unwrap().insert(token.to_owned());
    }
}

impl Authenticate for Reviews {
    fn authenticate<'a>(&'a self, token: &'a str) -> Reviewed<'a> {
        let is_revoked = self.0.lock().unwrap().contains(token);
        let token = token.split('#').next().filter(|_| !is_revoked).unwrap_or_default();
        let parts = token.split_once('@').and_then(|(pod, account)| Some((pod, account.split_once('/')?)));
        let identity = parts.map(|(pod, (namespace, account))| Identity {
            namespace: namespace.into(),
            service_account: account.into(),
            pod_name: pod.into(),
            pod_uid: format!("uid-of-{pod}").into(),
        });
        Box::pin(async move { identity.ok_or_else(|| Unauthenticated::Refused("it is not a token".to_owned())) })
    }

    fn again(&self) -> Duration {
        Duration::from_millis(50)
    }

    fn service_account(&self, gateway: &ObjectName) -> String {
        format!("{}-doorward", gateway.name)
    }
}

/// An operator that serves.
pub(crate) struct Operator {
    pub(crate) publisher: Publisher,
    pub(crate) certificate: ServerCertificate,
    pub(crate) address: SocketAddr,
    pub(crate) reviews: Arc<Reviews>,
    serving: JoinHandle<()>,
}

impl Operator {
    pub(crate) async fn start(authority: &Authority) -> Self {
        let (chain, key) = authority.issue();
        let certificate = ServerCertificate::new(&chain, &key).unwrap();
        let publisher = Publisher::new();
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = server.address().unwrap();
        let reviews = Arc::new(Reviews::default());
        let serve = server.serve(publisher.clone(), Arc::clone(&reviews) as Arc<dyn Authenticate>, certificate.clone());
        let serving = tokio::spawn(async { serve.await.map(|never| match never {}).unwrap() });
        Self { publisher, certificate, address, reviews, serving }
    }

    /// Waits until a replica is as it should be.
    pub(crate) async fn hears(&self, pod: &str, what: &str, is: impl Fn(&Replica) -> bool) -> Replica {
        let mut replicas = self.publisher.replicas();
        let found =
            soon(what, replicas.wait_for(|all| all.get(&gateway()).and_then(|pods| pods.get(pod)).is_some_and(&is))).await;
        found.unwrap()[&gateway()][pod].clone()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A data plane's files and what it knows of operators.
pub(crate) struct Pod {
    name: String,
    folder: TempDir,
    operators: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Pod {
    pub(crate) fn new(name: &str, authority: &Authority, operators: &[SocketAddr]) -> Self {
        let pod = Self { name: name.to_owned(), folder: TempDir::new().unwrap(), operators: Arc::default() };
        pod.trust(&[authority]);
        pod.token(&format!("{name}@web/public-doorward"));
        pod.find(operators);
        pod
    }

    pub(crate) fn trust(&self, authorities: &[&Authority]) {
        let bundle: String = authorities.iter().map(|authority| authority.pem.as_str()).collect();
        std::fs::write(self.path("ca.crt"), bundle).unwrap();
    }

    pub(crate) fn token(&self, token: &str) {
        std::fs::write(self.path("token"), format!("{token}\n")).unwrap();
    }

    /// What the name of the operators leads to from now on.
    pub(crate) fn find(&self, operators: &[SocketAddr]) {
        *self.operators.lock().unwrap() = operators.to_vec();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn subscribe(&self, held: Held) -> Subscriber {
        let options =
            Options { server_name: NAME.to_owned(), gateway: gateway(), ca: self.path("ca.crt"), token: self.path("token") };
        let operators = Arc::clone(&self.operators);
        let resolve = move || {
            let addresses = operators.lock().unwrap().clone();
            Box::pin(async move { Ok(addresses) }) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
        };
        let rolled = AtomicU64::new(0);
        let dice = move || rolled.fetch_add(0x9E37_79B9, Ordering::Relaxed);
        Subscriber::start(options, held, Surroundings { resolve: Arc::new(resolve), dice: Arc::new(dice) })
    }
}

/// The next state, which the data plane takes whole.
pub(crate) async fn take(subscriber: &mut Subscriber) -> Held {
    let held = soon("a state", subscriber.next()).await.unwrap();
    subscriber.settle(&held, Vec::new()).await;
    held
}

/// A network between a replica and an operator: it counts what comes down, and can be cut.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    down: Arc<AtomicU64>,
    connections: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Wire {
    pub(crate) async fn to(operator: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let down = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&down);
        let (connected, connections) = watch::channel(0);
        let task = tokio::spawn(async move {
            let mut streams = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                connected.send_modify(|connections| *connections += 1);
                streams.spawn(async move {
                    let Ok(far) = TcpStream::connect(operator).await else { return };
                    let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
                    let up = tokio::io::copy(&mut near_in, &mut far_out);
                    let down = async {
                        let mut bytes = vec![0; 64 << 10];
                        while let Ok(count @ 1..) = far_in.read(&mut bytes).await {
                            counted.fetch_add(count as u64, Ordering::Relaxed);
                            if near_out.write_all(&bytes[..count]).await.is_err() {
                                return;
                            }
                        }
                    };
                    tokio::select! { _ = up => {}, () = down => {} }
                });
            }
        });
        Self { address, down, connections, task }
    }

    /// Waits until a connection more than `attempts` was made from now on: that many have ended then.
    pub(crate) async fn see(&self, attempts: u64) {
        let mut connections = self.connections.clone();
        let wanted = *connections.borrow_and_update() + attempts + 1;
        soon("a connection", connections.wait_for(|connections| *connections >= wanted)).await.unwrap();
    }

    /// Bytes that came down since the last question.
    pub(crate) fn came_down(&self) -> u64 {
        self.down.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn id(index: u16) -> ServiceId {
    ServiceId { name: ObjectName::new("shop", format!("service-{index}")), port: 80 }
}

/// A Service with one endpoint at `port`.
pub(crate) fn service(index: u16, port: u16) -> Arc<Service> {
    let endpoints = vec![Endpoint::Address((Ipv4Addr::new(10, 0, 0, 1), port).into())];
    Arc::new(Service { id: id(index), endpoints, http2: false })
}

/// A snapshot of Services, each at `port`.
pub(crate) fn snapshot(indices: std::ops::Range<u16>, port: u16) -> Arc<Snapshot> {
    let services = indices.map(|index| (id(index), service(index, port))).collect();
    Arc::new(Snapshot { services, ..Snapshot::default() })
}

/// `snapshot` with one Service at another port.
pub(crate) fn with(snapshot: &Snapshot, index: u16, port: u16) -> Arc<Snapshot> {
    let mut changed = snapshot.clone();
    changed.services.insert(id(index), service(index, port));
    Arc::new(changed)
}

/// The ports that a state has for its Services.
pub(crate) fn ports(held: &Held) -> BTreeSet<u16> {
    let endpoints = held.snapshot().services.values().flat_map(|service| &service.endpoints);
    endpoints.filter_map(|endpoint| if let Endpoint::Address(address) = endpoint { Some(address.port()) } else { None }).collect()
}
