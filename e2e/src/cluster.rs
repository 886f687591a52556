//! A cluster, to be used: kubectl, commands beside its pods, images, waiting.
//!
//! It is one of ours on this machine, seen from outside or from inside of its network, or any other one that a
//! kubeconfig leads to.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use xtask::progress::Step;
use xtask::{Failure, places, tools};

use crate::node::READY;
use crate::place::Place;
use crate::run::{output, output_of_input, until};
use crate::{images, programs};

/// How long a cluster may take until it can be used; a busy machine needs more than the usual 15 s.
const START: Duration = Duration::from_secs(240);

/// A running cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    reach: Reach,
    image: String,
}

/// How commands get to it.
#[derive(Clone, Debug)]
enum Reach {
    /// One of ours, entered for every command.
    Outside(Place),
    /// One of ours, and this process is in its network.
    Inside(Place),
    /// Somebody else's.
    Kubeconfig(PathBuf),
}

impl Cluster {
    /// Starts a cluster of this name, building what it needs first, and waits until it can be used.
    ///
    /// # Errors
    /// Not root, something cannot be installed or built, one of this name runs already, or it does not come up; then with
    /// the last lines of its logs.
    pub fn start(name: &str) -> Result<Self, Failure> {
        let place = Place::named(name)?;
        if output(Command::new("id").arg("-u"))?.trim() != "0" {
            return Err(Failure::new("a cluster needs root: it mounts, makes networks and starts containers"));
        }
        if place.processes().is_some() {
            return Err(Failure::new(format!("the cluster `{name}` runs already")));
        }
        tools::install(&tools::NODE)?;
        programs::build_all()?;
        let archives = images::write_all()?;
        place.remove()?;
        let lines: String = archives.iter().map(|archive| format!("{}\n", archive.display())).collect();
        place.write("images", &lines)?;
        place.write("definitions", &programs::gateway_api_definitions()?.to_string_lossy())?;
        programs::link_into(&place.path("programs"))?;
        place.make_groups()?;
        let mut step = Step::begin(format!("starting the cluster `{name}`"));
        let begun = begin(&place).and_then(|()| wait(&place, &mut step));
        if let Err(failure) = begun {
            step.end("FAILED");
            return Err(Failure::new(format!("{failure}\nIts logs are in {}", place.path("logs").display())));
        }
        step.end("");
        let cluster = Self { reach: Reach::Outside(place), image: xtask::image::reference() };
        cluster.write_wrappers()?;
        Ok(cluster)
    }

    /// The running cluster of this name, seen from outside.
    ///
    /// # Errors
    /// It does not run.
    pub fn named(name: &str) -> Result<Self, Failure> {
        let place = Place::named(name)?;
        if place.processes().is_none() || place.read("phase") != READY {
            return Err(Failure::new(format!("no cluster `{name}` runs: cargo xtask cluster up --name {name}")));
        }
        Ok(Self { reach: Reach::Outside(place), image: xtask::image::reference() })
    }

    /// The cluster in whose network this process is.
    #[must_use]
    pub fn inside(place: Place) -> Self {
        Self { reach: Reach::Inside(place), image: xtask::image::reference() }
    }

    /// Any cluster, by its kubeconfig, that can pull the image of this reference.
    #[must_use]
    pub fn existing(kubeconfig: &Path, image: &str) -> Self {
        Self { reach: Reach::Kubeconfig(kubeconfig.to_path_buf()), image: image.to_owned() }
    }

