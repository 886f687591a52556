//! temporary
#![allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::panic)]
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use upstream::*;
fn main() {
    let mode = std::env::args().nth(1).unwrap();
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ls = tokio::task::LocalSet::new();
    ls.block_on(&rt, async move {
        match &*mode {
            "serve" => {
                let l = TcpListener::bind("127.0.0.1:7801").await.unwrap();
                loop {
                    let (mut s, _) = l.accept().await.unwrap();
                    s.set_nodelay(true).unwrap();
                    tokio::task::spawn_local(async move {
                        let mut b = vec![0; 8192];
                        loop {
                            let n = s.read(&mut b).await.unwrap_or(0);
                            if n == 0 {
                                return;
                            }
                            let body = "x".repeat(200);
                            s.write_all(
                                format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 200\r\n\r\n{body}")
                                    .as_bytes(),
                            )
                            .await
                            .unwrap();
                        }
                    });
                }
            }
            "load" => {
                let mut hs = vec![];
                for _ in 0..8 {
                    hs.push(tokio::task::spawn_local(async {
                        let mut s = TcpStream::connect("127.0.0.1:7800").await.unwrap();
                        s.set_nodelay(true).unwrap();
                        let mut b = vec![0; 8192];
                        for _ in 0..1000 {
                            s.write_all(b"GET /orders HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n")
                                .await
                                .unwrap();
                            let mut t = 0;
                            while t < 250 {
                                let n = s.read(&mut b).await.unwrap();
                                assert!(n > 0);
                                t += n;
                            }
                        }
                    }));
                }
                for h in hs {
                    h.await.unwrap();
                }
            }
            _ => {
                let l = TcpListener::bind("127.0.0.1:7800").await.unwrap();
                let up = Rc::new(Upstreams::new(3));
                let target = Rc::new(Target::new(
                    "t".into(),
                    vec![ir::Endpoint::Address("127.0.0.1:7801".parse().unwrap())],
                    Protocol::Http1,
                ));
                loop {
                    let (s, _) = l.accept().await.unwrap();
                    s.set_nodelay(true).unwrap();
                    let up = up.clone();
                    let target = target.clone();
                    tokio::task::spawn_local(async move {
                        let svc = service_fn(move |r: Request<Incoming>| {
                            let up = up.clone();
                            let target = target.clone();
                            async move {
                                let (h, b) = r.into_parts();
                                let b = RequestBody::streamed(b, None, Rc::new(Upload::default()));
                                let r: Response<ResponseBody> = up
                                    .send(
                                        &target,
                                        Request::from_parts(h, b),
                                        Timeouts { connect_ms: 5000, response_ms: 60000, stream_ms: 60000 },
                                    )
                                    .await
                                    .unwrap();
                                Ok::<_, Infallible>(r)
                            }
                        });
                        let conn = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(s), svc);
                        let mut conn = std::pin::pin!(conn);
                        let polls = std::cell::Cell::new(0u64);
                        let _ = std::future::poll_fn(|cx| {
                            polls.set(polls.get() + 1);
                            conn.as_mut().poll(cx)
                        })
                        .await;
                        eprintln!("polls {}", polls.get());
                    });
                }
            }
        }
    });
}
