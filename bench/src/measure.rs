//! The measurement: everything in turns, again and again, there and back.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::Failure;
use crate::arguments::{Output, Settings};
use crate::cores::Cores;
use crate::plan::{Load, Plan};
use crate::progress::Progress;
use crate::report::{Counted, Machine, Report};
use crate::stage::{Stage, nginx_version};
use crate::syscalls;

/// How long each thing runs before it counts: pools fill, counters and caches come to be.
const WARM_UP_SECONDS: u32 = 1;

/// Above this many waiting processes a minute the machine is not quiet.
const BUSY: f64 = 0.7;

/// One figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// CPU time of the proxy by reply, in microseconds.
    pub(crate) cpu: f64,
    /// Replies a second.
    pub(crate) rate: f64,
}

/// Samples by what was measured, one a turn, and what could not be.
pub(crate) struct Samples {
    pub(crate) taken: BTreeMap<Load, Vec<Sample>>,
    pub(crate) failed: BTreeMap<Load, Failure>,
}

/// Measures and prints.
///
/// # Errors
/// Something could not be measured. What could be is printed all the same.
pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    let plan = Plan::of(&settings.only);
    let (cores, doorward) = (Cores::choose()?, doorward(settings)?);
    let turns = usize::try_from(settings.repeats).map_err(Failure::of("--repeats"))?;
    let mut progress = Progress::begin(plan.loads.len() * (turns + 1) + plan.counted.len());
    let machine = Machine::describe(nginx_version());
    if machine.load.is_some_and(|load| load > BUSY) {
        progress.note("this machine is busy: ratios will spread");
    }
    let mut stage = Stage::set(&plan, &doorward, cores, &mut progress)?;
    let samples = take_turns(&plan, settings, &mut stage, &mut progress);
    let mut counted = Vec::new();
    for load in plan.counted.iter().copied() {
        progress.counted(&format!("{load}: system calls"));
        let found = match stage.unfit.get(&load) {
            Some(failure) => Err(failure.clone()),
            None => syscalls::count(&mut stage, load),
        };
        counted.push(Counted { load, found });
    }
    drop(stage);
    progress.end();

    let report = Report::of(&plan, settings, machine, &samples, &counted);
    match settings.output {
        Output::Text => print!("{report}"),
        Output::Json => println!("{}", report.json()?),
    }
    let mut failures = samples.failed.iter().map(|(load, failure)| format!("{load}: {failure}")).collect::<Vec<_>>();
    failures.extend(
        counted
            .iter()
            .filter_map(|Counted { load, found }| found.as_ref().err().map(|failure| format!("{load}, system calls: {failure}"))),
    );
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(format!("not measured:\n{}", failures.join("\n")))) }
}

/// The gateway's program.
fn doorward(settings: &Settings) -> Result<PathBuf, Failure> {
    let path = match &settings.doorward {
        Some(path) => path.clone(),
        None => std::env::current_exe().map_err(Failure::of("this program cannot find itself"))?.with_file_name("doorward"),
    };
    if path.is_file() {
        Ok(path)
    } else {
        Err(Failure::new(format!("there is no {}: `cargo build --release --package doorward-cli` makes it", path.display())))
    }
}

fn take_turns(plan: &Plan, settings: &Settings, stage: &mut Stage, progress: &mut Progress) -> Samples {
    let mut samples = Samples { taken: BTreeMap::new(), failed: stage.unfit.clone() };
    for turn in 0..=settings.repeats {
        let mut loads = plan.loads.clone();
        // There and back: what comes first in one turn comes last in the next.
        if turn % 2 == 1 {
            loads.reverse();
        }
        for load in loads {
            if samples.failed.contains_key(&load) {
                progress.counted(&format!("{load}: passed over"));
                continue;
            }
            let taken = if turn == 0 {
                progress.counted(&format!("{load}: warming up"));
                stage.call(load, WARM_UP_SECONDS).map(|_| None)
            } else {
                progress.counted(&format!("{load}: turn {turn} of {}", settings.repeats));
                sample(stage, load, settings.seconds).map(Some)
            };
            match taken {
                Ok(None) => {}
                Ok(Some(sample)) => samples.taken.entry(load).or_default().push(sample),
                Err(failure) => {
                    // Half of the turns would be compared with the peer's other half.
                    samples.taken.remove(&load);
                    samples.failed.insert(load, failure);
                }
            }
        }
    }
    samples
}

fn sample(stage: &mut Stage, load: Load, seconds: u32) -> Result<Sample, Failure> {
    let before = stage.running(load.server)?.cpu_time()?;
    let totals = stage.call(load, seconds)?;
    let after = stage.running(load.server)?.cpu_time()?;
    let spent = after.saturating_sub(before);
    if spent.is_zero() {
        return Err(Failure::new("the kernel counts no CPU time in /proc/PID/task/*/schedstat (CONFIG_SCHED_INFO)"));
    }
    let replies = totals.replies as f64;
    Ok(Sample { cpu: spent.as_secs_f64() * 1e6 / replies, rate: replies * 1e6 / totals.microseconds as f64 })
}