    /// The reference of the image under test.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.image
    }

    /// Where it lies on this machine; none for somebody else's.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match &self.reach {
            Reach::Outside(place) | Reach::Inside(place) => Some(place),
            Reach::Kubeconfig(_) => None,
        }
    }

    /// A command that runs where pods and Services can be reached, with kubectl and helm on its path.
    ///
    /// # Errors
    /// The cluster has ended.
    pub fn command(&self, program: &str) -> Result<Command, Failure> {
        match &self.reach {
            Reach::Inside(place) => Ok(surrounded(Command::new(program), place)),
            Reach::Outside(place) => {
                let (_, first) = place.processes().ok_or_else(|| Failure::new("the cluster has ended"))?;
                let mut command = Command::new("nsenter");
                let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
                // It would change the folder otherwise.
                command.args(["-t", &first.to_string(), "-a", &format!("--wd={}", here.display()), program]);
                Ok(surrounded(command, place))
            }
            Reach::Kubeconfig(path) => {
                let mut command = Command::new(program);
                command.env("KUBECONFIG", path);
                Ok(command)
            }
        }
    }

    /// Runs a command there and returns what it printed.
    ///
    /// # Errors
    /// It fails.
    pub fn run_inside(&self, words: &[&str]) -> Result<String, Failure> {
        let (program, arguments) = words.split_first().ok_or_else(|| Failure::new("there is no command"))?;
        output(self.command(program)?.args(arguments))
    }

    /// Runs kubectl and returns what it printed.
    ///
    /// # Errors
    /// It fails.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Failure> {
        output(self.command("kubectl")?.args(arguments))
    }

    /// What `kubectl get` says of objects, as JSON.
    ///
    /// # Errors
    /// It fails, or prints no JSON.
    pub fn get(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let text = output(self.command("kubectl")?.args(["get", "--output=json"]).args(arguments))?;
        serde_json::from_str(&text).map_err(|error| Failure::new(format!("kubectl get {arguments:?} printed no JSON: {error}")))
    }

    /// Applies manifests, as a user does.
    ///
    /// # Errors
    /// The API server refuses one.
    pub fn apply(&self, manifests: &str) -> Result<String, Failure> {
        output_of_input(self.command("kubectl")?.args(["apply", "-f", "-"]), manifests)
    }

    /// Gives an archive of images to the node.
    ///
    /// # Errors
    /// It is somebody else's cluster, or containerd does not take it.
    pub fn import(&self, archive: &Path) -> Result<(), Failure> {
        if self.place().is_none() {
            return Err(Failure::new("images of somebody else's cluster come from its registry"));
        }
        output(self.command("ctr")?.args(["-n", "k8s.io", "images", "import"]).arg(archive)).map(drop)
    }

    /// Waits until a path of an object (kubectl's JSONPath, without braces) has a value.
    ///
    /// # Errors
    /// Not within `patience`; then with what it is instead.
    pub fn until_value(&self, patience: Duration, object: &[&str], at: &str, expected: &str) -> Result<(), Failure> {
        let path = format!("jsonpath={{{at}}}");
        until(patience, &format!("{} has {at} = {expected}", object.join(" ")), || {
            let found = self.kubectl(&[&["get", "--output", &path], object].concat()).map_err(|failure| failure.to_string())?;
            if found == expected { Ok(()) } else { Err(format!("it is `{found}`")) }
        })
    }

    /// Ends one of ours and removes everything of it.
    ///
    /// # Errors
    /// Something stays.
    pub fn stop(&self) -> Result<(), Failure> {
        match &self.reach {
            Reach::Outside(place) => place.remove(),
            Reach::Inside(_) | Reach::Kubeconfig(_) => Err(Failure::new("a cluster is ended from outside")),
        }
    }

    /// Puts the program of the image on the path of everything that runs in a cluster of ours, as a plugin of kubectl.
    ///
    /// # Errors
    /// It is not built, or cannot be copied.
    pub fn add_plugin(&self) -> Result<(), Failure> {
        let Some(place) = self.place() else { return Ok(()) };
        let (program, plugin) = (xtask::image::binary()?, place.path("programs/kubectl-doorward"));
        // A copy: the next build must not change what runs here.
        fs::copy(&program, &plugin)
            .and_then(|_| std::os::unix::fs::symlink(&plugin, place.path("programs/kubectl_complete-doorward")))
            .map_err(|error| Failure::new(format!("{} cannot be copied: {error}", program.display())))
    }

    /// Programs that enter the cluster by themselves, for people: `bin/kubectl`, `bin/helm`, `bin/inside`.
    fn write_wrappers(&self) -> Result<(), Failure> {
        use std::os::unix::fs::PermissionsExt;
        let Reach::Outside(place) = &self.reach else { return Ok(()) };
        let Some((_, first)) = place.processes() else { return Ok(()) };
        let variables: String = environment(place).map(|(name, value)| format!("{name}='{value}' ")).collect();
        for (name, command) in [("kubectl", "kubectl"), ("helm", "helm"), ("ctr", "ctr -n k8s.io"), ("inside", "")] {
            let text = format!("#!/bin/sh\nexec nsenter -t {first} -a --wd=\"$PWD\" env {variables}{command} \"$@\"\n");
            let path = place.write(&format!("bin/{name}"), &text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
                .map_err(|error| Failure::new(format!("{} cannot be made: {error}", path.display())))?;
        }
        Ok(())
    }
}

/// kubectl of a cluster of ours, for a process inside of it.
pub(crate) fn kubectl_at(place: &Place) -> Command {
    surrounded(Command::new(place.path("programs/kubectl")), place)
}

/// The variables under which programs of a cluster run: nothing of the user's own clusters may be touched.
pub fn environment(place: &Place) -> impl Iterator<Item = (&'static str, String)> {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
    // Programs that enter another cluster, by `cluster env`, are of no use inside of this one.
    let clusters = std::env::temp_dir().join("doorward-").display().to_string();
    let path = path.split(':').filter(|folder| !folder.starts_with(&clusters)).collect::<Vec<_>>().join(":");
    let own = |relative: &str| place.path(relative).display().to_string();
    [
        ("KUBECONFIG", own("kubeconfigs/admin")),
        ("KUBECACHEDIR", own("kubectl-cache")),
        ("HELM_CACHE_HOME", own("helm/cache")),
        ("HELM_CONFIG_HOME", own("helm/config")),
        ("HELM_DATA_HOME", own("helm/data")),
        ("PATH", format!("{}:{path}", own("programs"))),
    ]
    .into_iter()
}

fn surrounded(mut command: Command, place: &Place) -> Command {
    command.envs(environment(place));
    command
}

/// Starts the process tree: this very program again, as the cluster's first process but one.
fn begin(place: &Place) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("the cluster cannot be started: {error}"));
    let program = std::env::current_exe().map_err(cannot)?;
    let log = File::create(place.write("logs/node.log", "")?).map_err(cannot)?;
    let mut command = Command::new("setsid");
    command.args(["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc"]);
    command.args(["--propagation", "private", "--kill-child", "tini", "-g", "--"]);
    command.arg(program).arg("node").arg(place.folder()).current_dir(places::root()?);
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(cannot)?).stderr(log);
    let child = command.spawn().map_err(cannot)?;
    place.keep_process(child.id())
}

fn wait(place: &Place, step: &mut Step) -> Result<(), Failure> {
    let began = Instant::now();
    let mut ended = 0;
    until(START, "the cluster is ready", || {
        let phase = place.read("phase");
        step.tell(&phase);
        // Its first process needs a moment to appear; gone twice in a row after that, it has ended.
        ended = if place.processes().is_none() && began.elapsed() > Duration::from_secs(2) { ended + 1 } else { 0 };
        match (phase == READY, ended > 1) {
            (true, _) => Ok(Ok(())),
            (false, true) => Ok(Err(Failure::new(format!("it ended at `{phase}`: {}", place.read("logs/node.log").trim())))),
            (false, false) => Err(format!("it is at `{phase}`")),
        }
    })?
}
