//! What holds for any stream of bytes.

use proptest::prelude::*;

use super::reference;
use super::tests::outcome;

/// Streams close to valid ones: parts of requests, joined with what smuggling is made of.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "Host: a\r\n",
        "Host: a\r\n",
        "Host: a\r\n\r\n",
        "Content-Length: 4\r\n",
        "Content-Length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        "X: y\r\n",
        "X: y\r\n\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        "4\r\nabcd\r\n",
        "0\r\n\r\n",
        "0\r\nT: u\r\n\r\n",
        "1;e=f\r\nx\r\n",
        "GET",
        "abcd",
        "\0",
        ":",
        ";",
        "\t",
        "0",
    ]);
    let mutation = (any::<prop::sample::Index>(), any::<u8>());
    (prop::collection::vec(part, 1..14), prop::option::weighted(0.2, mutation)).prop_map(|(parts, mutation)| {
        let mut stream = parts.concat().into_bytes();
        if let Some((at, octet)) = mutation {
            let at = at.index(stream.len());
            stream[at] = octet;
        }
        stream
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_passes_reads_alike_to_another_parser(stream in streams(), cut in any::<prop::sample::Index>()) {
        let (guard, (passed, violation)) = outcome(&stream, &[stream.len()]);
        let at = cut.index(stream.len());
        prop_assert_eq!(outcome(&stream, &[at, stream.len()]).1, (passed, violation));
        let requests = reference::requests(&stream[..passed]);
        prop_assert!(requests.is_ok(), "{:?}", requests);
        // All that passed is whole requests, or ends in the body of the last one.
        let whole: usize = requests.unwrap().iter().map(|request| request.head + request.body).sum();
        prop_assert!(whole == passed || !guard.between_requests(), "{} of {} bytes are requests", whole, passed);
    }
}
