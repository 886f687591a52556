//! Calls over real sockets to scripted upstreams.

mod answers;
mod bodies;
mod calls;
mod http2;
mod names;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use ir::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

use crate::{BoxError, Protocol, RequestBody, ResponseBody, SendError, Target, Timeouts, Upstreams};

/// Runs a test as a worker runs: one thread, one `LocalSet`.
fn on_worker<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(test))
}

const TIMEOUTS: Timeouts = Timeouts { connect_ms: 5_000, response_ms: 10_000, stream_ms: 11_000, whole_ms: None };

/// What an upstream does on one connection.
#[derive(Clone)]
enum Step {
    /// Reads a request, then sends these bytes.
    Answer(Vec<u8>),
    /// Reads a request.
    Read,
    /// Ends the connection.
    Close,
    /// Waits for a word of the test, then goes on.
    Await,
}

fn answer(text: impl AsRef<[u8]>) -> Step {
    Step::Answer(text.as_ref().to_vec())
}

fn ok() -> Step {
    answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
}

/// What an upstream has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// A request on the n-th connection, its head and body.
    Request(usize, String),
    /// The end of the n-th connection by the other side.
    End(usize),
}

/// An upstream that follows a script: the n-th connection its n-th steps, further ones the last. A
/// connection whose steps are done waits for its end.
struct Upstream {
    address: SocketAddr,
    seen: RefCell<mpsc::UnboundedReceiver<Seen>>,
    word: Rc<tokio::sync::Semaphore>,
    connections: Rc<Cell<usize>>,
}

impl Upstream {
    async fn following(script: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, seen) = mpsc::unbounded_channel();
        let (word, connections) = (Rc::new(tokio::sync::Semaphore::new(0)), Rc::new(Cell::new(0)));
        let upstream = Self { address, seen: RefCell::new(seen), word: Rc::clone(&word), connections: Rc::clone(&connections) };
        spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = connections.replace(connections.get() + 1);
                let steps = script.get(number).or(script.last()).cloned().unwrap_or_default();
                spawn_local(follow(stream, number, steps, told.clone(), Rc::clone(&word)));
            }
        });
        upstream
    }

    fn target(&self) -> Target {
        target_of([self.address])
    }

    /// The next thing that it saw.
    #[expect(clippy::await_holding_refcell_ref, reason = "one test asks at a time")]
    async fn seen(&self) -> Seen {
        self.seen.borrow_mut().recv().await.unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.get()
    }

    fn speak(&self) {
        self.word.add_permits(1);
    }
}

async fn follow(
    mut stream: TcpStream,
    number: usize,
    steps: Vec<Step>,
    told: mpsc::UnboundedSender<Seen>,
    word: Rc<tokio::sync::Semaphore>,
) {
    let mut buffer = Vec::new();
    for step in steps {
        match step {
            Step::Answer(bytes) => {
                let Some(request) = read_request(&mut stream, &mut buffer).await else { break };
                let _ = told.send(Seen::Request(number, request));
                if stream.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            Step::Read => {
                let Some(request) = read_request(&mut stream, &mut buffer).await else { break };
                let _ = told.send(Seen::Request(number, request));
            }
            Step::Close => return,
            Step::Await => word.acquire().await.unwrap().forget(),
        }
    }
    while stream.read_buf(&mut buffer).await.is_ok_and(|length| length > 0) {}
    let _ = told.send(Seen::End(number));
}

/// One request with its body as it is framed; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some(head) = text.find("\r\n\r\n").map(|end| end + 4) {
            let length = text[..head].lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            let chunked = text[..head].contains("transfer-encoding: chunked");
            let end = if chunked { text.find("0\r\n\r\n").map(|end| end + 5) } else { Some(head + length.unwrap_or(0)) };
            if let Some(end) = end.filter(|end| *end <= buffer.len()) {
                return Some(String::from_utf8(buffer.drain(..end).collect()).unwrap());
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn target_of(addresses: impl IntoIterator<Item = SocketAddr>) -> Target {
    let endpoints = addresses.into_iter().map(Endpoint::Address).collect();
    Target::new("Service shop/orders:8080".into(), endpoints, Protocol::Http1)
}

fn request(method: Method, body: &'static str) -> Request<RequestBody> {
    let body = RequestBody::of(Bytes::from_static(body.as_bytes()));
    Request::builder().method(method).uri("/orders?page=2").header("host", "orders").header("x-trace", "t 7").body(body).unwrap()
}

fn get() -> Request<RequestBody> {
    request(Method::GET, "")
}

/// The status and body of an answer.
async fn read(response: Result<Response<ResponseBody>, SendError>) -> (u16, String) {
    let (head, body) = response.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
}

/// Sends a GET and reads the answer to its end.
async fn call(upstreams: &Upstreams, target: &Target) -> Result<(u16, String), BoxError> {
    let (head, body) = upstreams.send(target, get(), TIMEOUTS).await.map_err(|error| format!("{error:?}"))?.into_parts();
    Ok((head.status.as_u16(), String::from_utf8(body.collect().await?.to_bytes().to_vec())?))
}

/// Has the reactor look at all sockets once: what was sent before is known after.
async fn look_around() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut near, far) = (TcpStream::connect(listener.local_addr().unwrap()).await.unwrap(), listener.accept().await.unwrap().0);
    drop(far);
    assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
}

#[test]
fn targets_are_shared_by_all_workers() {
    fn shared<T: Send + Sync>() {}
    shared::<Target>();
}
