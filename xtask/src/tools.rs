//! Programs that the menu needs beside Rust: installed once, left alone when they are there.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::progress::quiet;
use crate::{Failure, places};

/// A program, how to see that it works, and Debian's package that brings it.
pub struct Tool {
    probe: &'static [&'static str],
    package: &'static str,
}

/// Sends requests by hand.
pub const CURL: Tool = Tool { probe: &["curl", "--version"], package: "curl" };
/// The peer of the bench.
pub const NGINX: Tool = Tool { probe: &["nginx", "-v"], package: "nginx" };
/// Makes the load of the bench.
pub const WRK: Tool = Tool { probe: &["which", "wrk"], package: "wrk" };
/// Counts system calls in the bench.
pub const STRACE: Tool = Tool { probe: &["strace", "--version"], package: "strace" };
/// Debian splits Python: `venv` without `ensurepip` makes a folder that has no pip.
pub const PYTHON: Tool = Tool { probe: &["python3", "-c", "import venv, ensurepip"], package: "python3-venv" };
/// The roots of public certificates, a part of the image.
pub const ROOTS: Tool = Tool { probe: &["test", "-s", crate::image::ROOTS], package: "ca-certificates" };
/// What a node of a real cluster consists of, beside Kubernetes itself.
pub const NODE: [Tool; 10] = [
    Tool { probe: &["containerd", "--version"], package: "containerd" },
    Tool { probe: &["runc", "--version"], package: "runc" },
    Tool { probe: &["test", "-x", "/usr/lib/cni/bridge"], package: "containernetworking-plugins" },
    Tool { probe: &["iptables", "--version"], package: "iptables" },
    Tool { probe: &["conntrack", "--version"], package: "conntrack" },
    Tool { probe: &["ethtool", "--version"], package: "ethtool" },
    Tool { probe: &["socat", "-V"], package: "socat" },
    Tool { probe: &["ip", "-V"], package: "iproute2" },
    Tool { probe: &["tini", "--version"], package: "tini" },
    Tool { probe: &["openssl", "version"], package: "openssl" },
];
/// Builds the programs of Kubernetes and its companions.
pub const GO: Tool = Tool { probe: &["go", "version"], package: "golang-go" };

/// Installs those that do not answer their probe.
///
/// # Errors
/// No apt-get, no right to use it, or it failed: with the command to type.
pub fn install(tools: &[Tool]) -> Result<(), Failure> {
    let missing: Vec<&str> = tools.iter().filter(|tool| !works(tool.probe)).map(|tool| tool.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !works(&["apt-get", "--version"]) {
        return Err(Failure::new(format!("needed and not found: {names}. Install them with this system's package manager.")));
    }
    let arguments = ["-o", "DPkg::Lock::Timeout=120", "--yes", "--no-install-recommends", "install"];
    let step = format!("installing {names}");
    // The package lists of a new machine are empty or old: refresh them only if the first try says so.
    if quiet(&step, apt(&[&arguments[..], &missing].concat()), "").is_ok() {
        return Ok(());
    }
    quiet("refreshing the package lists", apt(&["update"]), "")?;
    quiet(&step, apt(&[&arguments[..], &missing].concat()), "")
        .map_err(|failure| Failure::new(format!("{failure}\nTo do it by hand: sudo apt-get install {names}")))
}

/// The tests' Python with its pinned packages, made anew when the pins change.
///
/// # Errors
/// The folder cannot be made, or pip failed.
pub(crate) fn install_python_packages() -> Result<(), Failure> {
    let (python, list) = (places::python()?, places::python_requirements()?);
    let Some(folder) = python.parent().and_then(Path::parent) else {
        return Err(Failure::new(format!("{} has no folder", python.display())));
    };
    let (wanted, kept) = (std::fs::read(&list), std::fs::read(folder.join("requirements.txt")));
    if matches!((wanted, kept), (Ok(wanted), Ok(kept)) if wanted == kept) && answers(&python, &["-c", "import openai"]) {
        return Ok(());
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(folder);
    quiet("making a folder for Python packages", make, "")?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&list);
    quiet("installing the tests' Python clients", pip, "first time only")?;
    // Last, because it says that everything before it is done.
    std::fs::copy(&list, folder.join("requirements.txt"))
        .map(drop)
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", folder.display())))
}

fn works(probe: &[&str]) -> bool {
    probe.split_first().is_some_and(|(program, arguments)| answers(Path::new(program), arguments))
}

fn answers(program: &Path, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// `apt-get`, through sudo for whoever is not root; `-n` because a question nobody answers would hang.
fn apt(arguments: &[&str]) -> Command {
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let mut command = if is_root {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo
    };
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
