//! Every line that `make run` prints does what it says, through the program itself.

#![cfg(test)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use xtask::places;
use xtask::quickstart::{Addresses, EXAMPLE, lines};

const ANYWHERE: &str = "127.0.0.1:0";
/// Where the manifests of the quickstart expect the demo service.
const DEMO: &str = "127.0.0.1:9093";
/// Where the lines expect the program, from the checkout.
const PROGRAM: &str = "target/release/doorward";
const PATIENCE: Duration = Duration::from_secs(60);

/// The program that was built with this test.
fn built() -> PathBuf {
    let binary = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("doorward");
    assert!(binary.is_file(), "{} is not built: `cargo build --package doorward-cli`", binary.display());
    binary
}

/// A command without what the settings of whoever runs the test would change.
fn command(program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null()).env("no_proxy", "127.0.0.1");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DOORWARD_")) {
        command.env_remove(name);
    }
    command
}

/// `doorward run` or `doorward demo`, until it is dropped.
struct Running {
    child: Child,
    told: Receiver<String>,
    seen: String,
}

impl Running {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child =
            command(folder.join(PROGRAM), folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, told) = channel();
        // Reads to the end, so that the program is never held up by a full pipe.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        Self { child, told, seen: String::new() }
    }

    /// The address in the line that begins with this word.
    fn address(&mut self, word: &str) -> SocketAddr {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.told.recv_timeout(left).unwrap_or_else(|_| panic!("no line begins with `{word}`:\n{}", self.seen));
            self.seen.push_str(&line);
            self.seen.push('\n');
            if line.trim_start().split(' ').next() == Some(word) {
                let address = line.split("://").nth(1).unwrap().split(['/', ' ']).next().unwrap();
                return address.parse().unwrap();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that looks like the checkout to the lines, with the demo service elsewhere.
fn checkout(demo: SocketAddr, folder: &Path) {
    let root = places::root().unwrap();
    let copy = folder.join(EXAMPLE);
    fs::create_dir_all(&copy).unwrap();
    let mut moved = 0;
    for entry in fs::read_dir(root.join(EXAMPLE)).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        moved += text.matches(DEMO).count();
        fs::write(copy.join(path.file_name().unwrap()), text.replace(DEMO, &demo.to_string())).unwrap();
    }
    assert!(moved > 0, "no manifest of the quickstart names {DEMO}");
}

/// Its sockets are bound before it tells them, so the first call waits for the answer instead of failing.
fn wait_until_ready(metrics: SocketAddr) {
    let mut stream = TcpStream::connect(metrics).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {metrics}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn every_line_of_the_quickstart_does_what_it_says() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::create_dir_all(folder.join(PROGRAM).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(built(), folder.join(PROGRAM)).unwrap();
    let mut demo = Running::start(folder, &["demo", ANYWHERE]);
    checkout(demo.address("demo"), folder);
    let flags = ["--http", ANYWHERE, "--management", ANYWHERE, "--metrics", ANYWHERE, "--workers", "2"];
    let mut gateway = Running::start(folder, &[&["run", EXAMPLE], &flags[..]].concat());
    let addresses = Addresses {
        traffic: gateway.address("traffic"),
        management: gateway.address("management"),
        metrics: gateway.address("metrics"),
    };
    wait_until_ready(addresses.metrics);

    let lines = lines().unwrap();
    assert!(lines.len() >= 12, "lines are missing: {lines:?}");
    let mut failures = String::new();
    for line in lines {
        let typed = line.at(&addresses);
        let output = command("sh", folder).args(["-c", &typed]).output().unwrap();
        let shown = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        for text in line.expects.iter().filter(|text| !shown.contains(*text)) {
            failures.push_str(&format!("\n# {}\n{typed}\ndoes not show `{text}`:\n{shown}\n", line.shows));
        }
    }
    assert!(failures.is_empty(), "{failures}");
}
