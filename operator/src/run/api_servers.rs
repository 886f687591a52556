//! Where API servers are: the Service `kubernetes` in namespace `default`, and what stands behind it.

use std::net::IpAddr;
use std::time::Duration;

use crds::standard::{EndpointSlice, Service};
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::sync::mpsc;

/// How often it is looked. API servers are replaced one after the other.
const OFTEN: Duration = Duration::from_secs(30);
/// The wait after a look that failed.
const PAUSE: Duration = Duration::from_secs(2);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses that are told of; a cluster has a handful.
const MOST: usize = 64;

/// Tells the addresses whenever they are others, until nobody listens.
pub(super) async fn follow(client: Client, to: mpsc::Sender<Vec<IpAddr>>) {
    let mut known: Option<Vec<IpAddr>> = None;
    let mut is_told = false;
    while !to.is_closed() {
        let why = match tokio::time::timeout(PATIENCE, look(&client)).await {
            Ok(Ok(addresses)) => {
                if known.as_ref() != Some(&addresses) {
                    if to.send(addresses.clone()).await.is_err() {
                        return;
                    }
                    known = Some(addresses);
                }
                tokio::time::sleep(OFTEN).await;
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the API server does not answer".to_owned(),
        };
        if !is_told {
            tracing::warn!(why, "the addresses of API servers are not known; data planes know the one of their environment");
            is_told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn look(client: &Client) -> Result<Vec<IpAddr>, kube::Error> {
    let services: Api<Service> = Api::namespaced(client.clone(), "default");
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), "default");
    let services = services.list(&ListParams::default().fields("metadata.name=kubernetes")).await?;
    let slices = slices.list(&ListParams::default().labels("kubernetes.io/service-name=kubernetes")).await?;
    Ok(addresses(&services.items, &slices.items))
}

/// All addresses, in one order.
fn addresses(services: &[Service], slices: &[EndpointSlice]) -> Vec<IpAddr> {
    let shared = services.iter().filter_map(|service| service.spec.as_ref()?.cluster_ips.as_ref()).flatten();
    let own = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten()).flat_map(|endpoint| &endpoint.addresses);
    let mut addresses: Vec<IpAddr> = shared.chain(own).filter_map(|address| address.parse().ok()).collect();
    addresses.sort();
    addresses.dedup();
    addresses.truncate(MOST);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_address_of_every_family_counts_once() {
        let service = json!({"spec": {"clusterIPs": ["10.96.0.1", "fd00::1"]}});
        let slice = |addresses: &[&str]| json!({"addressType": "IPv4", "endpoints": [{"addresses": addresses}], "metadata": {}});
        let slices = [slice(&["10.0.0.2"]), slice(&["10.0.0.3"]), slice(&["10.0.0.2", "fd00::2"]), slice(&["none"])];
        let slices: Vec<EndpointSlice> = slices.into_iter().map(|slice| serde_json::from_value(slice).unwrap()).collect();
        let found = addresses(&[serde_json::from_value(service).unwrap()], &slices);
        let expected = ["10.0.0.2", "10.0.0.3", "10.96.0.1", "fd00::1", "fd00::2"];
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        assert_eq!(addresses(&[], &[]), Vec::<IpAddr>::new());
    }
}
