//! The programs of a cluster that no package brings: built from Go modules, kept for all checkouts.
//!
//! `e2e/modules/*/go.mod` pins each of them, `go.sum` everything below. What is built lies in the cache folder under
//! its version, with a digest of the module's own files beside it, so that nothing is built twice or stale.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::progress::quiet;
use xtask::{Failure, places, tools};

use crate::run::output;

/// One program and how it is built.
pub struct Program {
    name: &'static str,
    /// The folder of `e2e/modules`.
    module: &'static str,
    /// The module whose version is the program's, as go.mod names it.
    versioned_by: &'static str,
    what: What,
    /// Flags of Go's linker; `VERSION` in it becomes the version.
    link: &'static str,
}

enum What {
    Package(&'static str),
    Test,
    C(&'static str),
}

/// The names under which the one program of Kubernetes is started.
pub const KUBERNETES_NAMES: [&str; 6] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"];

/// Everything of Kubernetes.
pub const KUBERNETES: Program = Program {
    name: "kubernetes",
    module: "kubernetes",
    versioned_by: "k8s.io/kubernetes",
    what: What::Package("."),
    link: "-X k8s.io/component-base/version.gitVersion=vVERSION -X k8s.io/component-base/version.gitMajor=1 \
           -X k8s.io/component-base/version.gitMinor=35",
};
/// The cluster's store.
pub const ETCD: Program =
    Program { name: "etcd", module: "etcd", versioned_by: "go.etcd.io/etcd/server/v3", what: What::Package("."), link: "" };
/// The cluster's name server.
pub const COREDNS: Program = Program {
    name: "coredns",
    module: "coredns",
    versioned_by: "github.com/coredns/coredns",
    what: What::Package("github.com/coredns/coredns"),
    link: "",
};
/// The installer of charts.
pub const HELM: Program = Program {
    name: "helm",
    module: "helm",
    versioned_by: "helm.sh/helm/v4",
    what: What::Package("helm.sh/helm/v4/cmd/helm"),
    link: "-X helm.sh/helm/v4/internal/version.version=vVERSION",
};
/// A service that answers with what it was asked.
pub const ECHO: Program = Program {
    name: "echo-basic",
    module: "conformance",
    versioned_by: "sigs.k8s.io/gateway-api/conformance",
    what: What::Package("sigs.k8s.io/gateway-api/conformance/echo-basic"),
    link: "",
};
/// The Gateway API's conformance suite.
pub const CONFORMANCE: Program = Program {
    name: "conformance",
    module: "conformance",
    versioned_by: "sigs.k8s.io/gateway-api/conformance",
    what: What::Test,
    link: "",
};
/// What Argo CD and kstatus say of statuses that the operator writes.
pub const GITOPS: Program =
    Program { name: "gitops", module: "gitops", versioned_by: "github.com/argoproj/argo-cd/v2", what: What::Test, link: "" };
/// What Flux says of the same.
pub const FLUX: Program =
    Program { name: "flux", module: "flux", versioned_by: "github.com/fluxcd/pkg/runtime", what: What::Test, link: "" };
/// The process that holds a pod together.
pub const PAUSE: Program = Program { name: "pause", module: "pause", versioned_by: "", what: What::C("pause.c"), link: "" };

/// What every cluster needs.
pub const CLUSTER: [&Program; 6] = [&KUBERNETES, &ETCD, &COREDNS, &HELM, &ECHO, &PAUSE];

/// What tests need that run without a cluster.
pub const TESTS: [&Program; 3] = [&HELM, &GITOPS, &FLUX];

impl Program {
    /// Its version, from go.mod.
    ///
    /// # Errors
    /// The module cannot be read or does not name it.
    pub fn version(&self) -> Result<String, Failure> {
        if self.versioned_by.is_empty() {
            return Ok("1".to_owned());
        }
        version_of(&module(self.module)?.join("go.mod"), self.versioned_by)
    }

    /// Where it is once it is built.
    ///
    /// # Errors
    /// As for [`Self::version`], or there is no cache folder.
    pub fn path(&self) -> Result<PathBuf, Failure> {
        Ok(places::cache()?.join(format!("{}-{}", self.name, self.version()?)).join(self.name))
    }

    /// Builds it unless that was done, and says where it is.
    ///
    /// # Errors
    /// The build failed.
    pub fn build(&self) -> Result<PathBuf, Failure> {
        let (path, module) = (self.path()?, module(self.module)?);
        let (kept, digest) = (path.with_extension("digest"), digest(&module)?);
        if path.is_file() && fs::read_to_string(&kept).is_ok_and(|kept| kept == digest) {
            return Ok(path);
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).map_err(|error| Failure::new(format!("{} cannot be made: {error}", folder.display())))?;
        // Two that build at the same time do not write into one file.
        let unfinished = path.with_extension(format!("unfinished-{}", std::process::id()));
        let version = self.version()?;
        let command = self.command(&module, &unfinished, &version)?;
        quiet(&format!("building {} {version}", self.name), command, "first time only")?;
        fs::rename(&unfinished, &path)
            .and_then(|()| fs::write(&kept, digest))
            .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))?;
        Ok(path)
    }

