//! Answers of upstreams that lie, and what becomes of them.

use cause::Upstream as Cause;

use super::*;

/// What becomes of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It is passed on, and its connection is kept.
    Kept(u16, &'static str),
    /// It is passed on, and its connection is not used again.
    Left(u16, &'static str),
    /// It is not an acceptable answer.
    Protocol,
    /// The connection ended before it.
    Reset,
    /// Its body ends early.
    Cut(&'static str),
}

use Outcome::{Cut, Kept, Left, Protocol, Reset};

fn check(bytes: &[u8], expected: &Outcome) {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    on_worker(async {
        let ends = matches!(expected, Reset | Cut(_) | Left(..));
        let first = if ends { vec![answer(bytes), Step::Close] } else { vec![answer(bytes), ok()] };
        let upstream = Upstream::following(vec![first, vec![ok()]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        let post = || request(Method::POST, "once");
        let sent = upstreams.send(&target, post(), TIMEOUTS).await;
        let outcome = match (&sent, expected) {
            (Err(SendError::Upstream { cause: Cause::Protocol { .. }, .. }), _) => Protocol,
            (Err(SendError::Upstream { cause: Cause::Reset { .. }, .. }), _) => Reset,
            (Err(error), _) => panic!("{shown}: {error:?}"),
            (Ok(_), _) => {
                let (head, body) = sent.unwrap().into_parts();
                let status = head.status.as_u16();
                match (body.collect().await.map(http_body_util::Collected::to_bytes), expected) {
                    (Ok(body), Kept(_, text)) if body == *text => Kept(status, text),
                    (Ok(body), Left(_, text)) if body == *text => Left(status, text),
                    (Ok(body), _) => panic!("{shown}: passed on as {body:?}"),
                    (Err(error), Cut(text)) if error.to_string() == *text => Cut(text),
                    (Err(error), _) => panic!("{shown}: {error}"),
                }
            }
        };
        assert_eq!(&outcome, expected, "{shown}");
        look_around().await;
        assert_eq!(read(upstreams.send(&target, post(), TIMEOUTS).await).await, (200, "ok".to_owned()), "{shown}");
        assert_eq!(upstream.connections(), if matches!(expected, Kept(..)) { 1 } else { 2 }, "{shown}");
    });
}

#[test]
fn every_answer_is_passed_on_or_refused() {
    let malformed = "the framing of the upstream's answer is not valid";
    let reset = "the upstream ended the connection within its answer";
    let cases: &[(&str, Outcome)] = &[
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Kept(200, "ok")),
        ("HTTP/1.1 599 Odd\r\nContent-Length: 0\r\n\r\n", Kept(599, "")),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", Kept(304, "")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX-T: 1\r\n\r\n", Kept(200, "ok")),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Kept(200, "ok"),
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", Left(204, "")),
        ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", Left(204, "")),
        ("HTTP/1.1 200 OK\r\n\r\nto the end", Left(200, "to the end")),
        // Length stated in two ways, or in none that is plain.
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Protocol),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Protocol),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Protocol),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", Protocol),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Protocol),
        // Heads that are not heads.
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", Protocol),
        ("HTTP/2 200 OK\r\n\r\n", Protocol),
        ("HTTP/1.1 2x0 OK\r\n\r\n", Protocol),
        ("HTTP/1.1 099 Low\r\n\r\n", Protocol),
        ("SSH-2.0-OpenSSH_9.2\r\n", Protocol),
        ("HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 2\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nX-Cr: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\nok", Protocol),
        // Ends that are no ends.
        ("", Reset),
        ("HTTP/1.1 200 OK\r\nContent-Le", Reset),
        ("HTTP/1.1 100 Continue\r\n\r\n", Reset),
        // Bodies that are cut: another answer, if that shows before anything was passed on.
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Reset),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart", Reset),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", Reset),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n", Protocol),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nok", Protocol),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n", Protocol),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n", Cut(reset)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\nzz\r\n", Cut(malformed)),
        // More bodies that come with their heads.
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n", Kept(200, "abc")),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Kept(200, "")),
        ("HTTP/1.1 200 OK\r\n\r\n", Left(200, "")),
    ];
    for (bytes, expected) in cases {
        check(bytes.as_bytes(), expected);
    }
}

#[test]
fn heads_are_bounded() {
    let fields = |count: usize| (0..count).map(|number| format!("X-{number}: v\r\n")).collect::<String>();
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{fields}\r\nok").into_bytes();
    check(&head(&fields(99)), &Kept(200, "ok"));
    check(&head(&fields(100)), &Protocol);
    check(&head(&format!("X-Long: {}\r\n", "v".repeat(60 * 1024))), &Kept(200, "ok"));
    check(&head(&format!("X-Long: {}\r\n", "v".repeat(65 * 1024))), &Protocol);
    check(&[b"HTTP/1.1 200 OK\r\nX-Endless: ".to_vec(), vec![b'v'; 1024 * 1024]].concat(), &Protocol);
}

#[test]
fn heads_of_bodiless_answers_keep_their_length() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![answer("HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"), ok()]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        let response = upstreams.send(&target, request(Method::HEAD, ""), TIMEOUTS).await.unwrap();
        assert_eq!(response.headers()["content-length"], "77");
        assert_eq!(read(Ok(response)).await, (200, String::new()));
        call(&upstreams, &target).await.unwrap();
        assert_eq!(upstream.connections(), 1);
    });
}

#[test]
fn what_concerns_one_connection_is_not_passed_on() {
    on_worker(async {
        let head = "HTTP/1.1 200 OK\r\nServer: s\r\nKeep-Alive: timeout=5\r\nX-Odd: 1\r\nConnection: x-odd, Content-Length\r\n\
                    TE: gzip\r\nUpgrade: h2c\r\nProxy-Connection: close\r\nX-Odd: 2\r\nSet-Cookie: a\r\nContent-Length: 2\r\n\
                    Set-Cookie: b\r\n\r\nok";
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-t\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        let upstream = Upstream::following(vec![vec![answer(head), answer(chunked)]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        let check = async |expected: &[(&str, &str)]| {
            let response = upstreams.send(&target, get(), TIMEOUTS).await.unwrap();
            let fields: Vec<_> =
                response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            assert_eq!(fields, expected);
            read(Ok(response)).await;
        };
        check(&[("server", "s"), ("content-length", "2"), ("set-cookie", "a"), ("set-cookie", "b")]).await;
        check(&[("trailer", "x-t")]).await;
        assert_eq!(upstream.connections(), 1);
    });
}

#[test]
fn heads_may_arrive_in_any_pieces() {
    on_worker(async {
        let text = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target_of([listener.local_addr().unwrap()]);
        spawn_local(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buffer = Vec::new();
                read_request(&mut stream, &mut buffer).await.unwrap();
                for octet in text.bytes() {
                    stream.write_all(&[octet]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        assert_eq!(call(&Upstreams::new(1), &target).await.unwrap(), (200, "ok".to_owned()));
    });
}
