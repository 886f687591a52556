//! The data planes of Gateways, asked at their management ports through the API server: these listen on the pod's
//! loopback, which nothing but a port-forward reaches.

use std::fmt;
use std::time::Duration;

use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::client::UpgradeConnectionError;
use operator::kinds::GATEWAY_NAME;
use serde_json::Value;
use tokio::time::timeout;

use super::cluster::{Cluster, chain};
use super::objects::{self, label, list, number, text};
use crate::failure::Failure;
use crate::management::{self, Answer};

/// The management port of a data plane.
const MANAGEMENT: u16 = 9090;
/// How long a data plane may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replica {
    pub(super) namespace: String,
    pub(super) name: String,
    /// The name of its Gateway, of the same namespace.
    pub(super) gateway: String,
    pub(super) is_ready: bool,
    pub(super) restarts: i64,
    pub(super) image: String,
    /// Why its container does not run, where it does not.
    pub(super) waiting: String,
}

/// Why a data plane was not asked, or did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    /// Whoever asks may not.
    NotAllowed,
    /// For another reason, to stand behind its name.
    Silent(String),
}

impl fmt::Display for Unasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed => f.write_str("you may not create pods/portforward there"),
            Self::Silent(why) => f.write_str(why),
        }
    }
}

/// The data planes of all Gateways, or of those of one namespace.
///
/// # Errors
/// The API server does not answer or does not allow it.
pub(super) async fn replicas(cluster: &Cluster, namespace: Option<&str>) -> Result<Vec<Replica>, Failure> {
    let pods = cluster.list(&objects::pods(), namespace, GATEWAY_NAME).await?;
    Ok(pods.iter().filter(|pod| text(pod, "/metadata/deletionTimestamp").is_empty()).map(replica).collect())
}

fn replica(pod: &Value) -> Replica {
    let ready = list(pod, "/status/conditions").iter().find(|condition| text(condition, "/type") == "Ready");
    Replica {
        namespace: text(pod, "/metadata/namespace").to_owned(),
        name: text(pod, "/metadata/name").to_owned(),
        gateway: label(pod, GATEWAY_NAME).to_owned(),
        is_ready: ready.is_some_and(|ready| text(ready, "/status") == "True"),
        restarts: list(pod, "/status/containerStatuses").iter().map(|status| number(status, "/restartCount")).sum(),
        image: text(pod, "/spec/containers/0/image").to_owned(),
        waiting: text(pod, "/status/containerStatuses/0/state/waiting/reason").to_owned(),
    }
}

/// Asks a data plane.
///
/// # Errors
/// Why it does not answer.
pub(super) async fn ask(
    cluster: &Cluster,
    replica: &Replica,
    what: (Method, &str),
    document: Option<&Value>,
) -> Result<Answer, Unasked> {
    let silent = |why: &str| Unasked::Silent(why.to_owned());
    let asking = async {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &replica.namespace);
        let mut forwarder = pods.portforward(&replica.name, &[MANAGEMENT]).await.map_err(|error| not_forwarded(&error))?;
        let stream = forwarder.take_stream(MANAGEMENT).ok_or_else(|| silent("the port-forward has no stream"))?;
        management::over(stream, "localhost", what, document).await.map_err(Unasked::Silent)
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(silent(&format!("no answer within {} s", PATIENCE.as_secs()))))
}

fn not_forwarded(error: &kube::Error) -> Unasked {
    // The request is an upgrade, whose refusal has no document that tells.
    let is_refused = matches!(error, kube::Error::Api(status) if status.code == 403)
        || matches!(
            error,
            kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) if *status == StatusCode::FORBIDDEN
        );
    if is_refused { Unasked::NotAllowed } else { Unasked::Silent(chain(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_right_that_lacks_is_told_from_silence() {
        let switch = |status| kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status));
        assert_eq!(not_forwarded(&switch(StatusCode::FORBIDDEN)), Unasked::NotAllowed);
        assert!(matches!(not_forwarded(&switch(StatusCode::BAD_GATEWAY)), Unasked::Silent(_)));
    }

    #[test]
    fn a_pod_is_a_replica_of_its_gateway() {
        let pod = json!({
            "metadata": {"name": "web-doorward-1", "namespace": "shop", "labels": {GATEWAY_NAME: "web"}},
            "spec": {"containers": [{"image": "doorward:1"}]},
            "status": {
                "conditions": [{"type": "Initialized", "status": "False"}, {"type": "Ready", "status": "True"}],
                "containerStatuses": [{"restartCount": 3, "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
            },
        });
        let expected = Replica {
            namespace: "shop".to_owned(),
            name: "web-doorward-1".to_owned(),
            gateway: "web".to_owned(),
            is_ready: true,
            restarts: 3,
            image: "doorward:1".to_owned(),
            waiting: "ImagePullBackOff".to_owned(),
        };
        assert_eq!(replica(&pod), expected);
        assert!(!replica(&json!({"metadata": {"name": "a"}})).is_ready);
    }
}
