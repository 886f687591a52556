//! Expressions: which compile, what they come to, what they cost.

use super::*;
use crate::principal::{Facts, Principal, PrincipalKind};
use cause::ObjectName;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::json;

struct Request {
    headers: HeaderMap,
    principal: Principal,
    route: ObjectName,
}

fn request() -> Request {
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-tenant", "blue"), ("accept", "text/html"), ("accept", "text/plain"), ("user-agent", "curl/8")] {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let claims = json!({
        "sub": "alice", "admin": true, "level": 7, "big": 18_446_744_073_709_551_615_u64, "ratio": 0.5, "none": null,
        "org": {"name": "acme", "tiers": ["gold", "silver"]}, "groups": ["a", "b"], "https://x.y/z": "w",
    });
    let serde_json::Value::Object(claims) = claims else { panic!("an object") };
    let principal = Principal::from(Facts {
        kind: PrincipalKind::Jwt,
        name: "alice".into(),
        team: Some("temp".into()),
        roles: ["reader".into(), "writer".into()].into(),
        scopes: ["orders.read".into()].into(),
        claims: Arc::new(claims),
        key: None,
        provider: None,
    });
    Request { headers, principal, route: ObjectName::new("shop", "orders") }
}

fn view(request: &Request) -> RequestView<'_> {
    RequestView {
        method: "POST",
        path: "/orders/v2/items",
        host: "api.example.com",
        scheme: "https",
        headers: &request.headers,
        query: "page=2&q=a%20b&twice=1&twice=2",
        size: Some(120),
        client: "203.0.113.7".parse().unwrap(),
        principal: &request.principal,
        route: &request.route,
        version: "2.1.0",
        now: "2026-05-04T19:30:00.25Z".parse().unwrap(),
    }
}

