//! The API server as a plain HTTP server: through `kubectl proxy`, which knows how to get there.

use std::io::{BufRead, BufReader};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::Failure;

use crate::cluster::Cluster;
use crate::http::{Chunks, Connection, Request};

/// For one step of a call; a busy API server is slow, and a watch may be silent for long.
const PATIENCE: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_secs(3600);

/// A way to the API server.
pub(super) struct Api {
    address: SocketAddr,
    proxy: Child,
}

impl Api {
    /// Starts a proxy on a free port of this host.
    pub(super) fn open(cluster: &Cluster) -> Result<Self, Failure> {
        let lost = |what: &str| Failure::new(format!("kubectl proxy {what}"));
        let mut command = cluster.command("kubectl")?;
        command.args(["proxy", "--port=0"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut proxy = command.spawn().map_err(|error| lost(&format!("cannot be started: {error}")))?;
        let mut line = String::new();
        if let Some(pipe) = proxy.stdout.take() {
            BufReader::new(pipe).read_line(&mut line).map_err(|error| lost(&format!("is silent: {error}")))?;
        }
        let address = line.trim().rsplit(' ').next().and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| lost(&format!("does not say where it listens: {line}")))?;
        Ok(Self { address, proxy })
    }

    /// A connection for one caller.
    pub(super) const fn connection(&self) -> Connection {
        Connection::new(self.address, PATIENCE)
    }

    /// Watches whatever is at a path: what is there first, then every change. `told` gets the moment, the kind of the event and the
    /// object. An API server ends watches that are slow; then it is begun anew, with what is there.
    pub(super) fn watch(
        &self,
        path: &str,
        mut told: impl FnMut(Instant, &str, &Value) + Send + 'static,
    ) -> Result<Watch, Failure> {
        let more = if path.contains('?') { '&' } else { '?' };
        let request = Request::get("127.0.0.1", &format!("{path}{more}watch=true&timeoutSeconds=3600"));
        let (address, current) = (self.address, Arc::new(Mutex::new(Current { is_wanted: true, stream: None })));
        let mut events =
            begin(address, &request, &current).map_err(|why| Failure::new(format!("{path} cannot be watched: {why}")))?;
        let state = Arc::clone(&current);
        let thread = thread::spawn(move || {
            while let Some(open) = events.take() {
                for line in BufReader::with_capacity(64 << 10, open).lines().map_while(Result::ok) {
                    let now = Instant::now();
                    if let Ok(event) = serde_json::from_str::<Value>(&line) {
                        told(now, event["type"].as_str().unwrap_or_default(), &event["object"]);
                    }
                }
                events = begin(address, &request, &state).unwrap_or_default();
            }
        });
        Ok(Watch { current, thread: Some(thread) })
    }
}

/// Begins a watch; none where it is not wanted any more.
fn begin(address: SocketAddr, request: &Request, current: &Mutex<Current>) -> Result<Option<Events>, String> {
    let events = Connection::new(address, SILENCE).follow(request)?;
    let stream = events.inner().get_ref().try_clone().map_err(|error| error.to_string())?;
    let mut current = current.lock().unwrap_or_else(PoisonError::into_inner);
    current.stream = Some(stream);
    Ok(current.is_wanted.then_some(events))
}

impl Drop for Api {
    fn drop(&mut self) {
        drop(self.proxy.kill().and_then(|()| self.proxy.wait()));
    }
}

/// What a watch reads from.
type Events = Chunks<BufReader<TcpStream>>;

/// A watch that ends with this value.
pub(super) struct Watch {
    current: Arc<Mutex<Current>>,
    thread: Option<JoinHandle<()>>,
}

struct Current {
    is_wanted: bool,
    stream: Option<TcpStream>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.is_wanted = false;
        drop(current.stream.take().map(|stream| stream.shutdown(Shutdown::Both)));
        drop(current);
        drop(self.thread.take().map(JoinHandle::join));
    }
}
