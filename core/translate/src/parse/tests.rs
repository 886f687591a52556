//! Rows of texts and what each syntax says of them.

use cause::{FaultCause, Syntax};

use super::{
    duration, escaped_path, exact_host, header_name, header_value, host, issuer, lifetime, network, path, pattern, quantity,
    requirement, share, timeout, timestamp, url, version, vouching_url,
};

/// What a text means: `=` and the value, `?` and what was probably meant, or `!`.
fn said<T>(result: Result<T, FaultCause>, show: impl Fn(T) -> String) -> String {
    match result {
        Ok(value) => format!("={}", show(value)),
        Err(FaultCause::Malformed { suggestion: Some(meant), .. }) => format!("?{meant}"),
        Err(FaultCause::Malformed { suggestion: None, .. } | FaultCause::OutOfBounds { .. }) => "!".into(),
        Err(other) => panic!("{other:?}"),
    }
}

fn check(name: &str, read: impl Fn(&str) -> String, rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(read(text), *expected, "{name} of {text:?}");
    }
}

#[test]
fn spans_of_time() {
    check(
        "duration",
        |text| said(duration(text), |value| value.to_string()),
        &[
            ("30s", "=30000"),
            ("1h30m", "=5400000"),
            ("250ms", "=250"),
            ("1m1ms", "=60001"),
            ("99999h", "=359996400000"),
            ("100000h", "!"),
            ("30", "?30s"),
            ("30 s", "?30s"),
            ("5min", "?5m"),
            ("1.5h", "?1h30m"),
            ("90d", "?2160h"),
            ("1w", "?168h"),
            ("-30s", "?30s"),
            ("PT30S", "!"),
            ("0s", "!"),
            ("0", "!"),
            ("-0s", "!"),
            ("", "!"),
            ("1h1h1h1h1h", "?5h"),
            ("s", "!"),
            ("30S", "?30s"),
            ("1us", "!"),
            ("99999999999999999999s", "!"),
        ],
    );
    check(
        "timeout",
        |text| said(timeout(text), |value| format!("{value:?}")),
        &[("0s", "=None"), ("0h0ms", "=None"), ("10ms", "=Some(10)"), ("0d", "!"), ("0", "!"), ("", "!"), ("30 s", "?30s")],
    );
    check(
        "lifetime",
        |text| said(lifetime(text), |value| value.to_string()),
        &[("90d", "=7776000000"), ("1d12h", "=129600000"), ("2 weeks", "?14d"), ("0d", "!"), ("-1d", "?1d")],
    );
}

#[test]
fn sizes_and_shares() {
    check(
        "quantity",
        |text| said(quantity(text), |value| value.to_string()),
        &[
            ("1Mi", "=1048576"),
            ("1.5Ki", "=1536"),
            ("10M", "=10000000"),
            ("4096", "=4096"),
            ("0", "=0"),
            ("0.5", "!"),
            ("1MB", "?1M"),
            ("1MiB", "?1Mi"),
            ("1 mi", "?1Mi"),
            ("1K", "?1k"),
            ("10 kilobytes", "!"),
            ("-1", "!"),
            ("8Ei", "!"),
            ("Mi", "!"),
            ("", "!"),
        ],
    );
    check(
        "share",
        |text| said(share(text), |value| value.to_string()),
        &[("0", "=0"), ("1", "=1000000"), ("0.01", "=10000"), ("0.0000001", "!"), ("1.1", "!"), ("-1", "!"), ("x", "!")],
    );
}

