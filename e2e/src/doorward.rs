//! Doorward on a cluster, as users install it: by Helm, with the defaults of the charts.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use xtask::progress::Step;
use xtask::{Failure, places};

use crate::cluster::Cluster;
use crate::run::until;

/// Where the chart is installed.
pub const NAMESPACE: &str = "doorward-system";
/// The chart's release, and the Gateway that it makes.
pub const NAME: &str = "doorward";
/// The operator's Deployment.
pub const OPERATOR: &str = "deployment/doorward-operator";

/// The one departure from the defaults: a node of two cores has no room for what twenty Gateways reserve.
const SMALL: &str = "gatewayConfig.deployment.resources.requests.cpu=10m";

/// How long pods and statuses may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The manifests that newcomers apply.
const QUICKSTART: &str = "examples/kubernetes/quickstart.yaml";
/// Where they are applied.
pub const SHOP: &str = "shop";

/// Installs both charts, and waits until the default Gateway can take requests.
///
/// # Errors
/// Helm fails, or it does not get ready; then with what kubectl says of it.
pub fn install(cluster: &Cluster, archive: Option<&Path>) -> Result<(), Failure> {
    let step = Step::begin("installing doorward by helm");
    let installed = (|| {
        if let Some(archive) = archive {
            cluster.import(archive)?;
        }
        let (definitions, chart) = (chart("doorward-crds")?, chart("doorward")?);
        cluster.run_inside(&["helm", "upgrade", "--install", "doorward-crds", &definitions, "--wait"])?;
        let (repository, tag) = cluster.image().rsplit_once(':').unwrap_or((cluster.image(), "latest"));
        let (repository, tag) = (format!("image.repository={repository}"), format!("image.tag={tag}"));
        cluster.run_inside(&[
            "helm",
            "upgrade",
            "--install",
            NAME,
            &chart,
            "--namespace",
            NAMESPACE,
            "--create-namespace",
            "--set",
            &repository,
            "--set",
            &tag,
            "--set",
            SMALL,
            "--wait",
            "--timeout=180s",
        ])?;
        programmed(cluster, NAMESPACE, NAME)
    })();
    match installed {
        Ok(()) => {
            step.end("");
            Ok(())
        }
        Err(failure) => {
            step.end("FAILED");
            Err(Failure::new(format!("{failure}\n\n{}", seen(cluster))))
        }
    }
}

/// Waits until a Gateway is programmed.
///
/// # Errors
/// It is not in time.
pub fn programmed(cluster: &Cluster, namespace: &str, name: &str) -> Result<(), Failure> {
    condition(cluster, &["gateway", name, "-n", namespace], "Programmed", "True")
}

/// Waits until an object has a condition, for its present generation.
///
/// # Errors
/// It has not in time; then with the object's conditions.
pub fn condition(cluster: &Cluster, object: &[&str], kind: &str, status: &str) -> Result<(), Failure> {
    until(PATIENCE, &format!("{} has {kind}={status}", object.join(" ")), || {
        let found = cluster.get(object).map_err(|failure| failure.to_string())?;
        let generation = &found["metadata"]["generation"];
        let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let holds = |condition: &serde_json::Value| {
            condition["type"] == kind && condition["status"] == status && condition["observedGeneration"] == *generation
        };
        if conditions.iter().any(holds) {
            Ok(())
        } else {
            Err(format!("generation {generation}: {}", found["status"]["conditions"]))
        }
    })
}

/// Applies the quickstart, and waits until its route, its key and its service are ready.
///
/// # Errors
/// They are not in time.
pub fn quickstart(cluster: &Cluster) -> Result<(), Failure> {
    let path = places::root()?.join(QUICKSTART);
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::new(format!("{QUICKSTART} cannot be read: {error}")))?;
    cluster.apply(&text.replace(&xtask::image::reference(), cluster.image()))?;
    cluster.kubectl(&["-n", SHOP, "rollout", "status", "deployment/orders", "--timeout=120s"])?;
    condition(cluster, &["apiroute", "orders", "-n", SHOP], "Ready", "True")?;
    condition(cluster, &["apikey", "mobile-app", "-n", SHOP], "Ready", "True")
}

/// The text of a key that the operator made.
///
/// # Errors
/// The Secret is not there, or holds none.
pub fn key(cluster: &Cluster, namespace: &str, secret: &str) -> Result<String, Failure> {
    let template = "go-template={{.data.key | base64decode}}";
    cluster.kubectl(&["get", "secret", secret, "-n", namespace, "-o", template])
}

/// Where a Gateway takes requests: its address in status, and the port of its first listener.
///
/// # Errors
/// It has no address in time.
pub fn address(cluster: &Cluster, namespace: &str, name: &str) -> Result<SocketAddr, Failure> {
    until(PATIENCE, &format!("Gateway {namespace}/{name} has an address"), || {
        let gateway = cluster.get(&["gateway", name, "-n", namespace]).map_err(|failure| failure.to_string())?;
        let address = gateway["status"]["addresses"][0]["value"].as_str().and_then(|text| text.parse::<IpAddr>().ok());
        let port = gateway["spec"]["listeners"][0]["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        match (address, port) {
            (Some(address), Some(port)) => Ok(SocketAddr::new(address, port)),
            (_, _) => Err(format!("status.addresses: {}", gateway["status"]["addresses"])),
        }
    })
}

/// What a person would look at first when something does not work.
#[must_use]
pub fn seen(cluster: &Cluster) -> String {
    let looks: [&[&str]; 5] = [
        &["get", "pods", "--all-namespaces", "-o", "wide"],
        &["get", "gatewayclasses,gateways,httproutes,apiroutes,apikeys", "--all-namespaces"],
        &["get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp"],
        &["logs", "-n", NAMESPACE, OPERATOR, "--all-pods", "--tail=30"],
        &["logs", "-n", NAMESPACE, "-l", "gateway.networking.k8s.io/gateway-name", "--tail=30"],
    ];
    let mut text = String::new();
    for look in looks {
        let found = cluster.kubectl(look).unwrap_or_else(|failure| failure.to_string());
        text.push_str(&format!("$ kubectl {}\n{found}\n", look.join(" ")));
    }
    text
}

fn chart(name: &str) -> Result<String, Failure> {
    let path: PathBuf = places::root()?.join("charts").join(name);
    Ok(path.to_string_lossy().into_owned())
}
