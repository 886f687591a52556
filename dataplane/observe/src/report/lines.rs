//! The evidence of each step, in sentences.

use cause::{Audience, Check, CredentialState, Listed, RuleReport, view};
use policy::principal::{Facts, PrincipalKind};

use super::{State, Telling};
use crate::evidence::Outcome;

impl Telling<'_> {
    pub(super) fn evidence_of(&self, check: Check, state: State) -> Vec<String> {
        match check {
            Check::Guard => Vec::new(),
            Check::Locate => self.locate(state),
            Check::Screen => self.screen(state),
            Check::Identify => self.identify(state),
            Check::Authorize => self.authorize(state),
            Check::Validate => self.evidence.model.iter().map(|model| format!("model {model}")).collect(),
            Check::Meter => self.meter(state),
            Check::Forward => self.outcome.filter(|_| state != State::NotReached).map(forward).unwrap_or_default(),
        }
    }

    /// What the parts of a step that are in Shadow mode would have refused.
    pub(super) fn shadow_of(&self, check: Check) -> Vec<String> {
        let here = self.evidence.shadow.iter().filter(|(at, _)| *at == check);
        here.map(|(_, denial)| {
            let view = view(denial, Audience::Owner, self.docs);
            format!("would refuse (Shadow): {}: {}", view.code, view.detail)
        })
        .collect()
    }

    fn locate(&self, state: State) -> Vec<String> {
        let Some(located) = &self.evidence.located else {
            return Vec::new();
        };
        let chosen_by = located.chosen_by;
        let version = located.version().map(|version| match chosen_by {
            Some("default") => format!("  version {version} (default: nothing in the request named one)"),
            Some(chosen_by) => format!("  version {version} (named by {chosen_by})"),
            None => format!("  version {version}"),
        });
        let told = state != State::Refused || version.is_some();
        told.then(|| format!("{}{}", located.route(), version.unwrap_or_default())).into_iter().collect()
    }

    fn screen(&self, state: State) -> Vec<String> {
        let peer = self.evidence.received.peer.ip();
        match self.evidence.client {
            Some(client) if client == peer => vec![format!("{client} (peer)")],
            Some(client) => vec![format!("{client} (forwarded by {peer})")],
            None if state == State::Ok => vec![format!("{peer} (peer)")],
            None => Vec::new(),
        }
    }

    fn identify(&self, state: State) -> Vec<String> {
        let principal = self.evidence.principal.as_deref();
        let mut lines = Vec::new();
        for report in &self.evidence.credentials {
            let kind = credential_kind(report.kind);
            let id = report.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
            match (report.state, principal) {
                (CredentialState::Accepted, Some(principal)) => {
                    lines.push(format!("{} -> {}", report.source, who(principal)));
                }
                (state, _) => lines.push(format!("{}: {} ({kind}{id})", report.source, credential_state(state))),
            }
        }
        let anonymous = principal.is_some_and(|principal| principal.kind == PrincipalKind::Anonymous);
        if anonymous && state != State::Refused {
            lines.push("anonymous: nobody in particular".to_owned());
        }
        lines
    }

    fn authorize(&self, state: State) -> Vec<String> {
        let shadowed = self.evidence.shadow.iter().any(|(at, _)| *at == Check::Authorize);
        // A Shadow rule that would refuse is told with its cause.
        let told = |report: &&RuleReport| !(shadowed && report.shadow && report.deny && report.failure.is_none());
        let mut lines: Vec<String> = self.evidence.rules.iter().filter(told).map(rule).collect();
        if lines.is_empty() && state != State::NotReached {
            match &self.evidence.authorized {
                Some(Some(rule)) => lines.push(format!("{rule}: allows")),
                Some(None) => lines.push("no Allow rule: whoever is admitted may call".to_owned()),
                None => {}
            }
        }
        lines
    }

    fn meter(&self, state: State) -> Vec<String> {
        let Some(metered) = &self.evidence.metered else {
            return if state == State::Ok { vec!["no limit".to_owned()] } else { Vec::new() };
        };
        let (requests, window) = metered.allowed;
        let left = format!("{} has {} of {requests} left", metered.limit, metered.remaining);
        vec![match state {
            State::NotReached => format!("not reached; {left}"),
            State::Ok | State::Refused | State::Shadow => {
                format!("{left} in {window} s, all of them in {} s", metered.reset_seconds)
            }
        }]
    }
}

/// A principal, for the API's owner.
fn who(principal: &Facts) -> String {
    let kind = principal.kind.as_str();
    let mut text = match (&principal.key, &principal.provider) {
        (Some(key), _) => format!("{kind} {key}"),
        (None, Some(provider)) => format!("{kind} {} of {provider}", principal.name),
        (None, None) => format!("{kind} {}", principal.name),
    };
    if let (Some(team), None) = (&principal.team, &principal.key) {
        text.push_str(&format!(", team {team}"));
    }
    text.push_str(&format!(", roles {}", Listed(&principal.roles)));
    if !principal.scopes.is_empty() {
        text.push_str(&format!(", scopes {}", Listed(&principal.scopes)));
    }
    text
}

const fn credential_kind(kind: cause::CredentialKind) -> &'static str {
    match kind {
        cause::CredentialKind::ApiKey => "ApiKey",
        cause::CredentialKind::Jwt => "Jwt",
        cause::CredentialKind::Introspection => "Introspection",
    }
}

const fn credential_state(state: CredentialState) -> &'static str {
    match state {
        CredentialState::Accepted => "accepted",
        CredentialState::Missing => "not sent",
        CredentialState::Malformed => "its form is wrong",
        CredentialState::Unknown => "nobody holds it",
        CredentialState::Expired => "expired",
        CredentialState::NotYetValid => "not valid yet",
        CredentialState::Suspended => "suspended",
        CredentialState::Rotated => "replaced by a rotation",
        CredentialState::NotAccepted => "not of a kind that is accepted here",
        CredentialState::Unavailable => "could not be judged now",
        CredentialState::Ambiguous => "two values",
    }
}

fn rule(report: &RuleReport) -> String {
    let name = &report.rule;
    let mode = match (report.deny, report.shadow) {
        (true, true) => " (Deny, Shadow)",
        (true, false) => " (Deny)",
        (false, true) => " (Shadow)",
        (false, false) => "",
    };
    match (&report.failure, report.deny) {
        (Some(failure), true) => format!("{name}{mode}: does not match: {failure}"),
        (Some(failure), false) => format!("{name}{mode}: {failure}"),
        (None, true) => format!("{name}{mode}: denies"),
        (None, false) => format!("{name}{mode}: allows"),
    }
}

fn forward(outcome: &Outcome) -> Vec<String> {
    let milliseconds = |duration: std::time::Duration| format!("{:.1} ms", duration.as_secs_f64() * 1000.0);
    let upstream = outcome.upstream.map(|took| format!(", the service began after {}", milliseconds(took)));
    let mut lines = vec![format!(
        "{} in {}{}; {} bytes in, {} bytes out",
        outcome.status,
        milliseconds(outcome.duration),
        upstream.unwrap_or_default(),
        outcome.bytes_in,
        outcome.bytes_out
    )];
    if let Some(usage) = outcome.usage {
        let estimated = if usage.estimated { " (estimated)" } else { "" };
        lines.push(format!("{} tokens read, {} written{estimated}", usage.input, usage.output));
    }
    if !outcome.complete {
        lines.push("the answer was cut".to_owned());
    }
    lines
}
