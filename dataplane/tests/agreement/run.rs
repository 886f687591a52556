//! Every world is compiled once and asked many requests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use dataplane::{Clock, Gateway, GatewayHandle, Options, Placement, explain_offline};
use files::{Input, Session};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use observe::report::{Report, Verdict};
use translate::Context;

use crate::connection::{Answer, Client};
use crate::model::{self, Ledger, Refusal};
use crate::random::Random;
use crate::request::{Asked, asked};
use crate::world::{World, world};

const SEED: u64 = 2026;
const PAIRS: usize = 100_000;
/// Requests of one world.
const REQUESTS: usize = 100;
/// Disagreements that are told.
const TOLD: usize = 5;

/// What a run came to.
#[derive(Default)]
struct Tally {
    answers: BTreeMap<String, usize>,
    /// By what the model says where the gateway refuses.
    refused: BTreeMap<&'static str, usize>,
    disagreements: Vec<String>,
}

#[test]
fn explain_enforcement_and_a_naive_model_agree() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("DOORWARD_AGREEMENT_SEED").unwrap_or(SEED);
    let pairs = number("DOORWARD_AGREEMENT_PAIRS").map_or(PAIRS, |pairs| usize::try_from(pairs).unwrap());
    println!("seed {seed}, {pairs} pairs");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let tally = runtime.block_on(all(seed, pairs));
    println!("{:#?}\n{:#?}", tally.answers, tally.refused);
    let count = tally.disagreements.len();
    assert_eq!(count, 0, "seed {seed}, the first of them:\n{}", tally.disagreements[..count.min(TOLD)].join("\n\n"));
    if pairs >= PAIRS {
        covers(&tally, pairs);
    }
}

/// A run that meets few causes shows little.
fn covers(tally: &Tally, pairs: usize) {
    let count = |code: &str| tally.answers.get(code).copied().unwrap_or(0);
    assert!(count("200") * 8 > pairs, "only {} calls were admitted", count("200"));
    for code in CODES {
        assert!(count(code) >= 20, "only {} calls were refused with {code}", count(code));
    }
    assert_eq!(tally.refused.len(), REFUSALS, "the model never said some of its refusals: {:?}", tally.refused);
}

/// Refusals that the model knows.
const REFUSALS: usize = 30;

/// What every run of the default size meets.
const CODES: [&str; 35] = [
    "framing.host",
    "framing.method",
    "framing.path",
    "framing.target",
    "route.host_unknown",
    "route.not_found",
    "route.not_matched",
    "version.malformed",
    "version.unknown",
    "version.no_default",
    "version.retired",
    "address.denied",
    "address.not_allowed",
    "address.key_not_allowed",
    "credential.missing",
    "credential.malformed",
    "credential.checksum",
    "credential.unknown",
    "credential.ambiguous",
    "credential.expired",
    "credential.not_yet_valid",
    "credential.suspended",
    "credential.not_accepted",
    "access.consumer_not_admitted",
    "access.route_not_granted",
    "access.role_missing",
    "access.rule_denied",
    "access.rule_error",
    "access.no_rule_matched",
    "limit.requests",
    "access.scope_missing",
    "payload.too_large",
    "config.conflict",
    "config.backend_not_found",
    "config.expression_invalid",
];

