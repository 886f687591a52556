//! `run`: the gateway on the quickstart, and lines to try once it answers.
//!
//! This program becomes the gateway (exec), so that Ctrl-C, `kill` and the exit code mean what they say. A second
//! process of ours waits for `/readyz`, prints the lines and ends; if the gateway ends first, so does it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::{CommandExt, parent_id};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use crate::progress::{quiet, say};
use crate::quickstart::{Addresses, EXAMPLE, lines};
use crate::{Failure, places, tools};

/// The entry of the second process; not in the menu.
pub(crate) const WATCH: &str = "print-when-ready";

const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(2);

/// Builds, then becomes `doorward run --demo examples/quickstart ARGUMENTS`.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, Failure> {
    tools::install(&[tools::CURL])?;
    let binary = places::built()?.join("release/doorward");
    let note = if binary.is_file() { "" } else { "first time only" };
    let build = ["build", "--locked", "--release", "--package", "doorward-cli"];
    quiet("building doorward (release)", places::cargo(&build)?, note)?;

    let mut arguments = arguments.to_vec();
    let addresses = Addresses::choose(&mut arguments, |name| std::env::var(name).ok())?;
    let watcher = std::env::current_exe().map_err(|error| Failure::new(format!("this program cannot find itself: {error}")))?;
    Command::new(watcher)
        .arg(WATCH)
        .args([addresses.traffic, addresses.management, addresses.metrics].map(|address| address.to_string()))
        .spawn()
        .map_err(|error| Failure::new(format!("the second process cannot be started: {error}")))?;
    // The upstreams of the quickstart are the gateway's own demo service.
    let demo = (!arguments.iter().any(|argument| argument.starts_with("--demo"))).then_some("--demo");
    let error = Command::new(&binary).arg("run").args(demo).arg(EXAMPLE).args(arguments).current_dir(places::root()?).exec();
    Err(Failure::new(format!("{} cannot be started: {error}", binary.display())))
}

/// The second process: waits for the gateway that started it, then prints the lines.
pub(crate) fn print_when_ready(arguments: &[String]) -> Result<ExitCode, Failure> {
    let addresses = Addresses::read(arguments)?;
    let gateway = parent_id();
    while !is_ready(addresses.metrics) {
        if parent_id() != gateway {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(PAUSE);
    }
    let mut text = "\n  Try:\n".to_owned();
    for line in lines()? {
        text.push_str(&format!("    # {}\n    {}\n\n", line.shows, line.at(&addresses)));
    }
    text.push_str(&format!("  Edit {EXAMPLE}/*.yaml: changes are served at once. Ctrl-C stops.\n"));
    say(&text);
    Ok(ExitCode::SUCCESS)
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<[u8; 12]> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status)
    };
    ask().is_ok_and(|status| status == *b"HTTP/1.1 200")
}
