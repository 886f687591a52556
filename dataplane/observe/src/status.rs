//! How a gateway is: what `doorward status` prints.

use std::collections::BTreeMap;

use cause::{Fault, Severity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::metrics::Worker;
use crate::printable::{Style, Tone, WIDTH, count, escaped, span, wrapped};
use crate::refusals::Refusals;

/// How one gateway is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of Doorward.
    pub version: String,
    /// The time of this status.
    pub at: Timestamp,
    /// When the gateway began.
    pub started_at: Timestamp,
    /// The generation of the configuration in use.
    pub generation: u64,
    /// Since when it is in use.
    pub loaded_at: Timestamp,
    /// How many objects of each kind it holds.
    pub objects: BTreeMap<String, usize>,
    /// What is wrong with the manifests.
    pub faults: Vec<StatusFault>,
    /// The last hour.
    pub last_hour: Refusals,
    /// Each worker.
    pub workers: Vec<Worker>,
    /// Calls that are missing in log and look-back, because they came too fast.
    pub records_dropped: u64,
}

/// One thing that is wrong with the manifests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusFault {
    /// How bad.
    pub severity: Severity,
    /// The stable dotted code.
    pub code: String,
    /// Kind and name of the object, where one could be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The field.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl From<&Fault> for StatusFault {
    fn from(fault: &Fault) -> Self {
        Self {
            severity: fault.severity,
            code: fault.code().to_owned(),
            object: fault.object.as_ref().map(ToString::to_string),
            field: fault.field.to_string(),
            message: fault.message(),
            remedy: fault.remedy(),
        }
    }
}

impl Status {
    /// The status for people.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let since = |earlier: Timestamp| span(u64::try_from(self.at.as_second() - earlier.as_second()).unwrap_or(0));
        let connections: u64 = self.workers.iter().map(|worker| worker.connections).sum();
        let requests: u64 = self.workers.iter().map(|worker| worker.requests).sum();
        let mut lines = vec![
            format!(
                "doorward {}, up {}; generation {} in use for {}",
                self.version,
                since(self.started_at),
                self.generation,
                since(self.loaded_at)
            ),
            format!(
                "{}, {} ({}), {} in progress",
                many(self.workers.len(), "worker"),
                many(usize::try_from(connections).unwrap_or(usize::MAX), "connection"),
                per_worker(&self.workers),
                many(usize::try_from(requests).unwrap_or(usize::MAX), "call"),
            ),
        ];
        if !self.objects.is_empty() {
            let objects: Vec<String> = self.objects.iter().map(|(kind, number)| many(*number, kind)).collect();
            lines.push(objects.join(", "));
        }
        let mut text = String::new();
        for line in lines.iter().flat_map(|line| wrapped(line, WIDTH)) {
            push_line(&mut text, &line);
        }
        self.faults(style, &mut text);
        self.refused(&mut text);
        if self.records_dropped > 0 {
            let line = format!("{} calls came too fast for the log and are not in it", count(self.records_dropped));
            push_line(&mut text, &style.paint(Tone::Notable, &line));
        }
        text
    }

    fn faults(&self, style: Style, text: &mut String) {
        let worrying: Vec<&StatusFault> = self.faults.iter().filter(|fault| fault.severity != Severity::Notice).collect();
        if worrying.is_empty() {
            push_line(text, &style.paint(Tone::Good, "no object needs attention"));
            return;
        }
        let objects: std::collections::BTreeSet<_> = worrying.iter().map(|fault| &fault.object).collect();
        let need = if objects.len() == 1 { "needs" } else { "need" };
        let head = format!("{} {need} attention:", many(objects.len(), "object"));
        push_line(text, &style.paint(Tone::Strong, &head));
        for fault in worrying {
            let (tone, word) = match fault.severity {
                Severity::Error => (Tone::Bad, "error"),
                Severity::Warning => (Tone::Notable, "warning"),
                Severity::Notice => (Tone::Quiet, "notice"),
            };
            let object = fault.object.as_deref().unwrap_or("manifests");
            let place = [object, &fault.field].join("   ");
            let lead = format!("  {} ", style.paint(tone, word));
            push_line(text, &format!("{lead}{}", escaped(place.trim_end())));
            // A question goes on with the sentence.
            let remedy = match fault.remedy.chars().next() {
                None => String::new(),
                Some(first) if first.is_lowercase() => format!(", {}", fault.remedy),
                Some(_) => format!(". {}", fault.remedy),
            };
            let message = format!("{} [{}]{remedy}", fault.message, fault.code);
            for line in wrapped(&escaped(&message), WIDTH - 4) {
                push_line(text, &format!("    {line}"));
            }
        }
    }

    fn refused(&self, text: &mut String) {
        let hour = &self.last_hour;
        let top = hour.top.iter().map(|top| match &top.route {
            Some(route) => format!("{} {} ({route})", top.code, count(top.count)),
            None => format!("{} {}", top.code, count(top.count)),
        });
        let top: Vec<String> = top.collect();
        let calls = if hour.calls == 1 { "call" } else { "calls" };
        let mut line = format!("refused in the last hour: {} of {} {calls}", count(hour.refused), count(hour.calls));
        if !top.is_empty() {
            line.push_str("; top: ");
            line.push_str(&top.join(", "));
        }
        for line in wrapped(&line, WIDTH) {
            push_line(text, &line);
        }
    }
}

