//! The stage: backend and proxies, started, pinned and seen to answer; taken down when dropped.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cores::Cores;
use crate::load::{Call, Loop, Totals};
use crate::plan::{Calls, FEW_ROUTES, Load, MANY_ROUTES, Plan, Server};
use crate::probe::Expected;
use crate::process::{Running, on_core};
use crate::progress::Progress;
use crate::token::Issued;
use crate::{Failure, manifests, peers, probe, token};

/// All that runs during a measurement.
pub(crate) struct Stage {
    proxies: BTreeMap<Server, Proxy>,
    loops: BTreeMap<Load, Loop>,
    /// What did not answer as it must, and so cannot be measured.
    pub(crate) unfit: BTreeMap<Load, Failure>,
    // Fields drop in their order: what writes to the folder ends before the folder goes.
    _backend: Running,
    _folder: Folder,
}

struct Proxy {
    running: Running,
    address: SocketAddr,
}

/// A folder for one run.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies in the system's folder for temporary files.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What starting a proxy takes.
struct Builder<'a> {
    folder: &'a Path,
    cores: Cores,
    backend: SocketAddr,
    issued: &'a Issued,
    doorward: &'a Path,
}

impl Stage {
    /// Starts what the plan needs and calls each once, or until it answers as it must.
    ///
    /// # Errors
    /// A program cannot be started.
    pub(crate) fn set(plan: &Plan, doorward: &Path, cores: Cores, progress: &mut Progress) -> Result<Self, Failure> {
        let folder = Folder(std::env::temp_dir().join(format!("doorward-bench-{}", std::process::id())));
        fs::create_dir(&folder.0).map_err(Failure::of(folder.0.display()))?;
        let issued = token::issue()?;
        let address = free_address()?;
        let mut backend = nginx("backend", &folder.0, cores.rest, |folder| peers::backend(folder, address))?;
        write(&folder.0.join("backend/large"), &peers::large_answer())?;

        let builder = Builder { folder: &folder.0, cores, backend: address, issued: &issued, doorward };
        let mut proxies = BTreeMap::new();
        for server in plan.servers() {
            proxies.insert(server, builder.start(server)?);
        }
        let (mut loops, mut unfit) = (BTreeMap::new(), BTreeMap::new());
        for load in plan.loads.iter().chain(plan.counted).copied() {
            let Some(proxy) = proxies.get_mut(&load.server) else { continue };
            if loops.contains_key(&load) || unfit.contains_key(&load) {
                continue;
            }
            let calls = manifests::calls(load.calls, &issued);
            progress.step(&format!("waiting for {load}"));
            backend.check()?;
            if let Err(failure) = proxy.expect(load.calls, &calls) {
                unfit.insert(load, failure);
                continue;
            }
            let name = format!("{:?}-{:?}", load.server, load.calls);
            loops.insert(load, Loop::prepare(&folder.0, &name, &calls, cores.rest)?);
        }
        Ok(Self { proxies, loops, unfit, _backend: backend, _folder: folder })
    }

    /// The process of a proxy.
    ///
    /// # Errors
    /// The plan did not name it.
    pub(crate) fn running(&mut self, server: Server) -> Result<&mut Running, Failure> {
        let proxy = self.proxies.get_mut(&server).ok_or_else(|| Failure::new(format!("{server} was not started")))?;
        Ok(&mut proxy.running)
    }

    /// Calls for some seconds; every reply must have the status of these calls.
    ///
    /// # Errors
    /// `wrk` failed, a call was lost, or replies were of another kind.
    pub(crate) fn call(&self, load: Load, seconds: u32) -> Result<Totals, Failure> {
        let (Some(calls), Some(proxy)) = (self.loops.get(&load), self.proxies.get(&load.server)) else {
            return Err(Failure::new(format!("{load} was not prepared")));
        };
        let totals = calls.run(proxy.address, seconds)?;
        let refused = if load.calls.status() < 400 { 0 } else { totals.replies };
        if totals.replies == 0 || totals.lost > 0 || totals.refused != refused {
            let Totals { replies, lost, refused, .. } = totals;
            let status = load.calls.status();
            return Err(Failure::new(format!(
                "every call should be answered with {status}; of {replies} replies {refused} had a status of 400 or more, and \
                 {lost} calls were lost\n{}",
                proxy.running.printed()
            )));
        }
        Ok(totals)
    }
}

impl Builder<'_> {
    fn start(&self, server: Server) -> Result<Proxy, Failure> {
        let address = free_address()?;
        let running = match server {
            Server::Doorward => self.doorward("doorward", address, &manifests::of_all_checks(self.backend, self.issued)),
            Server::DoorwardTen => self.doorward("doorward-ten", address, &manifests::of_routes(FEW_ROUTES, self.backend)),
            Server::DoorwardTenThousand => {
                self.doorward("doorward-ten-thousand", address, &manifests::of_routes(MANY_ROUTES, self.backend))
            }
            Server::Nginx => nginx("nginx", self.folder, self.cores.proxy, |folder| peers::proxy(folder, address, self.backend)),
            Server::Relay => {
                let program = std::env::current_exe().map_err(Failure::of("this program cannot find itself"))?;
                let mut command = on_core(self.cores.proxy, &program);
                command.arg("relay").arg(address.to_string()).arg(self.backend.to_string());
                Running::start("relay", command, self.folder)
            }
        }?;
        Ok(Proxy { running, address })
    }

    fn doorward(&self, name: &str, address: SocketAddr, manifests: &str) -> Result<Running, Failure> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder).map_err(Failure::of(folder.display()))?;
        write(&folder.join("bench.yaml"), manifests)?;
        let mut command = on_core(self.cores.proxy, self.doorward);
        command.arg("run").arg(&folder).args(["--http", &address.to_string()]);
        command.args(["--management", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--workers", "1", "--no-watch"]);
        Running::start(name, command, self.folder)
    }
}

impl Proxy {
    /// The first and the last of the calls, until both are answered as they must.
    fn expect(&mut self, kind: Calls, calls: &[Call]) -> Result<(), Failure> {
        let expected = Expected { status: kind.status(), length: kind.answer() };
        for call in calls.first().into_iter().chain(calls.last()) {
            probe::until(&mut self.running, self.address, call, expected)?;
        }
        Ok(())
    }
}

fn nginx(name: &str, folder: &Path, core: usize, settings: impl FnOnce(&Path) -> String) -> Result<Running, Failure> {
    let own = folder.join(name);
    fs::create_dir(&own).map_err(Failure::of(own.display()))?;
    let file = own.join("nginx.conf");
    write(&file, &settings(&own))?;
    let mut command = on_core(core, nginx_program());
    command.arg("-p").arg(&own).arg("-c").arg(&file).args(["-e", "stderr"]);
    Running::start(name, command, folder)
}

/// Debian keeps nginx where only root's `PATH` leads.
fn nginx_program() -> &'static Path {
    let debian = Path::new("/usr/sbin/nginx");
    if debian.is_file() { debian } else { Path::new("nginx") }
}

/// The version that nginx prints.
pub(crate) fn nginx_version() -> String {
    let output = Command::new(nginx_program()).arg("-v").output().map(|output| output.stderr).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().trim_start_matches("nginx version: ").to_owned()
}

/// A loopback address that nobody listens on now.
fn free_address() -> Result<SocketAddr, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(Failure::of("no loopback address can be listened on"))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(Failure::of(path.display()))
}
