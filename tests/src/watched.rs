//! A gateway in this process whose clock can be moved and whose log and counters can be read.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use dataplane::{Clock, Gateway, Options, Placement};
use files::Outcome;
use jiff::Timestamp;
use serde_json::Value;

use crate::client::{Manner, Message, call};
use crate::manifests::session;

/// Threads that serve.
pub const WORKERS: usize = 2;

/// The gateway.
pub struct Watched {
    /// Where its plain listener is.
    pub address: SocketAddr,
    /// Its clock.
    pub clock: Clock,
    gateway: Gateway,
    runtime: tokio::runtime::Runtime,
    log: Lines,
    path: PathBuf,
}

/// What is left of a gateway that has stopped.
#[derive(Debug)]
pub struct Left {
    /// The access log, a record each.
    pub records: Vec<Value>,
    /// All counters in Prometheus' text format.
    pub metrics: String,
}

impl Left {
    /// The record of the call that was answered so. Workers write theirs in no common order.
    ///
    /// # Errors
    /// There is none, or several.
    pub fn record(&self, answer: &Message) -> Result<&Value, String> {
        let decision = answer.header("doorward-decision");
        let mut found = self.records.iter().filter(|record| record["decision"].as_str() == decision);
        match (found.next(), found.next()) {
            (Some(record), None) => Ok(record),
            (None, _) | (Some(_), Some(_)) => Err(format!("not one record of {decision:?} in {:?}", self.records)),
        }
    }
}

impl Watched {
    /// Serves `manifests` at `now`. Writes into `folder`.
    ///
    /// # Errors
    /// The manifests have a fault, or the gateway cannot be started.
    pub fn start(manifests: &str, folder: &Path, now: Timestamp) -> Result<Self, String> {
        let path = folder.join("manifests.yaml");
        let outcome = read(manifests, &path, now)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let (clock, log) = (Clock::manual(now), Lines::default());
        let options = Options {
            placement: Placement { http: any, https: any, ..Placement::default() },
            workers: WORKERS,
            clock: clock.clone(),
            log: Box::new(log.clone()),
        };
        let gateway = runtime.block_on(Gateway::start(options, &outcome.snapshot)).map_err(|error| error.to_string())?;
        let (_, address) = *gateway.addresses().first().ok_or("there is no listener")?;
        Ok(Self { address, clock, gateway, runtime, log, path })
    }

    /// Serves other manifests from the next request on.
    ///
    /// # Errors
    /// As for [`Watched::start`].
    pub fn apply(&self, manifests: &str) -> Result<(), String> {
        let outcome = read(manifests, &self.path, self.clock.now())?;
        self.runtime.block_on(self.gateway.apply(&outcome.snapshot)).map_err(|error| error.to_string())
    }

    /// Sends a request: `head` is its first line without the version, then its fields, a line each. `Host` and
    /// `Content-Length` are added.
    ///
    /// # Errors
    /// As for [`call`].
    pub fn send(&self, head: &str, body: &str) -> Result<Message, String> {
        call(self.address, &request(head, body), &Manner::default())
    }

    /// Lets calls in flight end and tells what was seen of all.
    ///
    /// # Errors
    /// A line of the log is not JSON.
    pub fn stop(self) -> Result<Left, String> {
        let handle = self.gateway.handle();
        self.runtime.block_on(self.gateway.drain(std::future::pending()));
        let text = self.log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let records = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let records = records.map(|line| serde_json::from_slice(line).map_err(|error| error.to_string()));
        Ok(Left { records: records.collect::<Result<_, _>>()?, metrics: handle.metrics() })
    }
}

/// What the manifests come to.
fn read(manifests: &str, path: &Path, now: Timestamp) -> Result<Outcome, String> {
    std::fs::write(path, manifests).map_err(|error| format!("{}: {error}", path.display()))?;
    let outcome = session(vec![path.to_owned()], now).reload(now);
    let summary = outcome.report.summary();
    if summary.errors + summary.warnings > 0 {
        return Err(outcome.report.to_text(manifest::Colour::Never));
    }
    Ok(outcome)
}

/// The bytes of a request, written as for [`Watched::send`].
#[must_use]
pub fn request(head: &str, body: &str) -> Vec<u8> {
    let mut lines = head.lines();
    let mut text = format!("{} HTTP/1.1\r\nHost: api.example.com\r\n", lines.next().unwrap_or_default());
    for line in lines {
        text.push_str(&format!("{line}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    format!("{text}\r\n{body}").into_bytes()
}

/// The log as it is written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