#[test]
fn versions_and_times() {
    check(
        "version",
        |text| said(version(text), |value| value.to_string()),
        &[
            ("2.1.0", "=2.1.0"),
            ("2.1.0-rc.1+b7", "=2.1.0-rc.1+b7"),
            ("2.1", "?2.1.0"),
            ("2", "?2.0.0"),
            ("v2.1.0", "?2.1.0"),
            ("02.1.0", "!"),
            ("latest", "!"),
        ],
    );
    check(
        "requirement",
        |text| said(requirement(text), |value| value.to_string()),
        &[
            ("2", "=~2"),
            ("2.1", "=~2.1"),
            ("2.1.0", "==2.1.0"),
            ("^2.1", "=^2.1"),
            (">=1, <3", "=>=1, <3"),
            ("v2", "=~2"),
            ("latest", "!"),
            ("", "!"),
        ],
    );
    check(
        "timestamp",
        |text| said(timestamp(text), |value| value.to_string()),
        &[
            ("2026-12-31T23:59:59Z", "=2026-12-31T23:59:59Z"),
            ("2026-12-31T23:59:59.5+01:00", "=2026-12-31T22:59:59.5Z"),
            ("2026-12-31", "?2026-12-31T00:00:00Z"),
            ("2026-12-31 23:59:59", "?2026-12-31T23:59:59Z"),
            ("2026-12-31T23:59:59", "?2026-12-31T23:59:59Z"),
            ("2026-12-31T23:59Z", "!"),
            ("2026-02-30T00:00:00Z", "!"),
            ("2026-12-31T23:59:59Z[UTC]", "!"),
            ("tomorrow", "!"),
            ("", "!"),
        ],
    );
}

#[test]
fn networks() {
    check(
        "network",
        |text| said(network(text), |value| value.to_string()),
        &[
            ("10.0.0.0/8", "=10.0.0.0/8"),
            ("10.0.0.5", "=10.0.0.5/32"),
            ("2001:db8::/32", "=2001:db8::/32"),
            ("::1", "=::1/128"),
            ("10.0.0.5/8", "?10.0.0.0/8"),
            ("2001:db8::1/32", "?2001:db8::/32"),
            ("::ffff:10.0.0.5/104", "?10.0.0.0/8"),
            ("::ffff:10.0.0.5", "?10.0.0.5/32"),
            ("10.1.*.*", "?10.1.0.0/16"),
            (" 10.0.0.0/8", "?10.0.0.0/8"),
            ("10.0.0.0/33", "!"),
            ("10.0.0", "!"),
            ("example.com", "!"),
        ],
    );
}

#[test]
fn hosts() {
    check(
        "host",
        |text| said(host(text), |value| value.to_string()),
        &[
            ("api.example.com", "=api.example.com"),
            ("API.Example.com", "=api.example.com"),
            ("*.example.com", "=*.example.com"),
            ("localhost", "=localhost"),
            ("https://api.example.com/x", "?api.example.com"),
            ("api.example.com:8080", "?api.example.com"),
            ("api.example.com.", "?api.example.com"),
            (".example.com", "?*.example.com"),
            ("*", "!"),
            ("a.*.com", "!"),
            ("10.0.0.1", "!"),
            ("-a.com", "!"),
            ("a_b.com", "!"),
            ("", "!"),
            (&"a".repeat(64), "!"),
        ],
    );
    check("exact host", |text| said(exact_host(text), |value| value.to_string()), &[("A.com", "=a.com"), ("*.a.com", "!")]);
}

#[test]
fn paths() {
    check(
        "path",
        |text| said(path(text), |value| value.to_string()),
        &[
            ("/", "=/"),
            ("/orders", "=/orders"),
            ("/orders/", "=/orders"),
            ("/a/b;c=1", "=/a/b;c=1"),
            ("orders", "?/orders"),
            ("//orders", "?/orders"),
            ("/a//b", "?/a/b"),
            ("/a/../b", "?/b"),
            ("/a/./b", "?/a/b"),
            ("/orders/*", "?/orders"),
            ("/orders?x=1", "?/orders"),
            ("https://a.com/orders", "?/orders"),
            ("/a%20b", "!"),
            ("/a b", "!"),
            ("/ä", "!"),
            ("", "?/"),
        ],
    );
}

#[test]
fn paths_with_escapes() {
    check(
        "escaped_path",
        |text| said(escaped_path(text), |value| value.to_string()),
        &[
            ("/", "=/"),
            ("/a/b", "=/a/b"),
            ("/a/b/", "=/a/b/"),
            ("/a%2db%7E", "=/a-b~"),
            ("/a%2bb%20c", "=/a%2Bb%20c"),
            ("/%C3%A4", "=/%C3%A4"),
            ("/a;b=c:d@e!$&'()*+,", "=/a;b=c:d@e!$&'()*+,"),
            ("/.well-known/...", "=/.well-known/..."),
            ("a", "?/a"),
            ("", "?/"),
            ("/a//b", "?/a/b"),
            ("/a//", "?/a"),
            ("/a/./b", "?/a/b"),
            ("/a/../b", "?/b"),
            ("/a/..;x/b", "!"),
            ("/a%2Fb", "!"),
            ("/a%5cb", "!"),
            ("/a%00b", "!"),
            ("/a%zz", "!"),
            ("/a%2", "!"),
            ("/a?b", "?/a"),
            ("/a#b", "?/a"),
            ("/a|b", "!"),
        ],
    );
}

