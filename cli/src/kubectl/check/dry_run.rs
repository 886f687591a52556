//! What the API server says to manifests, without keeping them.

use std::collections::BTreeSet;

use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use manifest::Object;
use operator::kinds::Kind;
use serde_json::Value;

use super::super::cluster::{Cluster, missing_namespace};

/// Who asks the API server; nothing is written.
const MANAGER: &str = "kubectl-doorward";

/// The objects that the API server refuses: which, and why.
pub(super) async fn refused(cluster: &Cluster, objects: &[&Object]) -> Vec<(String, String)> {
    let made: BTreeSet<&str> =
        objects.iter().filter(|object| &**object.kind() == "Namespace").map(|object| name(object)).collect();
    let mut refused = Vec::new();
    for object in objects.iter().filter(|object| object.is_named()) {
        let Some(what) = resource(object) else { continue };
        let namespace = Some(&*object.reference().name.namespace).filter(|namespace| !namespace.is_empty());
        let api = cluster.api(&what, namespace);
        if let Err(kube::Error::Api(status)) = tried(&api, name(object), object.value()).await {
            let why = match status.code {
                // It is made before what goes into it, and until then nothing can be asked about that.
                404 if missing_namespace(&status).is_some_and(|missing| made.contains(missing)) => continue,
                403 => format!("{}; with --no-dry-run it is not asked", status.message),
                _ => status.message.clone(),
            };
            refused.push((object.reference().to_string(), why));
        }
    }
    refused
}

fn name(object: &Object) -> &str {
    &object.reference().name.name
}

/// Has the API server judge an object as it stands. In place of what is there, not merged into it: what the manifest says
/// no longer would be judged too, where somebody else's tool has applied it.
async fn tried(api: &Api<DynamicObject>, name: &str, value: &Value) -> Result<(), kube::Error> {
    // Its metadata alone, because no Secret is read.
    let Some(there) = api.get_metadata_opt(name).await? else {
        let manager = Some(MANAGER.to_owned());
        let params = PatchParams { dry_run: true, force: true, field_manager: manager, ..PatchParams::default() };
        return api.patch(name, &params, &Patch::Apply(value)).await.map(drop);
    };
    let mut whole: DynamicObject = serde_json::from_value(value.clone()).map_err(kube::Error::SerdeError)?;
    whole.metadata.resource_version = there.metadata.resource_version;
    let params = PostParams { dry_run: true, field_manager: Some(MANAGER.to_owned()) };
    api.replace(name, &params, &whole).await.map(drop)
}

/// Where the API server has the object's kind, at the version that it is written in.
fn resource(object: &Object) -> Option<ApiResource> {
    let mut what = Kind::of(object.kind())?.resource();
    what.api_version = object.api_version().to_string();
    what.version = what.api_version.rsplit('/').next()?.to_owned();
    (what.group == object.group()).then_some(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_asked_for_at_the_version_that_they_are_written_in() {
        let grant = b"apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: a}\n";
        let file = manifest::read("a.yaml", grant, files::catalog());
        let what = resource(&file.objects[0]).unwrap();
        assert_eq!((what.version.as_str(), what.plural.as_str()), ("v1beta1", "referencegrants"));
    }
}
