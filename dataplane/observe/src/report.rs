//! One call told check by check, to whoever owns the API: `doorward explain`, and the look-back
//! by decision id.
//!
//! Both are built from the same [`Evidence`] that enforcement left behind, so they cannot say
//! anything else than what happened. The reader is the owner, who may see all of it; a caller's
//! credentials and control characters never come through.

mod lines;
mod place;
mod screen;
#[cfg(test)]
mod tests;

use cause::{Audience, Check, Denial, Fixer, View, view};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decision::DecisionId;
use crate::evidence::{Evidence, Outcome, Record};
use crate::{printable, redact};

pub use place::{At, Find, InFile, nowhere};

/// What became of a call, or would become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Method and target, or that they could not be read.
    pub request: String,
    /// The object that serves it, such as `ApiRoute shop/orders`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Whether it is served.
    pub verdict: Verdict,
    /// The status of the answer; `None` where the upstream was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The code of the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// One line about the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What happened in this call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// `namespace/route/rule`, where a rule decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The steps, in their order.
    pub checks: Vec<CheckReport>,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The id of a real call; a described one has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The time of the call.
    pub at: Timestamp,
    /// The generation of the configuration that judged it.
    pub generation: u64,
}

/// Whether a call is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It is.
    Allowed,
    /// It is not.
    Refused,
}

/// What one step found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// The step.
    pub check: Check,
    /// What became of it.
    pub state: State,
    /// Its evidence, for people.
    pub lines: Vec<Line>,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What was found.
    pub text: String,
    /// Where the manifests say what was judged by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self { text, at: None }
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// It admits the call.
    Ok,
    /// It refuses the call.
    Refused,
    /// It admits the call, and a part in Shadow mode would refuse it.
    Shadow,
    /// An earlier step refused.
    NotReached,
}

/// What mends a cause, and who does it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// Who.
    pub by: Fixer,
    /// What they do.
    pub text: String,
    /// The page of the cause.
    pub docs: String,
    /// The field of a manifest that would mend it, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

/// For whom a report is made.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The base address of the causes' pages.
    pub docs: &'a str,
    /// Knows the places in the reader's files.
    pub find: Find<'a>,
}

impl Report {
    /// What would become of a described call.
    #[must_use]
    pub fn of(evidence: &Evidence, refused: Option<(Check, &Denial)>, reader: &Reader<'_>) -> Self {
        Telling { evidence, refused, outcome: None, reader }.report(None)
    }

    /// What became of a real call. `docs` is the base address of the causes' pages.
    #[must_use]
    pub fn of_call(record: &Record, docs: &str) -> Self {
        let reader = &Reader { docs, find: &nowhere };
        let refused = record.outcome.refused.as_deref().map(|(check, denial)| (*check, denial));
        let decision = record.evidence.received.decision;
        Telling { evidence: &record.evidence, refused, outcome: Some(&record.outcome), reader }.report(Some(decision))
    }
}

/// What a report is told from.
struct Telling<'a> {
    evidence: &'a Evidence,
    refused: Option<(Check, &'a Denial)>,
    outcome: Option<&'a Outcome>,
    reader: &'a Reader<'a>,
}

impl Telling<'_> {
    fn report(&self, decision: Option<DecisionId>) -> Report {
        let received = &self.evidence.received;
        let cause = self.refused.map(|(_, denial)| view(denial, Audience::Owner, self.reader.docs));
        Report {
            request: self.request(),
            object: self.object().map(|object| object.to_string()),
            verdict: if cause.is_some() { Verdict::Refused } else { Verdict::Allowed },
            status: self.outcome.map(|outcome| outcome.status).or(cause.as_ref().map(|cause| cause.status.as_u16())),
            code: cause.as_ref().map(|cause| cause.code.to_owned()),
            title: cause.as_ref().map(|cause| cause.title.to_owned()),
            detail: cause.as_ref().map(|cause| shown(&cause.detail)),
            rule: cause.as_ref().and_then(|cause| cause.rule.clone()),
            checks: self.checks(cause.as_ref()),
            fix: cause.map(|cause| {
                let at = self.mended_at().map(|(object, field)| self.at(&object, &field));
                Fix { by: cause.remedy.by, text: shown(&cause.remedy.text), docs: cause.remedy.docs, at }
            }),
            decision: decision.map(|decision| decision.to_string()),
            at: received.at,
            generation: self.evidence.generation,
        }
    }

    /// Method and target, as far as they could be read.
    fn request(&self) -> String {
        let received = &self.evidence.received;
        let query = redact::query(self.evidence).map(|query| format!("?{query}")).unwrap_or_default();
        match (&received.method, received.head.path()) {
            (Some(method), Some(path)) => shown(&format!("{method} {}{query}", redact::path(path))),
            (Some(method), None) => shown(&format!("{method} of an unreadable target")),
            (None, _) => "a request without a readable method and target".to_owned(),
        }
    }

    fn checks(&self, cause: Option<&View>) -> Vec<CheckReport> {
        let steps = [
            Check::Guard,
            Check::Locate,
            Check::Screen,
            Check::Identify,
            Check::Authorize,
            Check::Validate,
            Check::Meter,
            Check::Forward,
        ];
        let refused_at = self.refused.map(|(check, _)| check);
        let told = steps.into_iter().filter(|check| match check {
            // The guard speaks up only when it refuses; a described call goes no further than the limits.
            Check::Guard => refused_at == Some(Check::Guard),
            Check::Forward => self.outcome.is_some() || refused_at == Some(Check::Forward),
            Check::Locate | Check::Screen | Check::Identify | Check::Authorize | Check::Validate | Check::Meter => true,
        });
        told.map(|check| {
            let state = self.state(check);
            let mut lines = self.evidence_of(check, state);
            if state == State::Refused
                && let Some(cause) = cause
                && (check != Check::Authorize || self.rules().is_empty())
            {
                lines.insert(0, Line::from(cause.detail.clone()));
            }
            lines.extend(self.shadow_of(check).into_iter().map(Line::from));
            for line in &mut lines {
                line.text = shown(&line.text);
            }
            CheckReport { check, state, lines }
        })
        .collect()
    }

    fn state(&self, check: Check) -> State {
        let order = self.refused.map(|(refused_at, _)| check.cmp(&refused_at));
        match order {
            Some(std::cmp::Ordering::Equal) => State::Refused,
            Some(std::cmp::Ordering::Greater) if !self.proved(check) => State::NotReached,
            Some(std::cmp::Ordering::Less | std::cmp::Ordering::Greater) | None => {
                if self.evidence.shadow.iter().any(|(at, _)| *at == check) { State::Shadow } else { State::Ok }
            }
        }
    }

    /// Whether a step left evidence although an earlier one refused: a key's own address list is
    /// part of the screen, and can be judged only once the key is known.
    fn proved(&self, check: Check) -> bool {
        match check {
            Check::Identify => self.evidence.principal.is_some(),
            Check::Authorize => self.evidence.authorized.is_some(),
            Check::Guard | Check::Locate | Check::Screen | Check::Validate | Check::Meter | Check::Forward => false,
        }
    }
}

/// Text that came from a caller in part, for a screen.
fn shown(text: &str) -> String {
    printable::escaped(&redact::text(text)).into_owned()
}
