//! The table of what is refused and what passes, each row fed whole, byte by byte and in two parts.

use std::sync::Arc;

use super::*;
use cause::{Framing, TargetFlaw};

/// What became of a stream: how much passed, and the refusal.
pub(super) type Outcome = (usize, Option<(Framing, bool)>);

/// Feeds the stream as it arrives in pieces, as a connection does.
pub(super) fn outcome(stream: &[u8], pieces: &[usize]) -> (Guard, Outcome) {
    let mut guard = Guard::new(Arc::new(Limits::default()));
    let (mut passed, mut arrived) = (0, 0);
    for piece in pieces {
        arrived = (arrived + piece).min(stream.len());
        let progress = guard.feed(&stream[passed..arrived]);
        passed += progress.released;
        if let Some(violation) = progress.violation {
            assert_eq!(
                guard.feed(&stream[passed..]),
                Progress { released: 0, violation: None },
                "nothing passes behind a refusal"
            );
            return (guard, (passed, Some((violation.cause, violation.in_body))));
        }
    }
    (guard, (passed, None))
}

fn check(stream: &str, expected: &Outcome) -> Guard {
    let bytes = stream.as_bytes();
    let (guard, whole) = outcome(bytes, &[bytes.len()]);
    let shown = &stream[..stream.len().min(200)];
    assert_eq!(whole, *expected, "{shown:?}");
    let (_, trickled) = outcome(bytes, &vec![1; bytes.len()]);
    assert_eq!(trickled, *expected, "byte by byte: {shown:?}");
    // Every place in short streams, some hundred in long ones.
    for at in (1..bytes.len()).step_by(bytes.len() / 400 + 1) {
        let (_, halved) = outcome(bytes, &[at, bytes.len() - at]);
        assert_eq!(halved, *expected, "cut at {at}: {shown:?}");
    }
    guard
}

fn passes(stream: &str) -> Guard {
    check(stream, &(stream.len(), None))
}

fn refused(stream: &str, cause: Framing) {
    check(stream, &(0, Some((cause, false))));
}

/// `head` passes; in what follows, `passed` bytes do.
fn refused_in_body(head: &str, body: &str, passed: usize, cause: Framing) {
    check(&format!("{head}{body}"), &(head.len() + passed, Some((cause, true))));
}

fn unserved() -> Framing {
    Framing::Method { served: Limits::default().methods }
}

