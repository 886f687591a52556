//! `kubectl doorward key`: the ApiKeys of a cluster.

mod new;
mod told;

use std::time::{Duration, Instant};

use clap::Subcommand;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use operator::keys::ROTATED_FOR;
use operator::kinds::Kind;
use serde_json::{Value, json};
use translate::issue::ROTATE;

use super::cluster::{Cluster, Reach, refused};
use super::objects::{self, Condition, full_name, of_status, text};
use super::{Form, show};
use crate::failure::{Exit, Failure};
use crate::key::show::{Text, read_stdin};
use crate::terminal::{print, tell};
use told::{Asked, Told};

const EXAMPLES: &str = "\
Examples:
  kubectl doorward key new mobile-app --role orders-reader      the operator makes it and keeps it in a Secret
  kubectl doorward key new ci --hash-only --expires-in 90d      made here; the cluster keeps only its SHA-256
  kubectl doorward key show mobile-app
  kubectl doorward key show - < key.txt                         whose key is this, and is it good?
  kubectl doorward key revoke mobile-app
  kubectl doorward key rotate mobile-app --reveal";

const SHOW: &str = "\
Examples:
  kubectl doorward key show mobile-app                  its state, and until when it is good
  kubectl doorward key show mobile-app --reveal         its text too, from its Secret
  kubectl doorward key show - < key.txt                 whose key is this? asks by its public part alone

Exit codes: 0 the key is good, 1 it is not.";

const REVOKE: &str = "\
Examples:
  kubectl doorward key revoke mobile-app                refused everywhere once this returns
  kubectl doorward key revoke mobile-app --undo         good again";

const ROTATE_EXAMPLES: &str = "\
Examples:
  kubectl doorward key rotate mobile-app                a new text; the old one is good for the overlap
  kubectl doorward key rotate mobile-app --reveal       and print it";

/// How long the operator and the data planes may take to do what was asked.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether they did.
const PAUSE: Duration = Duration::from_millis(200);
/// Who writes ApiKeys here.
const MANAGER: &str = "kubectl-doorward";

/// `kubectl doorward key`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and print its text
    New(new::Args),
    /// Say how a key is, or whose a text is
    Show(ShowArgs),
    /// Suspend a key: every data plane refuses it
    Revoke(RevokeArgs),
    /// Give a key a new text
    Rotate(RotateArgs),
}

