//! What an operator misses while it does not watch.

use std::time::Instant;

use serde_json::Value;
use xtask::Failure;

use super::{RECOVERY, World, ensure, fixed_route, processes};
use crate::doorward::{PATIENCE, SHOP, condition};
use crate::http::Request;
use crate::place::Place;
use crate::run::until;

/// The connections of all operators are cut, and when they are back, the API server no longer knows what changed since
/// (410 Gone): one route is new, one has changed, one has gone. No event tells of that; a new list does.
pub(super) fn watch_gap(world: &World) -> Result<(), Failure> {
    let place = world.cluster.place().ok_or_else(|| Failure::new("only a cluster of ours has an API server to restart"))?;
    for name in ["gap-changes", "gap-goes"] {
        world.cluster.apply(&fixed_route(name, "before"))?;
        world.until_answer("the routes serve before the gap", &get(name), 200)?;
    }
    let operators = processes::operators()?;
    let each = |signal: &str| operators.iter().try_for_each(|process| processes::signal(process, signal));
    let (traffic, lists, writes) = (world.traffic(), lists(place), writes(place));
    each("STOP")?;
    let missed = miss(world, place);
    each("CONT")?;
    missed?;
    let began = Instant::now();
    world.until_answer_in(RECOVERY, "a route that was made in the gap serves", &get("gap-new"), 200)?;
    world.until_answer_in(RECOVERY, "a route that went in the gap is gone", &get("gap-goes"), 404)?;
    until(RECOVERY, "a route that changed in the gap has changed", || {
        let answer = world.send(&get("gap-changes")).map_err(|failure| failure.to_string())?;
        if answer.body == "after" { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    })?;
    for name in ["gap-new", "gap-changes"] {
        condition(&world.cluster, &["apiroute", name, "-n", SHOP], "Ready", "True")?;
    }
    ensure(began.elapsed() < RECOVERY, || format!("all was true only after {} s", began.elapsed().as_secs()))?;
    traffic.unharmed()?;
    // Without these two the case would have shown something else: a restart, or a watch that was merely resumed.
    let now = processes::operators()?;
    ensure(now == operators, || format!("operators were restarted: {operators:?} became {now:?}"))?;
    until(PATIENCE, "the API server was asked for a new list", || {
        if self::lists(place) > lists { Ok(()) } else { Err("no list since the gap".to_owned()) }
    })?;
    // What is listed anew says what it said before.
    let more = self::writes(place) - writes;
    ensure(more == 0, || format!("{more} writes to what Gateways have, and nothing of it had changed"))?;
    world.cluster.kubectl(&["delete", "apiroutes/gap-new", "apiroutes/gap-changes", "-n", SHOP]).map(drop)
}

/// What happens while nobody looks. The new API server's memory of changes begins after them.
fn miss(world: &World, place: &Place) -> Result<(), Failure> {
    world.cluster.kubectl(&["delete", "apiroute", "gap-goes", "-n", SHOP])?;
    world.cluster.apply(&fixed_route("gap-changes", "after"))?;
    world.cluster.apply(&fixed_route("gap-new", "new"))?;
    place.restart("kube-apiserver")?;
    until(PATIENCE, "the API server is back", || {
        world
            .cluster
            .kubectl(&["get", "--raw", "/readyz", "--request-timeout=2s"])
            .map(drop)
            .map_err(|failure| failure.to_string())
    })
}

/// How many lists of ApiRoutes our pods have asked for so far.
fn lists(place: &Place) -> usize {
    asked(place, |event| event["verb"] == "list" && event["objectRef"]["resource"] == "apiroutes")
}

/// How often they wrote to Deployments and Services so far.
fn writes(place: &Place) -> usize {
    let is_of = |event: &Value| event["objectRef"]["resource"] == "deployments" || event["objectRef"]["resource"] == "services";
    asked(place, |event| event["verb"] == "patch" && is_of(event))
}

fn asked(place: &Place, what: impl Fn(&Value) -> bool) -> usize {
    place.read("logs/audit.log").lines().filter_map(|line| serde_json::from_str(line).ok()).filter(what).count()
}

fn get(name: &str) -> Request {
    Request::get("api.example.com", &format!("/{name}"))
}
