//! `kubectl doorward key new`.

use std::fmt::Write as _;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject};
use operator::kinds::Kind;
use policy::key_text::{ENTROPY, Environment, KeyText};
use serde_json::{Value, json};

use super::super::cluster::{Cluster, Reach, refused};
use super::super::objects;
use super::{MANAGER, PATIENCE, PAUSE, late, told};
use crate::failure::{Exit, Failure};
use crate::key::new::{environment, lifetime};
use crate::terminal::{print, tell};

const EXAMPLES: &str = "\
Examples:
  kubectl doorward key new mobile-app -n shop --role orders-reader
  KEY=$(kubectl doorward key new mobile-app --quiet)
  kubectl doorward key new ci --hash-only --expires-in 90d   the cluster keeps only its SHA-256";

/// `kubectl doorward key new`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// The name of the ApiKey
    name: String,
    /// Who holds it; without this its name
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// A role that it has; may be repeated
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<String>,
    /// An ApiRoute that it is for, as NAME or NAMESPACE/NAME; may be repeated; without this all that admit its namespace
    #[arg(long = "route", value_name = "ROUTE", value_delimiter = ',')]
    routes: Vec<String>,
    /// How long it is good, such as 90d or 12h; without this for ever
    #[arg(long, value_name = "SPAN", value_parser = lifetime)]
    expires_in: Option<SignedDuration>,
    /// Make the text here and keep only its SHA-256 in the cluster: it can never be shown again
    #[arg(long)]
    hash_only: bool,
    /// The environment that a text made here names
    #[arg(long, value_name = "NAME", default_value = "live", value_parser = environment, requires = "hash_only")]
    env: Environment,
}

/// Makes a key and prints its text.
///
/// # Errors
/// The API server refuses, or no operator makes the text.
pub(super) async fn run(args: &Args, quiet: bool) -> Result<Exit, Failure> {
    let cluster = Cluster::of(&args.reach).await?;
    let key = api_key(args, &cluster.namespace, Timestamp::now())?;
    let text = if args.hash_only {
        let mut entropy = [0; ENTROPY];
        getrandom::fill(&mut entropy)
            .map_err(|error| Failure::found(format!("the system gives no randomness for a key: {error}"), ""))?;
        let text = KeyText::generate(&args.env, &mut entropy);
        // The Secret first: a key whose text nobody can have must not be announced.
        create(&cluster, &objects::secrets(), &secret(args, &cluster.namespace, &text)).await?;
        create(&cluster, &Kind::ApiKey.resource(), &key).await?;
        text.expose().to_owned()
    } else {
        create(&cluster, &Kind::ApiKey.resource(), &key).await?;
        issued(&cluster, args).await?
    };
    print(&format!("{text}\n"))?;
    if !quiet {
        let namespace = &cluster.namespace;
        let kept = if args.hash_only {
            "shown only now: the cluster keeps its SHA-256".to_owned()
        } else {
            format!("kept in Secret {namespace}/{}", secret_name(args))
        };
        tell(&format!("  This is the key of ApiKey {namespace}/{}, {kept}.\n", args.name));
        tell(&note(&missing_routes(&cluster, args).await));
    }
    Ok(Exit::Fine)
}

/// The ApiRoutes that the key is for and that are not there; one that may not be looked at is taken to be.
async fn missing_routes(cluster: &Cluster, args: &Args) -> Vec<String> {
    let mut missing = Vec::new();
    for route in &args.routes {
        let (namespace, name) = route.split_once('/').unwrap_or((&cluster.namespace, route));
        if let Ok(None) = cluster.get(&Kind::ApiRoute.resource(), namespace, name).await {
            missing.push(format!("{namespace}/{name}"));
        }
    }
    missing
}

fn note(missing: &[String]) -> String {
    let [first, ..] = missing else { return String::new() };
    let namespace = first.split_once('/').map_or("", |(namespace, _)| namespace);
    let (verb, noun) = if missing.len() == 1 { ("is", "ApiRoute") } else { ("are", "ApiRoutes") };
    format!(
        "note: there {verb} no {noun} {}; the key is good there once there {verb}\n  next: kubectl -n {namespace} get apiroutes\n",
        missing.join(", ")
    )
}

fn secret_name(args: &Args) -> String {
    format!("{}-key", args.name)
}

