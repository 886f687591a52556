//! What was found: a table for people, one JSON object for scripts.

use std::fmt;
use std::fs;

use serde::Serialize;

use crate::Failure;
use crate::arguments::Settings;
use crate::figures::Spread;
use crate::load::CONNECTIONS;
use crate::measure::Samples;
use crate::plan::{Cell, Load, Plan, SYSCALLS_BAR};
use crate::syscalls::PerRequest;

/// Everything that was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    machine: Machine,
    repeats: u32,
    seconds: u32,
    connections: usize,
    figures: Vec<Figure>,
    ratios: Vec<Ratio>,
    system_calls: Vec<SystemCalls>,
}

/// Where it was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    kernel: String,
    nginx: String,
    /// Processes that ran or waited in the minute before.
    pub(crate) load: Option<f64>,
}

/// What one thing costs, in microseconds of CPU by reply, and how many replies a second there were.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figure {
    #[serde(flatten)]
    load: Load,
    cpu_microseconds: Spread,
    replies_per_second: f64,
}

/// A cost as a multiple of another.
#[derive(Debug, Serialize)]
struct Ratio {
    cell: Cell,
    subject: Load,
    peer: Load,
    ratio: Option<Spread>,
    bar: Option<f64>,
    verdict: Verdict,
}

/// System calls by forwarded request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SystemCalls {
    #[serde(flatten)]
    load: Load,
    per_request: Option<f64>,
    named: Vec<(String, f64)>,
    bar: Option<f64>,
    verdict: Verdict,
}

/// System calls as they were counted, or why they were not.
pub(crate) struct Counted {
    pub(crate) load: Load,
    pub(crate) found: Result<PerRequest, Failure>,
}

/// Whether a bar is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Verdict {
    Pass,
    Miss,
    /// There is no bar.
    Informs,
    NotMeasured,
}

impl Verdict {
    fn of(found: Option<f64>, bar: Option<f64>) -> Self {
        match (found, bar) {
            (None, _) => Self::NotMeasured,
            (Some(_), None) => Self::Informs,
            (Some(found), Some(bar)) if found <= bar => Self::Pass,
            (Some(_), Some(_)) => Self::Miss,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Miss => "MISS",
            Self::Informs => "",
            Self::NotMeasured => "NOT MEASURED",
        })
    }
}

impl Machine {
    /// This machine; what the kernel does not tell stays empty.
    pub(crate) fn describe(nginx: String) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name").and_then(|rest| rest.split_once(": ")))
            .map_or_else(String::new, |(_, name)| name.to_owned());
        let load = read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok());
        Self { processor, kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(), nginx, load }
    }
}

impl Report {
    pub(crate) fn of(plan: &Plan, settings: &Settings, machine: Machine, samples: &Samples, counted: &[Counted]) -> Self {
        let costs = |load| samples.taken.get(&load).map(|taken| taken.iter().map(|sample| sample.cpu).collect::<Vec<_>>());
        let figure = |load: Load| {
            let cpu_microseconds = Spread::of(costs(load)?)?;
            let replies_per_second = Spread::of(samples.taken.get(&load)?.iter().map(|sample| sample.rate))?.median;
            Some(Figure { load, cpu_microseconds, replies_per_second })
        };
        let ratios = plan.comparisons.iter().map(|comparison| {
            let pair = costs(comparison.subject).zip(costs(comparison.peer));
            let ratio = pair.and_then(|(subject, peer)| Spread::of_ratios(&subject, &peer));
            let verdict = Verdict::of(ratio.map(|ratio| ratio.median), comparison.bar);
            let (cell, subject, peer, bar) = (comparison.cell, comparison.subject, comparison.peer, comparison.bar);
            Ratio { cell, subject, peer, ratio, bar, verdict }
        });
        let system_calls = counted.iter().enumerate().map(|(place, Counted { load, found })| {
            let (per_request, bar) = (found.as_ref().ok().map(|found| found.all), (place == 0).then_some(SYSCALLS_BAR));
            let named = found.as_ref().map(|found| found.named.clone()).unwrap_or_default();
            SystemCalls { load: *load, per_request, named, bar, verdict: Verdict::of(per_request, bar) }
        });
        Self {
            machine,
            repeats: settings.repeats,
            seconds: settings.seconds,
            connections: CONNECTIONS,
            figures: plan.loads.iter().copied().filter_map(figure).collect(),
            ratios: ratios.collect(),
            system_calls: system_calls.collect(),
        }
    }

