//! What the cluster has beside the manifests that are checked: its objects as files.

use std::collections::BTreeMap;

use cause::{ObjectName, ObjectRef};
use files::catalog;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::core::ApiResource;
use manifest::{File, Finding};
use operator::kinds::Kind;
use serde_json::{Value, json};
use translate::{Assumption, Context, SERVING_LAST_GOOD};

use super::super::cluster::Cluster;
use super::super::objects::{self, list, text};
use crate::failure::{Exit, Failure};
use crate::terminal::tell;

/// How the cluster's objects are named among files.
const CLUSTER: &str = "the cluster";

/// What the cluster has.
pub(super) struct Beside {
    /// Its objects, by kinds.
    pub(super) files: Vec<File>,
    pub(super) context: Context,
    pub(super) live: BTreeMap<ObjectRef, Live>,
}

/// What the API server knows of an object and no file says.
pub(super) struct Live {
    pub(super) uid: String,
    pub(super) created_at: String,
    /// Whether an earlier version of it serves, because this one was refused.
    pub(super) serves_last_good: bool,
}

/// Whether a finding is about an object of the cluster.
pub(super) fn is_of_cluster(finding: &Finding) -> bool {
    finding.file().starts_with(CLUSTER)
}

/// What may be seen of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    All,
    /// The objects of one namespace.
    Own,
    Nothing,
}

/// The cluster's objects, and what exists there without being read: the contents of Secrets are nobody's business here. What
/// may not be listed is taken to hold whatever is referred to.
///
/// # Errors
/// The API server does not answer.
pub(super) async fn read(cluster: &Cluster, now: Timestamp) -> Result<Beside, Failure> {
    let mut beside = Beside { files: Vec::new(), context: context(cluster, now).await, live: BTreeMap::new() };
    let (mut elsewhere, mut nowhere) = (Vec::new(), Vec::new());
    for kind in Kind::ALL.into_iter().filter(|kind| crds::definition::kinds().iter().any(|known| known.kind == kind.name())) {
        let what = kind.resource();
        let seen = if kind == Kind::Secret {
            let (outlines, seen) = secrets(cluster, &what).await;
            beside.context.outlines = Some(outlines).filter(|_| seen != Seen::Nothing);
            seen
        } else {
            let (objects, seen) = listed(cluster, kind, &what).await?;
            beside.add(kind, &objects);
            seen
        };
        let but = match seen {
            Seen::All => continue,
            Seen::Own => Some(cluster.namespace.as_str().into()),
            Seen::Nothing => None,
        };
        if but.is_some() { &mut elsewhere } else { &mut nowhere }.push(what.plural);
        beside.context.assume.push(Assumption { but, ..Assumption::all_of(kind.name()) });
    }
    for (plurals, note) in [
        (elsewhere, format!("are looked at only in {}: you may not list them elsewhere", cluster.namespace)),
        (nowhere, "of the cluster are not looked at: you may not list them".to_owned()),
    ] {
        if !plurals.is_empty() {
            tell(&format!("note: {} {note}\n", plurals.join(", ")));
        }
    }
    Ok(beside)
}

impl Beside {
    /// Takes in the objects of a kind as the API server has them.
    pub(super) fn add(&mut self, kind: Kind, objects: &[Value]) {
        let document = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let name = format!("{CLUSTER}: {}", kind.name());
        self.files.push(manifest::read(&name, document.to_string().as_bytes(), catalog()));
        self.live.extend(objects.iter().map(|object| {
            let name = ObjectName::new(text(object, "/metadata/namespace"), text(object, "/metadata/name"));
            (ObjectRef::new(kind.name(), name), Live::of(object))
        }));
    }
}

impl Live {
    fn of(object: &Value) -> Self {
        let parents = list(object, "/status/parents").iter().flat_map(|parent| list(parent, "/conditions"));
        let mut conditions = list(object, "/status/conditions").iter().chain(parents);
        Self {
            uid: text(object, "/metadata/uid").to_owned(),
            created_at: text(object, "/metadata/creationTimestamp").to_owned(),
            serves_last_good: conditions.any(|condition| text(condition, "/reason") == SERVING_LAST_GOOD),
        }
    }
}

/// What translation must know of the cluster.
async fn context(cluster: &Cluster, now: Timestamp) -> Context {
    let operators = cluster.list(&objects::deployments(), None, super::super::status::OPERATOR).await.unwrap_or_default();
    let default = operators.iter().find_map(|deployment| {
        let variables = list(deployment, "/spec/template/spec/containers/0/env");
        let name = variables.iter().find(|variable| text(variable, "/name") == "DOORWARD_DEFAULT_GATEWAY")?;
        let (namespace, name) = match text(name, "/value").split_once('/') {
            Some(pair) => pair,
            None => (text(deployment, "/metadata/namespace"), text(name, "/value")),
        };
        Some(ObjectName::new(namespace, name))
    });
    let default_gateway = default.unwrap_or_else(|| ObjectName::new("doorward-system", "doorward"));
    Context::of_cluster(now, translate::Cluster { default_gateway, gateway_api: None })
}

/// The objects of a kind; those of the namespace that is meant where the others may not be listed.
async fn listed(cluster: &Cluster, kind: Kind, what: &ApiResource) -> Result<(Vec<Value>, Seen), Failure> {
    let own = kind.is_namespaced().then_some((Some(cluster.namespace.as_str()), Seen::Own));
    for (scope, seen) in [(None, Seen::All)].into_iter().chain(own) {
        match cluster.list_if_known(what, scope, "").await {
            Ok(objects) => return Ok((objects, seen)),
            Err(failure) if failure.exit() == Exit::Found => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok((Vec::new(), Seen::Nothing))
}

/// The metadata of Secrets; of those in the namespace that is meant where the others may not be listed.
async fn secrets(cluster: &Cluster, what: &ApiResource) -> (BTreeMap<ObjectName, ObjectMeta>, Seen) {
    for (scope, seen) in [(None, Seen::All), (Some(cluster.namespace.as_str()), Seen::Own)] {
        if let Ok(listed) = cluster.api(what, scope).list_metadata(&ListParams::default()).await {
            let named = listed.items.into_iter().filter_map(|object| {
                let name = ObjectName::new(object.metadata.namespace.as_deref()?, object.metadata.name.as_deref()?);
                Some((name, object.metadata))
            });
            return (named.collect(), seen);
        }
    }
    (BTreeMap::new(), Seen::Nothing)
}
