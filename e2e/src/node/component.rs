//! The programs that the cluster consists of, each with a log of its own.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use xtask::Failure;

use crate::place::Place;

/// How often the programs are looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// One running program.
pub(super) struct Component {
    name: String,
    child: Child,
}

impl Component {
    /// Starts a program of the cluster's folder `programs`, or one of the machine's.
    pub(super) fn start(place: &Place, name: &str, arguments: &[String]) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| Failure::new(format!("{name} cannot be started: {error}"));
        let own = place.path("programs").join(name);
        let mut command = if own.exists() { Command::new(own) } else { Command::new(name) };
        let log = place.write(&format!("logs/{name}.log"), "")?;
        let log = File::options().append(true).open(log).map_err(cannot)?;
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(cannot)?)
            .stderr(log)
            .spawn()
            .map_err(cannot)?;
        // By this the tests stop and kill it.
        place.write(&format!("pids/{name}"), &child.id().to_string())?;
        Ok(Self { name: name.to_owned(), child })
    }
}

/// Waits until one of them ends, and says which.
pub(super) fn first_to_end(components: &mut [Component]) -> Failure {
    loop {
        for component in components.iter_mut() {
            if let Ok(Some(status)) = component.child.try_wait() {
                return Failure::new(format!("{} ended: {status}", component.name));
            }
        }
        thread::sleep(PAUSE);
    }
}
