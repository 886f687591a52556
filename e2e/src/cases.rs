//! What is tried on a cluster with Doorward in it, one after the other, each leaving it as it was.

mod changes;
mod faults;
mod gaps;
mod leftovers;
mod lifecycle;
mod processes;
mod provisioning;
mod replicas;
mod requests;
mod rights;
mod rivals;
mod rollouts;
mod standard;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use xtask::Failure;
use xtask::progress::{Step, say};

use crate::cluster::Cluster;
use crate::doorward::{self, NAME, NAMESPACE, SHOP};
use crate::http::{Answer, Request};
use crate::run::until;
use crate::traffic::Traffic;

/// One thing that is tried: its name, and what tries it.
type Case = (&'static str, fn(&World) -> Result<(), Failure>);

/// In the order in which they run: faults last, since a failed one may leave ruins.
const CASES: &[Case] = &[
    ("statuses are true and columns say why", requests::statuses),
    ("answers name their cause", requests::answers),
    ("names of services resolve and bodies pass", requests::bodies),
    ("every example is taken", requests::examples),
    ("a key follows its object within two seconds", changes::keys),
    ("a rotated key overlaps", changes::rotation),
    ("rotations within an overlap end each text in its own time", changes::rotations),
    ("a missing backend is named, and found when it comes", changes::missing_backend),
    ("a broken object changes no other", changes::broken),
    ("apply again and dry run show no difference", changes::no_difference),
    ("deleting what serves ends it and leaves nothing", changes::gone),
    ("HTTPRoute and Ingress serve the same service", standard::routes),
    ("a Gateway of one's own comes and goes", standard::gateway),
    ("a name that is taken is left alone, and what is asked for comes and goes", provisioning::taken),
    ("a Gateway that is refused is made nothing, and keeps what it has", provisioning::refused),
    ("listeners with certificates, and a new certificate", standard::certificates),
    ("a rolling restart of the data plane fails no request", faults::rolling_restart),
    ("scaling the data plane fails no request", faults::scaling),
    ("conflicting writers are put right", rivals::conflicting_writers),
    ("upgrade and rollback of the chart fail no request", lifecycle::upgrade),
    ("a refused update stands while everything is restarted", lifecycle::refused_update),
];

/// On a cluster of ours alone, where processes can be stopped and the audit log be read.
const OWN_CASES: &[Case] = &[
    ("one of three replicas refuses", replicas::one_of_three),
    ("operators and data planes of two builds", lifecycle::skew),
    ("a killed data plane comes back", faults::data_plane_killed),
    ("a killed operator fails no request", faults::operator_killed),
    ("no operator, and data planes that restart", faults::no_operator),
    ("the API server away for a minute", faults::api_server_away),
    ("a gap in what operators watched", gaps::watch_gap),
    ("a poisoned object among 500", faults::poisoned),
    ("pods need no right that they lack", rights::lacking),
];

/// Only after all of those: it judges what they together made the operator do.
const WHOLE: Case = ("pods have no right that they do not need", rights::unused);

/// After all others: an operator whose rights are taken away asks in vain until it ends.
const REMOVAL: Case = ("removal leaves nothing", lifecycle::uninstall);

/// What a case finds.
pub struct World {
    /// The cluster, with Doorward and the quickstart in it.
    pub cluster: Cluster,
    /// Where the default Gateway takes requests.
    pub gateway: SocketAddr,
    /// The quickstart's key.
    pub key: String,
}

/// The route of steady traffic.
const STEADY: &str = "steady";

/// How soon a status is true again after a fault.
const RECOVERY: Duration = Duration::from_secs(10);

/// For one step of a request.
const PATIENCE: Duration = Duration::from_secs(10);

impl World {
    /// Looks at a cluster that Doorward is installed in, and applies the quickstart.
    ///
    /// # Errors
    /// Something does not get ready.
    pub fn find(cluster: Cluster) -> Result<Self, Failure> {
        doorward::quickstart(&cluster)?;
        let gateway = doorward::address(&cluster, NAMESPACE, NAME)?;
        let key = doorward::key(&cluster, SHOP, "mobile-app-key")?;
        let world = Self { cluster, gateway, key };
        world.cluster.apply(&open_route(STEADY, "orders"))?;
        // A node serves a new address a moment after its status says so.
        world.until_answer("the quickstart answers", &world.orders(), 200)?;
        world.until_answer("the route of steady traffic answers", &steady(), 200)?;
        Ok(world)
    }

    /// A request that the quickstart answers with 200.
    #[must_use]
    pub fn orders(&self) -> Request {
        Request::get("api.example.com", "/orders").with("x-api-key", &self.key)
    }

    /// Sends a request to the default Gateway.
    ///
    /// # Errors
    /// There is no whole answer.
    pub fn send(&self, request: &Request) -> Result<Answer, Failure> {
        request.send(self.gateway, PATIENCE).map_err(Failure::new)
    }

    /// Sends a request until it has this status.
    ///
    /// # Errors
    /// Not in time; then with the last answer.
    pub fn until_answer(&self, what: &str, request: &Request, status: u16) -> Result<Answer, Failure> {
        self.until_answer_in(Duration::from_secs(20), what, request, status)
    }

    /// As [`Self::until_answer`], with the time given.
    ///
    /// # Errors
    /// Not within `patience`.
    pub fn until_answer_in(&self, patience: Duration, what: &str, request: &Request, status: u16) -> Result<Answer, Failure> {
        until(patience, what, || answered(request, self.gateway, status))
    }

    /// Steady good traffic, to a route without limits.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        Traffic::start(self.gateway, steady(), 200)
    }
}

