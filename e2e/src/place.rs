//! Where one cluster lies on this machine: its folder, its control groups, its processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use xtask::Failure;

use crate::run::{output, until};

/// How long the kernel may take to end a killed cluster.
const END: Duration = Duration::from_secs(30);

/// The place of a cluster of some name; it may not exist.
#[derive(Clone, Debug)]
pub struct Place {
    name: String,
    folder: PathBuf,
}

impl Place {
    /// The place of the cluster of this name.
    ///
    /// # Errors
    /// The name is not made of at most 30 small letters, digits and dashes.
    pub fn named(name: &str) -> Result<Self, Failure> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 30 || !name.bytes().all(fits) {
            return Err(Failure::usage(format!("`{name}` names no cluster: write small letters, digits and dashes, at most 30")));
        }
        Ok(Self { name: name.to_owned(), folder: std::env::temp_dir().join(format!("doorward-{name}")) })
    }

    /// The place that lies in a folder.
    ///
    /// # Errors
    /// It is the folder of no cluster.
    pub fn at(folder: &Path) -> Result<Self, Failure> {
        let name = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("doorward-"));
        let place = Self::named(name.unwrap_or_default())?;
        if place.folder == folder { Ok(place) } else { Err(Failure::new(format!("{} is no cluster", folder.display()))) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A file or folder of it.
    #[must_use]
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// The folder that holds all of it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name of its control group, in every hierarchy.
    #[must_use]
    pub fn group(&self) -> String {
        format!("doorward-{}", self.name)
    }

    /// Writes a text into a file of it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, relative: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.path(relative);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))?;
        Ok(path)
    }

    /// Reads a file of it; empty if there is none.
    #[must_use]
    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).unwrap_or_default()
    }

    /// Asks the cluster to end one of its programs and to start it anew, and waits until it has.
    ///
    /// # Errors
    /// It does not in time.
    pub fn restart(&self, program: &str) -> Result<(), Failure> {
        let asked = self.write(&format!("restart/{program}"), "")?;
        let what = format!("{program} is started anew");
        until(END, &what, || if asked.exists() { Err("it was not yet".to_owned()) } else { Ok(()) })
    }

    /// The process that holds the cluster together, and its first one as seen from outside; none once it has ended.
    #[must_use]
    pub fn processes(&self) -> Option<(u32, u32)> {
        let text = self.read("process");
        let (process, began) = text.trim().split_once(' ')?;
        let process = process.parse().ok()?;
        // The number alone may belong to somebody else by now.
        if began_at(process)? != began {
            return None;
        }
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).ok()?;
        Some((process, children.split_whitespace().next()?.parse().ok()?))
    }

    /// Keeps the number of the process that holds the cluster together.
    ///
    /// # Errors
    /// It is gone already, or cannot be written down.
    pub fn keep_process(&self, process: u32) -> Result<(), Failure> {
        let began = began_at(process).ok_or_else(|| Failure::new("the cluster ended as soon as it started"))?;
        self.write("process", &format!("{process} {began}\n")).map(drop)
    }

    /// Makes its control group in every hierarchy.
    ///
    /// # Errors
    /// A hierarchy takes no group.
    pub fn make_groups(&self) -> Result<(), Failure> {
        for folder in self.groups()? {
            fs::create_dir_all(&folder).map_err(|error| Failure::new(format!("{} cannot be made: {error}", folder.display())))?;
        }
        Ok(())
    }

    fn groups(&self) -> Result<Vec<PathBuf>, Failure> {
        let found = output(Command::new("findmnt").args(["-n", "-r", "-o", "TARGET", "-t", "cgroup,cgroup2"]))?;
        Ok(found.lines().map(|hierarchy| Path::new(hierarchy).join(self.group())).collect())
    }

    /// Ends all processes, and removes groups and folder. Nothing is left; without such a cluster, nothing happens.
    ///
    /// # Errors
    /// Something stays although it was asked to go.
    pub fn remove(&self) -> Result<(), Failure> {
        if let Some((process, _)) = self.processes() {
            // The first process of a PID namespace takes all others with it.
            output(Command::new("kill").args(["-KILL", &process.to_string()]))?;
            until(END, "the cluster's processes end", || self.processes().is_none().then_some(()).ok_or("they run".to_owned()))?;
        }
        until(END, "the cluster's control groups go", || self.remove_groups())?;
        if self.folder.exists() {
            let began = Instant::now();
            while let Err(error) = fs::remove_dir_all(&self.folder) {
                if began.elapsed() > END {
                    return Err(Failure::new(format!("{} cannot be removed: {error}", self.folder.display())));
                }
            }
        }
        Ok(())
    }

    fn remove_groups(&self) -> Result<(), String> {
        for folder in self.groups().map_err(|failure| failure.to_string())?.into_iter().filter(|folder| folder.exists()) {
            // Groups hold files that cannot be removed, and vanish with `rmdir` alone.
            let mut find = Command::new("find");
            find.arg(&folder).args(["-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
            output(&mut find).map_err(|failure| failure.to_string())?;
            // A group whose last process is still ending stays, and find does not mind.
            if folder.exists() {
                return Err(format!("{} is still there", folder.display()));
            }
        }
        Ok(())
    }
}

/// When a process began, in the kernel's ticks: with its number it names one process for good.
fn began_at(process: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    if rest.starts_with('Z') {
        return None;
    }
    rest.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_folder() {
        let check = |name: &str, fits: bool| assert_eq!(Place::named(name).is_ok(), fits, "{name}");
        check("dev", true);
        check("e2e-17", true);
        check("", false);
        check("../etc", false);
        check("A", false);
        check(&"a".repeat(31), false);
    }

    #[test]
    fn a_process_is_known_by_more_than_its_number() {
        let place = Place::named(&format!("test-{}", std::process::id())).unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        assert!(began_at(child.id()).is_some());
        place.keep_process(child.id()).unwrap();
        place.write("process", &format!("{} 1\n", child.id())).unwrap();
        assert_eq!(place.processes(), None);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(began_at(child.id()), None);
        fs::remove_dir_all(place.folder()).unwrap();
    }
}