#[test]
fn clean_requests_pass() {
    for stream in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /orders/7?x=1&y=%20{z}|` HTTP/1.1\r\nhost: a:80\r\nAccept: */*\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:a\r\nX-Empty:\r\nX-Tab:\t a\tb \t\r\nX-Obs: caf\u{e9}\r\n\r\n",
        "GET http://A.example/x HTTP/1.1\r\nHost: a.EXAMPLE\r\n\r\n",
        "GET HTTP://a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a:8080?x HTTP/1.1\r\nHost: a:8080\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "DELETE / HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\n\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n000A\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-User\r\nX_Y: 1\r\n\r\n",
        // Pipelined, each kind of body behind another.
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nGETGET /a HTTP/1.1\r\nHost: a\r\n\r\n\r\nPUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nHEAD / HTTP/1.1\r\nHost: b\r\n\r\n",
    ] {
        assert!(passes(stream).between_requests(), "{stream:?}");
    }
}

#[test]
fn ambiguous_lengths_are_refused() {
    let post = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n");
    for fields in ["Content-Length: 3\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 3"] {
        refused(&post(fields), Framing::LengthAndTransferEncoding);
    }
    for length in [
        "5\r\nContent-Length: 5",
        "5\r\nContent-Length: 6",
        "0, 0",
        "5,5",
        "",
        "+5",
        "-5",
        "-0",
        "0x5",
        "5 5",
        "5;",
        "5.0",
        "1e3",
        "1_0",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999",
        "\u{b2}",
    ] {
        refused(&post(&format!("Content-Length: {length}")), Framing::ContentLength);
    }
    for coding in [
        "chunked\r\nTransfer-Encoding: chunked",
        "identity, chunked",
        "chunked, identity",
        "chunked, chunked",
        "identity",
        "gzip",
        "gzip, chunked",
        "",
        "\"chunked\"",
        "chunked;q=1",
        "xchunked",
        "chunked,",
        ", chunked",
        "chun ked",
    ] {
        refused(&post(&format!("Transfer-Encoding: {coding}")), Framing::TransferEncoding);
    }
    refused("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Framing::TransferEncoding);
    for nominated in ["Content-Length", "content-length", "close, Transfer-Encoding", "Host", "x,host ,y"] {
        refused(&post(&format!("Content-Length: 3\r\nConnection: {nominated}")), Framing::Nomination);
    }
}

#[test]
fn malformed_lines_are_refused() {
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    for (fields, cause) in [
        ("X: a\r\n b", Framing::FoldedField),
        ("X: a\r\n\tb", Framing::FoldedField),
        (" X: a", Framing::FoldedField),
        ("X: a\nY: b", Framing::BareLineFeed),
        ("X: a\n\r\nY: b", Framing::BareLineFeed),
        ("\nX: a", Framing::BareLineFeed),
        ("X", Framing::FieldName),
        (": a", Framing::FieldName),
        ("X : a", Framing::FieldName),
        ("X\t: a", Framing::FieldName),
        ("X Y: a", Framing::FieldName),
        ("X\0: a", Framing::FieldName),
        ("X\u{e9}: a", Framing::FieldName),
        ("X(y): a", Framing::FieldName),
        ("Content-Length : 3", Framing::FieldName),
        ("X: a\0b", Framing::FieldValue),
        ("X: a\rb", Framing::FieldValue),
        ("X: a\r\r\nY: b", Framing::FieldValue),
        ("X: \u{1b}[0m", Framing::FieldValue),
        ("X: a\u{7f}", Framing::FieldValue),
        ("Transfer-Encoding: \u{b}chunked", Framing::FieldValue),
        ("Host: a", Framing::Host),
        ("HOST: b", Framing::Host),
    ] {
        refused(&get(fields), cause);
    }
    for line in
        ["GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\nGET"]
    {
        refused(line, Framing::BareLineFeed);
    }
    refused("GET / HTTP/1.1\r\nHost: a\r\n\n", Framing::BareLineFeed);
}

#[test]
fn request_lines_are_strict() {
    let request = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    for line in [
        "GET",
        "GET ",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /  HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        " GET / HTTP/1.1",
        "GET / x HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/1.1x",
        "GET / HTTP/",
        "GET / HTTPS/1.1",
        "G@T / HTTP/1.1",
        "GET / HTTP/1.1\r",
        "\u{16}\u{3}\u{1}",
        "\r\n\r\nGET / HTTP/1.1",
        "\rGET / HTTP/1.1",
        "GET HTTP/1.1",
        "",
        ": a",
        "HELO x",
    ] {
        refused(&request(line), Framing::RequestLine);
    }
    for line in [
        "GET /",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / HTTP/1.32",
        "GET / HTTP/2.0",
        "PRI * HTTP/2.0",
        "GET / HTTP/1",
        "GET / HTTP/11",
    ] {
        refused(&request(line), Framing::ProtocolVersion);
    }
    for method in ["get", "Get", "TRACE", "CONNECT", "PROPFIND", "GETX", "X"] {
        refused(&request(&format!("{method} / HTTP/1.1")), unserved());
    }
}

#[test]
fn targets_are_origin_or_agreeing_absolute_forms() {
    let request = |line: &str| format!("{line}\r\nHost: a\r\n\r\n");
    let flawed = |flaw: TargetFlaw, targets: &[&str]| {
        for target in targets {
            refused(&request(&format!("GET {target} HTTP/1.1")), Framing::Target { flaw });
        }
    };
    flawed(TargetFlaw::Fragment, &["/a#b", "/#", "/a?b#c", "http://a/#"]);
    for (octet, targets) in [
        (b'<', &["/a<b", "/?<>"][..]),
        (b'>', &["/?a>b"]),
        (b'"', &["/?\"", "/?a=\"<b"]),
        (b'`', &["/`"]),
        (0xc3, &["/\u{e9}"]),
        (0x7f, &["/a\u{7f}"]),
        (1, &["/\u{1}"]),
    ] {
        flawed(TargetFlaw::Octet(octet), targets);
    }
    flawed(
        TargetFlaw::Authority,
        &["http://b/", "http://evil/", "http://a:80/", "http://u@a/", "http://u:p@a/", "http://a#b", "http://a\\@b/"],
    );
    flawed(TargetFlaw::Form, &["*", "a", "a:80", "a/b", "?x", "#", "http:/a", "http://", "http:///x", "https://a/", "ftp://a/"]);
    // Normalisation judges the path.
    for target in ["//", "/../a", "/a\\b", "/%", "/a%00"] {
        passes(&request(&format!("GET {target} HTTP/1.1")));
    }
    refused(&request("OPTIONS * HTTP/1.1"), Framing::Target { flaw: TargetFlaw::Form });
    refused(&request("OPTIONS http://a HTTP/1.1"), Framing::Target { flaw: TargetFlaw::Form });
    refused("GET http://a/ HTTP/1.0\r\n\r\n", Framing::Target { flaw: TargetFlaw::Authority });
}

