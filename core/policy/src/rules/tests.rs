//! Rules: who is admitted by which, and what each says when it refuses.

use super::*;
use crate::principal::{Facts, Principal, PrincipalKind};
use cause::{FaultCause, FieldPath, ObjectName, Severity};
use http::HeaderMap;
use ir::KeyId;

/// `name [deny] [shadow] [GET,PUT] [role=a,b] [scope=c] [when ...]`
fn rule(text: &str) -> ir::Rule {
    let (head, when) = text.split_once(" when ").map_or((text, None), |(head, when)| (head, Some(when)));
    let mut words = head.split(' ');
    let list = |text: &str| text.split(',').map(Arc::from).collect::<Vec<Arc<str>>>();
    let mut rule = ir::Rule {
        name: words.next().unwrap().into(),
        effect: Effect::Allow,
        enforcement: Enforcement::Enforce,
        methods: Vec::new(),
        roles: Vec::new(),
        scopes: Vec::new(),
        when: when.map(|source| Part::Ready(source.into())),
    };
    for word in words {
        match word.split_once('=') {
            Some(("role", names)) => rule.roles = list(names),
            Some(("scope", names)) => rule.scopes = list(names),
            _ if word == "deny" => rule.effect = Effect::Deny,
            _ if word == "shadow" => rule.enforcement = Enforcement::Shadow,
            _ => rule.methods = list(word),
        }
    }
    rule
}

fn rules(texts: &[&str]) -> Authorization {
    Authorization { rules: texts.iter().map(|text| rule(text)).collect() }
}

fn judge(rules: &RuleSet, method: &str, roles: &[&str], scopes: &[&str]) -> (RuleVerdict, Vec<RuleReport>) {
    let list = |names: &[&str]| names.iter().map(|name| Arc::from(*name)).collect::<Vec<Arc<str>>>().into();
    let principal = Principal::from(Facts {
        kind: PrincipalKind::ApiKey,
        name: "mobile-app".into(),
        team: Some("shop".into()),
        roles: list(roles),
        scopes: list(scopes),
        claims: Arc::default(),
        key: Some(KeyId(ObjectName::new("shop", "app-key"))),
        provider: None,
    });
    judge_as(rules, method, &principal)
}

fn judge_as(rules: &RuleSet, method: &str, principal: &Principal) -> (RuleVerdict, Vec<RuleReport>) {
    let (headers, route) = (HeaderMap::new(), ObjectName::new("shop", "orders"));
    let view = RequestView {
        method,
        path: "/orders",
        host: "api.example.com",
        scheme: "http",
        headers: &headers,
        query: "",
        size: Some(0),
        client: "192.0.2.1".parse().unwrap(),
        principal,
        route: &route,
        version: "1.0.0",
        now: "2026-05-01T00:00:00Z".parse().unwrap(),
    };
    (rules.judge(&view), rules.report(&view))
}

fn told(denial: &Denial) -> String {
    let mut text = denial.entry().code.to_owned();
    if let Denial::Access(access) = denial
        && let Some((_, rule)) = access.rule()
    {
        text += &format!(" {rule}");
    }
    text
}

#[test]
fn rules_decide() {
    /// `who` is `METHOD role,role scope,scope`; the shadow's word stands behind `|`.
    fn check(texts: &[&str], who: &str, expected: &str) {
        let mut who = who.split(' ');
        let method = who.next().unwrap();
        let mut names = || who.next().map(|names| names.split(',').filter(|name| !name.is_empty()).collect()).unwrap_or_default();
        let (roles, scopes): (Vec<_>, Vec<_>) = (names(), names());
        let (verdict, _) = judge(&RuleSet::compile(&rules(texts)).unwrap(), method, &roles, &scopes);
        let mut said = verdict.verdict.as_ref().map_or_else(told, |_| "ok".to_owned());
        if let Some(shadow) = &verdict.shadow {
            said += &format!(" | {}", told(shadow));
        }
        assert_eq!(said, expected, "{texts:?} {method} {roles:?} {scopes:?}");
    }
    let usual = ["readers GET role=reader", "writers POST,PUT scope=orders.write", "temps deny role=temp"];
    check(&[], "GET", "ok");
    check(&usual, "GET reader", "ok");
    check(&usual, "HEAD reader", "ok");
    check(&usual, "PUT x orders.write", "ok");
    check(&usual, "GET reader,temp", "access.rule_denied temps");
    check(&usual, "GET other", "access.role_missing readers");
    check(&usual, "POST reader", "access.scope_missing writers");
    check(&usual, "DELETE reader orders.write", "access.no_rule_matched");
    check(&["temps deny role=temp"], "GET reader", "ok");
    check(&["get GET", "all role=root"], "HEAD", "ok");
    check(&["head HEAD"], "GET", "access.no_rule_matched");
    check(&["two scope=a,b"], "GET x a", "access.scope_missing two");
    check(&["two scope=a,b"], "GET x b,a,c", "ok");
    check(&["either role=a,b"], "GET b", "ok");
    check(&["both role=a scope=s"], "GET", "access.no_rule_matched");
    check(&["both role=a scope=s", "one scope=t"], "GET", "access.scope_missing one");
    check(&["one scope=t", "two role=a"], "GET", "access.role_missing two");
    check(&["cond role=a when request.path == '/x'"], "GET", "access.no_rule_matched");
    check(&["cond role=a when request.path == '/orders'"], "GET", "access.role_missing cond");
    check(&["cond when request.path == '/orders'"], "GET", "ok");
    check(&["cond when request.path == '/x'"], "GET", "access.no_rule_matched");
    // An error refuses, whatever the other rules say, unless the rule is not about this call.
    check(&["good", "bad deny when principal.claims.x == 1"], "GET", "access.rule_error bad");
    check(&["bad when principal.claims.x == 1", "no deny"], "GET", "access.rule_error bad");
    check(&["good", "bad deny POST when principal.claims.x == 1"], "GET", "ok");
    // Shadow rules are recorded only.
    check(&["only shadow role=root"], "GET", "ok | access.role_missing only");
    check(&["only shadow role=root"], "GET root", "ok");
    check(&["readers role=reader", "no deny shadow"], "GET reader", "ok | access.rule_denied no");
    check(&["readers role=reader", "root shadow role=root"], "GET reader", "ok");
    check(&["readers role=reader", "root shadow role=root"], "GET root", "access.role_missing readers");
    check(&["bad deny shadow when principal.claims.x == 1"], "GET", "ok | access.rule_error bad");
}

