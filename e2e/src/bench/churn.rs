//! Routes that come, change and go among the many, and what callers see of it.

use std::thread;
use std::time::{Duration, Instant};

use xtask::Failure;
use xtask::progress::Step;

use super::manifests::Route;
use super::samples::Sample;
use super::{Scene, written};
use crate::http::{Answer, Connection, Request};
use crate::traffic::Traffic;

/// Between two calls to a route that does not serve yet.
const LOOK: Duration = Duration::from_millis(1);
/// Between two calls to routes that serve all the time.
const WITNESS: Duration = Duration::from_millis(50);
/// How long a new route may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many odd answers are told.
const TOLD: usize = 3;

/// How much changes how fast.
#[derive(Clone, Copy)]
pub(super) struct Churn {
    /// From one change to the next one.
    pub(super) pace: Duration,
    /// Routes that are made, changed and deleted.
    pub(super) turns: usize,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Outcome {
    /// One for each route that was made.
    pub(super) samples: Vec<Sample>,
    /// Calls to other routes, all of which serve.
    pub(super) others: usize,
    /// How many answers were neither 200 nor, before a new route's first 200, 404.
    pub(super) odd: usize,
    /// The first of them.
    pub(super) told: String,
    /// How long all took.
    pub(super) seconds: f64,
}

impl Churn {
    /// Makes, changes and deletes one route after the other, while the standing ones are called.
    pub(super) fn run(self, scene: &mut Scene, name: &str) -> Result<Outcome, Failure> {
        let mut step = Step::begin(name);
        let began = Instant::now();
        let traffic = Traffic::walk(scene.gateway, scene.standing().map(|route| route.call()).collect(), WITNESS);
        let mut caller = Caller { gateway: Connection::new(scene.gateway, PATIENCE), odd: Vec::new() };
        let mut writer = scene.api.connection();
        let mut samples = Vec::new();
        let mut next = began;
        let mut pause = || {
            next += self.pace;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        };
        for turn in 0..self.turns {
            step.tell(&format!("{turn} of {} routes", self.turns));
            let route = scene.fresh();
            samples.push(create(scene, &route, &mut writer, &mut caller)?);
            for change in [route.update(), route.delete()] {
                pause();
                written(&mut writer, &change)?;
            }
            pause();
        }
        let witness = traffic.outcome()?;
        let odd = caller.odd.iter().chain(witness.failures.iter().map(|(_, why)| why));
        let outcome = Outcome {
            samples,
            others: witness.sent,
            odd: odd.clone().count(),
            told: odd.take(TOLD).cloned().collect::<Vec<_>>().join("; "),
            seconds: began.elapsed().as_secs_f64(),
        };
        step.end("");
        Ok(outcome)
    }
}

/// Who calls a route that is being made.
struct Caller {
    gateway: Connection,
    odd: Vec<String>,
}

impl Caller {
    /// Calls until the answer is 200, and says when that was.
    fn until_served(&mut self, call: &Request) -> Result<Instant, Failure> {
        let began = Instant::now();
        loop {
            let why = match self.gateway.send(call) {
                Ok(Answer { status: 200, .. }) => return Ok(Instant::now()),
                Ok(Answer { status: 404, .. }) => "404".to_owned(),
                Ok(Answer { status, body, .. }) => {
                    self.odd.push(format!("{status} {body}"));
                    status.to_string()
                }
                Err(error) => {
                    self.odd.push(error.clone());
                    error
                }
            };
            if began.elapsed() > PATIENCE {
                return Err(Failure::new(format!("{call:?} is not served within {} s: {why}", PATIENCE.as_secs())));
            }
            thread::sleep(LOOK);
        }
    }
}

/// Makes a route, calling it from the moment that its creation begins.
fn create(scene: &Scene, route: &Route, writer: &mut Connection, caller: &mut Caller) -> Result<Sample, Failure> {
    let (request, call) = (route.create(), route.call());
    let began = Instant::now();
    let (created, served) = thread::scope(|scope| {
        let creating = scope.spawn(|| written(writer, &request).map(|()| Instant::now()));
        let served = caller.until_served(&call);
        (creating.join(), served)
    });
    let created = created.map_err(|_| Failure::new("creating a route ended early"))??;
    let watched = scene.routes.appeared(&route.key())?;
    let milliseconds = |then: Instant| then.duration_since(began).as_secs_f64() * 1e3;
    Ok(Sample { written: milliseconds(created), watched: milliseconds(watched), served: milliseconds(served?) })
}
