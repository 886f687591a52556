//! `doorward key new`.

use std::fmt::Write as _;

use cause::Severity;
use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use policy::key_text::{ENTROPY, Environment, KeyText};
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::terminal::{print, print_json, tell};

const EXAMPLES: &str = "\
Examples:
  doorward key new mobile-app >> ./manifests/keys.yaml
  doorward key new mobile-app --namespace shop --role orders-reader --role orders-writer
  doorward key new trial --env test --expires-in 90d -o json > ./manifests/trial.json";

/// `doorward key new`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Args {
    /// The name of the ApiKey
    name: String,
    /// The team that holds it
    #[arg(long, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// Who holds it; without this its name
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// The environment that its text names: 1 to 16 lower-case letters, digits and dashes
    #[arg(long, value_name = "NAME", default_value = "live", value_parser = environment)]
    env: Environment,
    /// A role that it has; may be repeated
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<String>,
    /// How long it is good, such as 90d or 12h; without this for ever
    #[arg(long, value_name = "SPAN", value_parser = lifetime)]
    expires_in: Option<SignedDuration>,
    /// How its manifests are printed
    #[arg(short, long, value_name = "FORM", default_value = "yaml")]
    output: Form,
}

/// How manifests are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Two documents, ready to be appended to a file
    Yaml,
    /// One List
    Json,
}

pub(crate) fn environment(text: &str) -> Result<Environment, String> {
    Environment::parse(text)
        .ok_or_else(|| "expected 1 to 16 lower-case letters, digits and dashes, such as live or test".to_owned())
}

pub(crate) fn lifetime(text: &str) -> Result<SignedDuration, String> {
    let milliseconds = translate::parse::lifetime(text).ok().and_then(|span| i64::try_from(span).ok());
    milliseconds.map(SignedDuration::from_millis).ok_or_else(|| "expected a span of time such as 90d, 12h or 30m".to_owned())
}

/// Makes a key.
///
/// # Errors
/// A name cannot be one, or there is no randomness.
pub(super) fn run(args: &Args, quiet: bool) -> Result<Exit, Failure> {
    let mut entropy = [0; ENTROPY];
    getrandom::fill(&mut entropy)
        .map_err(|error| Failure::found(format!("the system gives no randomness for a key: {error}"), ""))?;
    let key = KeyText::generate(&args.env, &mut entropy);
    let documents = documents(args, &key, Timestamp::now())?;
    let yaml: String = documents.iter().map(|document| format!("---\n{}", yaml(document))).collect();
    judge(&yaml, args)?;
    // The manifests first: where they cannot be written, nobody holds a key that nothing admits.
    match args.output {
        Form::Yaml => print(&yaml)?,
        Form::Json => print_json(&json!({"apiVersion": "v1", "kind": "List", "items": documents}))?,
    }
    if quiet {
        tell(&format!("{}\n", key.expose()));
    } else {
        tell(&format!(
            "\n  {}\n\n  This is the key, shown only now: its manifests hold its SHA-256 and nothing else of it.\n",
            key.expose()
        ));
    }
    Ok(Exit::Fine)
}

/// The ApiKey and its Secret.
fn documents(args: &Args, key: &KeyText, now: Timestamp) -> Result<[Value; 2], Failure> {
    let secret = format!("{}-key", args.name);
    let mut spec = json!({"consumer": args.consumer.as_ref().unwrap_or(&args.name)});
    if !args.roles.is_empty() {
        spec["roles"] = json!(args.roles);
    }
    spec["issue"] = "Provided".into();
    spec["secretRef"] = json!({"name": secret});
    if let Some(span) = args.expires_in {
        let second = SignedDuration::from_secs(now.as_second()) + span;
        let expires_at = Timestamp::from_second(second.as_secs())
            .map_err(|_| Failure::usage("the key would expire after the year 9999", "choose a shorter `--expires-in`"))?;
        spec["expiresAt"] = expires_at.to_string().into();
    }
    let digest = key.digest().iter().fold(String::new(), |mut hex, byte| {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok([
        json!({
            "apiVersion": "doorward.dev/v1alpha1",
            "kind": "ApiKey",
            "metadata": {"name": args.name, "namespace": args.namespace},
            "spec": spec,
        }),
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret, "namespace": args.namespace},
            "type": "Opaque",
            "stringData": {"sha256": digest},
        }),
    ])
}

