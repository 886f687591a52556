//! Screens and documents, whole.

use cause::{Check, Credential, CredentialState, Denial, Framing, Route};

use super::*;
use crate::evidence::Usage;
use crate::printable::{Style, WIDTH};
use crate::samples;

const DOCS: &str = "https://doorward.dev/causes";

fn now() -> Timestamp {
    Timestamp::from_millisecond(samples::AT + 3000).unwrap()
}

fn reader<'a>(find: Find<'a>) -> Reader<'a> {
    Reader { docs: DOCS, find }
}

/// Where the fields of the samples stand.
fn in_files(object: &cause::ObjectRef, field: &cause::FieldPath) -> Option<InFile> {
    let line = match (&*object.kind, field.to_string().as_str()) {
        ("ApiRoute", "") => 3,
        ("ApiRoute", "spec.authorization.rules[0]") => 23,
        ("ApiRoute", "spec.authorization.rules[1]") => 24,
        ("ApiRoute", "spec.limits[0]") => 30,
        ("ApiKey", "") => 4,
        ("ApiKey", "spec.roles") => 9,
        _ => return None,
    };
    let file = if &*object.kind == "ApiKey" { "keys.yaml" } else { "orders.yaml" };
    Some(InFile { file: file.to_owned(), line, column: 5 })
}

fn check(report: &Report, expected: &[&str]) {
    let text = report.text(Style::Plain, now());
    assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    let document = serde_json::to_string(report).unwrap();
    assert_eq!(&serde_json::from_str::<Report>(&document).unwrap(), report);
}

#[test]
fn a_described_call_that_is_refused() {
    let evidence = samples::evidence("/orders/7");
    let denial = samples::role_missing();
    check(
        &Report::of(&evidence, Some((Check::Authorize, &denial)), &reader(&in_files)),
        &[
            "DELETE /orders/7 would be refused: 403 access.role_missing",
            "",
            "  locate      ok       shop/orders  version 2.1.0 (default: nothing in the request named one)",
            "  screen      ok       203.0.113.9 (peer); allow list: none",
            "  identify    ok       header X-Api-Key -> ApiKey shop/mobile-app, roles orders-reader   keys.yaml:4",
            "                       bearer: not sent (Jwt)",
            "  authorize   refused  readers: the method is not one of GET, HEAD                    orders.yaml:23",
            "                       writers: needs one of the roles orders-writer, orders-admin    orders.yaml:24",
            "                       would refuse (Shadow): access.rule_denied: The rule office-hours of",
            "                       shop/orders denies this call. `spec.authorization.rules` of ApiRoute",
            "                       shop/orders: the Deny rule office-hours matched.",
            "  validate    -        not reached",
            "  meter       -        not reached; per-key has 98 of 100 left                        orders.yaml:30",
            "",
            "  Fix (KeyOwner): Ask the owner of the key mobile-app to add the role orders-writer to it.",
            "                                                                                         keys.yaml:9",
            "                  https://doorward.dev/causes/access.role_missing",
        ],
    );
}

#[test]
fn without_files_fields_are_named() {
    let evidence = samples::evidence("/orders/7");
    let denial = samples::role_missing();
    let report = Report::of(&evidence, Some((Check::Authorize, &denial)), &reader(&nowhere));
    let text = report.text(Style::Plain, now());
    for (line, place) in [
        ("locate ", "named one)"),
        ("identify ", "roles orders-reader"),
        ("readers: ", "spec.authorization.rules[0]"),
        ("per-key ", "spec.limits[0]"),
        ("ApiKey shop/mobile-app spec.roles", "ApiKey shop/mobile-app spec.roles"),
    ] {
        let shown = text.lines().find(|shown| shown.contains(line)).unwrap_or_default();
        assert!(shown.ends_with(place), "{line}: {text}");
    }
    let document = serde_json::to_value(&report).unwrap();
    assert_eq!(document["object"], "ApiRoute shop/orders");
    let rule = serde_json::json!({"object": "ApiRoute shop/orders", "field": "spec.authorization.rules[1]"});
    assert_eq!(document["checks"][3]["lines"][1]["at"], rule);
    assert_eq!(document["fix"]["at"]["field"], "spec.roles");
}

