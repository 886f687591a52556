//! Bodies both ways, with a client in front.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::*;
use crate::{BodyFailure, Cut, Download, End, Upload};

/// What became of a call that a client made through the worker.
struct Told {
    error: Option<SendError>,
    upload: Rc<Upload>,
    download: Rc<Download>,
    /// How often the task of the client's connection had been polled.
    turns: usize,
}

/// A worker in front of `target`: the client's end of its connection, and what becomes of calls.
async fn front(target: Target, limit: Option<u64>) -> (TcpStream, mpsc::UnboundedReceiver<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    spawn_local(async move {
        let (upstreams, target) = (Upstreams::new(1), &target);
        let (upstreams, turns) = (&upstreams, &Cell::new(0));
        let service = service_fn(move |request: Request<Incoming>| {
            let tell = tell.clone();
            async move {
                let (upload, download) = (Rc::new(Upload::default()), Rc::new(Download::default()));
                let (mut head, body) = request.into_parts();
                head.headers.remove("transfer-encoding");
                let body = RequestBody::streamed(body, limit, || Rc::clone(&upload));
                let sent = upstreams.send(target, Request::from_parts(head, body), TIMEOUTS).await;
                let (error, response) = match sent {
                    Ok(mut response) => {
                        response.body_mut().report_to(Rc::clone(&download));
                        response.headers_mut().remove("transfer-encoding");
                        (None, response)
                    }
                    Err(error) => (Some(error), Response::builder().status(502).body(ResponseBody::Empty).unwrap()),
                };
                let _ = tell.send(Told { error, upload, download, turns: turns.get() });
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service));
        let _ended = poll_fn(|cx| {
            turns.set(turns.get() + 1);
            connection.as_mut().poll(cx)
        })
        .await;
    });
    (client, told)
}

/// Reads from the client's end until `text` has come.
async fn until(client: &mut TcpStream, text: &str) -> String {
    let mut buffer = Vec::new();
    while !String::from_utf8_lossy(&buffer).contains(text) {
        assert!(client.read_buf(&mut buffer).await.unwrap() > 0, "ended after {}", String::from_utf8_lossy(&buffer));
    }
    String::from_utf8(buffer).unwrap()
}

#[test]
fn requests_keep_their_framing() {
    let cases = [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", "content-length: 4", "\r\n\r\nbody"),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", "content-length: 4", "\r\n\r\nbody"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "content-length: 0", "\r\n\r\n"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            "transfer-encoding: chunked",
            "\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            "transfer-encoding: chunked",
            "\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ),
    ];
    for (sent, field, end) in cases {
        on_worker(async {
            let upstream = Upstream::following(vec![vec![ok()]]).await;
            let (mut client, mut told) = front(upstream.target(), None).await;
            client.write_all(sent.as_bytes()).await.unwrap();
            until(&mut client, "\r\n\r\nok").await;
            let Seen::Request(0, request) = upstream.seen().await else { panic!("no request") };
            assert!(request.contains(field) && request.ends_with(end), "{sent}: {request}");
            assert_eq!(request.matches("content-length").count() + request.matches("transfer-encoding").count(), 1, "{request}");
            let told = told.recv().await.unwrap();
            // Nobody watches a body that is known to be empty.
            assert_eq!((told.upload.ended(), told.upload.failure()), (end != "\r\n\r\n", None), "{sent}");
            assert_eq!((told.download.bytes(), told.download.end()), (2, Some(End::Complete)));
        });
    }
}

#[test]
fn bodies_made_here_state_their_own_length() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok(); 4]]).await;
        let (upstreams, target) = (Upstreams::new(1), upstream.target());
        let cases = [
            (Method::POST, "longer than it was", Some("18")),
            (Method::POST, "", Some("0")),
            (Method::GET, "", None),
            (Method::DELETE, "x", Some("1")),
        ];
        for (method, body, length) in cases {
            let mut request = request(method.clone(), body);
            request.headers_mut().insert("content-length", "4".parse().unwrap());
            request.headers_mut().append("content-length", "5".parse().unwrap());
            request.headers_mut().insert("transfer-encoding", "chunked".parse().unwrap());
            read(upstreams.send(&target, request, TIMEOUTS).await).await;
            let Seen::Request(0, seen) = upstream.seen().await else { panic!("no request") };
            let stated: Vec<_> = seen.lines().filter_map(|line| line.strip_prefix("content-length: ")).collect();
            assert_eq!(stated, Vec::from_iter(length), "{method} {body}");
            assert!(!seen.contains("transfer-encoding"));
        }
    });
}

