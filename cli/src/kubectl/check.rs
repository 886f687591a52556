//! `kubectl doorward check`: what manifests would mean among the objects of this cluster, and whether its API server
//! takes them.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use cause::{ObjectName, ObjectRef, Severity};
use files::{Session, catalog};
use jiff::Timestamp;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use manifest::{File, Finding, Object, Report};
use operator::kinds::Kind;
use serde_json::{Value, json};
use translate::{Assumption, Context};

use super::cluster::{Cluster, Reach};
use super::objects::{self, list, text};
use super::{Form, show};
use crate::check::summary;
use crate::failure::{Exit, Failure};
use crate::paths;
use crate::terminal::{colour, tell};

const EXAMPLES: &str = "\
Examples:
  kubectl doorward check ./manifests                 beside everything that the cluster has
  kubectl doorward check -n shop orders.yaml         with rights in one namespace alone
  helm template ./chart | kubectl doorward check -   what another tool writes

Exit codes: 0 no error, 1 an error, 2 wrong usage, 3 the cluster does not answer.";

/// How the cluster's objects are named among files.
const CLUSTER: &str = "the cluster";
/// Who asks the API server; nothing is written.
const MANAGER: &str = "kubectl-doorward";

/// `kubectl doorward check`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Files, folders, or `-` for standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Do not ask the API server whether it would take the objects
    #[arg(long)]
    no_dry_run: bool,
    /// How findings are printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// What was found.
struct Found {
    /// In the manifests.
    report: Report,
    /// Objects of the cluster that the manifests would break: which, and why.
    broken: Vec<(String, String)>,
    /// Objects that the API server refuses: which, and why.
    refused: Vec<(String, String)>,
}

/// Prints what is wrong; exits with 1 where something is an error.
///
/// # Errors
/// The cluster does not answer, or standard input cannot be read.
pub(super) async fn run(args: Args, quiet: bool) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let cluster = Cluster::of(&args.reach).await?;
    let input = paths::input(args.paths)?;
    let files = files::load(&input, catalog(), &[]);
    let objects: Vec<&Object> = files.iter().flat_map(|file| &file.objects).collect();
    let context = context(&cluster, now).await;
    let (there, context) = beside(&cluster, context).await?;
    let before = Session::new(files::Input::default(), context.clone()).with(there.clone()).reload(now);
    let known: BTreeSet<String> = of_cluster(before.report.findings()).map(named).collect();
    let after = Session::new(input, context).with(without(there, &objects)).reload(now);
    let own = after.report.findings().iter().filter(|finding| !is_of_cluster(finding)).cloned().collect();
    let broken = of_cluster(after.report.findings())
        .filter(|finding| finding.fault.severity == Severity::Error && !known.contains(&named(finding)))
        .map(|finding| (finding.fault.object.as_ref().map_or_else(String::new, ToString::to_string), finding.fault.message()))
        .collect();
    let refused = if args.no_dry_run { Vec::new() } else { refused(&cluster, &objects).await };
    let found = Found { report: Report::new(&files, own), broken, refused };
    let exit = found.exit();
    show(args.output, || found.document(), |_| found.text(quiet))?;
    Ok(exit)
}

