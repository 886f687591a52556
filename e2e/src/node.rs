//! The inside of a cluster: what its first process does, from the first mount to the first pod.
//!
//! It has mounts, a network and processes of its own, and runs as long as the cluster does: it starts the programs of
//! Kubernetes, says how far it is in the file `phase`, plays the load balancer, and ends, with everything else, as soon
//! as one of the programs ends by itself.

mod balancer;
mod certificates;
mod component;
mod isolation;
mod settings;

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use xtask::{Failure, places};

use crate::cluster::kubectl_at;
use crate::place::Place;
use crate::run::{output, until};
use component::Component;

/// What the last line of the file `phase` says once the cluster can be used.
pub const READY: &str = "ready";

/// How long one program may take until it answers.
const PATIENCE: Duration = Duration::from_secs(120);
const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// Runs the cluster; returns only when it is over.
///
/// # Errors
/// Something could not be started, or ended by itself.
pub fn node(place: &Place) -> Result<(), Failure> {
    let phase = |text: &str| place.write("phase", text).map(drop);
    phase("mounts and network")?;
    isolation::mounts(place)?;
    isolation::network()?;
    let mut components = vec![Component::start(place, "etcd", &settings::etcd())?];
    components.push(Component::start(place, "containerd", &settings::containerd(place)?)?);
    phase("certificates")?;
    certificates::make(place)?;
    let api_server = settings::api_server(place)?;
    phase("API server")?;
    components.push(Component::start(place, "kube-apiserver", &api_server)?);
    let importing = {
        let place = place.clone();
        thread::spawn(move || import_all(&place))
    };
    let sooner = || -> Result<(), Failure> {
        until(PATIENCE, "the API server listens", || {
            TcpStream::connect(settings::API_SERVER).map_err(|error| error.to_string())
        })?;
        until(PATIENCE, "the API server is ready", || {
            output(kubectl_at(place).args(["get", "--raw", "/readyz"])).map_err(|failure| failure.to_string())
        })?;
        Ok(())
    };
    sooner()?;
    phase("node")?;
    for (name, arguments) in settings::others(place)? {
        components.push(Component::start(place, name, &arguments)?);
    }
    balancer::start(place.clone());
    let finishing = {
        let place = place.clone();
        thread::spawn(move || finish(&place, importing))
    };
    component::watch(place, &mut components, finishing)
}

/// What needs running programs; they are watched meanwhile.
fn finish(place: &Place, importing: JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    let phase = |text: &str| place.write("phase", text).map(drop);
    phase("name server and definitions")?;
    let manifests = places::root()?.join("e2e/manifests/coredns.yaml");
    apply(place, &[manifests, PathBuf::from(place.read("definitions"))])?;
    importing.join().map_err(|_| Failure::new("importing the images ended early"))??;
    phase("pods")?;
    output(kubectl_at(place).args(["-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s"]))?;
    output(kubectl_at(place).args(["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]))?;
    phase(READY)
}

fn apply(place: &Place, paths: &[PathBuf]) -> Result<(), Failure> {
    let mut command = kubectl_at(place);
    command.args(["apply", "--server-side"]);
    for path in paths {
        command.arg("-f").arg(path);
    }
    output(&mut command).map(drop)
}

fn import_all(place: &Place) -> Result<(), Failure> {
    until(PATIENCE, "containerd listens", || UnixStream::connect(CONTAINERD).map_err(|error| error.to_string()))?;
    place.read("images").lines().try_for_each(|archive| import(archive, place))
}

fn import(archive: &str, place: &Place) -> Result<(), Failure> {
    // It listens a moment before all its parts answer.
    until(PATIENCE, &format!("{} takes {}", place.name(), archive), || {
        output(Command::new("ctr").args(["-n", "k8s.io", "images", "import"]).arg(archive)).map_err(|failure| failure.to_string())
    })?;
    Ok(())
}