#[test]
fn expressions_hold_or_fail() {
    fn check(source: &str, expected: Result<bool, &str>) {
        let expression = Expression::compile(source, Phase::Authorization).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
        let request = request();
        let given = expression.evaluate(&view(&request));
        assert_eq!(given.as_ref().map_err(|reason| &**reason).copied(), expected, "{source}");
    }
    for source in [
        r#"principal.team == "temp" && now.getHours("UTC") > 18"#,
        r#"request.method == "POST" && request.path.startsWith("/orders/") && request.host.endsWith(".com")"#,
        r#"request.scheme == 'https' && request.size > 100 && request.size < 121"#,
        r#"request.headers["x-tenant"] == "blue" && request.headers["X-Tenant"] == "blue""#,
        r#""accept" in request.headers && !("cookie" in request.headers)"#,
        r#"request.headerValues.accept == ["text/html", "text/plain"] && "text/plain" in request.headerValues["Accept"]"#,
        r#"request.queryValues.twice == ["1", "2"] && request.queryValues.page == ["2"]"#,
        r#"request.headerValues["user-agent"].all(value, value.startsWith("curl")) && !has(request.headerValues.cookie)"#,
        r#"has(request.headers.accept) && !has(request.headers.cookie)"#,
        r#"request.headers.exists(name, name.startsWith("x-")) && size(request.headers) == 3"#,
        r#"request.query.page == "2" && request.query["q"] == "a b" && request.query.size() == 3"#,
        r#"principal.kind == "Jwt" && principal.name == "alice" && principal.key == """#,
        r#""writer" in principal.roles && principal.roles.all(role, role != "root")"#,
        r#"principal.roles == ["reader", "writer"] && ["reader", "writer"] == principal.roles"#,
        r#"principal.roles.filter(role, role.contains("e")).size() == 2"#,
        r#"principal.roles.map(role, role + "!")[1] == "writer!" && principal.scopes[0] == "orders.read""#,
        r#"principal.roles.exists_one(role, role == "reader")"#,
        r#"principal.claims.org.name == "acme" && "gold" in principal.claims.org.tiers"#,
        r#"principal.claims.level >= 7 && principal.claims.ratio == 0.5 && principal.claims.big > 1u"#,
        r#"principal.claims.admin && principal.claims.none == null"#,
        r#"principal.claims["https://x.y/z"] == "w" && has(principal.claims.sub) && !has(principal.claims.nope)"#,
        r#"principal.claims.groups == ["a", "b"] && principal.claims.groups.exists(g, g == "b")"#,
        r#"principal.claims.org == principal.claims.org"#,
        r#"principal.claims.exists(name, name == "admin")"#,
        r#"has(principal.team) && !has(principal.key) && has(request.path)"#,
        r#"client.address == "203.0.113.7""#,
        r#"route.namespace + "/" + route.name == "shop/orders" && route.version.startsWith("2.")"#,
        r#"now > timestamp("2026-01-01T00:00:00Z") && now - timestamp("2026-05-04T00:00:00Z") < duration("24h")"#,
        r#"now.getFullYear() == 2026 && now.getDayOfWeek() == 1 && now.getMilliseconds() == 250"#,
        r#"now.getHours("America/New_York") == 15 && now.getHours("+02:00") == 21"#,
        r#"request.path.matches("^/orders/v[0-9]+/") && matches(request.host, "example")"#,
        r#"principal.roles.exists(role, role.matches("^wri"))"#,
        r#"(request.size > 100 ? "big" : "small") == "big""#,
        r#"[[1, 2], [3]].exists(list, list.exists(item, item == 3))"#,
        r#"type(request.path) == string && int("7") == 7 && string(7) == "7""#,
        r#"{"a": 1}["a"] == 1 && "é" == "\u00e9" && size("é") == 1"#,
        r#"request.headers.nope == "x" || request.method == "POST""#,
    ] {
        check(source, Ok(true));
    }
    check("request.method == 'GET'", Ok(false));
    check("principal.roles.exists(request, request == 'none')", Ok(false));
    check("false && request.path == '/'", Ok(false));
    check(
        r#"request.query.twice == "1""#,
        Err("`request.query.twice`: it was sent more than once; `request.queryValues[\"twice\"]` holds all values"),
    );
    check(r#"request.headers["cookie"] == "x""#, Err(r#"`request.headers["cookie"]`: there is no `cookie`"#));
    check(r#"request.path == "/" || principal.claims.nope == 1"#, Err("`principal.claims.nope`: there is no `nope`"));
    check("principal.claims.sub", Err("it gives a string, not a bool"));
    check("principal.claims.sub > 5", Err("found no matching overload for '_>_' applied to '(string, int)'"));
    check("principal.roles[9] == 'x'", Err("`principal.roles[9]`: the list is shorter"));
    check("request.size / (request.size - 120) == 1", Err("`request.size / (request.size - 120)`: it divides by zero"));
    check("request.size * 9223372036854775807 > 1", Err("`request.size * 9223372036854775807`: its number is too large"));
    check("int(principal.claims.sub) == 1", Err("`int(principal.claims.sub)`: `int` does not take this value"));
}

/// A rule that denies the team `temp`, however a caller writes the field: what evades a single value is an error, which
/// refuses too, and the list of values has it.
#[test]
fn a_field_sent_twice_evades_no_rule() {
    fn check(lines: &[(&str, &str)], single: Option<bool>, listed: bool) {
        let mut request = request();
        for (name, value) in lines {
            request.headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let given = |source: &str| {
            Expression::compile(source, Phase::Authorization)
                .unwrap()
                .evaluate(&view(&request))
                .map_err(|reason| reason.to_string())
        };
        assert_eq!(given(r#"request.headers["x-team"] == "temp""#).ok(), single, "{lines:?}");
        assert_eq!(given(r#""temp" in request.headerValues["X-Team"]"#), Ok(listed), "{lines:?}");
    }
    check(&[("X-Team", "temp")], Some(true), true);
    check(&[("x-team", "core")], Some(false), false);
    check(&[("X-Team", "temp"), ("x-tEAM", "core")], None, true);
    check(&[("x-team", "core"), ("x-team", "temp")], None, true);
    check(&[("x-team", "temp"), ("x-team", "temp")], None, true);
    check(&[("x-team", ""), ("x-team", "temp")], None, true);
    // One line is one value to whoever reads it as one; the list sees both.
    check(&[("x-team", "core, temp")], Some(false), true);
    check(&[("x-team", "temp,")], Some(false), true);
    check(&[("x-team", "core,\ttemp ,x")], Some(false), true);
    check(&[("x-team", r#""core, temp""#)], Some(false), false);
    check(&[("x-team", r#""a\", b", temp"#)], Some(false), true);
    check(&[("x-team", r#""open, temp"#)], Some(false), false);

    let cookies = |lines: &[&'static str], source: &str| {
        let mut request = request();
        for line in lines {
            request.headers.append(http::header::COOKIE, HeaderValue::from_static(line));
        }
        Expression::compile(source, Phase::Authorization).unwrap().evaluate(&view(&request))
    };
    let whole = r#"request.headers.cookie == "a=1; b=2; team=temp""#;
    for lines in [&["a=1; b=2; team=temp"][..], &["a=1", "b=2", "team=temp"], &["a=1; b=2", "team=temp"]] {
        assert_eq!(cookies(lines, whole), Ok(true), "{lines:?}");
        assert_eq!(cookies(lines, r#""team=temp" in request.headerValues.cookie"#), Ok(true), "{lines:?}");
    }
}

#[test]
fn what_cannot_be_right_does_not_compile() {
    /// The part between the marks is where the fault stands.
    fn check(marked: &str, reason: &str) {
        let source = marked.replace(['«', '»'], "");
        let start = marked.find('«').unwrap();
        let end = marked.find('»').unwrap() - '«'.len_utf8();
        let Err(fault) = Expression::compile(&source, Phase::Authorization) else { panic!("{source} compiles") };
        assert!(fault.reason.contains(reason), "{source}: {}", fault.reason);
        assert_eq!((fault.start, fault.end), (start, end), "{source}: {} {}..{}", fault.reason, fault.start, fault.end);
    }
    check("«reqest».path == '/'", "there is no variable `reqest`; did you mean `request`?");
    check("true && «request.pth» == '/'", "`request` has no field `pth`; did you mean `path`?");
    check("'é' == 'é' && «request.pth» == '/'", "did you mean `path`?");
    check("«has(principal.rolls)» || true", "did you mean `roles`?");
    check("«request» == 'x'", "`request` is a group of variables");
    check("«body».total > 0", "`body` is not read before authorization");
    check("«request.path.startWith('/')»", "there is no function `startWith` for this; did you mean `startsWith`?");
    check("«siz(request.path)» > 1", "did you mean `size`?");
    check("«'a string'»", "a condition gives a bool, and this gives a string");
    check("«5»", "and this gives an int");
    check("«request.path»", "and this gives a string");
    check("«request.path == 5»", "a string never equals an int");
    check("«5 in principal.roles»", "an int is never in a list of string");
    check("«request.size > '5'»", "have no order");
    check("«request.path + 5» == 'x'", "`+` does not take a string and an int");
    check("«!request.path»", "`!` takes bools");
    check("«request.path && true»", "`&&` takes bools");
    check("«request.path.startsWith(5)»", "string.startsWith(string)");
    check("«request.path.foo» == 1", "a string has no field `foo`");
    check("«request.headers == request.headers»", "maps are not compared");
    check("request.path.matches(«'[a-'»)", "the pattern does not compile");
    check("request.path.matches(«'(?=x)'»)", "look-around");
    check("request.path.matches(«request.host»)", "a text in quotes");
    check("now > «timestamp('soon')»", "`timestamp` does not take this");
    check("now - now > «duration('soon')»", "`duration` does not take this");
    check("«now.getHours('Mars/Base')» > 1", "unknown time zone Mars/Base");
    check("«1 / 0» == 1", "it divides by zero");
    check("«[1][5] == 1»", "it always fails: `[1][5]`: the list is shorter");
    check("request.path == «Foo{a: 1}»", "messages are not known");
    check("request.path ==«»", "it does not parse: mismatched input the end");
    check("request.path == «=» 'x'", "it does not parse: token recognition error at: '= '");
    check("(true«»", "it does not parse: missing ')' at the end");
    check(
        "principal.roles.exists(a, principal.roles.exists(b, «principal.roles».exists(c, c == a + b)))",
        "loops may nest 2 deep",
    );
    check("«request.path».exists(c, c == 'x')", "a string has no items");
}

#[test]
fn bounds_hold() {
    fn check(source: &str, reason: &str) {
        let fault = Expression::compile(source, Phase::Authorization).map(|_| ()).unwrap_err();
        assert!(fault.reason.contains(reason), "{}", fault.reason);
    }
    // A small stack, as request threads have.
    let small = std::thread::Builder::new().stack_size(2 << 20).spawn(|| {
        check(&format!("{}1 == 1", "1 + ".repeat(1000)), "64 deep");
        for text in [
            format!("{}1 == 1", "-(".repeat(1000)),
            format!("{}true{}", "(".repeat(2000), ")".repeat(2000)),
            format!("{}1{} == 1", "[".repeat(2000), "]".repeat(2000)),
            format!("{}true", "true ? true : ".repeat(200)),
            format!("{}true{}", "(".repeat(91), ")".repeat(91)),
        ] {
            check(&text, "it nests too deep: at most 90 brackets and conditions");
        }
        Expression::compile(&format!("{}true{}", "(".repeat(90), ")".repeat(90)), Phase::Authorization).unwrap();
        check(&format!("request.headers{} == 1", ".a".repeat(1000)), "");
        check(&format!("true{}", " && true".repeat(500)), "1000 parts");
        check(&"x".repeat(LONGEST + 1), "4096 bytes");
    });
    small.unwrap().join().unwrap();
}

#[test]
fn loops_end_when_the_budget_does() {
    let mut request = request();
    let many: Vec<Arc<str>> = (0..1500).map(|number| format!("role-{number}").into()).collect();
    let facts = Facts { roles: many.into(), ..(*request.principal).clone() };
    request.principal = Principal::from(facts);
    for (source, ends) in [
        ("principal.roles.exists(a, a == 'none')", true),
        ("principal.roles.map(a, a + a).size() == 0", true),
        ("principal.roles.exists(a, principal.roles.exists(b, a + b == 'none'))", false),
        ("principal.roles.all(a, principal.roles.all(b, a + b != 'none'))", false),
        ("principal.roles.map(a, principal.roles.map(b, a + b)).size() == 0", false),
        ("principal.roles.filter(a, principal.roles.filter(b, a == b).size() == 5).size() == 1", false),
        ("principal.roles.exists_one(a, principal.roles.exists_one(b, a == b + 'x'))", false),
    ] {
        let expression = Expression::compile(source, Phase::Authorization).unwrap();
        let given = expression.evaluate(&view(&request));
        match given {
            Ok(_) => assert!(ends, "{source}"),
            Err(reason) => assert!(!ends && reason.contains("too many steps"), "{source}: {reason}"),
        }
    }
}

#[test]
fn constants_are_known() {
    fn check(source: &str, expected: Option<bool>) {
        assert_eq!(Expression::compile(source, Phase::Authorization).unwrap().constant(), expected, "{source}");
    }
    check("false", Some(false));
    check("1 + 1 == 2", Some(true));
    check("'a'.matches('^b')", Some(false));
    check("[1, 2].all(x, x > 0)", Some(true));
    check("request.path == '/' && false", Some(false));
    check("request.path == '/'", None);
}

#[test]
fn failures_tell_no_value_of_the_request() {
    let mut request = request();
    request.headers.insert("authorization", HeaderValue::from_static("Bearer s3cr3t"));
    for source in [
        "request.headers.authorization.contains(principal.claims.level)",
        "int(request.headers.authorization) == 1",
        "dyn(request.headers.authorization) + 1 == 2",
        "dyn(request.headers.authorization) - 1 == 2",
        "-dyn(request.headers.authorization) == 2",
        "dyn(request.headers.authorization) > 5",
        "dyn(request.headers.authorization)",
        "dyn(request.headers.authorization).all(x, true)",
        "{dyn(request.headers.authorization): 1}.a == 1",
        "principal.roles[dyn(request.headers.authorization)] == 'x'",
        "timestamp(request.headers.authorization) < now",
        "now.getHours(request.headers.authorization) == 1",
    ] {
        let expression = Expression::compile(source, Phase::Authorization).unwrap_or_else(|fault| panic!("{source}: {fault:?}"));
        let reason = expression.evaluate(&view(&request)).unwrap_err();
        assert!(!reason.contains("s3cr3t"), "{source}: {reason}");
    }
}

#[test]
fn every_variable_has_a_value() {
    let request = request();
    for variable in variables(Phase::Authorization) {
        let source = format!("type({}) == type({})", variable.name, variable.name);
        assert_eq!(Expression::compile(&source, Phase::Authorization).unwrap().evaluate(&view(&request)), Ok(true), "{source}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(source in "\\PC{0,60}") {
        let _ = Expression::compile(&source, Phase::Authorization);
    }

    #[test]
    fn no_tokens_panic(tokens in prop::collection::vec(prop::sample::select(vec![
        "request", ".", "path", "headers", "(", ")", "[", "]", "{", "}", "'x'", "1", "-", "+", "==", "&&", "||", "!", "in",
        "exists", "map", "(x, x)", ",", "x", "has", "principal.claims", "now", "true", "?", ":", "'\u{e9}'", "matches", "u",
    ]), 0..14)) {
        let source = tokens.join(" ");
        if let Ok(expression) = Expression::compile(&source, Phase::Authorization) {
            let request = request();
            let _ = expression.evaluate(&view(&request));
        }
    }
}
