//! An operator in this process, and the program in another.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use cause::ObjectName;
use delivery::{Authenticate, Identity, Publisher, Replica, Reviewed, Revision, Seal, Server, ServerCertificate};
use files::{Input, Session};
use ir::Snapshot;
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use translate::Context;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn gateway() -> ObjectName {
    ObjectName::new("default", "public")
}

/// A port that nobody has, and that the system gives to nobody who asks for any.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 10_000).unwrap();
    loop {
        let port = 12_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// A Gateway with one listener at `port`, and a route that answers `/orders` with `body`.
pub(crate) fn state(port: u16, body: &str) -> Arc<Snapshot> {
    let manifests = format!(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: public}}
spec:
  gatewayClassName: doorward
  listeners: [{{name: http, port: {port}, protocol: HTTP}}]
---
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {{name: orders}}
spec:
  path: /orders
  authentication: {{mode: Anonymous}}
  versions:
    - {{version: 1.0.0, backend: {{response: {{status: 200, body: {body}}}}}}}
"
    );
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("manifests.yaml"), manifests).unwrap();
    let input = Input::new(vec![folder.path().to_owned()]);
    let outcome = Session::new(input, Context::of_files(Timestamp::now(), Vec::new())).reload(Timestamp::now());
    assert_eq!(
        (outcome.snapshot.routes.len(), outcome.snapshot.listeners.len()),
        (1, 1),
        "{}",
        outcome.report.to_text(manifest::Colour::Never)
    );
    outcome.snapshot
}

/// What stands around a container: its files survive it.
pub(crate) struct Pod {
    folder: TempDir,
    operator: u16,
    metrics: u16,
    issuer: Issuer<'static, KeyPair>,
}

impl Pod {
    pub(crate) fn new(operator: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(folder.path().join("ca.crt"), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(folder.path().join("token"), "good").unwrap();
        Self { folder, operator, metrics: free_port(), issuer: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until its last good configuration is this one.
    pub(crate) async fn has_sealed(&self, state: &Snapshot) {
        until("the seal", async || {
            let seal = Seal::open(self.folder.path(), &self.path("key"), &gateway()).unwrap();
            seal.load().unwrap().is_some_and(|held| **held.snapshot() == *state)
        })
        .await;
    }

    /// Starts the container.
    pub(crate) fn start(&self) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command
            .args(["dataplane", "--gateway", "default/public", "--workers", "1", "--linger", "1s"])
            .args(["--operator", &format!("https://localhost:{}", self.operator)])
            .args(["--metrics", &format!("127.0.0.1:{}", self.metrics), "--management", "127.0.0.1:0"])
            .arg("--ca")
            .arg(self.path("ca.crt"))
            .arg("--token")
            .arg(self.path("token"))
            .arg("--state")
            .arg(self.folder.path())
            .arg("--seal-key")
            .arg(self.path("key"))
            .stdout(Stdio::null())
            .kill_on_drop(true);
        Program { child: command.spawn().unwrap(), metrics: self.metrics }
    }
}

/// A container that runs.
pub(crate) struct Program {
    child: Child,
    metrics: u16,
}

impl Program {
    /// The body of a good answer.
    pub(crate) async fn get(&self, port: u16, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
    }

    /// Waits until it says that it is ready, or not.
    pub(crate) async fn is_ready(&self, expected: bool) {
        until("readiness", async || {
            let alive = self.get(self.metrics, "/livez").await.is_some();
            alive && self.get(self.metrics, "/readyz").await.is_some() == expected
        })
        .await;
    }

    /// Waits until it answers so.
    pub(crate) async fn answers(&self, port: u16, expected: &str) {
        until(expected, async || self.get(port, "/orders").await.as_deref() == Some(expected)).await;
    }

    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// What a kubelet does first.
    pub(crate) fn terminate(&self) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let asking = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{what} did not come"));
}

struct Reviews;

impl Authenticate for Reviews {
    fn authenticate<'a>(&'a self, token: &'a str) -> Reviewed<'a> {
        assert_eq!(token, "good");
        let identity = Identity {
            namespace: "default".into(),
            service_account: "public".into(),
            pod_name: "pod".into(),
            pod_uid: "uid".into(),
        };
        Box::pin(async { Ok(identity) })
    }

    fn again(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn service_account(&self, gateway: &ObjectName) -> String {
        gateway.name.to_string()
    }
}

/// An operator that serves.
pub(crate) struct Operator {
    publisher: Publisher,
    serving: JoinHandle<()>,
}

impl Operator {
    pub(crate) async fn start(pod: &Pod, port: u16) -> Self {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &pod.issuer).unwrap();
        let certificate = ServerCertificate::new(&leaf.pem(), &key.serialize_pem()).unwrap();
        let publisher = Publisher::new();
        let server = Server::bind((Ipv4Addr::LOCALHOST, port).into()).await.unwrap();
        let serve = server.serve(publisher.clone(), Arc::new(Reviews), certificate);
        Self { publisher, serving: tokio::spawn(async { serve.await.map(|never| match never {}).unwrap() }) }
    }

    pub(crate) async fn publish(&self, snapshot: Arc<Snapshot>) -> Revision {
        let publisher = self.publisher.clone();
        tokio::task::spawn_blocking(move || publisher.publish(&gateway(), snapshot)).await.unwrap()
    }

    pub(crate) async fn hears(&self, is: impl Fn(&Replica) -> bool) -> Replica {
        let mut replicas = self.publisher.replicas();
        let waiting = replicas.wait_for(|all| all.get(&gateway()).and_then(|pods| pods.get("pod")).is_some_and(&is));
        let found = timeout(PATIENCE, waiting).await.expect("the pod says so").unwrap();
        found[&gateway()]["pod"].clone()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
