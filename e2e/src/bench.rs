//! `bench-cluster`: how soon what is written serves, and what that takes, with many routes and endless change.
//!
//! The API server's own time is measured beside, by a watch of ours: what lies between that and the first answer of a data plane
//! is Doorward's. Everything runs on this one machine, the API server and the callers too, so a busy machine is slower.

mod api;
mod churn;
mod fill;
mod manifests;
mod processes;
mod report;
mod samples;
mod seen;
mod series;
mod settings;
mod starts;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use xtask::Failure;
use xtask::progress::{Step, say};

use crate::cluster::Cluster;
use crate::doorward::{self, NAME, NAMESPACE, PATIENCE, SHOP};
use crate::http::{Connection, Request};
use crate::run::until;
use api::Api;
use churn::{Churn, Outcome};
use manifests::{LABEL, Route};
use processes::{Memory, Process, Role};
use report::Report;
use seen::Routes;
use series::Series;
use settings::{Part, Settings};

/// The most that a data plane and an operator may have in memory, in MB.
const DATA_PLANE_MEMORY: f64 = 40.0;
const OPERATOR_MEMORY: f64 = 150.0;
/// The largest part of a core that a data plane may take at one change a second, in hundredths.
const DATA_PLANE_TIME: f64 = 5.0;

/// One change a second, and a burst.
const STEADY: Duration = Duration::from_secs(1);
const BURST: Duration = Duration::from_millis(100);
/// Before anything counts.
const WARMING: Churn = Churn { pace: Duration::from_millis(100), turns: 5 };

/// What is measured on.
struct Scene {
    cluster: Cluster,
    gateway: SocketAddr,
    api: Api,
    routes: Routes,
    /// How many routes stand.
    many: usize,
    /// Routes that came and went.
    passed: usize,
}

impl Scene {
    /// Puts everything but the routes in place.
    fn prepare(cluster: &Cluster, many: usize) -> Result<Self, Failure> {
        let step = Step::begin("namespaces and services");
        doorward::quickstart(cluster)?;
        let gateway = doorward::address(cluster, NAMESPACE, NAME)?;
        let pods =
            cluster.kubectl(&["get", "pods", "-n", SHOP, "-l", "app=orders", "-o", "jsonpath={.items[*].status.podIP}"])?;
        let pods: Vec<String> = pods.split_whitespace().map(str::to_owned).collect();
        cluster.apply(&manifests::surroundings(&pods))?;
        let api = Api::open(cluster)?;
        let routes = Routes::watch(&api)?;
        // A node serves a new address a moment after its status says so.
        until(PATIENCE, "the Gateway answers", || Request::get("example.com", "/").send(gateway, PATIENCE))?;
        step.end("");
        Ok(Self { cluster: cluster.clone(), gateway, api, routes, many, passed: 0 })
    }

    /// The many routes.
    fn standing(&self) -> impl Iterator<Item = Route> + use<> {
        (0..self.many).map(Route::standing)
    }

    /// A route that was never there.
    fn fresh(&mut self) -> Route {
        self.passed += 1;
        Route::passing(std::process::id(), self.passed)
    }
}

/// Measures, on a cluster with Doorward in it, from within its network.
///
/// # Errors
/// Something could not be done. A missed bar is no error, but the exit code tells.
pub fn run(cluster: &Cluster, words: &[&str]) -> Result<ExitCode, Failure> {
    let settings = Settings::read(words)?;
    let mut report = Report::default();
    let measured = measure(cluster, &settings, &mut report);
    // What was found before something failed is found all the same.
    say(&format!("{report}\n"));
    if settings.json {
        println!("{}", report.json());
    }
    measured?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(cluster: &Cluster, settings: &Settings, report: &mut Report) -> Result<(), Failure> {
    let mut scene = Scene::prepare(cluster, 0)?;
    WARMING.run(&mut scene, "warming up")?;
    let before = Series::read(&scene)?;
    idle(report);
    scene.many = settings.routes;
    fill::fill(&scene, report)?;
    if settings.has(Part::Churn) {
        let turns = |pace: Duration| (f64::from(settings.seconds) / pace.as_secs_f64() / 3.0).ceil() as usize;
        let steady = Churn { pace: STEADY, turns: turns(STEADY) };
        churn(&mut scene, report, ("One change a second", steady))?;
        let burst = Churn { pace: BURST, turns: turns(BURST) / 3 };
        churn(&mut scene, report, ("Ten changes a second", burst))?;
        report.title("What there is to be scraped");
        Series::read(&scene)?.tell(&before, report);
    }
    if settings.has(Part::Starts) {
        starts::starts(&mut scene, report)?;
    }
    if !settings.keep {
        cluster.kubectl(&["delete", "namespaces", "-l", LABEL, "--wait=false"])?;
    }
    Ok(())
}

/// What both take while nothing is asked of them.
fn idle(report: &mut Report) {
    report.title("Before any route");
    for role in [Role::DataPlane, Role::Operator] {
        let found = largest(role, |process| process.memory().map(|memory| memory.proportional));
        report.tell(&format!("{}: memory (PSS)", role.name()), "MB", found);
    }
}

/// Changes among the many, what callers see of them, and what they take.
fn churn(scene: &mut Scene, report: &mut Report, (name, churn): (&str, Churn)) -> Result<(), Failure> {
    let times = |role: Role| -> Vec<(Process, f64)> {
        let processes = role.processes().unwrap_or_default();
        processes.into_iter().filter_map(|process| Some((process, process.time()?))).collect()
    };
    let before = [Role::DataPlane, Role::Operator].map(|role| (role, times(role)));
    let Outcome { samples, others, odd, told, seconds } = churn.run(scene, &name.to_lowercase())?;
    report.title(format!("{name} among {} routes", scene.many));
    samples::tell(report, &samples);
    report.judge("answers other than they should be", "", Some(odd as f64), 0.0);
    report.note(if odd == 0 { format!("{others} calls to other routes") } else { told });
    for (role, before) in before {
        let shares = before.iter().filter_map(|(process, then)| Some((process.time()? - then) / seconds * 100.0));
        let share = shares.reduce(f64::max);
        match role {
            Role::DataPlane if churn.pace == STEADY => {
                report.judge("data plane: part of a core, calls included", "%", share, DATA_PLANE_TIME);
            }
            Role::DataPlane | Role::Operator => report.tell(&format!("{}: part of a core", role.name()), "%", share),
        }
    }
    let memory = |role, of: fn(Memory) -> f64| largest(role, |process: Process| process.memory().map(of));
    let (plane, operator) = (Role::DataPlane, Role::Operator);
    report.judge("data plane: memory (PSS)", "MB", memory(plane, |memory| memory.proportional), DATA_PLANE_MEMORY);
    report.judge("operator: memory (PSS)", "MB", memory(operator, |memory| memory.proportional), OPERATOR_MEMORY);
    report.judge("operator: memory (RSS)", "MB", memory(operator, |memory| memory.resident), OPERATOR_MEMORY);
    Ok(())
}

/// The largest figure among the processes of a role; none where they cannot be seen.
fn largest(role: Role, of: impl Fn(Process) -> Option<f64>) -> Option<f64> {
    role.processes().unwrap_or_default().into_iter().filter_map(of).reduce(f64::max)
}

/// Sends a change to the API server, which has to take it.
fn written(writer: &mut Connection, change: &Request) -> Result<(), Failure> {
    let answer = writer.send(change).map_err(|error| Failure::new(format!("{change:?}: {error}")))?;
    if answer.status < 300 { Ok(()) } else { Err(Failure::new(format!("{change:?}: {} {}", answer.status, answer.body))) }
}
