//! What an operator makes for itself goes with the operators' Service: whoever takes the installation away, by helm or
//! by hand, leaves nothing of it. An operator that is on its way out may make such an object once more; a cluster
//! collects what is owned by something that is gone.

use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Api, Client};

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The wait after an answer that did not come.
const PAUSE: Duration = Duration::from_millis(500);

/// The operators' Service as an owner, as soon as the API server answers; `None` where there is no such Service, as
/// for an operator outside of a cluster.
pub async fn find(client: &Client, namespace: &str, service: &str) -> Option<OwnerReference> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let mut is_told = false;
    loop {
        let why = match tokio::time::timeout(PATIENCE, services.get_opt(service)).await {
            Ok(Ok(found)) => return found.and_then(|found| reference(&found)),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                tracing::warn!(service, "the Service of operators may not be read, so what they make stays when they go");
                return None;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the API server does not answer".to_owned(),
        };
        if !is_told {
            tracing::warn!(service, why, "the Service of operators cannot be read");
            is_told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn reference(service: &Service) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        name: service.metadata.name.clone()?,
        uid: service.metadata.uid.clone()?,
        controller: None,
        block_owner_deletion: None,
    })
}

/// Makes an object go with its owner; whether it did not before. Other owners stay, but an earlier Service of operators.
pub fn claim(metadata: &mut ObjectMeta, owner: Option<&OwnerReference>) -> bool {
    let Some(owner) = owner else { return false };
    let owners = metadata.owner_references.get_or_insert_default();
    if owners.iter().any(|known| known.uid == owner.uid) {
        return false;
    }
    owners.retain(|known| known.kind != owner.kind);
    owners.push(owner.clone());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_goes_with_the_newest_service_and_with_other_owners() {
        let owner = |kind: &str, uid: &str| OwnerReference {
            kind: kind.into(),
            name: "doorward-operator".into(),
            uid: uid.into(),
            ..OwnerReference::default()
        };
        let check = |before: Option<Vec<OwnerReference>>, claimed: Option<&OwnerReference>, expected: &[&str]| {
            let mut metadata = ObjectMeta { owner_references: before.clone(), ..ObjectMeta::default() };
            let is_changed = claim(&mut metadata, claimed);
            let after = metadata.owner_references;
            let uids: Vec<&str> = after.iter().flatten().map(|owner| owner.uid.as_str()).collect();
            assert_eq!(uids, expected);
            assert_eq!(is_changed, before.unwrap_or_default() != after.unwrap_or_default());
        };
        let mine = owner("Service", "1");
        check(None, None, &[]);
        check(None, Some(&mine), &["1"]);
        check(Some(vec![mine.clone()]), Some(&mine), &["1"]);
        check(Some(vec![owner("Service", "0")]), Some(&mine), &["1"]);
        check(Some(vec![owner("SealedSecret", "2")]), Some(&mine), &["2", "1"]);
    }
}