#[test]
fn a_call_that_was_served() {
    let mut record = samples::served("/orders/7");
    record.outcome.usage = Some(Usage { input: 11, output: 22, estimated: true });
    record.outcome.complete = false;
    record.evidence.client = Some("198.51.100.4".parse().unwrap());
    record.evidence.model = Some("gpt".into());
    check(
        &Report::of_call(&record, DOCS),
        &[
            "DELETE /orders/7 was allowed: 200",
            "decision 06EAJH8AZ803001A, 3 s ago, by generation 7",
            "",
            "  locate      ok       shop/orders  version 2.1.0 (default: nothing in the request named one)",
            "  screen      ok       198.51.100.4 (forwarded by 203.0.113.9)",
            "  identify    ok       header X-Api-Key -> ApiKey shop/mobile-app, roles orders-reader",
            "                       bearer: not sent (Jwt)",
            "  authorize   ok       writers: allows",
            "  validate    ok       model gpt",
            "  meter       ok       per-key has 97 of 100 left in 60 s, all of them in 2 s",
            "  forward     ok       200 in 1.2 ms, the service began after 0.9 ms; 64 bytes in, 512 bytes out",
            "                       11 tokens read, 22 written (estimated)",
            "                       the answer was cut",
        ],
    );
}

#[test]
fn a_call_without_a_good_credential() {
    let mut record = samples::refused("/orders/7");
    record.evidence.principal = None;
    record.evidence.metered = None;
    record.evidence.explained = None;
    record.evidence.shadow.clear();
    record.evidence.credentials[0].state = CredentialState::Unknown;
    record.evidence.credentials[0].id = None;
    let denial = Denial::Credential(Credential::Unknown { source: "header X-Api-Key".into() });
    record.outcome.refused = Some(Box::new((Check::Identify, denial)));
    record.outcome.status = 401;
    check(
        &Report::of_call(&record, DOCS),
        &[
            "DELETE /orders/7 was refused: 401 credential.unknown",
            "decision 06EAJH8AZ803001A, 3 s ago, by generation 7",
            "",
            "  locate      ok       shop/orders  version 2.1.0 (default: nothing in the request named one)",
            "  screen      ok       203.0.113.9 (peer)",
            "  identify    refused  Nobody holds the key in header X-Api-Key. No ApiKey of this gateway has this",
            "                       hash; deleted keys and keys whose Secret is missing read like this.",
            "                       header X-Api-Key: nobody holds it (ApiKey)",
            "                       bearer: not sent (Jwt)",
            "  authorize   -        not reached",
            "  validate    -        not reached",
            "  meter       -        not reached",
            "  forward     -        not reached",
            "",
            "  Fix (Caller): Check which environment the key is for, or ask the API's owner for a key.",
            "                https://doorward.dev/causes/credential.unknown",
        ],
    );
}

#[test]
fn states_follow_the_order() {
    fn check(evidence: &Evidence, refused: Option<(Check, Denial)>, expected: &[(Check, State)]) {
        let refused = refused.as_ref().map(|(check, denial)| (*check, denial));
        let report = Report::of(evidence, refused, &reader(&nowhere));
        let found: Vec<_> = report.checks.iter().map(|report| (report.check, report.state)).collect();
        assert_eq!(found, expected);
        let verdict = if refused.is_some() { Verdict::Refused } else { Verdict::Allowed };
        assert_eq!(report.verdict, verdict);
    }
    let bare = Evidence::new(samples::evidence("/x").received, 1);
    let rest = |first, state: [State; 6]| {
        let steps = [Check::Locate, Check::Screen, Check::Identify, Check::Authorize, Check::Validate, Check::Meter];
        let first: Option<(Check, State)> = first;
        first.into_iter().chain(steps.into_iter().zip(state)).collect::<Vec<_>>()
    };
    let (ok, no, unreached) = (State::Ok, State::Refused, State::NotReached);
    let guard = Denial::Framing(Framing::Host);
    check(&bare, Some((Check::Guard, guard)), &rest(Some((Check::Guard, no)), [unreached; 6]));
    let lost = Denial::Route(Route::NotFound { host: "a".to_owned(), path: "/b".to_owned() });
    check(&bare, Some((Check::Locate, lost)), &rest(None, [no, unreached, unreached, unreached, unreached, unreached]));
    let full = samples::evidence("/x");
    check(&full, None, &rest(None, [ok, ok, ok, State::Shadow, ok, ok]));
    let client = "203.0.113.9".parse().unwrap();
    let key = cause::ObjectName::new("shop", "mobile-app");
    let away = Denial::Address(cause::Address::KeyNotAllowed { client, key });
    check(&full, Some((Check::Screen, away)), &rest(None, [ok, no, ok, unreached, unreached, unreached]));
}

