//! How far the measurement is, on standard error, so that standard output holds nothing but results.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// A line a step; on a terminal each is drawn over the last.
pub(crate) struct Progress {
    began: Instant,
    terminal: bool,
    done: usize,
    steps: usize,
}

impl Progress {
    /// Of that many counted steps.
    pub(crate) fn begin(steps: usize) -> Self {
        Self { began: Instant::now(), terminal: stderr().is_terminal(), done: 0, steps }
    }

    /// A step that is not counted.
    pub(crate) fn step(&mut self, what: &str) {
        self.draw(&format!("        {what}"));
    }

    /// The next counted step begins.
    pub(crate) fn counted(&mut self, what: &str) {
        self.done += 1;
        self.draw(&format!("{:>3}/{:<3} {what}", self.done, self.steps));
    }

    /// Something to be read at leisure; it stays.
    pub(crate) fn note(&mut self, text: &str) {
        let start = if self.terminal { "\r\x1b[2K" } else { "" };
        print(&format!("{start}  {text}\n"));
    }

    /// Wipes the last step off a terminal.
    pub(crate) fn end(&mut self) {
        if self.terminal {
            print("\r\x1b[2K");
        }
    }

    fn draw(&self, text: &str) {
        let line = format!("  {:>5}  {text}", clock(self.began.elapsed()));
        print(&if self.terminal { format!("\r\x1b[2K{line}") } else { format!("{line}\n") });
    }
}

/// `0:07`, `4:31`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// Prints without caring whether anybody still reads.
fn print(text: &str) {
    let mut err = stderr().lock();
    drop(err.write_all(text.as_bytes()).and_then(|()| err.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_a_clock() {
        let check = |seconds, expected| assert_eq!(clock(Duration::from_secs(seconds)), expected);
        check(7, "0:07");
        check(271, "4:31");
    }
}