async fn all(seed: u64, pairs: usize) -> Tally {
    let mut tally = Tally::default();
    let began: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let clock = Clock::manual(began);
    let placement = Placement { http: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..Placement::default() };
    let options = Options { placement, workers: 1, clock: clock.clone(), log: Box::new(std::io::sink()) };
    let gateway = Gateway::start(options, &ir::Snapshot::default()).await.unwrap();
    let mut client: Option<Client> = None;
    for number in 0..pairs.div_ceil(REQUESTS) {
        let number = u64::try_from(number).unwrap();
        let mut random = Random::part(seed, number + 1);
        // A day apart, so that no world finds limits that another has used.
        let now = began + SignedDuration::from_hours(24 * i64::try_from(number).unwrap());
        clock.set(now);
        let world = world(&mut random, now);
        let snapshot = snapshot(&world);
        gateway.apply(&snapshot).await.unwrap();
        let client = client.get_or_insert_with(|| Client::new(gateway.addresses()[0].1));
        let requests: Vec<Asked> = (0..REQUESTS).map(|_| asked(&mut random, &world)).collect();
        let mut round = Round { world: &world, ledger: Ledger::default(), tally: &mut tally };
        if world.has_limits() {
            for request in requests {
                let step = if random.chance(30) { random.below(4000) } else { 0 };
                clock.set(clock.now() + SignedDuration::from_millis(i64::try_from(step).unwrap()));
                round.compare(&gateway.handle(), client, &[request], clock.now()).await;
            }
        } else {
            round.offline(&snapshot, &requests[0], &gateway.handle()).await;
            round.compare(&gateway.handle(), client, &requests, now).await;
        }
    }
    gateway.drain(std::future::pending()).await;
    tally
}

fn snapshot(world: &World) -> Arc<ir::Snapshot> {
    let input = Input { paths: vec!["-".into()], stdin: world.text().into_bytes().into() };
    let context = Context::of_files(world.began, Vec::new());
    Session::new(input, context).reload(world.began).snapshot
}

/// The answer that a report foretells.
fn answer_of(report: &Report) -> Answer {
    match report.verdict {
        Verdict::Allowed => Answer { status: 200, code: None },
        Verdict::Refused => Answer { status: report.status.unwrap_or_default(), code: report.code.clone() },
    }
}

/// One world while it is asked.
struct Round<'a> {
    world: &'a World,
    ledger: Ledger,
    tally: &'a mut Tally,
}

impl Round<'_> {
    /// Compares three opinions of each request. Before any of them is sent, `explain` is asked.
    async fn compare(&mut self, handle: &GatewayHandle, client: &mut Client, requests: &[Asked], now: Timestamp) {
        let said = join_all(requests.iter().map(|request| handle.explain(request.described()))).await;
        let answers = client.ask(requests).await;
        for ((request, said), answer) in requests.iter().zip(said).zip(answers) {
            let expected = answer_of(&said.expect("the gateway runs"));
            let judged = model::judge(self.world, &self.ledger, request, now);
            let is_admitted = answer.status == 200;
            if expected != answer {
                self.disagree(request, now, format!("explain says {expected:?}, enforcement {answer:?}, the model {judged:?}"));
            } else if is_admitted != judged.is_ok() {
                self.disagree(request, now, format!("the gateway says {answer:?}, the model {judged:?}"));
            }
            self.settle(judged, answer, now);
        }
    }

    /// Manifests that nothing serves yet say the same as those that are served.
    async fn offline(&mut self, snapshot: &ir::Snapshot, request: &Asked, handle: &GatewayHandle) {
        let now = self.world.began;
        let offline = explain_offline(snapshot, &request.described(), now, &|_, _| None).map(|report| answer_of(&report));
        let served = handle.explain(request.described()).await.map(|report| answer_of(&report));
        if offline.is_none() || offline != served {
            self.disagree(request, now, format!("explain says {offline:?} of files, {served:?} of what serves"));
        }
    }

    fn settle(&mut self, judged: Result<Vec<String>, Refusal>, answer: Answer, now: Timestamp) {
        match judged {
            Ok(counters) if answer.status == 200 => self.ledger.count(counters, now),
            Ok(_) => {}
            Err(refusal) => *self.tally.refused.entry(refusal).or_default() += 1,
        }
        let answer = answer.code.unwrap_or_else(|| answer.status.to_string());
        *self.tally.answers.entry(answer).or_default() += 1;
    }

    fn disagree(&mut self, request: &Asked, now: Timestamp, what: String) {
        let told = if self.tally.disagreements.len() < TOLD {
            format!("{what}\nat {now}, asked\n{}\nof\n{}", String::from_utf8_lossy(&request.bytes()), self.world.text())
        } else {
            what
        };
        self.tally.disagreements.push(told);
    }
}
