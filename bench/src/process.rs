//! Programs that run beside the measurement: on one core, ended with it, their CPU time read from the kernel.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Failure;

/// A program that runs until this is dropped.
pub(crate) struct Running {
    name: String,
    child: Child,
    output: PathBuf,
}

/// The command that runs `program` on one core and has the kernel end it when this process ends, however that happens.
pub(crate) fn on_core(core: usize, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "--cpu-list"]).arg(core.to_string()).arg(program);
    command
}

impl Running {
    /// Starts a command; what it prints goes to a file of `folder`.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self, Failure> {
        let output = folder.join(format!("{name}.log"));
        let file = File::create(&output).map_err(Failure::of(output.display()))?;
        let twin = file.try_clone().map_err(Failure::of(output.display()))?;
        let child = command.stdin(Stdio::null()).stdout(file).stderr(twin).spawn();
        let child = child.map_err(Failure::of(format!("{name} cannot be started")))?;
        Ok(Self { name: name.to_owned(), child, output })
    }

    /// The process id; `setpriv` and `taskset` become the program, so it is the program's own.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says so if the program has ended, with the end of what it printed.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Failure::new(format!("{} ended with {status}\n{}", self.name, self.printed()))),
            Err(error) => Err(Failure::new(format!("{} was lost: {error}", self.name))),
        }
    }

    /// The end of what it printed.
    pub(crate) fn printed(&self) -> String {
        const LINES: usize = 40;
        let bytes = fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// It was lost.
    pub(crate) fn wait(&mut self) -> Result<(), Failure> {
        self.child.wait().map(drop).map_err(Failure::of(format!("{} was lost", self.name)))
    }

    /// The CPU time of all its threads so far, user and system.
    ///
    /// # Errors
    /// It has ended, or the kernel does not count (`CONFIG_SCHED_INFO`).
    pub(crate) fn cpu_time(&mut self) -> Result<Duration, Failure> {
        self.check()?;
        let folder = format!("/proc/{}/task", self.id());
        let mut nanoseconds = 0;
        for task in fs::read_dir(&folder).map_err(Failure::of(&folder))? {
            let file = task.map_err(Failure::of(&folder))?.path().join("schedstat");
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(&file) else { continue };
            nanoseconds += text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn cpu_time_grows_and_an_end_is_told() {
        let folder = std::env::temp_dir();
        let mut command = Command::new("sh");
        // Works until it is told to go on, so that nothing here waits for a time.
        command.args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; exit 3"]);
        let mut running = Running::start(&format!("doorward-bench-test-{}", std::process::id()), command, &folder).unwrap();
        running.wait().unwrap();
        let failure = running.check().unwrap_err().to_string();
        assert!(failure.contains("exit status: 3") && failure.contains("done"), "{failure}");
        assert!(running.cpu_time().is_err());
        std::fs::remove_file(&running.output).unwrap();
    }

    #[test]
    fn the_cpu_time_of_a_program_that_runs_is_read() {
        let folder = std::env::temp_dir();
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; exec sleep 600"]);
        let name = format!("doorward-bench-test-alive-{}", std::process::id());
        let mut running = Running::start(&name, command, &folder).unwrap();
        let mut printed = String::new();
        while !printed.contains("done") {
            running.check().unwrap();
            printed.clear();
            File::open(&running.output).unwrap().read_to_string(&mut printed).unwrap();
            std::thread::yield_now();
        }
        assert!(running.cpu_time().unwrap() > Duration::from_micros(500));
        std::fs::remove_file(&running.output).unwrap();
    }
}
