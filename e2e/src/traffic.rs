//! Steady traffic beside a test: requests that have to be answered well whatever is done to the cluster meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use xtask::Failure;

use crate::http::Request;

/// From the beginning of one request to that of the next one.
const PACE: Duration = Duration::from_millis(20);
/// For one step of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many failures are told.
const TOLD: usize = 10;

/// Requests under way on a thread of their own.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Outcome>,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many were sent.
    pub sent: usize,
    /// Seconds after the start, and why the answer was not the expected one.
    pub failures: Vec<(f64, String)>,
}

impl Traffic {
    /// Sends the same request over and over; each has to be answered with `expected`.
    #[must_use]
    pub fn start(to: SocketAddr, request: Request, expected: u16) -> Self {
        Self::pass(to, vec![request], (PACE, expected))
    }

    /// Sends one request after the other, again and again; each has to be answered with 200. Without any, sends none.
    #[must_use]
    pub fn walk(to: SocketAddr, requests: Vec<Request>, pace: Duration) -> Self {
        Self::pass(to, requests, (pace, 200))
    }

    fn pass(to: SocketAddr, requests: Vec<Request>, (pace, expected): (Duration, u16)) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let began = Instant::now();
            let mut outcome = Outcome::default();
            for request in requests.iter().cycle().take_while(|_| !stopped.load(Ordering::Relaxed)) {
                let at = began.elapsed();
                outcome.sent += 1;
                match request.send(to, PATIENCE) {
                    Ok(answer) if answer.status == expected => {}
                    Ok(answer) => outcome.failures.push((
                        at.as_secs_f64(),
                        format!("{} {} {}", answer.status, answer.field("doorward-code"), answer.field("doorward-decision")),
                    )),
                    Err(error) => outcome.failures.push((at.as_secs_f64(), error)),
                }
                thread::sleep(pace.saturating_sub(began.elapsed() - at));
            }
            outcome
        });
        Self { stop, thread }
    }

    /// Stops and says what came of it.
    ///
    /// # Errors
    /// The sending thread ended early.
    pub fn outcome(self) -> Result<Outcome, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| Failure::new("the traffic ended early"))
    }

    /// Stops; every request has to have been answered as expected.
    ///
    /// # Errors
    /// One was not: with the first few failures.
    pub fn unharmed(self) -> Result<(), Failure> {
        let outcome = self.outcome()?;
        if outcome.sent == 0 {
            return Err(Failure::new("no request was sent"));
        }
        if outcome.failures.is_empty() {
            return Ok(());
        }
        let told: Vec<String> = outcome.failures.iter().take(TOLD).map(|(at, why)| format!("  after {at:.2} s: {why}")).collect();
        let (failed, sent) = (outcome.failures.len(), outcome.sent);
        Err(Failure::new(format!("{failed} of {sent} requests failed:\n{}", told.join("\n"))))
    }
}
