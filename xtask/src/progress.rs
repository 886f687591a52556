//! Long steps: their name at once, how far they are while they last, their time at the end, their output if they fail.
//!
//! On a terminal one line is redrawn; elsewhere (a CI log) a plain line comes now and then, so that nobody has to
//! guess whether it still runs.

use std::io::{IsTerminal, Read, Write, stderr, stdout};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// Width of a step's name with its dots.
const NAME_WIDTH: usize = 52;
const REDRAW: Duration = Duration::from_millis(200);
const PLAIN_LINE: Duration = Duration::from_secs(15);

/// Whether standard output is for a script.
static ASIDE: AtomicBool = AtomicBool::new(false);

/// Shows everything on standard error from now on if the arguments ask for JSON: standard output is for that alone then.
pub fn aside(arguments: &[String]) {
    let asks = arguments.windows(2).any(|pair| pair[0] == "-o" && pair[1] == "json");
    ASIDE.fetch_or(asks, Ordering::Relaxed);
}

/// One step that is under way.
pub struct Step {
    name: String,
    began: Instant,
    drawn: Instant,
    terminal: bool,
}

impl Step {
    /// Shows the name.
    #[must_use]
    pub fn begin(name: impl Into<String>) -> Self {
        let terminal = if ASIDE.load(Ordering::Relaxed) { stderr().is_terminal() } else { stdout().is_terminal() };
        let step = Self { name: name.into(), began: Instant::now(), drawn: Instant::now(), terminal };
        if step.terminal {
            step.redraw("");
        }
        step
    }

    /// How often [`Self::tell`] has something to show.
    fn pace(&self) -> Duration {
        if self.terminal { REDRAW } else { PLAIN_LINE }
    }

    /// Shows how far it is, if that was not shown just now.
    pub fn tell(&mut self, far: &str) {
        if self.drawn.elapsed() < self.pace() {
            return;
        }
        self.drawn = Instant::now();
        if self.terminal {
            self.redraw(far);
        } else {
            say(&format!("  {}: {} so far   {far}\n", self.name, elapsed(self.began.elapsed())));
        }
    }

    fn redraw(&self, far: &str) {
        say(&format!("\r\x1b[2K  {} {}   {far}", dotted(&self.name), elapsed(self.began.elapsed())));
    }

    /// Shows the time that it took, and a word about it.
    pub fn end(self, note: &str) {
        let start = if self.terminal { "\r\x1b[2K" } else { "" };
        let line = format!("{start}  {} {}   {note}", dotted(&self.name), elapsed(self.began.elapsed()));
        say(line.trim_end());
        say("\n");
    }
}

/// Runs a command whose output matters only if it fails.
///
/// # Errors
/// It cannot be started, or it failed; then with all that it printed.
pub fn quiet(name: &str, mut command: Command, note: &str) -> Result<(), Failure> {
    let mut step = Step::begin(name);
    let program = command.get_program().to_string_lossy().into_owned();
    // Cargo shows `12/345` only when it believes in a terminal.
    command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "80");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| Failure::new(format!("`{program}` cannot be started: {error}")))?;
    let (sender, receiver) = channel();
    if let Some(pipe) = child.stdout.take() {
        pump(pipe, sender.clone());
    }
    if let Some(pipe) = child.stderr.take() {
        pump(pipe, sender);
    }
    let output = follow(&receiver, &mut step);
    let status = child.wait().map_err(|error| Failure::new(format!("`{program}` was lost: {error}")))?;
    if status.success() {
        step.end(note);
        return Ok(());
    }
    step.end("FAILED");
    Err(Failure::new(format!("{}\n{name}: {status}", legible(&output))))
}

/// Sends on what a pipe brings, until it closes.
fn pump(mut pipe: impl Read + Send + 'static, sender: Sender<Vec<u8>>) {
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(length) = pipe.read(&mut buffer) {
            if length == 0 || sender.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
}

/// Gathers the output until both pipes are closed, showing progress meanwhile.
fn follow(receiver: &Receiver<Vec<u8>>, step: &mut Step) -> Vec<u8> {
    let mut output = Vec::new();
    let mut far = String::new();
    loop {
        match receiver.recv_timeout(step.pace()) {
            Ok(bytes) => {
                if let Some(count) = crates_done(&String::from_utf8_lossy(&bytes)) {
                    far = count;
                }
                output.extend_from_slice(&bytes);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return output,
        }
        step.tell(&far);
    }
}

/// `12/345 crates` from cargo's progress line, the last one of a chunk.
fn crates_done(chunk: &str) -> Option<String> {
    let (_, bar) = chunk.rsplit_once("] ")?;
    let count = bar.split([':', ' ', '\r', '\n']).next()?;
    let (done, all) = count.split_once('/')?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (number(done) && number(all)).then(|| format!("{count} crates"))
}

/// The output without what cargo drew over.
fn legible(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let mut lines = String::new();
    for line in text.lines() {
        let kept = line.rsplit('\r').next().unwrap_or(line).trim_start_matches("\x1b[K");
        let is_bar = kept.trim_start().starts_with("Building [");
        if !is_bar && !kept.trim().is_empty() {
            lines.push_str(kept);
            lines.push('\n');
        }
    }
    lines
}

fn dotted(name: &str) -> String {
    format!("{:.<NAME_WIDTH$}", format!("{name} "))
}

/// `0.3s`, `42s`, `1m52s`.
fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60.. => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

/// Prints without caring whether anybody still reads: a closed pipe must not end a build.
pub fn say(text: &str) {
    let mut out: Box<dyn Write> =
        if ASIDE.load(Ordering::Relaxed) { Box::new(stderr().lock()) } else { Box::new(stdout().lock()) };
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_progress_is_read_from_its_bar() {
        let check = |chunk, expected: Option<&str>| assert_eq!(crates_done(chunk).as_deref(), expected, "{chunk:?}");
        check("    Building [====>    ] 12/345: serde, http\r", Some("12/345 crates"));
        check("    Building [=> ] 1/9: a\r    Building [==> ] 2/9: b\r", Some("2/9 crates"));
        check("   Compiling serde v1.0.229", None);
        check("error[E0004]: x[1] 3/y", None);
    }

    #[test]
    fn a_failure_shows_no_progress_bars() {
        let check = |raw: &str, expected| assert_eq!(legible(raw.as_bytes()), expected, "{raw:?}");
        check("    Building [=> ] 1/9: a\r\x1b[K   Compiling a\nerror: b\n", "   Compiling a\nerror: b\n");
        check("error: c\n\n    Building [=> ] 1/9: a\n", "error: c\n");
    }

    #[test]
    fn times_read_as_people_say_them() {
        let check = |milliseconds, expected| assert_eq!(elapsed(Duration::from_millis(milliseconds)), expected);
        check(340, "0.3s");
        check(42_900, "42s");
        check(112_000, "1m52s");
    }
}
