//! What may be shown of text that a caller sent: no credential, whole or encoded.
//!
//! Three nets, because one would have holes: the parameters that a route reads credentials from,
//! names that mean a credential by custom, and text that has the form of one wherever it stands.

use std::borrow::Cow;
use std::sync::Arc;

use crate::evidence::{Evidence, ShownQuery};

/// What stands in the place of what is not shown (the word of the OpenTelemetry conventions).
pub const REDACTED: &str = "REDACTED";

/// Parameters of a query that are shown.
const PARAMETERS: usize = 128;

/// The query of a call, without its `?`, as it may be shown. Where no open route took the call, nobody
/// knows which parameter is a credential, so none of the values is shown.
#[must_use]
pub fn query(evidence: &Evidence) -> Option<String> {
    let query = evidence.received.head.query()?;
    let credentials: Option<&[Arc<str>]> = match &evidence.shown_query {
        ShownQuery::Names => None,
        ShownQuery::AllBut(names) => Some(names.as_deref().unwrap_or_default()),
    };
    let mut shown = String::with_capacity(query.len());
    let mut at = 0;
    // Some servers take `;` for a separator too; what they would read as a credential is none to show.
    for (index, parameter) in query.split(['&', ';']).enumerate() {
        if index > 0 {
            shown.push_str(query.get(at..=at).unwrap_or_default());
            at += 1;
        }
        at += parameter.len();
        if index == PARAMETERS {
            shown.push_str("...");
            break;
        }
        let Some((name, value)) = policy::query::pairs(parameter).next() else { continue };
        let (raw_name, raw_value) = match parameter.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (parameter, None),
        };
        shown.push_str(if resembles_credential(&name) { REDACTED } else { raw_name });
        if let Some(raw_value) = raw_value {
            let is_named = credentials.is_none_or(|names| names.iter().any(|secret| **secret == *name));
            let secret = is_named || means_credential(&name);
            let hidden = !raw_value.is_empty() && (secret || resembles_credential(&value));
            shown.push('=');
            shown.push_str(if hidden { REDACTED } else { raw_value });
        }
    }
    Some(shown)
}

/// The path of a call as it may be shown.
#[must_use]
pub fn path(path: &str) -> Cow<'_, str> {
    match without_userinfo(path) {
        Some(path) => Cow::Owned(without_credentials(&path).into_owned()),
        None => without_credentials(path),
    }
}

/// A path in which a URL stands with a user and a password, without these.
fn without_userinfo(path: &str) -> Option<String> {
    let (before, rest) = path.split_once("://")?;
    let (authority, behind) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let behind = without_userinfo(behind);
    let host = authority.rsplit_once('@').map(|(_, host)| format!("{REDACTED}@{host}"));
    if host.is_none() && behind.is_none() {
        return None;
    }
    let tail = rest.get(authority.len()..).unwrap_or_default();
    Some([before, "://", host.as_deref().unwrap_or(authority), behind.as_deref().unwrap_or(tail)].concat())
}

fn without_credentials(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return text(path);
    }
    let hidden = |segment: &str| {
        policy::query::pairs(segment).any(|(name, value)| resembles_credential(&name) || resembles_credential(&value))
    };
    let shown: Vec<&str> = path.split('/').map(|segment| if hidden(segment) { REDACTED } else { segment }).collect();
    Cow::Owned(shown.join("/"))
}

/// Any text as it may be shown: what has the form of a credential is replaced.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((start, end, kept)) = credential(rest) {
        shown.push_str(rest.get(..start + kept).unwrap_or_default());
        shown.push_str(REDACTED);
        rest = rest.get(end..).unwrap_or_default();
    }
    if shown.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

fn resembles_credential(text: &str) -> bool {
    credential(text).is_some()
}

/// The first credential in a text: where it begins and ends, and how many of its bytes are public.
fn credential(text: &str) -> Option<(usize, usize, usize)> {
    let found = FORMS.iter().filter_map(|form| {
        text.match_indices(form.start).find_map(|(start, _)| {
            let run = text.get(start..)?;
            let length = run.find(|c: char| !c.is_ascii_alphanumeric() && !form.also.contains(&c)).unwrap_or(run.len());
            let kept = (form.public)(run.get(..length)?)?;
            Some((start, start + length, kept))
        })
    });
    found.min_by_key(|(start, ..)| *start)
}

/// How one kind of credential looks.
struct Form {
    start: &'static str,
    /// What it holds beside letters and digits.
    also: &'static [char],
    /// How many bytes of a run are public; `None` where the run is no credential.
    public: fn(&str) -> Option<usize>,
}

