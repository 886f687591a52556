//! The many routes: made in parallel, and what that costs the Gateway's status.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use xtask::Failure;
use xtask::progress::Step;

use super::Scene;
use super::manifests::Route;
use super::report::Report;
use super::seen::Gateway;
use crate::run::until;

/// Callers of the API server at once.
const WRITERS: usize = 8;
/// Routes of which the Gateway's status writes are counted, and the fewest writes that are too many.
const COUNTED: usize = 1_000;
const WRITES: f64 = 100.0;
/// How long statuses of all routes may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// Makes those of the many that are not there yet, and waits until all are ready.
pub(super) fn fill(scene: &Scene, report: &mut Report) -> Result<(), Failure> {
    let all: Vec<Route> = scene.standing().collect();
    let (first, rest) = all.split_at(COUNTED.min(all.len()));
    let gateway = Gateway::watch(&scene.api)?;
    // Routes that came and went before this are still being told of.
    until(PATIENCE, "the Gateway counts the routes that are there", || {
        let (found, there) = (gateway.seen().attached, scene.routes.count());
        if found == there { Ok(()) } else { Err(format!("{found} of {there} are attached")) }
    })?;
    let began = Instant::now();
    report.title(format!("{} ApiRoutes are made", all.len()));
    let before = gateway.seen();
    let made = make(scene, first)?;
    if made == first.len() {
        attached(&gateway, before.attached + first.len() as u64)?;
        let writes = f64::from(gateway.seen().writes - before.writes);
        report.judge(&format!("writes to the Gateway for {made} routes"), "", Some(writes), WRITES - 1.0);
    } else {
        report.judge(&format!("writes to the Gateway for {} routes", first.len()), "", None, WRITES - 1.0);
        report.note(format!("{} were there already", first.len() - made));
    }
    make(scene, rest)?;
    report.tell("all made after", "s", Some(began.elapsed().as_secs_f64()));
    let mut step = Step::begin("all routes are ready");
    let keys: BTreeSet<String> = all.iter().map(Route::key).collect();
    until(PATIENCE, "all routes are ready", || {
        let ready = scene.routes.ready(&keys);
        step.tell(&format!("{ready} of {}", keys.len()));
        if ready == keys.len() { Ok(()) } else { Err(format!("{ready} of {} are", keys.len())) }
    })?;
    step.end("");
    report.tell("all statuses say Ready after", "s", Some(began.elapsed().as_secs_f64()));
    report.tell("writes to the Gateway in all", "", Some(f64::from(gateway.seen().writes - before.writes)));
    Ok(())
}

/// How many of these were not there yet.
fn make(scene: &Scene, routes: &[Route]) -> Result<usize, Failure> {
    let mut step = Step::begin(format!("making {} routes", routes.len()));
    let (next, made, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let refused = Mutex::new(None);
    let write = || {
        let mut writer = scene.api.connection();
        while let Some(route) = routes.get(next.fetch_add(1, Ordering::Relaxed)) {
            match writer.send(&route.create()) {
                Ok(answer) if answer.status == 201 => drop(made.fetch_add(1, Ordering::Relaxed)),
                Ok(answer) if answer.status == 409 => {}
                Ok(answer) => return keep(&refused, format!("{}: {} {}", route.key(), answer.status, answer.body)),
                Err(error) => return keep(&refused, format!("{}: {error}", route.key())),
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            step.tell(&format!("{} of {}", done.load(Ordering::Relaxed), routes.len()));
            thread::sleep(Duration::from_millis(50));
        }
    });
    match refused.into_inner() {
        Ok(None) => {
            step.end("");
            Ok(made.into_inner())
        }
        Ok(Some(why)) => Err(Failure::new(why)),
        Err(_) => Err(Failure::new("making routes ended early")),
    }
}

fn keep(refused: &Mutex<Option<String>>, why: String) {
    if let Ok(mut refused) = refused.lock() {
        refused.get_or_insert(why);
    }
}

fn attached(gateway: &Gateway, expected: u64) -> Result<(), Failure> {
    until(PATIENCE, "the Gateway counts the routes", || {
        let found = gateway.seen().attached;
        if found == expected { Ok(()) } else { Err(format!("{found} of {expected} are attached")) }
    })
}