fn api_key(args: &Args, namespace: &str, now: Timestamp) -> Result<Value, Failure> {
    let issue = if args.hash_only { "Provided" } else { "Generate" };
    let mut spec = json!({"consumer": args.consumer.as_ref().unwrap_or(&args.name), "issue": issue});
    spec["secretRef"] = json!({"name": secret_name(args)});
    if !args.roles.is_empty() {
        spec["roles"] = json!(args.roles);
    }
    if !args.routes.is_empty() {
        let route = |text: &String| match text.split_once('/') {
            Some((namespace, name)) => json!({"name": name, "namespace": namespace}),
            None => json!({"name": text}),
        };
        spec["routes"] = args.routes.iter().map(route).collect();
    }
    if let Some(span) = args.expires_in {
        let second = SignedDuration::from_secs(now.as_second()) + span;
        let expires_at = Timestamp::from_second(second.as_secs())
            .map_err(|_| Failure::usage("the key would expire after the year 9999", "choose a shorter `--expires-in`"))?;
        spec["expiresAt"] = expires_at.to_string().into();
    }
    Ok(json!({
        "apiVersion": format!("{}/{}", crds::GROUP, crds::VERSION),
        "kind": "ApiKey",
        "metadata": {"name": args.name, "namespace": namespace},
        "spec": spec,
    }))
}

fn secret(args: &Args, namespace: &str, text: &KeyText) -> Value {
    let digest = text.digest().iter().fold(String::new(), |mut hex, byte| {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret_name(args), "namespace": namespace},
        "type": "Opaque",
        "stringData": {"sha256": digest},
    })
}

async fn create(cluster: &Cluster, what: &ApiResource, object: &Value) -> Result<(), Failure> {
    let invalid = |error: serde_json::Error| Failure::found(format!("the {} cannot be written: {error}", what.kind), "");
    let object: DynamicObject = serde_json::from_value(object.clone()).map_err(invalid)?;
    let name = object.metadata.name.clone().unwrap_or_default();
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    match cluster.api(what, Some(&cluster.namespace)).create(&params, &object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => Err(Failure::found(
            format!("{} {name} exists in {} already", what.kind, cluster.namespace),
            "kubectl doorward key show NAME tells how a key is; choose another name for another key",
        )),
        Err(error) => Err(refused(&error, "create", what, Some(&cluster.namespace))),
    }
}

/// The text that the operator makes.
async fn issued(cluster: &Cluster, args: &Args) -> Result<String, Failure> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let secret = cluster.get(&objects::secrets(), &cluster.namespace, &secret_name(args)).await?;
        if let Some(text) = secret.as_ref().and_then(told::key_text) {
            return Ok(text);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(late(&format!("ApiKey {}/{} is there", cluster.namespace, args.name), "no operator has made its text"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Args {
        Line::try_parse_from(std::iter::once("new").chain(line.split(' '))).unwrap_or_else(|error| panic!("{error}")).args
    }

    #[test]
    fn an_api_key_says_what_was_typed() {
        let now: Timestamp = "2026-01-01T00:00:00.5Z".parse().unwrap();
        let key = api_key(&args("mobile --role a,b --route orders --route ai/chat --expires-in 90d"), "shop", now).unwrap();
        let expected = json!({
            "consumer": "mobile", "issue": "Generate", "secretRef": {"name": "mobile-key"}, "roles": ["a", "b"],
            "routes": [{"name": "orders"}, {"name": "chat", "namespace": "ai"}], "expiresAt": "2026-04-01T00:00:00Z",
        });
        assert_eq!(key["spec"], expected);
        let file = manifest::read("k.json", key.to_string().as_bytes(), files::catalog());
        assert!(file.findings.is_empty(), "{:?}", file.findings);
    }

    #[test]
    fn routes_that_are_not_there_are_told() {
        let check = |missing: &[&str], expected: &str| {
            assert_eq!(note(&missing.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()), expected);
        };
        check(&[], "");
        check(
            &["shop/nope"],
            "note: there is no ApiRoute shop/nope; the key is good there once there is\n  next: kubectl -n shop get apiroutes\n",
        );
        check(
            &["ai/a", "ai/b"],
            "note: there are no ApiRoutes ai/a, ai/b; the key is good there once there are\n  next: kubectl -n ai get apiroutes\n",
        );
    }

    #[test]
    fn a_secret_made_here_holds_no_text() {
        let args = args("ci --hash-only --env test");
        let mut entropy = [7; ENTROPY];
        let text = KeyText::generate(&args.env, &mut entropy);
        let secret = secret(&args, "shop", &text);
        assert_eq!(secret["stringData"]["sha256"].as_str().unwrap().len(), 64);
        assert!(!secret.to_string().contains(text.expose()));
        assert_eq!(api_key(&args, "shop", Timestamp::UNIX_EPOCH).unwrap()["spec"]["issue"], "Provided");
    }
}