#[derive(Debug, clap::Args)]
#[command(before_help = SHOW)]
struct ShowArgs {
    #[command(flatten)]
    reach: Reach,
    /// The name of the ApiKey, the text of a key, or `-` for a text on standard input
    #[arg(value_name = "NAME|KEY")]
    key: Text,
    /// Print its text too
    #[arg(long)]
    reveal: bool,
    /// How it is printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

#[derive(Debug, clap::Args)]
#[command(before_help = REVOKE)]
struct RevokeArgs {
    #[command(flatten)]
    reach: Reach,
    /// The name of the ApiKey
    name: String,
    /// Make it good again
    #[arg(long)]
    undo: bool,
}

#[derive(Debug, clap::Args)]
#[command(before_help = ROTATE_EXAMPLES)]
struct RotateArgs {
    #[command(flatten)]
    reach: Reach,
    /// The name of the ApiKey
    name: String,
    /// Print the new text
    #[arg(long)]
    reveal: bool,
}

/// Does what was asked.
///
/// # Errors
/// As each command says.
pub(super) async fn run(args: Args, quiet: bool) -> Result<Exit, Failure> {
    match args.command {
        Command::New(args) => new::run(&args, quiet).await,
        Command::Show(args) => show_key(args).await,
        Command::Revoke(args) => revoke(&args, quiet).await,
        Command::Rotate(args) => rotate(&args, quiet).await,
    }
}

async fn show_key(args: ShowArgs) -> Result<Exit, Failure> {
    let asked = if args.key.0 == "-" {
        told::asked_text(&read_stdin("kubectl doorward key show - < key.txt")?)?
    } else {
        told::asked(&args.key.0)?
    };
    let cluster = Cluster::of(&args.reach).await?;
    let (key, told) = match &asked {
        Asked::Text(id) => {
            let key = by_public_id(&cluster, id).await?;
            let told = Told::of_text(&key, id, Timestamp::now());
            (key, told)
        }
        Asked::Name(name) => {
            let key = found(&cluster, name).await?;
            let told = Told::of(&key);
            (key, told)
        }
    };
    show(args.output, || told.document(), |_| told.text())?;
    if args.reveal {
        print(&format!("{}\n", text_of(&cluster, &key).await?))?;
    }
    Ok(if told.is_good() { Exit::Fine } else { Exit::Found })
}

/// The ApiKey of this name, which no failure repeats: it may be a key that somebody pasted.
async fn found(cluster: &Cluster, name: &str) -> Result<Value, Failure> {
    let key = cluster.get(&Kind::ApiKey.resource(), &cluster.namespace, name).await?;
    key.ok_or_else(|| {
        let what = format!("no ApiKey of this name in {}", cluster.namespace);
        Failure::found(what, format!("kubectl -n {} get apikeys, or name the namespace with -n", cluster.namespace))
    })
}

/// The ApiKey whose text begins so; the rest of the text is sent nowhere.
async fn by_public_id(cluster: &Cluster, id: &str) -> Result<Value, Failure> {
    let what = Kind::ApiKey.resource();
    let keys = match cluster.list(&what, cluster.named.as_deref(), "").await {
        Ok(keys) => keys,
        // Rights in one namespace alone are enough to look there.
        Err(failure) if failure.exit() == Exit::Found && cluster.named.is_none() => {
            cluster.list(&what, Some(&cluster.namespace), "").await?
        }
        Err(failure) => return Err(failure),
    };
    let mut keys = keys.into_iter();
    keys.find(|key| told::has_public_id(key, id)).ok_or_else(|| {
        Failure::found(
            format!("no ApiKey has the key {id}...: its ApiKey is gone, or in another cluster or namespace"),
            "kubectl get apikeys -A -o wide",
        )
    })
}

async fn revoke(args: &RevokeArgs, quiet: bool) -> Result<Exit, Failure> {
    told::object_name(&args.name)?;
    let cluster = Cluster::of(&args.reach).await?;
    let key = patched(&cluster, &args.name, &json!({"spec": {"suspended": !args.undo}})).await?;
    let name = full_name(&key);
    let wanted = key.pointer("/metadata/generation").cloned();
    let told = until(&cluster, &args.name, |key| {
        let seen = key.pointer("/status/observedGeneration") == wanted.as_ref();
        let everywhere = of_status(key, "Programmed").is_none_or(Condition::is_true);
        seen && everywhere && (text(key, "/status/state") == "Suspended") != args.undo
    })
    .await?;
    if told.is_none() {
        return Err(late(&format!("ApiKey {name} says so"), "not every data plane has acknowledged it"));
    }
    if !quiet {
        let state = if args.undo { "good again" } else { "suspended: every data plane refuses it" };
        let keep = if args.undo { "without `spec.suspended`" } else { "with `spec.suspended: true`" };
        tell(&format!("{name} is {state}\nWhere its manifest is kept elsewhere, keep it there {keep}.\n"));
    }
    Ok(Exit::Fine)
}

async fn rotate(args: &RotateArgs, quiet: bool) -> Result<Exit, Failure> {
    told::object_name(&args.name)?;
    let cluster = Cluster::of(&args.reach).await?;
    let key = found(&cluster, &args.name).await?;
    if text(&key, "/spec/issue") != "Generate" {
        return Err(Failure::usage(
            format!("the text of ApiKey {} is not the operator's to change: its `spec.issue` is not `Generate`", full_name(&key)),
            format!("write a new text into Secret {}", text(&key, "/spec/secretRef/name")),
        ));
    }
    let stamp = Timestamp::now().to_string();
    patched(&cluster, &args.name, &json!({"metadata": {"annotations": {ROTATE: stamp}}})).await?;
    let secret = text(&key, "/spec/secretRef/name").to_owned();
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let there = cluster.get(&objects::secrets(), &cluster.namespace, &secret).await?;
        let for_us = there.as_ref().and_then(|secret| secret.pointer("/metadata/annotations")?.get(ROTATED_FOR)?.as_str());
        if for_us == Some(stamp.as_str()) {
            return rotated(&cluster, args, quiet).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(late(&format!("ApiKey {} asks for a new text", full_name(&key)), "no operator has made one"))
}

async fn rotated(cluster: &Cluster, args: &RotateArgs, quiet: bool) -> Result<Exit, Failure> {
    let until = until(cluster, &args.name, |key| !text(key, "/status/previousUntil").is_empty()).await?;
    let key = found(cluster, &args.name).await?;
    if !quiet {
        let until = until.map(|key| text(&key, "/status/previousUntil").to_owned()).unwrap_or_default();
        let old = if until.is_empty() { String::new() } else { format!("; the old one is good until {until}") };
        tell(&format!("{} has a new text{old}\n", full_name(&key)));
        if !args.reveal {
            tell(&format!("  next: kubectl doorward key show {} -n {} --reveal\n", args.name, cluster.namespace));
        }
    }
    if args.reveal {
        print(&format!("{}\n", text_of(cluster, &key).await?))?;
    }
    Ok(Exit::Fine)
}

/// Changes an ApiKey.
async fn patched(cluster: &Cluster, name: &str, change: &Value) -> Result<Value, Failure> {
    let what = Kind::ApiKey.resource();
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let answer = cluster.api(&what, Some(&cluster.namespace)).patch(name, &params, &Patch::Merge(change)).await;
    match answer {
        Ok(key) => Ok(serde_json::to_value(&key).unwrap_or_default()),
        Err(kube::Error::Api(status)) if status.code == 404 => found(cluster, name).await,
        Err(error) => Err(refused(&error, "patch", &what, Some(&cluster.namespace))),
    }
}

/// Looks at an ApiKey until something holds; nothing where that takes too long.
async fn until(cluster: &Cluster, name: &str, holds: impl Fn(&Value) -> bool) -> Result<Option<Value>, Failure> {
    let began = Instant::now();
    loop {
        let key = found(cluster, name).await?;
        if holds(&key) {
            return Ok(Some(key));
        }
        if began.elapsed() >= PATIENCE {
            return Ok(None);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn late(done: &str, missing: &str) -> Failure {
    Failure::found(format!("{done}, but {missing} within {} s", PATIENCE.as_secs()), "kubectl doorward status")
}

/// The text of a key, from its Secret.
async fn text_of(cluster: &Cluster, key: &Value) -> Result<String, Failure> {
    let (namespace, name) = (text(key, "/metadata/namespace"), text(key, "/spec/secretRef/name"));
    let secret = cluster.get(&objects::secrets(), namespace, name).await?;
    let secret = secret.ok_or_else(|| Failure::found(format!("no Secret {name} in {namespace}"), "kubectl doorward status"))?;
    told::key_text(&secret).ok_or_else(|| {
        let what = format!("Secret {namespace}/{name} holds the SHA-256 of the key and nothing else of it");
        Failure::found(what, "make another key, or ask whoever made this one")
    })
}