#[test]
fn what_is_wrong_with_the_clients_body_is_the_clients() {
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        (format!("{chunked}9\r\nnine char\r\n"), Some(BodyFailure::TooLarge { limit: 8 })),
        (format!("{chunked}8\r\njust 8 b\r\n0\r\n\r\n"), None),
        (format!("{chunked}zz\r\n"), Some(BodyFailure::Malformed)),
        (format!("{chunked}4\r\nbo"), Some(BodyFailure::Incomplete)),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nbody".into(), Some(BodyFailure::Incomplete)),
    ];
    for (sent, failure) in cases {
        on_worker(async {
            let upstream = Upstream::following(vec![vec![ok()]]).await;
            let (mut client, mut told) = front(upstream.target(), Some(8)).await;
            client.write_all(sent.as_bytes()).await.unwrap();
            if failure == Some(BodyFailure::Incomplete) {
                client.shutdown().await.unwrap();
            }
            let told = told.recv().await.unwrap();
            assert_eq!(told.error, failure.map(SendError::Body), "{sent}");
            assert_eq!(told.upload.failure(), failure, "{sent}");
        });
    }
}

#[test]
fn a_slow_client_is_told_apart_from_a_slow_upstream() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![Step::Read]]).await;
        let (mut client, mut told) = front(upstream.target(), None).await;
        client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nslow").await.unwrap();
        look_around().await;
        look_around().await;
        tokio::time::pause();
        let error = told.recv().await.unwrap().error;
        assert_eq!(error, Some(SendError::Body(BodyFailure::TooSlow { minimum_rate: 1024 })));
    });
}

#[test]
fn client_and_upstream_can_take_turns() {
    on_worker(async {
        // An upstream that answers at once and gives each part back as it comes.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = target_of([listener.local_addr().unwrap()]);
        spawn_local(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            let mut buffer = vec![0; 4096];
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
            loop {
                let length = stream.read(&mut buffer).await.unwrap();
                stream.write_all(&buffer[..length]).await.unwrap();
                if length == 0 || buffer[..length].ends_with(b"0\r\n\r\n") {
                    return;
                }
            }
        });
        let (mut client, mut told) = front(target, None).await;
        client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        until(&mut client, "\r\n\r\n").await;
        for word in ["one", "two", "six"] {
            client.write_all(format!("3\r\n{word}\r\n").as_bytes()).await.unwrap();
            until(&mut client, word).await;
        }
        client.write_all(b"0\r\n\r\n").await.unwrap();
        until(&mut client, "0\r\n\r\n").await;
        let told = told.recv().await.unwrap();
        assert_eq!((told.upload.bytes(), told.download.bytes(), told.download.end()), (9, 9, Some(End::Complete)));
    });
}

#[test]
fn large_bodies_pass_both_ways() {
    on_worker(async {
        const SIZE: usize = 4 * 1024 * 1024;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").into_bytes();
        let upstream = Upstream::following(vec![vec![answer([head, vec![b'd'; SIZE]].concat())]]).await;
        let (mut client, mut told) = front(upstream.target(), None).await;
        client.write_all(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).await.unwrap();
        client.write_all(&vec![b'u'; SIZE]).await.unwrap();
        let mut received = Vec::new();
        while received.iter().filter(|byte| **byte == b'd').count() < SIZE {
            assert!(client.read_buf(&mut received).await.unwrap() > 0);
        }
        let Seen::Request(0, request) = upstream.seen().await else { panic!("no request") };
        assert!(request.ends_with(&"u".repeat(SIZE)));
        let told = told.recv().await.unwrap();
        assert_eq!((told.upload.bytes(), told.download.bytes()), (SIZE as u64, SIZE as u64));
    });
}

/// The head of a request, byte by byte, so that its body stays in the socket.
async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}

#[test]
fn an_answer_may_come_before_the_request_is_whole() {
    on_worker(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (mut client, mut told) = front(target_of([listener.local_addr().unwrap()]), None).await;
        client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\npart").await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        assert!(until(&mut client, "\r\n\r\nno").await.starts_with("HTTP/1.1 413 "));
        let told = told.recv().await.unwrap();
        assert!(told.error.is_none() && !told.upload.ended());
        // What is left of the request can not be told from the next one: the connection is over.
        client.shutdown().await.unwrap();
        let mut rest = Vec::new();
        while stream.read_buf(&mut rest).await.is_ok_and(|length| length > 0) {}
        assert_eq!(rest, b"part");
    });
}

