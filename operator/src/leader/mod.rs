//! Which of several operators writes: the one that holds a Lease of `coordination.k8s.io`.
//!
//! Only writing needs a leader; every operator watches, translates and serves streams. [`decision`]
//! says what to do; this asks and does it.

mod decision;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::owner;
use decision::{Held, Step, decide};

/// The Lease's name.
pub const LEASE: &str = "doorward-operator";
/// How long a leader that says nothing is still believed in.
const LASTS: Duration = Duration::from_secs(6);
/// How often a leader says that it is there.
const RENEWED: Duration = Duration::from_secs(2);
/// How long a leader that cannot say so goes on writing: less than others believe in it.
const GIVES_UP: Duration = Duration::from_secs(4);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// One operator that would lead.
pub struct Candidate {
    leases: Api<Lease>,
    namespace: String,
    me: String,
    owner: Option<OwnerReference>,
    leading: watch::Sender<bool>,
    /// What was seen last, and since when.
    seen: Option<(Lease, Instant)>,
    renewed: Option<Instant>,
    complaint: Option<String>,
}

impl Candidate {
    /// A candidate under a name that no other operator has, for the Lease of a namespace, which goes with `owner`.
    #[must_use]
    pub fn new(client: Client, namespace: &str, me: &str, owner: Option<OwnerReference>) -> Self {
        let leases = Api::namespaced(client, namespace);
        let (leading, _) = watch::channel(false);
        let (namespace, me) = (namespace.to_owned(), me.to_owned());
        Self { leases, namespace, me, owner, leading, seen: None, renewed: None, complaint: None }
    }

    /// Whether it leads now.
    #[must_use]
    pub fn leading(&self) -> watch::Receiver<bool> {
        self.leading.subscribe()
    }

    /// Leads whenever it can, until it is told to stop; then somebody else may at once.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let pause = tokio::select! {
                pause = self.turn() => pause,
                () = stop.as_mut() => break,
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.as_mut() => break,
            }
        }
        let was_leading = self.leading.send_replace(false);
        if was_leading {
            self.release().await;
        }
    }

    /// Looks and acts once; how long to wait before the next time.
    async fn turn(&mut self) -> Duration {
        let done = tokio::time::timeout(PATIENCE, self.attempt()).await;
        match done {
            Ok(Ok(pause)) => {
                self.complaint = None;
                return pause;
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
                // Somebody else was faster; what they wrote decides.
                self.seen = None;
            }
            Ok(Err(error)) => self.complain(&error.to_string()),
            Err(_) => self.complain("the API server does not answer"),
        }
        if self.renewed.is_none_or(|renewed| renewed.elapsed() >= GIVES_UP) {
            self.lead(false);
        }
        Duration::from_millis(500)
    }

    /// Each reason is told once in a row.
    fn complain(&mut self, reason: &str) {
        if self.complaint.as_deref() != Some(reason) {
            tracing::warn!(reason, "the lease cannot be read or written");
            self.complaint = Some(reason.to_owned());
        }
    }

    async fn attempt(&mut self) -> Result<Duration, kube::Error> {
        let lease = self.leases.get_opt(LEASE).await?;
        let held = lease.as_ref().map(|lease| self.observe(lease));
        let step = decide(held.as_ref(), &self.me, RENEWED);
        match step {
            Step::Create => {
                let lease = Lease { metadata: self.metadata(), spec: Some(self.spec(0, None)) };
                let lease = self.leases.create(&PostParams::default(), &lease).await?;
                self.won(lease);
                Ok(RENEWED)
            }
            Step::Take | Step::Renew => {
                let Some(mut lease) = lease else { return Ok(RENEWED) };
                let spec = lease.spec.unwrap_or_default();
                let transitions = spec.lease_transitions.unwrap_or_default();
                let acquired = if step == Step::Renew { spec.acquire_time } else { None };
                let transitions = if step == Step::Renew { transitions } else { transitions.saturating_add(1) };
                lease.spec = Some(self.spec(transitions, acquired));
                owner::claim(&mut lease.metadata, self.owner.as_ref());
                let lease = self.leases.replace(LEASE, &PostParams::default(), &lease).await?;
                self.won(lease);
                Ok(RENEWED)
            }
            Step::Wait(pause) => {
                self.lead(false);
                Ok(pause)
            }
        }
    }

    /// What a Lease says, with how long it has said so by this process's clock: those of others are
    /// not compared.
    fn observe(&mut self, lease: &Lease) -> Held {
        let since = match &self.seen {
            Some((known, since)) if known.metadata.resource_version == lease.metadata.resource_version => *since,
            _ => Instant::now(),
        };
        self.seen = Some((lease.clone(), since));
        let spec = lease.spec.as_ref();
        let lasts = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        Held {
            holder: spec.and_then(|spec| spec.holder_identity.clone()).unwrap_or_default(),
            lasts: lasts.map_or(LASTS, Duration::from_secs),
            unchanged: since.elapsed(),
        }
    }

    fn won(&mut self, lease: Lease) {
        self.seen = Some((lease, Instant::now()));
        self.renewed = Some(Instant::now());
        self.lead(true);
    }

    fn lead(&mut self, leads: bool) {
        if !leads {
            self.renewed = None;
        }
        let changed = self.leading.send_if_modified(|leading| std::mem::replace(leading, leads) != leads);
        if changed {
            tracing::info!(leads, me = %self.me, "leadership");
        }
    }

    fn metadata(&self) -> ObjectMeta {
        let mut metadata =
            ObjectMeta { name: Some(LEASE.to_owned()), namespace: Some(self.namespace.clone()), ..ObjectMeta::default() };
        owner::claim(&mut metadata, self.owner.as_ref());
        metadata
    }

    fn spec(&self, transitions: i32, acquired: Option<MicroTime>) -> LeaseSpec {
        let now = MicroTime(jiff::Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
            acquire_time: Some(acquired.unwrap_or_else(|| now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }

    async fn release(&mut self) {
        let Some((mut lease, _)) = self.seen.take() else { return };
        if let Some(spec) = lease.spec.as_mut() {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        }
        let how = PostParams::default();
        let written = self.leases.replace(LEASE, &how, &lease);
        if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, written).await {
            tracing::warn!(%error, "the lease could not be given back; it ends by itself");
        }
    }
}
