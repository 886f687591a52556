//! What holds for any stream of bytes.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::reference;
use super::tests::outcome;

const LINES: [&str; 5] = ["GET / HTTP/1.1", "POST /a?b HTTP/1.1", "HEAD / HTTP/1.0", "GET http://a/ HTTP/1.1", "PUT / HTTP/1.1"];
const FIELDS: [&str; 8] = [
    "X: y",
    "Accept: */*",
    "Connection: close",
    "Content_Length: 4",
    "TE: trailers",
    "X:",
    "Cookie: a=b; c=d",
    "Expect: 100-continue",
];
const BODIES: [(&str, &str); 7] = [
    ("", ""),
    ("Content-Length: 0\r\n", ""),
    ("Content-Length: 4\r\n", "abcd"),
    ("content-length: 30\r\n", "GET / HTTP/1.1\r\nHost: evil\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("transfer-encoding: Chunked\r\n", "4\r\nabcd\r\n0\r\nT: u\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "1;e=f\r\nx\r\n0a\r\n0123456789\r\n000\r\n\r\n"),
];
/// What smuggling is made of.
const PIECES: [&str; 24] = [
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "\0",
    "0",
    "1",
    "f",
    "x",
    "\u{b}",
    "\r\n ",
    "\r\n\r\n",
    "+",
    "-",
    "#",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: x\r\n",
    "Host: b\r\n",
    "0\r\n\r\n",
];

fn request() -> impl Strategy<Value = String> {
    (select(&LINES[..]), prop::collection::vec(select(&FIELDS[..]), 0..3), select(&BODIES[..]), any::<bool>()).prop_map(
        |(line, fields, (framing, body), framing_first)| {
            let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
            let (first, last) = if framing_first { (framing, fields.as_str()) } else { (fields.as_str(), framing) };
            format!("{line}\r\n{first}Host: a\r\n{last}\r\n{body}")
        },
    )
}

/// One to three valid requests; then up to three places overwritten, cut or filled with a piece.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let mutations = prop::collection::vec((any::<Index>(), 0_usize..4, select(&PIECES[..])), 0..4);
    (prop::collection::vec(request(), 1..4), mutations).prop_map(|(requests, mutations)| {
        let mut stream = requests.concat().into_bytes();
        for (at, removed, piece) in mutations {
            let at = at.index(stream.len());
            let end = (at + removed).min(stream.len());
            stream.splice(at..end, piece.bytes());
        }
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_passes_reads_alike_to_another_parser(stream in streams(), cut in any::<Index>()) {
        let (guard, (passed, violation)) = outcome(&stream, &[stream.len()]);
        let at = cut.index(stream.len());
        prop_assert_eq!(outcome(&stream, &[at, stream.len()]).1, (passed, violation));
        let requests = reference::requests(&stream[..passed]);
        prop_assert!(requests.is_ok(), "{:?}", requests);
        // All that passed is whole requests, or ends in the body of the last one.
        let whole: usize = requests.unwrap().iter().map(|request| request.head + request.body).sum();
        prop_assert!(whole == passed || !guard.between_requests(), "{} of {} bytes are requests", whole, passed);
    }

    #[test]
    fn valid_requests_pass(requests in prop::collection::vec(request(), 1..4)) {
        let stream = requests.concat().into_bytes();
        let refused_by_design = requests.iter().any(|request| request.contains("HTTP/1.0") && request.to_lowercase().contains("transfer-encoding"));
        let (_, (passed, violation)) = outcome(&stream, &[stream.len()]);
        prop_assert_eq!(passed == stream.len() && violation.is_none(), !refused_by_design);
    }
}