#[test]
fn header_fields_and_expressions() {
    check(
        "header name",
        |text| said(header_name(text), |value| value.to_string()),
        &[
            ("X-Api-Key", "=x-api-key"),
            ("X Api Key", "?X-Api-Key"),
            ("X_Api_Key", "?X-Api-Key"),
            ("X-Key:", "?X-Key"),
            ("", "!"),
            ("é", "!"),
        ],
    );
    check(
        "header value",
        |text| said(header_value(text), |value| value.to_string()),
        &[("a b", "=a b"), ("", "="), ("a\r\nb", "!"), (" a", "!"), ("é", "!")],
    );
    check(
        "pattern",
        |text| said(pattern(text), |value| value.to_string()),
        &[("v[12]", "=v[12]"), ("(?=a)", "!"), ("(", "!"), (r"\w{1000}{1000}", "!")],
    );
}

#[test]
fn urls() {
    check(
        "url",
        |text| said(url(text), |value| format!("{value} {}", value.port)),
        &[
            ("https://api.example.com", "=https://api.example.com 443"),
            ("http://API.example.com:8080/v1/", "=http://api.example.com:8080/v1 8080"),
            ("http://[::1]:81/a", "=http://[::1]:81/a 81"),
            ("http://127.0.0.1", "=http://127.0.0.1 80"),
            ("api.example.com", "?https://api.example.com"),
            ("https://user:pass@api.example.com/a", "?https://api.example.com/a"),
            ("https://api.example.com/a?x=1", "?https://api.example.com/a"),
            ("https://api.example.com/a#x", "?https://api.example.com/a"),
            ("ftp://api.example.com", "!"),
            ("https://", "!"),
            ("http://a:0", "!"),
            ("http://a:99999", "!"),
            ("http://a b", "!"),
            ("http://a/../b", "!"),
        ],
    );
    for (standalone, rows) in [
        (
            true,
            &[
                ("https://id.example.com/", "=https://id.example.com/"),
                ("http://localhost:9000/realms/a", "=http://localhost:9000/realms/a"),
                ("http://127.0.0.2:9000", "=http://127.0.0.2:9000"),
                ("http://[::1]:9000", "=http://[::1]:9000"),
                ("http://id.example.com", "?https://id.example.com"),
                ("http://10.0.0.1", "?https://10.0.0.1"),
                ("https://id.example.com?x=1", "!"),
            ][..],
        ),
        (false, &[("http://localhost:9000", "?https://localhost:9000"), ("https://a.com", "=https://a.com")]),
    ] {
        check("issuer", |text| said(issuer(text, standalone), |value| value.to_string()), rows);
    }
    check(
        "vouching url",
        |text| said(vouching_url(text, false), |value| value.to_string()),
        &[("https://a.com/keys?p=x", "=https://a.com/keys?p=x"), ("https://u@a.com", "!"), ("https://a.com#x", "!")],
    );
}

#[test]
fn faults_name_their_syntax() {
    for (cause, expected) in [
        (duration("x").unwrap_err(), Syntax::Duration),
        (quantity("x").unwrap_err(), Syntax::Quantity),
        (version("x").unwrap_err(), Syntax::SemanticVersion),
        (requirement("x").unwrap_err(), Syntax::VersionRequirement),
        (timestamp("x").unwrap_err(), Syntax::Timestamp),
        (network("x").unwrap_err(), Syntax::Network),
        (host("x y").unwrap_err(), Syntax::HostName),
        (path("x y").unwrap_err(), Syntax::Path),
        (header_name("é").unwrap_err(), Syntax::HeaderName),
        (url("x y").unwrap_err(), Syntax::Url),
        (issuer("x y", true).unwrap_err(), Syntax::HttpsUrl),
        (pattern("(").unwrap_err(), Syntax::Pattern),
    ] {
        let FaultCause::Malformed { syntax, .. } = cause else { panic!("{cause:?}") };
        assert_eq!(syntax, expected);
    }
}