/// What translation must know of the cluster.
async fn context(cluster: &Cluster, now: Timestamp) -> Context {
    let operators = cluster.list(&objects::deployments(), None, super::status::OPERATOR).await.unwrap_or_default();
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

/// The cluster's objects as files, and what exists there without being read: the contents of Secrets are nobody's
/// business here. A kind that may not be read is taken to hold whatever is referred to.
async fn beside(cluster: &Cluster, mut context: Context) -> Result<(Vec<File>, Context), Failure> {
    let namespace = cluster.named.as_deref();
    let read: BTreeSet<&str> = crds::definition::kinds().iter().map(|kind| kind.kind).collect();
    let mut found = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| read.contains(kind.name())) {
        let (what, scope) = (kind.resource(), if kind.is_namespaced() { namespace } else { None });
        if kind == Kind::Secret {
            let names = names(cluster, &what, scope).await;
            context.assume.extend(names.unwrap_or_else(|| vec![Assumption { kind: kind.name().into(), name: None }]));
            continue;
        }
        match cluster.list_if_known(&what, scope, "").await {
            Ok(objects) => {
                let document = json!({"apiVersion": "v1", "kind": "List", "items": objects});
                found.push(manifest::read(&format!("{CLUSTER}: {}", kind.name()), document.to_string().as_bytes(), catalog()));
            }
            Err(failure) if failure.exit() == Exit::Found => {
                tell(&format!(
                    "note: {} of the cluster are not looked at: you may not list them
",
                    what.plural
                ));
                context.assume.push(Assumption { kind: kind.name().into(), name: None });
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((found, context))
}

/// The names of all objects of a kind; nothing where they may not be listed.
async fn names(cluster: &Cluster, what: &ApiResource, namespace: Option<&str>) -> Option<Vec<Assumption>> {
    let listed = cluster.api(what, namespace).list_metadata(&ListParams::default()).await.ok()?;
    let name = |object: &kube::core::PartialObjectMeta<DynamicObject>| {
        let metadata = &object.metadata;
        Some(format!("{}/{}", metadata.namespace.as_deref()?, metadata.name.as_deref()?))
    };
    let names = listed.items.iter().filter_map(name);
    Some(names.map(|name| Assumption { kind: what.kind.as_str().into(), name: Some(name.into()) }).collect())
}

/// The cluster's objects less those that the manifests replace.
fn without(mut there: Vec<File>, replaced: &[&Object]) -> Vec<File> {
    let replaced: BTreeSet<&ObjectRef> = replaced.iter().map(|object| object.reference()).collect();
    for file in &mut there {
        file.objects.retain(|object| !replaced.contains(object.reference()));
    }
    there
}

fn is_of_cluster(finding: &Finding) -> bool {
    finding.file().starts_with(CLUSTER)
}

fn of_cluster(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| is_of_cluster(finding))
}

/// What a finding is about, whatever line it stands in.
fn named(finding: &Finding) -> String {
    let fault = &finding.fault;
    format!("{:?} {} {} {}", fault.object, fault.code(), fault.field, fault.message())
}

/// What the API server says to each object, without keeping it.
async fn refused(cluster: &Cluster, objects: &[&Object]) -> Vec<(String, String)> {
    let mut refused = Vec::new();
    for object in objects.iter().filter(|object| object.is_named()) {
        let Some(what) = resource(object) else { continue };
        let namespace = Some(&*object.reference().name.namespace).filter(|namespace| !namespace.is_empty());
        let api = cluster.api(&what, namespace);
        if let Err(kube::Error::Api(status)) = tried(&api, &object.reference().name.name, object.value()).await {
            let why = match status.code {
                403 => format!("{}; with --no-dry-run it is not asked", status.message),
                _ => status.message.clone(),
            };
            refused.push((object.reference().to_string(), why));
        }
    }
    refused
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

impl Found {
    fn exit(&self) -> Exit {
        let errors = self.report.summary().errors + self.broken.len() + self.refused.len();
        if errors > 0 { Exit::Found } else { Exit::Fine }
    }

    fn document(&self) -> Value {
        let pairs = |pairs: &[(String, String)]| {
            pairs.iter().map(|(object, message)| json!({"object": object, "message": message})).collect::<Vec<_>>()
        };
        let mut document = self.report.to_json();
        document["wouldBreak"] = pairs(&self.broken).into();
        document["refused"] = pairs(&self.refused).into();
        document
    }

    fn text(&self, quiet: bool) -> String {
        let errors = |finding: &&Finding| finding.fault.severity == Severity::Error;
        let report = if quiet {
            Report::new(&[], self.report.findings().iter().filter(errors).cloned().collect())
        } else {
            self.report.clone()
        };
        let mut text = report.to_text(colour(&io::stdout()));
        for (what, pairs) in [("would break", &self.broken), ("the API server refuses", &self.refused)] {
            for (object, message) in pairs {
                text.push_str(&format!("error: {what} {object}: {message}\n"));
            }
        }
        if quiet {
            return text;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text + &summary(&self.report.summary().to_text(), self.exit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: fn() -> Context = || {
        let cluster = translate::Cluster { default_gateway: ObjectName::new("doorward-system", "doorward"), gateway_api: None };
        Context::of_cluster(Timestamp::UNIX_EPOCH, cluster)
    };

    fn read(name: &str, text: &str) -> File {
        manifest::read(name, text.as_bytes(), catalog())
    }

    const SERVICE: &str =
        "apiVersion: v1\nkind: Service\nmetadata: {name: orders, namespace: shop}\nspec: {ports: [{port: 80}]}\n";

    #[test]
    fn an_object_of_the_manifests_replaces_the_clusters() {
        let there = vec![read("the cluster: Service", SERVICE)];
        let local = read("a.yaml", SERVICE);
        let same: Vec<&Object> = local.objects.iter().collect();
        assert_eq!(without(there.clone(), &same)[0].objects.len(), 0);
        assert_eq!(without(there, &[])[0].objects.len(), 1);
    }

    #[test]
    fn findings_are_told_apart_by_where_they_stand() {
        let broken = SERVICE.replace("ports", "prots").replace("Service", "ApiRoute").replace("v1", "doorward.dev/v1alpha1");
        let outcome = Session::new(files::Input::default(), CONTEXT()).with(vec![read("the cluster: ApiRoute", &broken)]);
        let mut outcome = outcome;
        let outcome = outcome.reload(Timestamp::UNIX_EPOCH);
        assert!(of_cluster(outcome.report.findings()).count() > 0);
        let found = Found {
            report: Report::new(&[], Vec::new()),
            broken: Vec::new(),
            refused: vec![("ApiRoute shop/orders".to_owned(), "spec.path: Required value".to_owned())],
        };
        assert_eq!(found.exit(), Exit::Found);
        assert!(
            found.text(true).contains("error: the API server refuses ApiRoute shop/orders: spec.path"),
            "{}",
            found.text(true)
        );
        assert_eq!(found.document()["refused"][0]["object"], "ApiRoute shop/orders");
    }

    #[test]
    fn objects_are_asked_for_at_the_version_that_they_are_written_in() {
        let grant = "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: a}\n";
        let file = read("a.yaml", grant);
        let what = resource(&file.objects[0]).unwrap();
        assert_eq!((what.version.as_str(), what.plural.as_str()), ("v1beta1", "referencegrants"));
    }
}
