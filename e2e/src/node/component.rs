//! The programs that the cluster consists of, each with a log of its own.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use xtask::Failure;

use crate::place::Place;

/// How often the programs are looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// One running program.
pub(super) struct Component {
    name: String,
    arguments: Vec<String>,
    child: Child,
}

impl Component {
    /// Starts a program of the cluster's folder `programs`, or one of the machine's.
    pub(super) fn start(place: &Place, name: &str, arguments: &[String]) -> Result<Self, Failure> {
        let child = spawn(place, name, arguments)?;
        Ok(Self { name: name.to_owned(), arguments: arguments.to_vec(), child })
    }

    /// Ends it and starts it anew, if that is asked for by a file of its name in the folder `restart`.
    fn restart_if_asked(&mut self, place: &Place) -> Result<(), Failure> {
        let asked = place.path("restart").join(&self.name);
        if !asked.exists() {
            return Ok(());
        }
        let cannot = |error: std::io::Error| Failure::new(format!("{} cannot be restarted: {error}", self.name));
        self.child.kill().and_then(|()| self.child.wait()).map_err(cannot)?;
        self.child = spawn(place, &self.name, &self.arguments)?;
        // Whoever asked waits for this.
        fs::remove_file(asked).map_err(cannot)
    }
}

fn spawn(place: &Place, name: &str, arguments: &[String]) -> Result<Child, Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("{name} cannot be started: {error}"));
    let own = place.path("programs").join(name);
    let mut command = if own.exists() { Command::new(own) } else { Command::new(name) };
    let log = place.path("logs").join(format!("{name}.log"));
    let log = File::options().create(true).append(true).open(log).map_err(cannot)?;
    let child = command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(cannot)?)
        .stderr(log)
        .spawn()
        .map_err(cannot)?;
    // By this the tests stop and kill it.
    place.write(&format!("pids/{name}"), &child.id().to_string())?;
    Ok(child)
}

/// Watches them, for as long as the cluster runs; `finishing` ends once it can be used.
pub(super) fn watch(
    place: &Place,
    components: &mut [Component],
    finishing: JoinHandle<Result<(), Failure>>,
) -> Result<(), Failure> {
    let mut finishing = Some(finishing);
    loop {
        for component in components.iter_mut() {
            component.restart_if_asked(place)?;
            if let Ok(Some(status)) = component.child.try_wait() {
                return Err(Failure::new(format!("{} ended: {status}", component.name)));
            }
        }
        if let Some(finished) = finishing.take_if(|thread| thread.is_finished()) {
            finished.join().map_err(|_| Failure::new("a thread ended early"))??;
        }
        thread::sleep(PAUSE);
    }
}
