//! Commands, and waiting for what they lead to.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use xtask::Failure;

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs a command and returns what it printed on its standard output.
///
/// # Errors
/// It cannot be started or fails; then with what it printed on its standard error.
pub fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, &error))?;
    text(command, output)
}

/// As [`output`], with a text on its standard input.
///
/// # Errors
/// As for [`output`].
pub fn output_of_input(command: &mut Command, input: &str) -> Result<String, Failure> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    let (pipe, input) = (child.stdin.take(), input.to_owned());
    // On a thread of its own, because a command may print before it has read everything.
    let writer = thread::spawn(move || pipe.map(|mut pipe| pipe.write_all(input.as_bytes())));
    let output = child.wait_with_output().map_err(|error| cannot_start(command, &error))?;
    drop(writer.join());
    text(command, output)
}

fn text(command: &Command, output: Output) -> Result<String, Failure> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words: Vec<_> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("`{}` failed ({}): {}", words.join(" "), output.status, errors.trim())))
}

fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("`{}` cannot be started: {error}", command.get_program().to_string_lossy()))
}

/// Looks again and again until a condition holds, and returns what it found.
///
/// # Errors
/// It does not hold after `patience`; then with the last reason.
pub fn until<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Result<T, String>) -> Result<T, Failure> {
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return Ok(found),
            Err(reason) if began.elapsed() >= patience => {
                return Err(Failure::new(format!("{what}: not within {} s: {reason}", patience.as_secs())));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_says_what_it_was_and_why() {
        let failure = output(Command::new("sh").args(["-c", "echo no >&2; exit 3"])).unwrap_err().to_string();
        assert!(failure.contains("sh -c") && failure.contains("exit status: 3") && failure.ends_with(": no"), "{failure}");
        assert!(output(&mut Command::new("/nowhere")).unwrap_err().to_string().contains("cannot be started"));
        let large = "x".repeat(1 << 20);
        assert_eq!(output_of_input(&mut Command::new("cat"), &large).unwrap(), large);
    }

    #[test]
    fn waiting_ends_with_the_condition_or_the_last_reason() {
        let mut looks = 0;
        let found = until(Duration::from_secs(5), "three", || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err("early".to_owned()) }
        });
        assert_eq!(found.unwrap(), 3);
        let failure = until::<()>(Duration::ZERO, "never", || Err("because".to_owned())).unwrap_err().to_string();
        assert_eq!(failure, "never: not within 0 s: because");
    }
}