fn steady() -> Request {
    Request::get("api.example.com", &format!("/{STEADY}"))
}

/// An ApiRoute that gives everybody what a service echoes.
fn open_route(name: &str, service: &str) -> String {
    format!(
        "apiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: {name}, namespace: {SHOP}}}\n\
         spec:\n  path: /{name}\n  authentication: {{mode: Anonymous}}\n  \
         traffic: {{rewrite: {{path: {{type: ReplacePrefixMatch, replacePrefixMatch: /echo}}}}}}\n  \
         versions: [{{version: 1.0.0, backend: {{services: [{{name: {service}, port: 80}}]}}}}]\n"
    )
}

/// The answer to a request if it has this status, else what it was.
///
/// # Errors
/// The other answer, or why there was none.
pub fn answered(request: &Request, to: SocketAddr, status: u16) -> Result<Answer, String> {
    let answer = request.send(to, PATIENCE)?;
    if answer.status == status { Ok(answer) } else { Err(format!("{}: {}", answer.status, answer.body)) }
}

/// Fails with a text unless something holds.
fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(otherwise())) }
}

/// An ApiRoute that gives everybody a fixed answer.
fn fixed_route(name: &str, body: &str) -> String {
    format!(
        "---\napiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\n\
         metadata: {{name: {name}, namespace: {SHOP}, labels: {{case: fixed}}}}\n\
         spec:\n  path: /{name}\n  authentication: {{mode: Anonymous}}\n  \
         versions: [{{version: 1.0.0, backend: {{response: {{status: 200, body: {body}}}}}}}]\n"
    )
}

/// A route that is made after a fault: it serves, and its status says so, soon.
fn fresh_route(world: &World, name: &str) -> Result<(), Failure> {
    world.cluster.apply(&fixed_route(name, "here"))?;
    world.until_answer_in(RECOVERY, "a new route serves", &Request::get("api.example.com", &format!("/{name}")), 200)?;
    let began = Instant::now();
    doorward::condition(&world.cluster, &["apiroute", name, "-n", SHOP], "Ready", "True")?;
    ensure(began.elapsed() < RECOVERY, || format!("its status was true only after {} s", began.elapsed().as_secs()))?;
    world.cluster.kubectl(&["delete", "apiroute", name, "-n", SHOP]).map(drop)
}

/// Runs the cases whose name holds one of the words; without words, all.
///
/// # Errors
/// A case failed, or there is none of that name; the failures are printed as they come.
pub fn run(world: &World, words: &[&str]) -> Result<ExitCode, Failure> {
    let mut chosen: Vec<&Case> = CASES.iter().collect();
    if world.cluster.place().is_some() {
        chosen.extend(OWN_CASES.iter().chain(words.is_empty().then_some(&WHOLE)).chain([&REMOVAL]));
    }
    chosen.retain(|(name, _)| words.is_empty() || words.iter().any(|word| name.contains(word)));
    if chosen.is_empty() {
        return Err(Failure::usage(format!("no test has a name with {}", words.join(" or "))));
    }
    let (mut passed, mut failed) = (0, Vec::new());
    let began = Instant::now();
    let mut before = leftovers::lasting(&world.cluster)?;
    for (name, case) in chosen {
        let step = Step::begin(*name);
        match case(world).and_then(|()| leftovers::gone(&world.cluster, &before)) {
            Ok(()) => {
                step.end("ok");
                passed += 1;
            }
            Err(failure) => {
                step.end("FAILED");
                say(&format!("{failure}\n"));
                failed.push(*name);
                // The next case is not to be blamed for the ruins of this one.
                before = leftovers::lasting(&world.cluster)?;
            }
        }
    }
    if !failed.is_empty() {
        say(&format!("\n{}\n", doorward::seen(&world.cluster)));
    }
    say(&format!("\nfailed: {failed:?}\n{passed} passed, {} failed\n", failed.len()));
    say(&format!("  in {} s\n", began.elapsed().as_secs()));
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
