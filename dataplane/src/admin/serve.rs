//! Connections of the gateway's own servers: slow and idle clients give way to new ones.

use std::collections::VecDeque;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::doors::answer;
use super::{Asked, Door};

/// How long a head may take, and a kept connection may be silent.
const HEAD: Duration = Duration::from_secs(5);
/// How long a connection lives, whatever it does.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long the last answer of a connection may take to be read.
const LAST: Duration = Duration::from_secs(5);
/// Most connections at a time.
const CONNECTIONS: usize = 256;
/// Most bytes of a head.
const HEAD_BYTES: usize = 16 << 10;

/// Accepts connections for ever. One too many displaces the oldest: an answer takes milliseconds,
/// so the oldest is slow, idle or hostile, and no number of those keeps a probe waiting.
pub(super) async fn serve(listener: TcpListener, door: Door, asked: impl Asked) {
    let mut open = Open::default();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The peer is gone already, or descriptors ran out: others get a turn.
            tokio::task::yield_now().await;
            continue;
        };
        open.make_room();
        let asked = asked.clone();
        open.0.push_back(tokio::spawn(connection(stream, door, asked)));
    }
}

/// The connections that are open, oldest first. They end with the server.
#[derive(Default)]
struct Open(VecDeque<JoinHandle<()>>);

impl Open {
    fn make_room(&mut self) {
        self.0.retain(|connection| !connection.is_finished());
        while self.0.len() >= CONNECTIONS
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.abort();
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for connection in &self.0 {
            connection.abort();
        }
    }
}

async fn connection(stream: TcpStream, door: Door, asked: impl Asked) {
    let service = service_fn(|request| answer(door, request, &asked));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    // How a connection ends is its client's affair.
    tokio::select! {
        _ = serving.as_mut() => return,
        () = sleep(LIFETIME) => serving.as_mut().graceful_shutdown(),
    }
    let _ = timeout(LAST, serving).await;
}