    fn command(&self, module: &Path, to: &Path, version: &str) -> Result<Command, Failure> {
        if let What::C(source) = self.what {
            let mut command = Command::new("cc");
            command.args(["-static", "-Os", "-s", "-o"]).arg(to).arg(source).current_dir(module);
            return Ok(command);
        }
        tools::install(&[tools::GO])?;
        let mut command = go(module);
        match self.what {
            What::Test => command.args(["test", "-c"]),
            What::Package(_) | What::C(_) => command.arg("build"),
        };
        command.args(["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags"]);
        command.arg(format!("-s -w {}", self.link.replace("VERSION", version))).arg("-o").arg(to);
        if let What::Package(package) = self.what {
            command.arg(package);
        }
        Ok(command)
    }
}

/// Builds what every cluster needs.
///
/// # Errors
/// A build failed.
pub fn build_all() -> Result<(), Failure> {
    CLUSTER.iter().try_for_each(|program| program.build().map(drop))
}

/// Makes a folder in which every program of a cluster has its name.
///
/// # Errors
/// A link cannot be made.
pub fn link_into(folder: &Path) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("{} cannot be filled: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(cannot)?;
    let kubernetes = KUBERNETES.path()?;
    for name in KUBERNETES_NAMES {
        symlink(&kubernetes, folder.join(name)).map_err(cannot)?;
    }
    for program in [ETCD, HELM] {
        symlink(program.path()?, folder.join(program.name)).map_err(cannot)?;
    }
    Ok(())
}

/// The standard definitions of the Gateway API's kinds, as its module has them.
///
/// # Errors
/// The module cannot be fetched.
pub fn gateway_api_definitions() -> Result<PathBuf, Failure> {
    Ok(module_folder("conformance", "sigs.k8s.io/gateway-api")?.join("config/crd/standard"))
}

/// The files of a module that one of ours requires.
///
/// # Errors
/// It cannot be fetched.
pub fn module_folder(ours: &str, required: &str) -> Result<PathBuf, Failure> {
    let folder = module(ours)?;
    output(go(&folder).args(["mod", "download", required]))?;
    Ok(PathBuf::from(output(go(&folder).args(["list", "-m", "-f", "{{.Dir}}", required]))?.trim()))
}

fn go(module: &Path) -> Command {
    let mut command = Command::new("go");
    // Static programs, by the Go that is here: what a cluster runs must not depend on this machine's libraries.
    command.current_dir(module).env("CGO_ENABLED", "0").env("GOFLAGS", "");
    command
}

fn module(name: &str) -> Result<PathBuf, Failure> {
    Ok(places::root()?.join("e2e/modules").join(name))
}

fn version_of(go_mod: &Path, module: &str) -> Result<String, Failure> {
    let text =
        fs::read_to_string(go_mod).map_err(|error| Failure::new(format!("{} cannot be read: {error}", go_mod.display())))?;
    let found = text.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        (words.next() == Some(module)).then(|| words.next()?.strip_prefix('v')).flatten()
    });
    found.map(str::to_owned).ok_or_else(|| Failure::new(format!("{} does not require {module}", go_mod.display())))
}

fn digest(module: &Path) -> Result<String, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(format!("{} cannot be read: {error}", module.display()));
    let mut files: Vec<PathBuf> = fs::read_dir(module)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.file_name().hash(&mut hasher);
        fs::read(&file).map_err(unreadable)?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_version() {
        for program in CLUSTER.iter().chain(&TESTS).chain([&&CONFORMANCE]) {
            let version = program.version().unwrap();
            assert!(version.starts_with(|first: char| first.is_ascii_digit()), "{}: {version}", program.name);
        }
    }
}
