//! A gateway in this process, started from manifests, and what stands around it: an upstream that echoes, and a
//! talker that sends exact bytes and reads messages at either end.
//!
//! Nothing here waits longer than [`PATIENCE`].

pub(crate) mod echo;
mod talk;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use dataplane::{Clock, Gateway, Options, Placement, PortProtocol};
use files::{Input, Session};
use translate::Context;

pub(crate) use echo::Echo;
pub(crate) use talk::{Message, Talk, soon};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway and where it listens.
pub(crate) struct Shop {
    gateway: Arc<Gateway>,
}

impl Shop {
    /// Serves these manifests with two workers.
    pub(crate) async fn open(manifests: &str) -> Self {
        Self::open_with(manifests, 2).await
    }

    /// Serves these manifests.
    pub(crate) async fn open_with(manifests: &str, workers: usize) -> Self {
        let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let options = Options {
            placement: Placement { http: any, https: any, ..Placement::default() },
            workers,
            clock: Clock::system(),
            log: Box::new(std::io::sink()),
        };
        let gateway = Gateway::start(options, &snapshot(manifests)).await.unwrap();
        Self { gateway: Arc::new(gateway) }
    }

    /// Serves these manifests from now on.
    pub(crate) async fn apply(&self, manifests: &str) {
        self.gateway.apply(&snapshot(manifests)).await.unwrap();
    }

    /// Where it listens.
    pub(crate) fn address(&self, protocol: PortProtocol) -> SocketAddr {
        self.gateway.addresses().into_iter().find(|(port, _)| port.protocol == protocol).unwrap().1
    }

    /// A plain connection to it.
    pub(crate) async fn visit(&self) -> Talk {
        Talk::to(self.address(PortProtocol::Http)).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn ask(&self, request: &str) -> Message {
        self.visit().await.ask(request).await
    }

    /// What is told of a call that has ended.
    pub(crate) async fn decision(&self, id: &str) -> observe::report::Report {
        self.find(id).await.unwrap()
    }

    /// What is told of a call, where it has ended.
    pub(crate) async fn find(&self, id: &str) -> Option<observe::report::Report> {
        let (gateway, id) = (self.gateway.handle(), id.to_owned());
        tokio::task::spawn_blocking(move || gateway.decision(&id)).await.unwrap()
    }

    /// Has clients go elsewhere.
    pub(crate) fn leave(&self) {
        self.gateway.leave();
    }

    /// Stops listening and lets calls in flight end.
    pub(crate) async fn close(self) {
        soon(Arc::into_inner(self.gateway).unwrap().drain(std::future::pending())).await;
    }
}

/// What these manifests mean; their faults are printed where a test fails.
fn snapshot(manifests: &str) -> Arc<ir::Snapshot> {
    let now = jiff::Timestamp::now();
    let input = Input { paths: vec!["-".into()], stdin: manifests.as_bytes().into() };
    let mut session = Session::new(input, Context::of_files(now, Vec::new()));
    let outcome = session.reload(now);
    for finding in outcome.report.findings() {
        println!("{finding:?}");
    }
    outcome.snapshot
}

/// An anonymous route of one version below `path`. `traffic` and `backend` are flow YAML.
pub(crate) fn route(name: &str, path: &str, backend: &str, more: &str) -> String {
    format!(
        "\n---\napiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
         path: {path}\n  authentication: {{mode: Anonymous}}\n  versions: [{{version: 1.0.0, backend: {backend}}}]\n  {more}\n"
    )
}

/// A backend at this address.
pub(crate) fn at(address: SocketAddr) -> String {
    format!("{{url: 'http://{address}'}}")
}