#[test]
fn a_client_that_reads_late_does_not_hold_up_its_own_request() {
    on_worker(async {
        // More than the sockets between hold.
        const SIZE: usize = 24 * 1024 * 1024;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (mut client, _told) = front(target_of([listener.local_addr().unwrap()]), None).await;
        client.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let (mut reader, mut writer) = stream.into_split();
        spawn_local(async move {
            writer.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).await.unwrap();
            // The client may leave once it has seen enough.
            let _ = writer.write_all(&vec![b'd'; SIZE]).await;
        });
        let uploaded = spawn_local(async move {
            let (mut total, mut buffer) = (0, vec![0; 64 * 1024]);
            while total < SIZE {
                total += reader.read(&mut buffer).await.unwrap();
            }
            total
        });
        let sent = tokio::time::timeout(Duration::from_secs(20), client.write_all(&vec![b'u'; SIZE])).await;
        sent.expect("the request is not held up").unwrap();
        assert_eq!(uploaded.await.unwrap(), SIZE);
        until(&mut client, "\r\n\r\nddd").await;
    });
}

#[test]
fn a_stream_that_falls_silent_is_cut() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![answer("HTTP/1.1 200 OK\r\n\r\nfirst"), Step::Await]]).await;
        let timeouts = Timeouts { stream_ms: 30, ..TIMEOUTS };
        let mut response = Upstreams::new(1).send(&upstream.target(), get(), timeouts).await.unwrap();
        let download = Rc::new(Download::default());
        response.body_mut().report_to(Rc::clone(&download));
        let body = response.body_mut();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
        let error = body.frame().await.unwrap().unwrap_err().downcast::<Cut>().unwrap();
        assert_eq!(*error, Cut::Silent { limit_ms: 30 });
        assert_eq!((download.bytes(), download.end()), (5, Some(End::Cut(*error))));
        assert_eq!(error.cause(&"orders".into()), cause::Upstream::Silent { backend: "orders".into(), limit_ms: 30 });
        upstream.seen().await;
        upstream.speak();
        assert_eq!(upstream.seen().await, Seen::End(0));
    });
}

#[test]
fn an_answer_that_is_not_whole_in_time_is_cut() {
    on_worker(async {
        let parts = ["HTTP/1.1 200 OK\r\n\r\nfirst", "second"].map(answer);
        let upstream = Upstream::following(vec![parts.into_iter().chain([Step::Await]).collect()]).await;
        let timeouts = Timeouts { whole_ms: Some(60), ..TIMEOUTS };
        let mut response = Upstreams::new(1).send(&upstream.target(), get(), timeouts).await.unwrap();
        let download = Rc::new(Download::default());
        response.body_mut().report_to(Rc::clone(&download));
        let error = loop {
            match response.body_mut().frame().await.unwrap() {
                Ok(_) => {}
                Err(error) => break error.downcast::<Cut>().unwrap(),
            }
        };
        assert_eq!(*error, Cut::Late { limit_ms: 60 });
        assert_eq!(download.end(), Some(End::Cut(*error)));
        assert_eq!(error.cause(&"orders".into()), cause::Upstream::Timeout { backend: "orders".into(), limit_ms: 60 });
        upstream.speak();
    });
}

#[test]
fn a_client_that_leaves_is_told_to_the_upstream() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![answer("HTTP/1.1 200 OK\r\n\r\nfirst")]]).await;
        let (mut client, mut told) = front(upstream.target(), None).await;
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        until(&mut client, "first").await;
        drop(client);
        upstream.seen().await;
        let told = told.recv().await.unwrap();
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), upstream.seen()).await.unwrap(), Seen::End(0));
        assert_eq!(told.download.end(), Some(End::Dropped));
    });
}

#[test]
fn a_call_takes_two_turns_of_one_task() {
    on_worker(async {
        let upstream = Upstream::following(vec![vec![ok(); 101]]).await;
        let (mut client, mut told) = front(upstream.target(), None).await;
        let mut turns = Vec::new();
        for _ in 0..101 {
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            until(&mut client, "\r\n\r\nok").await;
            turns.push(told.recv().await.unwrap().turns);
        }
        // One when the request comes, one when the answer comes.
        assert_eq!(turns[100] - turns[0], 200);
    });
}
