//! `kubectl doorward check`: what manifests would mean among the objects of this cluster, and whether its API server
//! takes them.

mod beside;
mod dry_run;
mod found;

use std::collections::BTreeSet;
use std::path::PathBuf;

use cause::{ObjectRef, Severity};
use files::{Session, catalog};
use jiff::Timestamp;
use manifest::{File, Finding, Object, Report};

use super::cluster::{Cluster, Reach};
use super::{Form, show};
use crate::failure::{Exit, Failure};
use crate::paths;
use beside::{Beside, is_of_cluster};
use found::Found;

const EXAMPLES: &str = "\
Examples:
  kubectl doorward check ./manifests                 beside everything that the cluster has
  kubectl doorward check -n shop orders.yaml         objects that name no namespace go into shop
  helm template ./chart | kubectl doorward check -   what another tool writes

Exit codes: 0 no error, 1 an error, 2 wrong usage, 3 the cluster does not answer.";

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

/// Prints what is wrong; exits with 1 where something is an error.
///
/// # Errors
/// The cluster does not answer, or standard input cannot be read.
pub(super) async fn run(args: Args, quiet: bool) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let cluster = Cluster::of(&args.reach).await?;
    // As `kubectl apply` does with objects that name no namespace.
    let files = files::load_into(&cluster.namespace, &paths::input(args.paths)?, catalog());
    let beside = beside::read(&cluster, now).await?;
    let mut found = judged(files.clone(), beside, now);
    if !args.no_dry_run {
        let objects: Vec<&Object> = files.iter().flat_map(|file| &file.objects).collect();
        found.refused = dry_run::refused(&cluster, &objects).await;
    }
    let exit = found.exit();
    show(args.output, || found.document(), |_| found.text(quiet))?;
    Ok(exit)
}

/// What files would mean beside what a cluster has.
fn judged(mut files: Vec<File>, beside: Beside, now: Timestamp) -> Found {
    let Beside { files: there, context, live } = beside;
    for object in files.iter_mut().flat_map(|file| &mut file.objects) {
        match live.get(object.reference()) {
            Some(live) => object.identify(Some(&live.uid), &live.created_at),
            // Younger than all that is there.
            None => object.identify(None, &now.to_string()),
        }
    }
    let replaced: BTreeSet<&ObjectRef> = files.iter().flat_map(|file| &file.objects).map(Object::reference).collect();
    let others = without(there.clone(), &replaced);
    // What serves now goes on where its update is refused.
    let mut session = Session::new(files::Input::default(), context).with(there);
    let before = session.reload(now);
    let known: BTreeSet<String> = of_cluster(before.report.findings()).map(named).collect();
    let after = session.with(files.iter().cloned().chain(others).collect()).reload(now);
    let own = after.report.findings().iter().filter(|finding| !is_of_cluster(finding)).cloned().map(|mut finding| {
        let object = finding.fault.object.as_ref();
        // Its last good version is not known here, so that what was translated is closed instead.
        if let Some(object) = object.filter(|object| live.get(*object).is_some_and(|live| live.serves_last_good)) {
            finding.effect = finding.effect.as_ref().map(|_| format!("the last good version of {object} goes on serving").into());
        }
        finding
    });
    let own = own.collect();
    let broken = of_cluster(after.report.findings())
        .filter(|finding| finding.fault.severity == Severity::Error && !known.contains(&named(finding)))
        .map(|finding| (finding.fault.object.as_ref().map_or_else(String::new, ToString::to_string), finding.fault.message()))
        .collect();
    // Their own findings are among those of the session, with what they do.
    files.iter_mut().for_each(|file| file.findings.clear());
    Found { report: Report::new(&files, own), broken, refused: Vec::new() }
}

/// The cluster's objects less those that the manifests replace.
fn without(mut there: Vec<File>, replaced: &BTreeSet<&ObjectRef>) -> Vec<File> {
    for file in &mut there {
        file.objects.retain(|object| !replaced.contains(object.reference()));
    }
    there
}

fn of_cluster(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| is_of_cluster(finding))
}

/// What a finding is about, whatever line it stands in.
fn named(finding: &Finding) -> String {
    let fault = &finding.fault;
    format!("{:?} {} {} {}", fault.object, fault.code(), fault.field, fault.message())
}

#[cfg(test)]
mod tests;