#[test]
fn nothing_acts_on_a_terminal_and_no_credential_shows() {
    let mut record = samples::refused("/orders/\"?api_key=hush&a=1");
    record.evidence.credentials[0].state = CredentialState::Malformed;
    record.evidence.credentials[0].source = "header \u{1b}[2J\u{202e}".into();
    let requested = "m\u{9b}31m\r\ndw_live_4f7k2m9qp3xw8b6n_2JqWz9f0aBcDeFgHiJkLmNoPqRsTuV1x2y3z4".to_owned();
    record.outcome.refused =
        Some(Box::new((Check::Validate, Denial::Model(cause::Model::NotFound { requested, available: vec!["gpt".into()] }))));
    let report = Report::of_call(&record, DOCS);
    let text = report.text(Style::Plain, now());
    let both = text.clone() + &serde_json::to_string(&report).unwrap();
    assert!(!text.chars().any(|character| character != '\n' && printable::is_active(character)), "{text}");
    assert!(!both.contains("hush") && !both.contains("2JqWz9f0"), "{both}");
    assert!(text.contains("\\u{1b}[2J\\u{202e}"), "{text}");
}

#[test]
fn colours_are_asked_for_and_long_targets_are_cut() {
    let record = samples::refused(&format!("/orders/{}", "a".repeat(4000)));
    let report = Report::of_call(&record, DOCS);
    let coloured = report.text(Style::Coloured, now());
    assert!(coloured.contains("\u{1b}[1;31mwas refused\u{1b}[0m: 403 access.role_missing"), "{coloured}");
    assert!(coloured.contains("\u{1b}[32mok\u{1b}[0m       shop/orders"), "{coloured}");
    let plain = report.text(Style::Plain, now());
    assert!(plain.lines().all(|line| line.len() <= WIDTH), "{plain}");
    assert!(plain.starts_with("DELETE /orders/aaaa") && plain.contains("aaa... was refused: 403"), "{plain}");
}

#[test]
fn a_closed_route_is_told_by_its_fault() {
    let object = samples::route();
    let mut evidence = samples::evidence("/orders/7");
    evidence.credentials.clear();
    evidence.principal = None;
    evidence.explained = None;
    let field = cause::FieldPath::of("spec.authorization.rules").index(1);
    let cause = cause::FaultCause::FieldUnknown {
        field: "rols".into(),
        parent: "a rule".into(),
        meant: cause::FieldMeant::Nearest("roles".into()),
    };
    let fault = cause::Fault::error(cause::ObjectRef::new("ApiRoute", object), field, cause);
    let report = Report::of(&evidence, Some((Check::Locate, &Denial::Misconfigured(fault.into()))), &reader(&in_files));
    let fix = report.fix.unwrap();
    assert_eq!(
        (fix.by, &*fix.text),
        (Fixer::ApiOwner, "In `spec.authorization.rules[1]` of ApiRoute shop/orders: Did you mean `roles`?")
    );
    assert_eq!(fix.at.and_then(|at| at.file).map(|file| (file.file, file.line)), Some(("orders.yaml".to_owned(), 24)));
    let detail =
        "The API is closed by a fault in `spec.authorization.rules[1]` of ApiRoute shop/orders: `rols` is not a field of a rule.";
    assert_eq!(report.detail.as_deref(), Some(detail));
}
