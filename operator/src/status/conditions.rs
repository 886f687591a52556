//! Conditions as Kubernetes writes them.

use serde_json::{Value, json};
use translate::{Standing, Verdict};

use super::programmed::Programmed;

/// Bytes of a message; Kubernetes allows 32 KiB, people read less.
const MESSAGE: usize = 2_048;

/// `True`, `False` or `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    Unknown,
}

/// One condition, before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) kind: &'static str,
    pub(super) truth: Truth,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Condition {
    pub(super) fn new(kind: &'static str, truth: Truth, reason: &str, message: impl Into<String>) -> Self {
        Self { kind, truth, reason: reason.to_owned(), message: message.into() }
    }

    pub(super) fn of(kind: &'static str, verdict: &Verdict) -> Self {
        let truth = if verdict.holds { Truth::True } else { Truth::False };
        Self::new(kind, truth, verdict.reason, &*verdict.message)
    }

    pub(super) fn to_value(&self, generation: i64) -> Value {
        let status = match self.truth {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        };
        json!({
            "type": self.kind, "status": status, "reason": self.reason, "message": shortened(&self.message),
            "observedGeneration": generation,
        })
    }
}

/// Conditions as a list.
pub(super) fn list(conditions: &[Condition], generation: i64) -> Value {
    conditions.iter().map(|condition| condition.to_value(generation)).collect()
}

fn shortened(message: &str) -> &str {
    let end = message.char_indices().map(|(at, _)| at).take_while(|at| *at <= MESSAGE).last().unwrap_or_default();
    if message.len() <= MESSAGE { message } else { message.get(..end).unwrap_or_default() }
}

/// `Programmed` of an object that data planes serve.
pub(super) fn programmed(word: &Programmed) -> Condition {
    let condition = |truth, reason: &str, message: String| Condition::new("Programmed", truth, reason, message);
    match word {
        Programmed::Yes => condition(Truth::True, "Programmed", String::new()),
        Programmed::Waiting { gateway, ready, serving, .. } => condition(
            Truth::Unknown,
            "Pending",
            format!("{serving} of {ready} ready data planes of Gateway {gateway} serve this generation."),
        ),
        Programmed::Nobody { gateway, .. } => {
            condition(Truth::False, "NoResources", format!("No data plane of Gateway {gateway} is ready."))
        }
        Programmed::Unlistened { gateway, listener, message } => condition(
            Truth::False,
            "ListenerNotProgrammed",
            format!("Listener `{listener}` of Gateway {gateway} serves no calls: {message}"),
        ),
        Programmed::Refused { pod, reason } => {
            condition(Truth::False, "Refused", format!("Data plane {pod} cannot serve it: {reason}"))
        }
    }
}

/// The conditions of an object of ours. `word` is `None` for what no Gateway needs.
pub(super) fn of_standing(standing: &Standing, word: Option<&Programmed>) -> Vec<Condition> {
    let accepted = Condition::of("Accepted", &standing.accepted);
    let resolved = Condition::of("ResolvedRefs", &standing.resolved_refs);
    let is_good = standing.accepted.holds;
    let programmed = match word {
        _ if !is_good => Condition::new("Programmed", Truth::False, standing.accepted.reason, ""),
        Some(word) => programmed(word),
        None => Condition::new("Programmed", Truth::True, "NotNeeded", "No Gateway serves anything that uses it."),
    };
    let refused = word.filter(|word| is_good && matches!(word, Programmed::Refused { .. }));
    let stalled = match (&standing.stalled, refused) {
        (Some(stalled), _) => Some(Condition::new("Stalled", Truth::True, stalled.reason, &*stalled.message)),
        (None, Some(_)) => Some(Condition::new("Stalled", Truth::True, &programmed.reason, programmed.message.clone())),
        (None, None) => None,
    };
    let reconciling = (stalled.is_none() && programmed.truth == Truth::Unknown)
        .then(|| Condition::new("Reconciling", Truth::True, &programmed.reason, programmed.message.clone()));
    let ready = ready(stalled.as_ref(), [&accepted, &resolved, &programmed]);
    [ready, accepted, resolved, programmed].into_iter().chain(reconciling).chain(stalled).collect()
}

/// The summary: what holds it back first.
fn ready(stalled: Option<&Condition>, parts: [&Condition; 3]) -> Condition {
    if let Some(stalled) = stalled {
        return Condition::new("Ready", Truth::False, &stalled.reason, stalled.message.clone());
    }
    match parts.into_iter().find(|part| part.truth != Truth::True) {
        Some(part) => Condition::new("Ready", part.truth, &part.reason, part.message.clone()),
        None => Condition::new("Ready", Truth::True, "Ready", ""),
    }
}
