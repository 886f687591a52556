//! Upstreams that behave as a page asks: well, badly, or not at all.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Map, Value, json};
use socket2::{Domain, Protocol, Socket, Type};

use crate::client::{Message, Side, read};
use crate::token;

/// How an upstream behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Manner {
    /// Answers 200 with a JSON list.
    Ok,
    /// Answers in JSON, whatever was asked.
    Answers { status: u16, retry_after: Option<String>, body: String },
    /// Tells what was asked, as the demo service does below `/echo`; a model below `/openai`.
    Demo,
    /// Says of a token whether it is active.
    Introspects,
    /// Takes the request and says nothing.
    Slow,
    /// Takes the request and closes.
    Resets,
    /// Speaks another protocol.
    Garbage,
    /// Nothing listens.
    Refuses,
    /// Listens and takes no connection.
    Full,
}

/// The first byte of a TLS client.
const TLS_HANDSHAKE: u8 = 22;

/// An upstream of one page; it ends with it.
pub(crate) struct Upstream {
    /// Where it is.
    pub(crate) address: SocketAddr,
    ended: Arc<AtomicBool>,
    /// Connections that keep the listener full, and the listener.
    _kept: Vec<Socket>,
}

impl Upstream {
    /// Starts one that behaves as these words say.
    pub(crate) fn start(words: &str) -> Result<Self, String> {
        let manner = manner(words)?;
        if manner == Manner::Full {
            return full().map_err(|error| error.to_string());
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let ended = Arc::new(AtomicBool::new(false));
        if manner != Manner::Refuses {
            let ended = Arc::clone(&ended);
            thread::spawn(move || serve(&listener, &manner, &ended));
        }
        Ok(Self { address, ended, _kept: Vec::new() })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; where none does, nothing is to be woken.
        let _ = TcpStream::connect_timeout(&self.address, std::time::Duration::from_millis(100));
    }
}

fn manner(words: &str) -> Result<Manner, String> {
    let answers = |status, body: Value| Manner::Answers { status, retry_after: None, body: body.to_string() };
    let value = |name: &str| words.split(' ').filter_map(|word| word.split_once('=')).find(|(found, _)| *found == name);
    if let Some((_, status)) = value("status") {
        return Ok(Manner::Answers {
            status: status.parse().map_err(|_| format!("`{status}` is not a status"))?,
            retry_after: value("retry-after").map(|(_, seconds)| seconds.to_owned()),
            body: json!({"error": {"message": "The upstream says no.", "type": "server_error"}}).to_string(),
        });
    }
    Ok(match words {
        "ok" => Manner::Ok,
        "demo" => Manner::Demo,
        "model" => answers(200, completion()),
        "jwks" => answers(200, token::key_set()?),
        "introspection" => Manner::Introspects,
        "slow" => Manner::Slow,
        "resets" => Manner::Resets,
        "garbage" => Manner::Garbage,
        "refuses" => Manner::Refuses,
        "full" => Manner::Full,
        _ => return Err(format!("no upstream behaves as `{words}`")),
    })
}

fn completion() -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "demo-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    })
}

fn echoed(request: &Message) -> Value {
    let mut words = request.start.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    if path.starts_with("/openai/") {
        return completion();
    }
    let headers: Map<String, Value> = request.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    json!({"method": method, "path": path, "query": query, "headers": headers})
}

/// The kernel completes connections for a listener that never accepts until its queue is full.
fn full() -> std::io::Result<Upstream> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    listener.listen(0)?;
    let address = listener.local_addr()?;
    let mut kept = vec![listener];
    for _ in 0..4 {
        let client = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        client.set_nonblocking(true)?;
        // It is under way, or waits for ever: either keeps the queue full.
        let _ = client.connect(&address);
        kept.push(client);
    }
    let address = address.as_socket().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    Ok(Upstream { address, ended: Arc::default(), _kept: kept })
}

fn serve(listener: &TcpListener, manner: &Manner, ended: &AtomicBool) {
    while let Ok((stream, _)) = listener.accept() {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let manner = manner.clone();
        thread::spawn(move || {
            // What a caller that gave up does not read is no failure of a test.
            let _ = answer(stream, &manner);
        });
    }
}

fn answer(mut stream: TcpStream, manner: &Manner) -> Result<(), String> {
    let mut first = [0];
    if stream.peek(&mut first).is_ok() && first == [TLS_HANDSHAKE] {
        // What a server says that speaks no TLS.
        return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").map_err(|error| error.to_string());
    }
    let request = read(&mut stream, Side::Server)?;
    let (status, retry_after, body) = match manner {
        Manner::Ok => (200, None, "[]".to_owned()),
        Manner::Demo => (200, None, echoed(&request).to_string()),
        Manner::Answers { status, retry_after, body } => (*status, retry_after.clone(), body.clone()),
        Manner::Introspects => {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            let is_active = form.split('&').any(|field| field == "token=opaque-token-that-is-active");
            let active = json!({"active": true, "sub": "alice", "aud": "orders", "iss": "https://id.example.com", "exp": 4_102_444_800_u32});
            (200, None, if is_active { active } else { json!({"active": false}) }.to_string())
        }
        Manner::Slow => {
            // Until the gateway gives up and closes.
            let _ = stream.read(&mut [0]);
            return Ok(());
        }
        Manner::Garbage => return stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").map_err(|error| error.to_string()),
        Manner::Resets | Manner::Refuses | Manner::Full => return Ok(()),
    };
    let retry_after = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{retry_after}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).map_err(|error| error.to_string())
}
