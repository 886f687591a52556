//! Calls that tests look at.

use std::sync::Arc;
use std::time::Duration;

use cause::{
    Access, Check, CredentialKind, CredentialReport, CredentialState, Denial, ObjectName, ObjectRef, RuleFailure, RuleReport,
};
use http::{HeaderMap, HeaderValue, Method};
use policy::principal::{Facts, Principal, PrincipalKind};
use smallvec::smallvec;

use crate::decision::DecisionIds;
use crate::evidence::{
    Evidence, Explained, HeadText, LimitLeft, Located, Metered, Outcome, Received, Record, RouteNames, ShownQuery,
};
use crate::trace::TraceContext;

/// `2026-03-01T12:00:00.25Z`, in milliseconds.
pub(crate) const AT: i64 = 1_772_366_400_250;

pub(crate) fn route() -> ObjectName {
    ObjectName::new("shop", "orders")
}

/// The only version of a route.
pub(crate) fn located(route: ObjectName) -> Located {
    let names = Arc::new(RouteNames { kind: "ApiRoute", rule: None, route, versions: vec!["2.1.0".into()] });
    Located { names, version: Some(0), chosen_by: Some("default") }
}

pub(crate) fn principal() -> Principal {
    Principal::from(Facts {
        kind: PrincipalKind::ApiKey,
        name: "mobile".into(),
        team: Some("shop".into()),
        roles: Arc::new(["orders-reader".into()]),
        scopes: Arc::new([]),
        claims: Arc::default(),
        key: Some(ir::KeyId(ObjectName::new("shop", "mobile-app"))),
        provider: None,
    })
}

pub(crate) fn head(target: &str, host: &[u8], user_agent: &[u8]) -> HeadText {
    let value = |text| HeaderValue::from_bytes(text).unwrap();
    HeadText::of(&target.parse().unwrap(), Some(&value(host)), Some(&value(user_agent)))
}

/// `DELETE` of a target, by a key that may only read; every step but the last has its evidence.
pub(crate) fn evidence(target: &str) -> Evidence {
    let received = Received {
        decision: DecisionIds::new(3, 41).next(u64::try_from(AT).unwrap()),
        at: jiff::Timestamp::from_millisecond(AT).unwrap(),
        peer: "203.0.113.9:50123".parse().unwrap(),
        protocol: http::Version::HTTP_11,
        tls: true,
        method: Some(Method::DELETE),
        head: head(target, "api.example.com:8443".as_bytes(), "curl/8.9".as_bytes()),
        trace: TraceContext::of(&HeaderMap::new(), [0x11, 0x2200, 0], 1_000_000),
    };
    let mut evidence = Evidence::new(received, 7);
    evidence.located = Some(located(route()));
    evidence.shown_query = ShownQuery::AllBut(None);
    evidence.client = Some("203.0.113.9".parse().unwrap());
    evidence.credentials = smallvec![
        CredentialReport {
            source: "header X-Api-Key".into(),
            kind: CredentialKind::ApiKey,
            state: CredentialState::Accepted,
            id: Some("dw_live_4f7k2m9qp3xw8b6n".into()),
        },
        CredentialReport { source: "bearer".into(), kind: CredentialKind::Jwt, state: CredentialState::Missing, id: None },
    ];
    evidence.principal = Some(principal());
    let rules = vec![
        RuleReport {
            rule: "readers".into(),
            deny: false,
            shadow: false,
            failure: Some(RuleFailure::Method { methods: vec!["GET".into(), "HEAD".into()] }),
        },
        RuleReport {
            rule: "writers".into(),
            deny: false,
            shadow: false,
            failure: Some(RuleFailure::Roles { roles: vec!["orders-writer".into(), "orders-admin".into()] }),
        },
        RuleReport { rule: "office-hours".into(), deny: true, shadow: true, failure: None },
    ];
    evidence.shadow =
        vec![(Check::Authorize, Denial::Access(Access::RuleDenied { route: route(), rule: "office-hours".into() }))];
    let metered = Metered { limit: "per-key".into(), remaining: 97, reset_seconds: 2, allowed: (100, 60) };
    let holder = ObjectRef::new("ApiRoute", route());
    let limits = vec![LimitLeft { holder, index: 0, shadow: false, admits: true, metered: metered.clone() }];
    evidence.metered = Some(metered);
    evidence.explained = Some(Box::new(Explained { addresses: Some("allow list: none".into()), rules, limits }));
    evidence
}

/// The refusal of [`evidence`].
pub(crate) fn role_missing() -> Denial {
    Denial::Access(Access::RoleMissing {
        route: route(),
        method: "DELETE".into(),
        rule: "writers".into(),
        needed: vec!["orders-writer".into(), "orders-admin".into()],
        held: vec!["orders-reader".into()],
        key: Some(ObjectName::new("shop", "mobile-app")),
        anonymous: false,
    })
}

/// A refused call.
pub(crate) fn refused(target: &str) -> Record {
    let outcome = Outcome {
        status: 403,
        refused: Some(Box::new((Check::Authorize, role_missing()))),
        duration: Duration::from_micros(1234),
        upstream: None,
        bytes_in: 0,
        bytes_out: 512,
        usage: None,
        complete: true,
    };
    Record { evidence: evidence(target), outcome }
}

/// A call that was served.
pub(crate) fn served(target: &str) -> Record {
    let mut record = refused(target);
    record.evidence.authorized = Some(Some("writers".into()));
    record.evidence.explained = None;
    record.evidence.shadow.clear();
    record.outcome.status = 200;
    record.outcome.refused = None;
    record.outcome.upstream = Some(Duration::from_micros(900));
    record.outcome.bytes_in = 64;
    record
}