#[test]
fn hosts_are_required_and_checked() {
    refused("GET / HTTP/1.1\r\n\r\n", Framing::Host);
    refused("GET / HTTP/1.1\r\nX: a\r\n\r\n", Framing::Host);
    let long = "a".repeat(256);
    for host in ["", "a b", "a/b", "u@a", "a?x", "a:", "a:x", "a:0", "a:65536", "a,b", "[::1", &long] {
        refused(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), Framing::Host);
        refused(&format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n"), Framing::Host);
    }
}

#[test]
fn limits_hold_at_their_edges() {
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "x: y\r\n".repeat(count - 1));
    passes(&fields(100));
    refused(&fields(101), Framing::TooManyFields { limit: 100 });
    refused(&fields(200), Framing::TooManyFields { limit: 100 });
    let bytes =
        |total: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(total - "Host: a\r\nX: \r\n".len()));
    passes(&bytes(32_768));
    for total in [32_769, 65_536, 524_288] {
        refused_quickly(&bytes(total), Framing::FieldsTooLarge { limit: 32_768 });
    }
    let target = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length - 1));
    passes(&target(8_192));
    for length in [8_193, 8_200, 8_250, 65_536] {
        refused_quickly(&target(length), Framing::TargetTooLong { limit: 8_192 });
    }
    refused_quickly(&format!("DANCE /{}", "x".repeat(10_000)), unserved());
    refused_quickly(&"x".repeat(10_000), Framing::RequestLine);
}

/// As [`refused`], without the cost of cutting a long stream everywhere.
fn refused_quickly(stream: &str, cause: Framing) {
    let bytes = stream.as_bytes();
    for pieces in [vec![bytes.len()], vec![1_000; bytes.len() / 1_000 + 1], vec![7; bytes.len() / 7 + 1]] {
        assert_eq!(outcome(bytes, &pieces).1, (0, Some((cause.clone(), false))), "{}", &stream[..40]);
    }
}

#[test]
fn chunk_framing_is_strict() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let zeros = "0".repeat(40);
    for size in [
        "",
        "0x0",
        "-0",
        "+1",
        "g",
        " 1",
        "1 ",
        "1\t",
        "1 ;x",
        "1\r",
        "1,2",
        "1_0",
        &zeros,
        "00000000000000001",
        "8000000000000000",
        "ffffffffffffffff",
        "10000000000000000",
        "1;x\u{1}",
        "1;x\ry",
        "1\0",
    ] {
        refused_in_body(head, &format!("{size}\r\nx\r\n0\r\n\r\n"), 0, Framing::Chunk);
    }
    for body in ["1\nx\r\n0\r\n\r\n", "1;x\ny\r\n", "1;\n", "\n"] {
        refused_in_body(head, body, 0, Framing::BareLineFeed);
    }
    refused_in_body(head, "1\r\nx\n0\r\n\r\n", 4, Framing::BareLineFeed);
    refused_in_body(head, "1\r\nxy\r\n0\r\n\r\n", 4, Framing::Chunk);
    refused_in_body(head, "1\r\nx\ry", 4, Framing::Chunk);
    refused_in_body(head, "0\r\n\n", 3, Framing::BareLineFeed);
    passes(&format!("{head}0000000000000001\r\nx\r\n0000000000000000\r\n\r\n"));
    assert!(check(&format!("{head}7fffffffffffffff\r\nx"), &(head.len() + 19, None)).body_pending());
}

#[test]
fn chunk_extensions_are_bounded() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let line = |bytes: usize| format!("1;{}\r\nx\r\n", "e".repeat(bytes - 1));
    let most = format!("{head}{}0\r\n\r\n", line(4_096).repeat(4));
    // The next body on the connection has all of its own.
    passes(&most.repeat(2));
    let chunk = line(4_096).len();
    refused_in_body(head, &format!("{}1;\r\nx\r\n", line(4_096).repeat(4)), 4 * chunk, Framing::Chunk);
    refused_in_body(head, &line(4_097), 0, Framing::Chunk);
    refused_in_body(head, &format!("1;{}", "e".repeat(5_000)), 0, Framing::Chunk);
}

