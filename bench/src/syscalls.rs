//! System calls per forwarded request, counted by strace: exact where times are not.
//!
//! A lost vectored write or a read that is repeated until it finds nothing shows here as a whole call more.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::plan::Load;
use crate::process::Running;
use crate::stage::Stage;

const SECONDS: u32 = 2;
const PAUSE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(10);

/// Less than this a request is not worth a word.
const WORTH_NAMING: f64 = 0.02;

/// What one proxy does for a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PerRequest {
    pub(crate) all: f64,
    /// By name, the most frequent first.
    pub(crate) named: Vec<(String, f64)>,
}

/// Counts while calls are made, and divides by their replies.
///
/// # Errors
/// strace is missing or may not attach, or the calls failed.
pub(crate) fn count(stage: &mut Stage, load: Load) -> Result<PerRequest, Failure> {
    let traced = stage.running(load.server)?.id();
    let table = std::env::temp_dir().join(format!("doorward-bench-{}-strace", std::process::id()));
    let mut command = Command::new("strace");
    command.args(["--summary-only", "--follow-forks", "--summary-sort-by", "calls", "--output"]).arg(&table);
    command.args(["--attach", &traced.to_string()]);
    let folder = std::env::temp_dir();
    let name = format!("doorward-bench-{}-strace", std::process::id());
    let mut strace = Running::start(&name, command, &folder).map_err(|failure| with_advice(&failure))?;
    let counted = attached(traced, &mut strace).and_then(|()| stage.call(load, SECONDS)).and_then(|totals| {
        interrupt(&mut strace)?;
        let text = fs::read_to_string(&table).map_err(Failure::of(table.display()))?;
        let calls = calls_of(&text);
        if calls.is_empty() {
            return Err(Failure::new(format!("strace counted nothing:\n{text}\n{}", strace.printed())));
        }
        Ok(per_request(&calls, totals.replies))
    });
    // They are in the way of nobody if they stay.
    drop(fs::remove_file(&table));
    drop(fs::remove_file(folder.join(format!("{name}.log"))));
    counted
}

/// Waits until all threads of a process are traced.
fn attached(traced: u32, strace: &mut Running) -> Result<(), Failure> {
    let began = Instant::now();
    while !is_traced(traced).unwrap_or(false) {
        strace.check().map_err(|failure| with_advice(&failure))?;
        if began.elapsed() > PATIENCE {
            return Err(with_advice(&Failure::new(format!("strace does not attach to process {traced}"))));
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn is_traced(process: u32) -> std::io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        if status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|id| id.trim() == "0")) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn with_advice(failure: &Failure) -> Failure {
    Failure::new(format!(
        "{failure}\nsystem calls are counted by strace (apt-get install strace), which must be allowed to attach: be root, or \
         `sudo sysctl kernel.yama.ptrace_scope=0`"
    ))
}

/// Tells strace to let go and to write its table.
fn interrupt(strace: &mut Running) -> Result<(), Failure> {
    let told = Command::new("sh").args(["-c", "kill -INT \"$0\""]).arg(strace.id().to_string()).status();
    match told {
        Ok(status) if status.success() => strace.wait(),
        Ok(status) => Err(Failure::new(format!("strace cannot be told to end: {status}"))),
        Err(error) => Err(Failure::new(format!("strace cannot be told to end: {error}"))),
    }
}

/// Calls by name from strace's table; of a row the fourth word counts and the last one names.
fn calls_of(table: &str) -> BTreeMap<String, u64> {
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter_map(|row| {
        let count = row.get(3)?.parse().ok()?;
        let name = *row.last()?;
        (name != "total").then(|| (name.to_owned(), count))
    })
    .collect()
}

fn per_request(calls: &BTreeMap<String, u64>, replies: u64) -> PerRequest {
    let share = |count: u64| count as f64 / replies as f64;
    let mut named: Vec<_> = calls.iter().map(|(name, count)| (name.clone(), share(*count))).collect();
    named.retain(|(_, share)| *share >= WORTH_NAMING);
    named.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    PerRequest { all: share(calls.values().sum()), named }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 51.10    0.240000          12     20000           writev
 48.50    0.230000          11     20032        32 recvfrom
  0.40    0.002000           2       900           epoll_wait
  0.00    0.000000           0         1           getpid
------ ----------- ----------- --------- --------- ----------------
100.00    0.472000          11     40933        32 total
";

    #[test]
    fn rows_are_counted_and_the_sum_is_ours() {
        let calls = calls_of(TABLE);
        assert_eq!(calls.values().sum::<u64>(), 40_933);
        let found = per_request(&calls, 10_000);
        assert!((found.all - 4.0933).abs() < 1e-9, "{found:?}");
        let names: Vec<_> = found.named.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["recvfrom", "writev", "epoll_wait"]);
    }

    #[test]
    fn a_table_without_rows_counts_nothing() {
        assert!(calls_of("strace: Process 7 detached\n").is_empty());
    }
}
