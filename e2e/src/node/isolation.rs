//! What a node would change on its machine, made the cluster's own.
//!
//! Namespaces of processes, mounts and network are there already; these are the files, kernel settings and addresses.

use std::fs;
use std::path::Path;
use std::process::Command;

use xtask::Failure;

use crate::place::Place;
use crate::run::output;

/// Kernel settings of the whole machine that the kubelet sets: it gets plain files in their places.
const MACHINE_SETTINGS: [&str; 6] = [
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/kernel/keys/root_maxkeys",
    "/proc/sys/kernel/keys/root_maxbytes",
];

/// The node's own address, on a bridge without ports.
const ADDRESS: &str = "10.99.0.1/24";

/// Lays the cluster's own folders over those of the machine.
pub(super) fn mounts(place: &Place) -> Result<(), Failure> {
    let mount = |arguments: &[&str]| output(Command::new("mount").args(arguments)).map(drop);
    let make = |path: &Path| {
        fs::create_dir_all(path).map_err(|error| Failure::new(format!("{} cannot be made: {error}", path.display())))
    };
    mount(&["-t", "tmpfs", "tmpfs", "/run"])?;
    for (name, over) in [("var-lib", "/var/lib"), ("var-log", "/var/log")] {
        let (upper, work) = (place.path(&format!("{name}/upper")), place.path(&format!("{name}/work")));
        make(&upper)?;
        make(&work)?;
        let options = format!("lowerdir={over},upperdir={},workdir={}", upper.display(), work.display());
        mount(&["-t", "overlay", "overlay", "-o", &options, over])?;
    }
    // Containers are overlays themselves, and one overlay cannot lie on another.
    for name in ["etcd", "containerd", "kubelet"] {
        let (own, over) = (place.path(name), format!("/var/lib/{name}"));
        make(&own)?;
        make(Path::new(&over))?;
        mount(&["--bind", &own.to_string_lossy(), &over])?;
    }
    for setting in MACHINE_SETTINGS.into_iter().filter(|setting| Path::new(setting).exists()) {
        let value = fs::read_to_string(setting).unwrap_or_default();
        let own = place.write(&format!("settings{}", setting.replace('/', "-")), &value)?;
        mount(&["--bind", &own.to_string_lossy(), setting])?;
    }
    mount(&["--make-rshared", "/"])
}

/// Addresses, routes and the kernel's settings of this network alone.
pub(super) fn network() -> Result<(), Failure> {
    output(Command::new("hostname").arg("node"))?;
    for line in [
        "link set lo up",
        "link add node0 type bridge",
        &format!("address add {ADDRESS} dev node0"),
        "link set node0 up",
        "route add default dev node0",
    ] {
        output(Command::new("ip").args(line.split(' ')))?;
    }
    for (setting, value) in [
        ("net/ipv4/ip_forward", "1"),
        // Without these, a connection to an address that kube-proxy does not serve yet waits for 3 s.
        ("net/ipv4/neigh/node0/mcast_solicit", "1"),
        ("net/ipv4/neigh/node0/retrans_time_ms", "50"),
    ] {
        let path = Path::new("/proc/sys").join(setting);
        fs::write(&path, value).map_err(|error| Failure::new(format!("{} cannot be set: {error}", path.display())))?;
    }
    Ok(())
}
