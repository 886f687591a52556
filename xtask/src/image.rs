//! `image`: the static binary as an image, an OCI archive that containerd, podman and docker load.
//!
//! No container engine takes part, and no base image: the binary links against nothing. The bytes depend only on the
//! binary, the version and the roots of public certificates of this machine.

mod archive;
mod elf;
mod tar;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub use archive::{Content, File, Image};
pub use elf::interpreter;

use crate::progress::quiet;
use crate::{Failure, places, tools};

/// Where Debian keeps the roots of public certificates, and where the binary looks for them in the image.
pub const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The user and group that the image runs as.
const USER: &str = "65532:65532";
/// Names the cargo profile of the binary in the image; `release` without it.
const PROFILE: &str = "DOORWARD_IMAGE_PROFILE";

/// Builds `target/doorward-image.tar`.
pub(crate) fn image() -> Result<ExitCode, Failure> {
    let archive = build()?;
    crate::progress::say(&format!("  {} holds {}\n", archive.display(), reference()));
    Ok(ExitCode::SUCCESS)
}

/// The name under which the archive is loaded: `doorward:VERSION`.
#[must_use]
pub fn reference() -> String {
    format!("doorward:{}", env!("CARGO_PKG_VERSION"))
}

/// Builds the binary and the archive, and says where the archive is.
///
/// # Errors
/// The build failed, the binary needs an interpreter, or a file cannot be read or written.
pub fn build() -> Result<PathBuf, Failure> {
    tools::install(&[tools::ROOTS])?;
    let (profile, target) = (profile(), target());
    let mut build =
        places::cargo(&["build", "--locked", "--package", "doorward-cli", "--target", &target, "--profile", &profile])?;
    // An explicit target keeps the flag away from build scripts and procedural macros, which cannot be static.
    build.env("RUSTFLAGS", "-C target-feature=+crt-static");
    quiet(&format!("building doorward for the image ({profile})"), build, "")?;
    let archive = places::built()?.join("doorward-image.tar");
    pack(&binary()?, &archive)?;
    Ok(archive)
}

/// The program of the image, where [`build`] leaves it: it runs on this machine too.
///
/// # Errors
/// Outside a checkout.
pub fn binary() -> Result<PathBuf, Failure> {
    let profile = profile();
    let folder = if profile == "dev" { "debug" } else { &profile };
    Ok(places::built()?.join(target()).join(folder).join("doorward"))
}

fn profile() -> String {
    std::env::var(PROFILE).unwrap_or_else(|_| "release".to_owned())
}

fn target() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

fn pack(binary: &Path, archive: &Path) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    Image {
        names: vec![format!("docker.io/library/{}", reference())],
        user: USER,
        entrypoint: &["/doorward"],
        labels: &[("org.opencontainers.image.title", "doorward"), ("org.opencontainers.image.version", version)],
        files: vec![
            File { path: "doorward", mode: 0o755, content: Content::Program(binary.to_path_buf()) },
            File { path: ROOTS.trim_start_matches('/'), mode: 0o644, content: Content::Copy(PathBuf::from(ROOTS)) },
        ],
    }
    .write(archive)
}
