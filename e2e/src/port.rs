//! A port that somebody else has: a process of ours in the network of a pod holds it.

use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use xtask::Failure;

/// Holds an address until the standard input ends: what [`Held`] starts in the pod.
///
/// # Errors
/// The address is not to be had.
pub fn hold(address: &str) -> Result<(), Failure> {
    let lost = |error: io::Error| Failure::new(format!("{address} cannot be held: {error}"));
    let _listener = TcpListener::bind(address).map_err(lost)?;
    println!("held");
    io::stdin().read_to_end(&mut Vec::new()).map(drop).map_err(lost)
}

/// A port in the network of a pod, until this is dropped.
pub struct Held(Child);

impl Held {
    /// Takes a port beside a process of a pod, as the cluster numbers that process.
    ///
    /// # Errors
    /// The process has ended, or somebody listens there.
    pub fn beside(process: &str, port: u16) -> Result<Self, Failure> {
        let lost = |error: io::Error| Failure::new(format!("port {port} beside process {process}: {error}"));
        let mut command = Command::new("nsenter");
        command.args(["-t", process, "-n"]).arg(std::env::current_exe().map_err(lost)?);
        command.args(["hold", &format!("0.0.0.0:{port}")]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut held = Self(command.spawn().map_err(lost)?);
        let mut line = String::new();
        if let Some(pipe) = held.0.stdout.take() {
            BufReader::new(pipe).read_line(&mut line).map_err(lost)?;
        }
        if line.trim() == "held" { Ok(held) } else { Err(Failure::new(format!("port {port} beside process {process} is taken"))) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}
