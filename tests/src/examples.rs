//! Examples as tests: a file of manifests is served, each `# try:` line is called and its answer
//! compared with the `# expect:` line below it.
//!
//! The lines are `curl` as people type it: `-i`, `-k`, `-H`, `-X`, `-d`, `--resolve` and one URL.

use std::path::Path;

use dataplane::PortProtocol;
use jiff::Timestamp;

use crate::client::{Manner, Message, call};
use crate::manifests::{Serving, session};
use crate::stage::Stage;

/// Where the demo service is when people try an example, and an address where nothing is.
const DEMO: &str = "127.0.0.1:9093";
const NOBODY: &str = "127.0.0.1:9094";

/// One line to try.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Try {
    /// As it is written.
    pub line: String,
    url: String,
    method: Option<String>,
    headers: Vec<String>,
    body: Option<String>,
    status: u16,
    holds: String,
}

/// The lines of an example.
///
/// # Errors
/// A line that has no meaning, a `# try:` without `# expect:`, or none at all.
pub fn lines(text: &str) -> Result<Vec<Try>, String> {
    let mut tries = Vec::new();
    let mut pending: Option<Try> = None;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("# try: ") {
            if pending.replace(command_of(command)?).is_some() {
                return Err(format!("`# expect:` is missing before `{command}`"));
            }
        } else if let Some(expected) = line.strip_prefix("# expect: ") {
            let one = pending.take().ok_or_else(|| format!("`# try:` is missing before `{expected}`"))?;
            let (status, holds) = expected.split_once(' ').unwrap_or((expected, ""));
            let status = status.parse().map_err(|_| format!("`{status}` is not a status"))?;
            tries.push(Try { status, holds: holds.to_owned(), ..one });
        }
    }
    match pending {
        Some(one) => Err(format!("`# expect:` is missing behind `{}`", one.line)),
        None if tries.is_empty() => Err("there is nothing to try".to_owned()),
        None => Ok(tries),
    }
}

fn command_of(line: &str) -> Result<Try, String> {
    let mut words = shell_words(line)?.into_iter();
    if words.next().as_deref() != Some("curl") {
        return Err(format!("`{line}` is not curl"));
    }
    let mut one = Try { line: line.to_owned(), ..Try::default() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value in `{line}`"));
        match word.as_str() {
            "-i" | "-k" | "-ik" => {}
            "--resolve" => drop(value()?),
            "-H" => one.headers.push(value()?),
            "-X" => one.method = Some(value()?),
            "-d" => one.body = Some(value()?),
            url if url.contains("://") && one.url.is_empty() => url.clone_into(&mut one.url),
            _ => return Err(format!("`{word}` has no meaning in `{line}`")),
        }
    }
    Ok(one)
}

/// Words as a shell splits them, without expansions.
fn shell_words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (Some(_) | None, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if quote.is_some() { Err(format!("a quote does not end in `{line}`")) } else { Ok(words) }
}

/// Serves an example, with `more` manifests beside it, and tries its lines; tells what is wrong. Writes into `folder`.
///
/// # Errors
/// The example cannot be read or served at all.
pub fn run(text: &str, more: &str, folder: &Path, now: Timestamp) -> Result<Vec<String>, String> {
    let mut stage = Stage::new(now);
    let (demo, nobody) = (stage.expand("{{upstream demo}}")?, stage.expand("{{upstream refuses}}")?);
    let port = stage.expand("port: {{port demo}}")?;
    let manifests = text.replace(DEMO, &demo).replace(NOBODY, &nobody).replace("port: 9093", &port);
    let manifests = format!("{manifests}\n---\n{}", stage.expand(more)?);
    let path = folder.join("example.yaml");
    std::fs::write(&path, manifests).map_err(|error| format!("{}: {error}", path.display()))?;
    let outcome = session(vec![path], now).reload(now);
    if outcome.report.summary().errors + outcome.report.summary().warnings > 0 {
        return Ok(vec![outcome.report.to_text(manifest::Colour::Never)]);
    }
    let mut failures = Vec::new();
    let serving = Serving::start(&outcome, now)?;
    for one in lines(text)? {
        match one.send(&serving, &stage) {
            Ok(message) if one.is_met_by(&message) => {}
            Ok(message) => failures.push(format!("{}\n  was answered with {}", one.line, told(&message))),
            Err(failure) => failures.push(format!("{}\n  {failure}", one.line)),
        }
    }
    serving.stop();
    Ok(failures)
}

impl Try {
    fn send(&self, serving: &Serving, stage: &Stage) -> Result<Message, String> {
        let (scheme, rest) = self.url.split_once("://").ok_or("the URL has no scheme")?;
        let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let has = |name: &str| self.headers.iter().any(|line| line.to_ascii_lowercase().starts_with(name));
        let host = if has("host:") { String::new() } else { format!("Host: {authority}\r\n") };
        let fields: String = self.headers.iter().map(|line| format!("{line}\r\n")).collect();
        let length = self.body.as_ref().map(|body| format!("Content-Length: {}\r\n", body.len())).unwrap_or_default();
        let method = self.method.as_deref().unwrap_or(if self.body.is_some() { "POST" } else { "GET" });
        let body = self.body.as_deref().unwrap_or_default();
        let bytes = format!("{method} {target} HTTP/1.1\r\n{host}{fields}{length}\r\n{body}");
        let name = authority.split(':').next().unwrap_or_default();
        let tls = (scheme == "https").then(|| (name.to_owned(), stage.roots()));
        let to = serving.address(if tls.is_some() { PortProtocol::Https } else { PortProtocol::Http })?;
        call(to, bytes.as_bytes(), &Manner { tls, ..Manner::default() })
    }

    fn is_met_by(&self, message: &Message) -> bool {
        message.status() == self.status && told(message).contains(&self.holds)
    }
}

/// Status, fields with names in lower case, body.
fn told(message: &Message) -> String {
    let fields: String = message.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{}\n{fields}\n{}", message.start, String::from_utf8_lossy(&message.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_a_shell_would() {
        let found = lines("# try: curl -i -H 'A: b c' -X PUT 'http://a/b?c=d'\n# expect: 201 done\nkind: X\n").unwrap();
        let expected = Try {
            line: "curl -i -H 'A: b c' -X PUT 'http://a/b?c=d'".to_owned(),
            url: "http://a/b?c=d".to_owned(),
            method: Some("PUT".to_owned()),
            headers: vec!["A: b c".to_owned()],
            body: None,
            status: 201,
            holds: "done".to_owned(),
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn lines_without_meaning_are_refused() {
        let check = |text: &str, what: &str| assert!(lines(text).unwrap_err().contains(what), "{text}");
        check("kind: X\n", "nothing to try");
        check("# try: curl http://a/\n", "missing behind");
        check("# try: curl http://a/\n# try: curl http://a/\n# expect: 200\n", "missing before");
        check("# expect: 200\n", "missing before");
        check("# try: wget http://a/\n# expect: 200\n", "is not curl");
        check("# try: curl -o x http://a/\n# expect: 200\n", "no meaning");
        check("# try: curl -H 'x\n# expect: 200\n", "quote");
        check("# try: curl http://a/\n# expect: ok\n", "not a status");
    }
}