/// What `doorward check` would say of the manifests as errors, before anybody has them.
fn judge(yaml: &str, args: &Args) -> Result<(), Failure> {
    let file = manifest::read("key", yaml.as_bytes(), files::catalog());
    match file.findings.iter().find(|finding| finding.fault.severity == Severity::Error) {
        None => Ok(()),
        Some(finding) => {
            let fault = &finding.fault;
            let remedy = fault.remedy();
            let next = if remedy.is_empty() { "doorward key new --help" } else { &remedy };
            let what = format!("`{}` in `{}` cannot be a key: {}: {}", args.name, args.namespace, fault.field, fault.message());
            Err(Failure::usage(what, next))
        }
    }
}

/// A document as YAML: maps by two blanks, lists of texts on one line.
fn yaml(document: &Value) -> String {
    let mut text = String::new();
    push_members(&mut text, document, 0);
    text
}

fn push_members(text: &mut String, map: &Value, depth: usize) {
    for (name, value) in map.as_object().into_iter().flatten() {
        text.push_str(&"  ".repeat(depth));
        text.push_str(name);
        text.push(':');
        match value {
            Value::Object(_) => {
                text.push('\n');
                push_members(text, value, depth + 1);
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(scalar).collect();
                text.push_str(&format!(" [{}]\n", items.join(", ")));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                text.push_str(&format!(" {}\n", scalar(value)));
            }
        }
    }
}

/// A scalar, in the quotes of JSON unless every reader of YAML takes it for the same text.
fn scalar(value: &Value) -> String {
    const WORDS: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];
    let plain = value.as_str().filter(|text| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '/' | '_'))
            && text.len() < 64
            && !WORDS.contains(&text.to_ascii_lowercase().as_str())
    });
    plain.map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_quoted_where_readers_differ() {
        let check = |text: &str, expected: &str| assert_eq!(scalar(&text.into()), expected);
        check("mobile-app", "mobile-app");
        check("doorward.dev/v1alpha1", "doorward.dev/v1alpha1");
        check("No", "\"No\"");
        check("1e5", "\"1e5\"");
        check("a: b", "\"a: b\"");
        check("a\nb", "\"a\\nb\"");
        check("", "\"\"");
        check(&"a".repeat(64), &format!("\"{}\"", "a".repeat(64)));
    }

    fn args(name: &str) -> Args {
        Args {
            name: name.to_owned(),
            namespace: "shop".to_owned(),
            consumer: Some("Mobile: app".to_owned()),
            env: environment("test").unwrap(),
            roles: vec!["orders-reader".to_owned(), "no".to_owned()],
            expires_in: Some(lifetime("90d").unwrap()),
            output: Form::Yaml,
        }
    }

    #[test]
    fn manifests_read_back_as_they_were_meant() {
        let args = args("mobile-app");
        let mut entropy = [7; ENTROPY];
        let key = KeyText::generate(&args.env, &mut entropy);
        let now = "2026-01-01T00:00:00.5Z".parse().unwrap();
        let documents = documents(&args, &key, now).unwrap();
        assert_eq!(documents[0]["spec"]["expiresAt"], "2026-04-01T00:00:00Z");
        let text: String = documents.iter().map(|document| format!("---\n{}", yaml(document))).collect();
        let file = manifest::read("k.yaml", text.as_bytes(), files::catalog());
        assert!(file.findings.is_empty(), "{text}{:?}", file.findings);
        let read: Vec<Value> = file.objects.iter().map(|object| (**object.value()).clone()).collect();
        assert_eq!(read, documents, "{text}");
        assert!(!text.contains(key.expose()));
        assert!(judge(&text, &args).is_ok());
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        for name in ["Mobile", "mobile_app", "a b", "", "-a"] {
            let args = args(name);
            let mut entropy = [7; ENTROPY];
            let key = KeyText::generate(&args.env, &mut entropy);
            let documents = documents(&args, &key, Timestamp::UNIX_EPOCH).unwrap();
            let text: String = documents.iter().map(|document| format!("---\n{}", yaml(document))).collect();
            assert_eq!(judge(&text, &args).unwrap_err().exit(), Exit::Usage, "{name}");
        }
    }

    #[test]
    fn spans_have_units() {
        assert_eq!(lifetime("90d"), Ok(SignedDuration::from_hours(90 * 24)));
        assert!(lifetime("90").is_err() && lifetime("-1d").is_err() && lifetime("0s").is_err());
    }
}