#[test]
fn refusals_carry_what_is_missing() {
    let set = RuleSet::compile(&rules(&["readers GET role=reader,auditor"])).unwrap();
    let (verdict, _) = judge(&set, "GET", &["writer"], &[]);
    let expected = Access::RoleMissing {
        route: ObjectName::new("shop", "orders"),
        method: "GET".into(),
        rule: "readers".into(),
        needed: vec!["reader".into(), "auditor".into()],
        held: vec!["writer".into()],
        key: Some(ObjectName::new("shop", "app-key")),
        anonymous: false,
    };
    assert_eq!(verdict.verdict, Err(Denial::Access(expected)));
}

#[test]
fn who_sent_no_credential_is_asked_for_one() {
    let check = |rule: &str, expected: &str| {
        let set = RuleSet::compile(&rules(&[rule])).unwrap();
        let (verdict, _) = judge_as(&set, "GET", &Principal::anonymous());
        let denial = verdict.verdict.unwrap_err();
        let view = cause::view(&denial, cause::Audience::Caller { disclosure: cause::Disclosure::Standard, proven: false }, "");
        assert_eq!(format!("{} {:?} {}", view.code, view.remedy.by, view.detail), expected);
    };
    check(
        "readers GET role=reader",
        "access.role_missing Caller GET on shop/orders needs a role, and the request carries no credential.",
    );
    check(
        "readers GET scope=read",
        "access.scope_missing Caller GET on shop/orders needs a scope, and the request carries no credential.",
    );
}

#[test]
fn reports_tell_each_rule() {
    let set = RuleSet::compile(&rules(&[
        "post POST",
        "role role=a",
        "scope shadow scope=s",
        "cond deny when request.method == 'PUT'",
        "error when principal.claims.x == 1",
        "good",
    ]));
    let (_, reports) = judge(&set.unwrap(), "GET", &[], &[]);
    let lines: Vec<_> = reports
        .iter()
        .map(|report| {
            let failure = report.failure.as_ref().map_or_else(|| "matched".to_owned(), ToString::to_string);
            format!("{} {} {} {failure}", report.rule, report.deny, report.shadow)
        })
        .collect();
    assert_eq!(
        lines,
        [
            "post false false the method is not one of POST",
            "role false false needs one of the roles a",
            "scope false true needs the scopes s",
            "cond true false its condition is false",
            "error false false its condition failed: `principal.claims.x`: there is no `x`",
            "good false false matched",
        ]
    );
}

#[test]
fn a_broken_rule_closes() {
    let fault = Arc::new(Fault {
        severity: Severity::Error,
        object: None,
        field: FieldPath::of("spec.authorization.rules"),
        cause: FaultCause::ExpressionInvalid { reason: "x".into(), start: 0, end: 1 },
    });
    let mut authorization = rules(&["good", "broken deny POST"]);
    authorization.rules[1].when = Some(Part::Broken(Arc::clone(&fault)));
    let (verdict, _) = judge(&RuleSet::compile(&authorization).unwrap(), "GET", &[], &[]);
    assert_eq!(verdict.verdict, Err(Denial::Misconfigured(fault)));
    let faults = RuleSet::compile(&rules(&["good", "bad when nope"])).unwrap_err();
    assert_eq!((faults[0].0, faults[0].1.start), (1, 0));
}
