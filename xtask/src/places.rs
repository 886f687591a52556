//! Where things lie: the checkout, what was built, and the cache folder beside all checkouts.
//!
//! Read when the program runs, never when it is compiled: two clones share what was built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// The checkout: the nearest folder with a `Cargo.lock`, from the crate that cargo runs or the current folder upwards.
///
/// # Errors
/// Outside a checkout.
pub fn root() -> Result<PathBuf, Failure> {
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).or_else(|| env::current_dir().ok()).unwrap_or_default();
    here.ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .map(Path::to_path_buf)
        .ok_or_else(|| Failure::new(format!("{} lies in no checkout of doorward: no Cargo.lock above it", here.display())))
}

/// Where cargo puts what it builds.
///
/// # Errors
/// As for [`root`].
pub fn built() -> Result<PathBuf, Failure> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => Ok(root()?.join(folder)),
        None => Ok(root()?.join("target")),
    }
}

/// The folder of whatever is fetched or built once for all checkouts: `$XDG_CACHE_HOME/doorward` or `~/.cache/doorward`.
///
/// # Errors
/// Neither variable is set.
pub fn cache() -> Result<PathBuf, Failure> {
    let base = match (env::var_os("XDG_CACHE_HOME"), env::var_os("HOME")) {
        (Some(cache), _) if !cache.is_empty() => PathBuf::from(cache),
        (_, Some(home)) => PathBuf::from(home).join(".cache"),
        (_, None) => return Err(Failure::new("set HOME or XDG_CACHE_HOME: the tests' tools are kept there")),
    };
    Ok(base.join("doorward"))
}

/// The pinned packages of the tests' Python clients.
///
/// # Errors
/// As for [`root`].
pub fn python_requirements() -> Result<PathBuf, Failure> {
    Ok(root()?.join("tests/python/requirements.txt"))
}

/// The Python that has those packages. Named by the pinned version of `openai`; made by `make test`, so it may not be there.
///
/// # Errors
/// No cache folder, or the list of packages cannot be read or does not pin `openai`.
pub fn python() -> Result<PathBuf, Failure> {
    let list = python_requirements()?;
    let text =
        std::fs::read_to_string(&list).map_err(|error| Failure::new(format!("{} cannot be read: {error}", list.display())))?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("openai=="))
        .ok_or_else(|| Failure::new(format!("{} pins no `openai==VERSION`", list.display())))?;
    Ok(cache()?.join(format!("python-openai-{}", version.trim())).join("bin/python"))
}

/// The cargo that runs us, so that all steps use one toolchain.
///
/// # Errors
/// As for [`root`].
pub fn cargo(arguments: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root()?);
    Ok(command)
}
