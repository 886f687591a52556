//! The cluster that a kubeconfig leads to, and what it says when it says no.

use std::path::PathBuf;
use std::time::Duration;

use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, Status};
use kube::{Api, Client, Config};
use operator::kinds::Kind;
use serde_json::Value;

use crate::failure::{Exit, Failure};

/// How long the API server may take to be reached and to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Objects of one page of a list.
const PAGE: u32 = 500;

/// Which cluster, and which part of it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Reach {
    /// The kubeconfig file; without this, what kubectl takes, and in a pod its own account
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The namespace; without this, that of the context
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
}

/// A cluster that answers to us.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) client: Client,
    /// The namespace that is meant where none is named.
    pub(super) namespace: String,
    /// The namespace that was named.
    pub(super) named: Option<String>,
}

impl Cluster {
    /// Reads the kubeconfig. Connects only when something is asked.
    ///
    /// # Errors
    /// No kubeconfig leads to a cluster.
    pub(super) async fn of(reach: &Reach) -> Result<Self, Failure> {
        let mut config = config(reach).await.map_err(|why| {
            Failure::unreachable(
                format!("no kubeconfig leads to a cluster: {why}"),
                "kubectl config get-contexts, then --context NAME or --kubeconfig FILE",
            )
        })?;
        config.connect_timeout = Some(PATIENCE);
        config.read_timeout = Some(PATIENCE);
        let namespace = reach.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| {
            Failure::unreachable(format!("the kubeconfig cannot be used: {}", chain(&error)), "kubectl version")
        })?;
        Ok(Self { client, namespace, named: reach.namespace.clone() })
    }

    /// All objects of a kind, in one namespace or in all.
    ///
    /// # Errors
    /// The API server does not answer or does not allow it.
    pub(super) async fn list(&self, what: &ApiResource, namespace: Option<&str>, labels: &str) -> Result<Vec<Value>, Failure> {
        let api = self.api(what, namespace);
        let mut params = ListParams::default().labels(labels).limit(PAGE);
        let mut found = Vec::new();
        loop {
            let page = api.list(&params).await.map_err(|error| refused(&error, "list", what, namespace))?;
            found.extend(page.items.iter().filter_map(|object| value(what, object)));
            match page.metadata.continue_.filter(|next| !next.is_empty()) {
                Some(next) => params = params.continue_token(&next),
                None => return Ok(found),
            }
        }
    }

    /// As [`Self::list`]; nothing where the cluster does not have the kind.
    ///
    /// # Errors
    /// As for [`Self::list`].
    pub(super) async fn list_if_known(
        &self,
        what: &ApiResource,
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<Value>, Failure> {
        match self.api(what, namespace).list(&ListParams::default().limit(1)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
            Ok(_) | Err(_) => self.list(what, namespace, labels).await,
        }
    }

    /// As [`Self::list`]; `None` where the cluster does not have the kind, or keeps it from us: a team may have rights to
    /// its own objects alone.
    ///
    /// # Errors
    /// The API server does not answer.
    pub(super) async fn list_if_allowed(
        &self,
        what: &ApiResource,
        namespace: Option<&str>,
    ) -> Result<Option<Vec<Value>>, Failure> {
        match self.list(what, namespace, "").await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.exit() == Exit::Found => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// One object.
    ///
    /// # Errors
    /// The API server does not answer or does not allow it.
    pub(super) async fn get(&self, what: &ApiResource, namespace: &str, name: &str) -> Result<Option<Value>, Failure> {
        let found = self.api(what, Some(namespace)).get_opt(name).await;
        let found = found.map_err(|error| refused(&error, "get", what, Some(namespace)))?;
        Ok(found.and_then(|object| value(what, &object)))
    }

    /// Whether there is a namespace of this name; nothing where that may not be seen.
    ///
    /// # Errors
    /// The API server does not answer.
    pub(super) async fn has_namespace(&self, name: &str) -> Result<Option<bool>, Failure> {
        let what = Kind::Namespace.resource();
        match self.api(&what, None).get_metadata_opt(name).await {
            Ok(found) => Ok(Some(found.is_some())),
            Err(kube::Error::Api(_)) => Ok(None),
            Err(error) => Err(refused(&error, "get", &what, None)),
        }
    }

    /// The objects of a kind in a namespace, in all, or of the whole cluster.
    pub(super) fn api(&self, what: &ApiResource, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, what),
            None => Api::all_with(self.client.clone(), what),
        }
    }
}