    /// As one JSON object.
    ///
    /// # Errors
    /// A figure is no number that JSON has.
    pub(crate) fn json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self).map_err(Failure::of("the report"))
    }

    fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        self.ratios.iter().map(|ratio| ratio.verdict).chain(self.system_calls.iter().map(|calls| calls.verdict))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, kernel, nginx, .. } = &self.machine;
        writeln!(f, "\n{processor}, Linux {kernel}, {nginx}")?;
        writeln!(f, "{} turns of {} s, {} connections, one worker on one core", self.repeats, self.seconds, self.connections)?;
        if !self.figures.is_empty() {
            writeln!(f, "\n{:<28} {:>12} {:>16} {:>12}", "CPU per request", "median us", "min..max", "replies/s")?;
        }
        for Figure { load, cpu_microseconds: Spread { median, min, max }, replies_per_second } in &self.figures {
            let spread = format!("{min:.2}..{max:.2}");
            writeln!(f, "{:<28} {median:>12.2} {spread:>16} {replies_per_second:>12.0}", load.to_string())?;
        }
        if !self.ratios.is_empty() {
            writeln!(f, "\n{:<9} {:<50} {:>6} {:>12} {:>7}", "ratio", "", "median", "min..max", "bar")?;
        }
        for Ratio { cell, subject, peer, ratio, bar, verdict } in &self.ratios {
            let (median, spread) = ratio.map_or_else(Default::default, |Spread { median, min, max }| {
                (format!("{median:.2}"), format!("{min:.2}..{max:.2}"))
            });
            let (pair, bar) = (format!("{subject} / {peer}"), bar_text(*bar));
            writeln!(f, "{:<9} {pair:<50} {median:>6} {spread:>12} {bar:>7} {verdict}", cell.to_string())?;
        }
        if !self.system_calls.is_empty() {
            writeln!(f, "\n{:<28} {:>6} {:>7}", "system calls per request", "", "bar")?;
        }
        for SystemCalls { load, per_request, named, bar, verdict } in &self.system_calls {
            let all = per_request.map_or_else(String::new, |all| format!("{all:.2}"));
            let named: Vec<_> = named.iter().map(|(name, share)| format!("{name} {share:.2}")).collect();
            let (name, bar, verdict) = (load.to_string(), bar_text(*bar), verdict.to_string());
            writeln!(f, "{name:<28} {all:>6} {bar:>7} {verdict:<4} {}", named.join(", "))?;
        }
        let count = |wanted| self.verdicts().filter(|verdict| *verdict == wanted).count();
        let (pass, miss, not) = (count(Verdict::Pass), count(Verdict::Miss), count(Verdict::NotMeasured));
        writeln!(f, "\n{pass} bars met, {miss} missed, {not} comparisons not measured")
    }
}

fn bar_text(bar: Option<f64>) -> String {
    bar.map_or_else(String::new, |bar| format!("<= {bar:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Output;
    use crate::measure::Sample;
    use std::collections::BTreeMap;

    #[test]
    fn a_verdict_needs_a_figure_and_a_bar() {
        let check = |found, bar, expected| assert_eq!(Verdict::of(found, bar), expected, "{found:?} {bar:?}");
        check(Some(1.25), Some(1.25), Verdict::Pass);
        check(Some(1.26), Some(1.25), Verdict::Miss);
        check(Some(1.26), None, Verdict::Informs);
        check(None, Some(1.25), Verdict::NotMeasured);
        check(None, None, Verdict::NotMeasured);
    }

    #[test]
    fn ratios_are_held_against_their_bars_and_gaps_are_told() {
        let settings = |only| Settings { only, repeats: 3, seconds: 1, output: Output::Json, doorward: None };
        let check = |cells: &[Cell], subject: &[f64], peer: Option<&[f64]>, expected: &str| {
            let plan = Plan::of(cells);
            let sampled = |costs: &[f64]| costs.iter().map(|cpu| Sample { cpu: *cpu, rate: 1e6 / cpu }).collect::<Vec<_>>();
            let first = plan.comparisons[0];
            let mut samples = Samples { taken: BTreeMap::from([(first.subject, sampled(subject))]), failed: BTreeMap::new() };
            samples.taken.extend(peer.map(|costs| (first.peer, sampled(costs))));
            let machine = Machine { processor: String::new(), kernel: String::new(), nginx: String::new(), load: None };
            let report = Report::of(&plan, &settings(cells.to_vec()), machine, &samples, &[]);
            let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
            let ratio = &json["ratios"][0];
            assert_eq!(format!("{} {} {}", ratio["cell"], ratio["ratio"]["median"], ratio["verdict"]), expected);
        };
        check(&[Cell::Jwt], &[14.0, 28.0, 14.0], Some(&[10.0, 20.0, 10.0]), "\"Jwt\" 1.4 \"Pass\"");
        check(&[Cell::Jwt], &[15.0, 15.0, 10.0], Some(&[10.0, 10.0, 10.0]), "\"Jwt\" 1.5 \"Miss\"");
        check(&[Cell::Bkey], &[15.0, 15.0, 10.0], None, "\"Bkey\" null \"NotMeasured\"");
    }
}
