//! `doorward key show`: what a text is, and with manifests whose key.

use std::io::{self, Read as _};
use std::path::PathBuf;

use ir::{EarlierText, Key};
use jiff::Timestamp;
use policy::key_text::{KeyForm, classify, digest, same_digest};
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::paths;
use crate::terminal::{print, print_json};
use crate::words;

const EXAMPLES: &str = "\
Examples:
  doorward key show - < key.txt                  is this a key, and of which environment?
  doorward key show - -f ./manifests             whose key is it, and is it good now?
  pbpaste | doorward key show - -f ./manifests   a key that must not stand in the shell's history

Exit codes: 0 the key is good, 1 it is not.";

/// `doorward key show`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Args {
    /// The key's text, or `-` for standard input
    #[arg(value_name = "KEY")]
    key: Text,
    /// Manifests to look it up in; may be repeated
    #[arg(short, long = "filename", value_name = "PATH", num_args = 1..)]
    filename: Vec<PathBuf>,
    /// How it is printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Output,
}

/// A key's text, which `Debug` does not show.
#[derive(Clone)]
pub(crate) struct Text(pub(crate) String);

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[key]")
    }
}

/// What is known of a key: names and values, in the order in which they are told.
struct Told {
    members: Vec<(&'static str, Value)>,
    is_good: bool,
}

/// Prints what the key is; exits with 1 where it is not good.
///
/// # Errors
/// Standard input or a path cannot be read.
pub(super) fn run(args: Args, quiet: bool) -> Result<Exit, Failure> {
    let text = if args.key.0 == "-" { from_stdin(&args)? } else { args.key.0 };
    if text.is_empty() {
        return Err(Failure::usage("the key is empty", "doorward key show - < key.txt"));
    }
    let mut told = of_text(&text);
    if !args.filename.is_empty() && told.is_good {
        let now = Timestamp::now();
        let (outcome, _) = paths::read_once(args.filename, now, quiet)?;
        let hash = digest(&text);
        let keys = || outcome.snapshot.keys.values().map(AsRef::as_ref);
        let current = keys().find(|key| key.hash.is_some_and(|held| same_digest(&held, &hash))).map(|key| (key, None));
        let earlier =
            || keys().find_map(|key| Some((key, Some(key.earlier.iter().find(|earlier| same_digest(&earlier.hash, &hash))?))));
        of_holder(current.or_else(earlier), now, &mut told);
    }
    match args.output {
        Output::Json => print_json(&told.members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())?,
        Output::Text => print(&told.members.iter().map(|(name, value)| line(name, value)).collect::<String>())?,
    }
    Ok(if told.is_good { Exit::Fine } else { Exit::Found })
}

fn from_stdin(args: &Args) -> Result<String, Failure> {
    if args.filename.iter().any(|path| path.as_os_str() == "-") {
        return Err(Failure::usage(
            "standard input is the key or the manifests, not both",
            "name the manifests' files behind `-f`",
        ));
    }
    read_stdin("doorward key show - < key.txt")
}

/// A key's text from standard input.
///
/// # Errors
/// It cannot be read; `next` is how it is typed.
pub(crate) fn read_stdin(next: &str) -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(4096)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("the key cannot be read: {}", words::of(&error)), next))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// What the text alone tells; never the text.
fn of_text(text: &str) -> Told {
    match classify(text) {
        KeyForm::Ours { public_id } => {
            let environment = text.split('_').nth(1).unwrap_or_default();
            let members = vec![
                ("form", "a key of Doorward; its checksum fits".into()),
                ("environment", environment.into()),
                ("id", format!("dw_{environment}_{public_id}").into()),
            ];
            Told { members, is_good: true }
        }
        KeyForm::Foreign => Told { members: vec![("form", "may be a key of another gateway".into())], is_good: true },
        KeyForm::Mistyped => {
            let form = "begins as a key of Doorward, but its checksum does not fit: a character is wrong, or it was cut";
            Told { members: vec![("form", form.into())], is_good: false }
        }
        KeyForm::Malformed => {
            let form = "no key: keys have 16 to 512 printable ASCII characters, and no blank at their ends";
            Told { members: vec![("form", form.into())], is_good: false }
        }
    }
}

/// What the manifests tell, of the present text of a key or of one that a rotation replaced.
fn of_holder(held: Option<(&Key, Option<&EarlierText>)>, now: Timestamp, told: &mut Told) {
    let Some((key, earlier)) = held else {
        told.members.push(("key", Value::Null));
        told.members.push(("state", "Unknown".into()));
        told.is_good = false;
        return;
    };
    let state = state(key, now);
    told.is_good = state == "Active";
    let time = |time: Option<Timestamp>| time.map(|time| Value::from(time.to_string()));
    let routes = key.routes.as_ref().map(|routes| json!(routes.iter().map(ToString::to_string).collect::<Vec<_>>()));
    told.members.push(("key", key.id.to_string().into()));
    told.members.push(("state", state.into()));
    if let Some(earlier) = earlier {
        let is_over = earlier.until <= now;
        told.is_good &= !is_over;
        told.members.push(("text", "Earlier: a rotation replaced it".into()));
        told.members.push((if is_over { "textEndedAt" } else { "textGoodUntil" }, earlier.until.to_string().into()));
    }
    told.members.push(("consumer", key.consumer.as_ref().into()));
    told.members.push(("roles", json!(key.roles)));
    let optional = [("routes", routes), ("notBefore", time(key.not_before)), ("expiresAt", time(key.expires_at))];
    told.members.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
}

/// The word of the column STATE.
fn state(key: &Key, now: Timestamp) -> &'static str {
    if key.suspended {
        "Suspended"
    } else if key.expires_at.is_some_and(|at| at <= now) {
        "Expired"
    } else if key.not_before.is_some_and(|at| now < at) {
        "NotYetValid"
    } else {
        "Active"
    }
}

fn line(name: &str, value: &Value) -> String {
    let value = match value {
        Value::Null => "no ApiKey in these manifests has this text".to_owned(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    };
    format!("  {name:<15}{value}\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ir::{Addresses, KeyId};

    use super::*;

    #[test]
    fn a_replaced_text_is_told_with_its_end() {
        let until: Timestamp = "2026-06-02T12:00:00Z".parse().unwrap();
        let earlier = EarlierText { hash: [1; 32], public_id: None, until };
        let key = Key {
            id: KeyId(cause::ObjectName::new("shop", "mobile")),
            consumer: "mobile".into(),
            roles: Arc::from([]),
            routes: None,
            hash: Some([2; 32]),
            public_id: None,
            earlier: vec![earlier.clone()],
            not_before: None,
            expires_at: None,
            suspended: false,
            addresses: Addresses::default(),
            limits: Vec::new(),
        };
        let check = |text: Option<&EarlierText>, now: &str, expected: Option<&str>, good: bool| {
            let mut told = Told { members: Vec::new(), is_good: true };
            of_holder(Some((&key, text)), now.parse().unwrap(), &mut told);
            let end = told.members.iter().find(|(name, _)| name.starts_with("text") && *name != "text").map(|(name, _)| *name);
            assert_eq!((end, told.is_good), (expected, good), "{now}");
        };
        check(None, "2026-06-01T12:00:00Z", None, true);
        check(Some(&earlier), "2026-06-01T12:00:00Z", Some("textGoodUntil"), true);
        check(Some(&earlier), "2026-06-02T12:00:00Z", Some("textEndedAt"), false);
    }
}
