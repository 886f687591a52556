//! What an issuer answered about a token (RFC 7662).

use cause::Token;
use jiff::Timestamp;
use serde_json::Value;

use crate::jwt::{Rules, Verified, principal};
use crate::principal::PrincipalKind;
use crate::strict;

/// Bytes that an answer may have.
const ANSWER: usize = 64 * 1024;

/// Judges the body of an answer with status 200. The issuer's word counts, and what it says of
/// time, audience and issuer must hold besides; what it leaves out is not asked for, the principal
/// apart.
///
/// # Errors
/// `token.introspection_unavailable` where the body is no such answer, `token.inactive`, or the
/// cause of a claim that does not hold.
pub fn judge(body: &[u8], rules: &Rules, now: Timestamp) -> Result<Verified, Token> {
    let unusable = |reason: &str| Token::IntrospectionUnavailable { provider: rules.name().clone(), reason: reason.into() };
    if body.len() > ANSWER {
        return Err(unusable("its answer is too large"));
    }
    let answer = strict::object(body).ok_or_else(|| unusable("its answer is no JSON object, or a member stands twice"))?;
    match answer.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Err(Token::Inactive { provider: rules.name().clone() }),
        Some(_) | None => return Err(unusable("its answer does not say whether the token is `active`")),
    }
    if answer.contains_key("iss") {
        rules.issued_by_it(&answer)?;
    }
    let expires_at = rules.end(&answer, now)?;
    if answer.contains_key("aud") {
        rules.meant_for_us(&answer)?;
    }
    Ok(Verified { principal: principal(PrincipalKind::Introspection, rules, answer)?, expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jwt::test_provider;
    use cause::Denial;

    #[test]
    fn answers_are_judged() {
        fn check(body: &str, expected: Result<(&str, Option<&str>), &str>) {
            let rules = Rules::compile(&test_provider());
            let judged = judge(body.as_bytes(), &rules, "2026-05-01T12:00:00Z".parse().unwrap());
            let told = judged.as_ref().map(|token| (&*token.principal.name, token.expires_at.map(|at| at.to_string())));
            let told = told.map_err(|cause| Denial::Token(cause.clone()).entry().code);
            assert_eq!(told, expected.map(|(name, at)| (name, at.map(str::to_owned))), "{body}");
        }
        check(r#"{"active": true, "sub": "alice"}"#, Ok(("alice", None)));
        check(r#"{"active": true, "sub": "alice", "exp": 1777636801}"#, Ok(("alice", Some("2026-05-01T12:01:01Z"))));
        check(
            r#"{"active": true, "sub": "alice", "aud": ["x", "orders"], "iss": "https://id.example.com"}"#,
            Ok(("alice", None)),
        );
        check(r#"{"active": false}"#, Err("token.inactive"));
        check(r#"{"active": false, "sub": 5, "exp": "x"}"#, Err("token.inactive"));
        check(r#"{"active": true}"#, Err("token.claim_missing"));
        check(r#"{"active": true, "sub": 7}"#, Err("token.claim_missing"));
        check(r#"{"active": true, "sub": "alice", "exp": 1777636740}"#, Err("token.expired"));
        check(r#"{"active": true, "sub": "alice", "exp": "1777636801"}"#, Err("token.claim_missing"));
        check(r#"{"active": true, "sub": "alice", "nbf": 1777636861}"#, Err("token.not_yet_valid"));
        check(r#"{"active": true, "sub": "alice", "aud": "other"}"#, Err("token.audience_wrong"));
        check(r#"{"active": true, "sub": "alice", "iss": "https://other"}"#, Err("token.issuer_unknown"));
        check(r#"{"active": "true", "sub": "alice"}"#, Err("token.introspection_unavailable"));
        check(r#"{"sub": "alice"}"#, Err("token.introspection_unavailable"));
        check(r#"{"active": false, "active": true, "sub": "alice"}"#, Err("token.introspection_unavailable"));
        check(r#"[true]"#, Err("token.introspection_unavailable"));
        check("", Err("token.introspection_unavailable"));
        check(&format!("{{\"active\": true, \"sub\": \"{}\"}}", "a".repeat(ANSWER)), Err("token.introspection_unavailable"));
    }
}