#[test]
fn trailers_follow_the_rules_of_fields() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for trailer in [" X: a", "X : a", "X", ": a", "X: a\0", "X: a\rb"] {
        refused_in_body(head, &format!("0\r\n{trailer}\r\n\r\n"), 3, Framing::Trailer);
    }
    refused_in_body(head, "0\r\nX: a\n\r\n", 3, Framing::BareLineFeed);
    refused_in_body(head, "0\r\nX: a\r\n b\r\n\r\n", 9, Framing::Trailer);
    // Two of the hundred stood in the head.
    passes(&format!("{head}0\r\n{}\r\n", "x: y\r\n".repeat(98)));
    refused_in_body(head, &format!("0\r\n{}\r\n", "x: y\r\n".repeat(99)), 3 + 98 * 6, Framing::TooManyFields { limit: 100 });
    let large = format!("x: {}\r\n\r\n", "y".repeat(33_000));
    let (_, outcome) = outcome(format!("{head}0\r\n{large}").as_bytes(), &[40_000]);
    assert_eq!(outcome, (head.len() + 3, Some((Framing::FieldsTooLarge { limit: 32_768 }, true))));
}

#[test]
fn a_bad_request_behind_good_ones_is_refused_alone() {
    let good = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let body = "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    check(&format!("{good}{body}GET /3 HTTP/1.1\r\n\r\n{good}"), &(good.len() + body.len(), Some((Framing::Host, false))));
    check(&format!("{good}GET /\r\n"), &(good.len(), Some((Framing::ProtocolVersion, false))));
}

#[test]
fn a_refused_head_request_gets_a_head_request_as_its_stand_in() {
    for (stream, expected) in [
        ("HEAD / HTTP/1.1\r\n\r\n", &b"HEAD "[..]),
        ("GET / HTTP/1.1\r\n\r\n", b"GET /"),
        ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n\n", b"GET /"),
    ] {
        let violation = Guard::new(Arc::default()).feed(stream.as_bytes()).violation.unwrap();
        assert_eq!(&violation.stand_in()[..5], expected, "{stream:?}");
        let stand_in = std::str::from_utf8(violation.stand_in()).unwrap();
        assert!(passes(stand_in).between_requests());
    }
}

#[test]
fn the_guard_says_where_it_is() {
    #[derive(Debug, PartialEq)]
    enum Is {
        Between,
        InHead,
        InBody,
        Upgrading,
    }
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n";
    for (stream, released, expected) in [
        ("", 0, Is::Between),
        ("\r", 0, Is::Between),
        ("\r\n", 0, Is::Between),
        ("G", 0, Is::InHead),
        ("\r\nG", 0, Is::InHead),
        ("GET / HTTP/1.1\r\n", 0, Is::InHead),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r", 0, Is::InHead),
        (head, head.len(), Is::InBody),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly", 68, Is::Upgrading),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 62, Is::Between),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", 47, Is::Between),
    ] {
        let guard = check(stream, &(released, None));
        let seen = match (guard.between_requests(), guard.head_pending(), guard.body_pending(), guard.upgrade_pending()) {
            (true, false, false, false) => Is::Between,
            (false, true, false, false) => Is::InHead,
            (false, false, true, false) => Is::InBody,
            (false, false, false, true) => Is::Upgrading,
            several => panic!("{stream:?} is {several:?}"),
        };
        assert_eq!(seen, expected, "{stream:?}");
    }
}

#[test]
fn bytes_behind_an_upgrade_wait_for_its_answer() {
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n";
    let early = "\0\n not HTTP";
    let mut guard = Guard::new(Arc::default());
    guard.tunnel();
    assert_eq!(guard.feed(format!("{upgrade}{early}").as_bytes()).released, upgrade.len());
    let mut answered = Guard::new(Arc::default());
    answered.feed(upgrade.as_bytes());
    guard.tunnel();
    assert_eq!(guard.feed(early.as_bytes()), Progress { released: early.len(), violation: None });
    answered.resume();
    let progress = answered.feed(early.as_bytes());
    assert_eq!((progress.released, progress.violation.unwrap().cause), (0, Framing::RequestLine));
}
