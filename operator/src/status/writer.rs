//! Writing statuses and events to an API server.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::board::{Transition, Write, Written};
use super::notices::Notice;
use crate::kinds::Kind;
use crate::store::{Key, Known, StatusText};
use crate::watch::Seen;

/// The field manager of statuses.
pub const MANAGER: &str = "doorward-status";
/// How long one write may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    recorder: Recorder,
}

impl Writer {
    /// A writer that names itself by the pod that it runs in.
    #[must_use]
    pub fn new(client: Client, me: &str) -> Self {
        let reporter = Reporter { controller: translate::CONTROLLER.to_owned(), instance: Some(me.to_owned()) };
        Self { recorder: Recorder::new(client.clone(), reporter), client }
    }

    /// Writes one status, and tells of it where there is something to tell.
    pub async fn write(self, write: Write) -> (Key, Written) {
        let written = match tokio::time::timeout(PATIENCE, self.apply(&write)).await {
            Ok(Ok(known)) => Written::Done(known),
            Ok(Err(error)) => refused(&write.key, &error),
            Err(_) => Written::Failed,
        };
        if let (Written::Done(_), Some(transition)) = (&written, &write.transition) {
            self.tell(&write.key, &write.uid, transition).await;
        }
        (write.key, written)
    }

    async fn apply(&self, write: &Write) -> Result<Known, kube::Error> {
        let Key { kind, name } = &write.key;
        let resource = kind.resource();
        let api: Api<Seen<false>> = if kind.is_namespaced() {
            Api::namespaced_with(self.client.clone(), &name.namespace, &resource)
        } else {
            Api::all_with(self.client.clone(), &resource)
        };
        let patch = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": metadata(write),
            "status": write.status,
        });
        let how = PatchParams::apply(MANAGER).force();
        let object = api.patch_status(&name.name, &how, &Patch::Apply(&patch)).await?.into_object(*kind);
        Ok(Known { marks: object.marks, status: StatusText::of(&object.status) })
    }

    /// Tells of an object whose status says nothing of it.
    pub async fn notice(self, notice: Notice) {
        self.tell(&notice.key, &notice.uid, &notice.transition).await;
    }

    async fn tell(&self, key: &Key, uid: &str, transition: &Transition) {
        let Key { kind, name } = key;
        let about = ObjectReference {
            api_version: Some(kind.resource().api_version),
            kind: Some(kind.name().to_owned()),
            namespace: Some(name.namespace.to_string()),
            name: Some(name.name.to_string()),
            uid: Some(uid.to_owned()),
            ..ObjectReference::default()
        };
        let event = Event {
            type_: if transition.is_good { EventType::Normal } else { EventType::Warning },
            reason: transition.reason.clone(),
            note: Some(transition.message.chars().take(NOTE).collect()),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        match tokio::time::timeout(PATIENCE, self.recorder.publish(&event, &about)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(object = %key.reference(), %error, "an event is lost"),
            Err(_) => tracing::warn!(object = %key.reference(), "an event is lost: the API server does not answer"),
        }
    }
}

/// Bytes of an event's note are bounded to 1 KiB; characters have up to four.
const NOTE: usize = 250;

fn metadata(write: &Write) -> Value {
    let Write { key: Key { kind, name }, uid, version, .. } = write;
    let mut metadata = json!({"name": &*name.name, "uid": &**uid});
    if kind.is_namespaced() {
        metadata["namespace"] = json!(&*name.namespace);
    }
    if let Some(version) = version {
        metadata["resourceVersion"] = json!(&**version);
    }
    metadata
}

fn refused(key: &Key, error: &kube::Error) -> Written {
    let code = if let kube::Error::Api(status) = error { status.code } else { 0 };
    match code {
        404 => Written::Gone,
        // Another version by now, which watching tells.
        409 if key.kind == Kind::HttpRoute => Written::Failed,
        // Another object by now.
        409 => Written::Gone,
        _ => {
            tracing::warn!(object = %key.reference(), %error, "a status is not written");
            Written::Failed
        }
    }
}