const FORMS: [Form; 3] = [
    Form { start: "dw_", also: &['_'], public: own_key },
    Form { start: "eyJ", also: &['_', '-', '.'], public: token },
    Form { start: "sk-", also: &['_', '-'], public: provider_key },
];

/// `dw_<env>_<id>_<secret>`: the id is public, the rest is not. A run without a whole id may be a
/// mistyped key.
fn own_key(run: &str) -> Option<usize> {
    const ID: usize = 16;
    let environment = run.get(3..)?.find('_')? + 4;
    match run.get(environment..)?.find('_') {
        Some(ID) if run.len() > environment + ID + 1 => Some(environment + ID + 1),
        Some(_) => (run.len() > environment + ID).then_some(3),
        None => (run.len() > environment + ID).then_some(3),
    }
}

fn token(run: &str) -> Option<usize> {
    (run.len() > 20 && run.contains('.')).then_some(0)
}

fn provider_key(run: &str) -> Option<usize> {
    (run.len() > 20).then_some(3)
}

/// Whether a parameter of this name is a credential by custom.
fn means_credential(name: &str) -> bool {
    const WORDS: &[&str] =
        &["token", "secret", "passw", "signature", "credential", "authorization", "apikey", "api_key", "api-key", "session"];
    const NAMES: &[&str] = &["key", "sig", "auth", "code", "jwt", "pwd", "pass", "assertion", "awsaccesskeyid"];
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const KEY: &str = "dw_live_4f7k2m9qp3xw8b6n_2JqWz9f0aBcDeFgHiJkLmNoPqRsTuV1x2y3z4";

    #[test]
    fn text_loses_its_credentials() {
        fn check(given: &str, expected: &str) {
            assert_eq!(text(given), expected, "{given}");
        }
        check("/orders/7", "/orders/7");
        check(&format!("key {KEY}!"), "key dw_live_4f7k2m9qp3xw8b6n_REDACTED!");
        check(&format!("{KEY} {KEY}"), "dw_live_4f7k2m9qp3xw8b6n_REDACTED dw_live_4f7k2m9qp3xw8b6n_REDACTED");
        check("the id dw_live_4f7k2m9qp3xw8b6n is public", "the id dw_live_4f7k2m9qp3xw8b6n is public");
        check("dw_live_4f7k2m9qp3xw8b6n2JqWz9f0", "dw_REDACTED");
        check("dw_live_4f7k_2m9qp3xw8b6n2JqWz9f0", "dw_REDACTED");
        check("Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln-_x", "Bearer REDACTED");
        check("eyJ", "eyJ");
        check("sk-proj-abcdefghijklmnopqrstuvwx", "sk-REDACTED");
        check("risk-free", "risk-free");
        check("é dw_", "é dw_");
    }

    #[test]
    fn paths_lose_encoded_credentials() {
        assert_eq!(path("/a%20b/c"), "/a%20b/c");
        assert_eq!(path("/proxy/http://me:secret@a/x"), "/proxy/http://REDACTED@a/x");
        assert_eq!(path("/http://a/x@y/http://me@b"), "/http://a/x@y/http://REDACTED@b");
        assert_eq!(path("/@scope/http://a"), "/@scope/http://a");
        assert_eq!(path(&format!("/a/{}/b", KEY.replace('_', "%5F"))), "/a/REDACTED/b");
    }

    #[test]
    fn queries_lose_credentials() {
        fn check(given: &str, located: bool, expected: &str) {
            let mut evidence = samples::evidence(&format!("/orders?{given}"));
            let names: Arc<[Arc<str>]> = Arc::new(["k y".into()]);
            evidence.shown_query = if located { ShownQuery::AllBut(Some(names)) } else { ShownQuery::Names };
            assert_eq!(query(&evidence).as_deref(), Some(expected), "{given}");
        }
        check("a=1&b=2", true, "a=1&b=2");
        check("a=1&k+y=x&k%20y=y&%6B%20y=z&q", true, "a=1&k+y=REDACTED&k%20y=REDACTED&%6B%20y=REDACTED&q");
        check("access_token=x&Api-Key=y&keyboard=z&key=", true, "access_token=REDACTED&Api-Key=REDACTED&keyboard=z&key=");
        check(&format!("a={KEY}&{KEY}&b={KEY}=x"), true, "a=REDACTED&REDACTED&b=REDACTED");
        check(&format!("a={}", KEY.replace("dw", "%64w")), true, "a=REDACTED");
        check("a=1&b&&c=", false, "a=REDACTED&b&&c=");
        check(&"a&".repeat(500), true, &format!("{}...", "a&".repeat(128)));
    }
}
