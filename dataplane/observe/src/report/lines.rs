//! The evidence of each step, in sentences.

use cause::{Audience, Check, CredentialState, FieldPath, Listed, ObjectRef, RuleReport, view};
use policy::principal::{Facts, PrincipalKind};

use super::place::RULES;
use super::{Line, State, Telling};
use crate::evidence::{LimitLeft, Metered, Outcome};

impl Telling<'_> {
    pub(super) fn evidence_of(&self, check: Check, state: State) -> Vec<Line> {
        match check {
            Check::Guard => Vec::new(),
            Check::Locate => self.locate(state),
            Check::Screen => self.screen(state),
            Check::Identify => self.identify(state),
            Check::Authorize => self.authorize(state),
            Check::Validate => self.evidence.model.iter().map(|model| Line::from(format!("model {model}"))).collect(),
            Check::Meter => self.meter(state),
            Check::Forward => {
                let outcome = self.outcome.filter(|_| state != State::NotReached);
                outcome.map(forward).unwrap_or_default().into_iter().map(Line::from).collect()
            }
        }
    }

    /// What the parts of a step that are in Shadow mode would have refused.
    pub(super) fn shadow_of(&self, check: Check) -> Vec<String> {
        let here = self.evidence.shadow.iter().filter(|(at, _)| *at == check);
        here.map(|(_, denial)| {
            let view = view(denial, Audience::Owner, self.reader.docs);
            format!("would refuse (Shadow): {}: {}", view.code, view.detail)
        })
        .collect()
    }

    /// What each rule said; empty where nobody asked.
    pub(super) fn rules(&self) -> &[RuleReport] {
        self.evidence.explained.as_deref().map_or(&[], |explained| &explained.rules)
    }

    fn locate(&self, state: State) -> Vec<Line> {
        let Some(located) = &self.evidence.located else {
            return Vec::new();
        };
        let chosen_by = located.chosen_by;
        let version = located.version().map(|version| match chosen_by {
            Some("default") => format!("  version {version} (default: nothing in the request named one)"),
            Some(chosen_by) => format!("  version {version} (named by {chosen_by})"),
            None => format!("  version {version}"),
        });
        if state == State::Refused && version.is_none() {
            return Vec::new();
        }
        let text = format!("{}{}", located.route(), version.unwrap_or_default());
        let field = located.names.rule.map_or_else(FieldPath::root, |rule| FieldPath::of("spec.rules").index(usize::from(rule)));
        vec![Line { text, at: self.of_route(&field) }]
    }

    fn screen(&self, state: State) -> Vec<Line> {
        let peer = self.evidence.received.peer.ip();
        let mut text = match self.evidence.client {
            Some(client) if client == peer => format!("{client} (peer)"),
            Some(client) => format!("{client} (forwarded by {peer})"),
            None if state == State::Ok => format!("{peer} (peer)"),
            None => return Vec::new(),
        };
        let lists = self.evidence.explained.as_ref().and_then(|explained| explained.addresses.as_ref());
        let at = lists.and_then(|lists| {
            text.push_str(&format!("; {lists}"));
            (lists != NO_LIST).then(|| self.of_route(&FieldPath::of("spec.addresses")))?
        });
        vec![Line { text, at }]
    }

    fn identify(&self, state: State) -> Vec<Line> {
        let principal = self.evidence.principal.as_deref();
        let mut lines = Vec::new();
        for report in &self.evidence.credentials {
            let kind = credential_kind(report.kind);
            let id = report.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
            match (report.state, principal) {
                (CredentialState::Accepted, Some(principal)) => {
                    let text = format!("{} -> {}", report.source, who(principal));
                    lines.push(Line { text, at: vouched_by(principal).map(|object| self.at(&object, &FieldPath::root())) });
                }
                (state, _) => {
                    let key = self.evidence.keys.iter().find(|(source, _)| *source == report.source).map(|(_, key)| key);
                    let of = key.map(|key| format!(" of {key}")).unwrap_or_default();
                    let text = format!("{}: {} ({kind}{id}{of})", report.source, credential_state(state));
                    let at = key.map(|key| self.at(&ObjectRef::new("ApiKey", key.clone()), &FieldPath::root()));
                    lines.push(Line { text, at });
                }
            }
        }
        let anonymous = principal.is_some_and(|principal| principal.kind == PrincipalKind::Anonymous);
        if anonymous && state != State::Refused {
            lines.push(Line::from("anonymous: nobody in particular"));
        }
        lines
    }

    fn authorize(&self, state: State) -> Vec<Line> {
        let shadowed = self.evidence.shadow.iter().any(|(at, _)| *at == Check::Authorize);
        // A Shadow rule that would refuse is told with its cause.
        let told = |report: &RuleReport| !(shadowed && report.shadow && report.deny && report.failure.is_none());
        let rules = self.rules().iter().enumerate().filter(|(_, report)| told(report));
        let mut lines: Vec<Line> = rules
            .map(|(index, report)| Line { text: rule(report), at: self.of_route(&FieldPath::of(RULES).index(index)) })
            .collect();
        if lines.is_empty() && state != State::NotReached {
            match &self.evidence.authorized {
                Some(Some(rule)) => lines.push(Line::from(format!("{rule}: allows"))),
                Some(None) => lines.push(Line::from("no Allow rule: whoever is admitted may call")),
                None => {}
            }
        }
        lines
    }

    fn meter(&self, state: State) -> Vec<Line> {
        let limits = self.evidence.explained.as_deref().map_or(&[][..], |explained| &explained.limits);
        let line = |limit: &LimitLeft| {
            let shadow = if limit.shadow { " (Shadow)" } else { "" };
            let text = match state {
                // The call took nothing from it, so this one is left too.
                State::NotReached => {
                    let left = limit.metered.remaining + u64::from(limit.admits);
                    format!("not reached; {}{shadow} has {left} of {} left", limit.metered.limit, limit.metered.allowed.0)
                }
                State::Ok | State::Refused | State::Shadow => left(&limit.metered, shadow),
            };
            let field = FieldPath::of("spec.limits").index(limit.index);
            Line { text, at: Some(self.at(&limit.holder, &field)) }
        };
        if !limits.is_empty() {
            return limits.iter().map(line).collect();
        }
        match (&self.evidence.metered, state) {
            (Some(metered), State::Ok | State::Refused | State::Shadow) => vec![Line::from(left(metered, ""))],
            (None, State::Ok) => vec![Line::from("no limit")],
            (Some(_), State::NotReached) | (None, State::Refused | State::Shadow | State::NotReached) => Vec::new(),
        }
    }
}

/// What the lists of a route without any say.
const NO_LIST: &str = "allow list: none";

/// What is left of a limit behind a call.
fn left(metered: &Metered, mode: &str) -> String {
    let (requests, window) = metered.allowed;
    let Metered { limit, remaining, reset_seconds, .. } = metered;
    format!("{limit}{mode} has {remaining} of {requests} left in {window} s, all of them in {reset_seconds} s")
}

/// The object that vouches for a principal.
fn vouched_by(principal: &Facts) -> Option<ObjectRef> {
    match (&principal.key, &principal.provider) {
        (Some(key), _) => Some(ObjectRef::new("ApiKey", key.0.clone())),
        (None, Some(provider)) => Some(ObjectRef::new("IdentityProvider", provider.0.clone())),
        (None, None) => None,
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
        (None, true) if report.shadow => format!("{name}{mode}: would deny"),
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