fn many(number: usize, what: &str) -> String {
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

fn per_worker(workers: &[Worker]) -> String {
    const SHOWN: usize = 8;
    let mut each: Vec<String> = workers.iter().take(SHOWN).map(|worker| count(worker.connections)).collect();
    if workers.len() > SHOWN {
        each.push("...".to_owned());
    }
    each.join(" + ")
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use cause::{FaultCause, FieldPath, ObjectName, ObjectRef};

    use super::*;
    use crate::refusals::Top;

    fn status() -> Status {
        let at = |second| Timestamp::from_second(second).unwrap();
        Status {
            version: "0.1.0".to_owned(),
            at: at(100_000),
            started_at: at(88_480),
            generation: 7,
            loaded_at: at(99_900),
            objects: [("ApiKey".to_owned(), 3), ("Gateway".to_owned(), 1)].into(),
            faults: Vec::new(),
            last_hour: Refusals::default(),
            workers: vec![Worker { connections: 4, requests: 1 }, Worker { connections: 9, requests: 0 }],
            records_dropped: 0,
        }
    }

    fn check(status: &Status, expected: &[&str]) {
        let text = status.text(Style::Plain);
        assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        let document = serde_json::to_string(status).unwrap();
        assert_eq!(&serde_json::from_str::<Status>(&document).unwrap(), status);
    }

    #[test]
    fn all_is_well() {
        check(
            &status(),
            &[
                "doorward 0.1.0, up 3 h 12 min; generation 7 in use for 1 min",
                "2 workers, 13 connections (4 + 9), 1 call in progress",
                "3 ApiKeys, 1 Gateway",
                "no object needs attention",
                "refused in the last hour: 0 of 0 calls",
            ],
        );
    }

    #[test]
    fn objects_need_attention() {
        let object = |kind, name| ObjectRef::new(kind, ObjectName::new("shop", name));
        let faults = [
            Fault::error(object("ApiRoute", "orders"), FieldPath::default(), FaultCause::RouteBroken),
            Fault::warning(object("ApiRoute", "orders"), FieldPath::default(), FaultCause::KeyDuplicate),
            Fault::error(
                object("ApiKey", "a"),
                FieldPath::default(),
                FaultCause::TypeWrong { expected: "a text".into(), found: "esc \u{1b}[0m ".repeat(10).into() },
            ),
        ];
        let top = |code: &str, count, route: Option<&str>| Top { code: code.to_owned(), count, route: route.map(str::to_owned) };
        let mut status = status();
        status.faults = faults.iter().map(StatusFault::from).collect();
        status.last_hour = Refusals {
            calls: 1_900_000,
            refused: 1204,
            top: vec![top("credential.expired", 801, Some("shop/orders")), top("route.not_found", 403, None)],
        };
        status.records_dropped = 12;
        let text = status.text(Style::Plain);
        assert!(
            text.contains("2 objects need attention:\n  error ApiRoute shop/orders\n    the manifest has faults [config."),
            "{text}"
        );
        assert!(text.contains("  warning ApiRoute shop/orders\n"), "{text}");
        let last = "refused in the last hour: 1,204 of 1.9 M calls; top: credential.expired 801 (shop/orders),\n\
                    route.not_found 403\n12 calls came too fast for the log and are not in it\n";
        assert!(text.ends_with(last), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH && !line.contains('\u{1b}')), "{text}");
        assert!(status.text(Style::Coloured).contains("\u{1b}[1;31merror\u{1b}[0m ApiRoute"));
    }
}