async fn config(reach: &Reach) -> Result<Config, String> {
    let options = KubeConfigOptions { context: reach.context.clone(), ..KubeConfigOptions::default() };
    let found = match (&reach.kubeconfig, &reach.context) {
        (Some(path), _) => {
            let file = Kubeconfig::read_from(path).map_err(|error| chain(&error))?;
            Config::from_custom_kubeconfig(file, &options).await
        }
        (None, Some(_)) => Config::from_kubeconfig(&options).await,
        (None, None) => return Config::infer().await.map_err(|error| chain(&error)),
    };
    found.map_err(|error| chain(&error))
}

/// An object with its kind, which items of lists lack.
fn value(what: &ApiResource, object: &DynamicObject) -> Option<Value> {
    let mut value = serde_json::to_value(object).ok()?;
    let members = value.as_object_mut()?;
    members.insert("apiVersion".to_owned(), what.api_version.as_str().into());
    members.insert("kind".to_owned(), what.kind.as_str().into());
    Some(value)
}

/// Why the API server did not do it, and what to type next.
pub(super) fn refused(error: &kube::Error, verb: &str, what: &ApiResource, namespace: Option<&str>) -> Failure {
    let resource = if what.group.is_empty() { what.plural.clone() } else { format!("{}.{}", what.plural, what.group) };
    let scope = namespace.map_or_else(|| "-A".to_owned(), |namespace| format!("-n {namespace}"));
    let place = namespace.map_or_else(|| "in all namespaces".to_owned(), |namespace| format!("in {namespace}"));
    let kube::Error::Api(status) = error else {
        return Failure::unreachable(format!("the cluster does not answer: {}", chain(error)), "kubectl cluster-info");
    };
    if let Some(missing) = missing_namespace(status) {
        return no_namespace(missing);
    }
    match status.code {
        401 => Failure::unreachable("the cluster does not know who you are", "kubectl auth whoami"),
        403 => Failure::forbidden(
            format!("you may not {verb} {resource} {place}"),
            format!("kubectl auth can-i {verb} {resource} {scope}; with rights in one namespace alone, name it with -n"),
        ),
        404 if what.group == crds::GROUP => Failure::found(
            format!("the cluster does not know {resource}"),
            "helm install doorward-crds charts/doorward-crds, or kubectl apply --server-side -f charts/install.yaml",
        ),
        404 => {
            Failure::found(format!("the cluster does not know {resource}"), format!("kubectl api-resources | grep {}", what.kind))
        }
        _ => Failure::found(format!("the cluster does not {verb} {resource} {place}: {}", status.message), ""),
    }
}

/// A namespace is not there.
pub(super) fn no_namespace(name: &str) -> Failure {
    Failure::found(
        format!("there is no namespace {name}"),
        format!("name another one with -n, or kubectl create namespace {name}"),
    )
}

/// The namespace that is not there, where the API server says so.
pub(super) fn missing_namespace(status: &Status) -> Option<&str> {
    let details = status.details.as_ref().filter(|details| status.code == 404 && details.kind == "namespaces")?;
    Some(&details.name)
}

/// An error with what it came of.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_type_next() {
        let routes = operator::kinds::Kind::ApiRoute.resource();
        let check = |code: u16, namespace: Option<&str>, what: &ApiResource, exit: Exit, expected: &str| {
            let error = kube::Error::Api(Status { code, message: "because".to_owned(), ..Status::default() }.boxed());
            let failure = refused(&error, "list", what, namespace);
            assert_eq!((failure.exit(), failure.to_string().as_str()), (exit, expected));
        };
        check(
            403,
            Some("shop"),
            &routes,
            Exit::Found,
            "you may not list apiroutes.doorward.dev in shop\n  next: kubectl auth can-i list apiroutes.doorward.dev -n shop; \
             with rights in one namespace alone, name it with -n",
        );
        check(401, None, &routes, Exit::Unreachable, "the cluster does not know who you are\n  next: kubectl auth whoami");
        let unknown = refused(&kube::Error::Api(Status { code: 404, ..Status::default() }.boxed()), "list", &routes, None);
        assert!(unknown.to_string().contains("helm install doorward-crds"), "{unknown}");
        let details = serde_json::json!({"code": 404, "details": {"name": "shpo", "kind": "namespaces"}});
        let status: Status = serde_json::from_value(details).unwrap();
        assert_eq!(
            refused(&kube::Error::Api(status.boxed()), "create", &routes, Some("shpo")).to_string(),
            "there is no namespace shpo\n  next: name another one with -n, or kubectl create namespace shpo"
        );
        check(500, None, &routes, Exit::Found, "the cluster does not list apiroutes.doorward.dev in all namespaces: because");
    }
}
