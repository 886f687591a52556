//! The images that every cluster holds, as archives in the cache folder; no registry is asked for any.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use xtask::image::{Content, File, Image};
use xtask::{Failure, places};

use crate::programs::{self, COREDNS, ECHO, PAUSE, Program};

/// What containerd starts first in every pod.
pub const PAUSE_NAME: &str = "docker.io/library/pause:1";
/// The name server, under the name of our own manifest.
pub const COREDNS_NAME: &str = "docker.io/library/coredns:1";
/// The backend that answers with what it was asked, under a name of our own.
pub const ECHO_NAME: &str = "docker.io/library/echo:1";

/// Writes the archives and says where they are.
///
/// # Errors
/// A program was not built, or a file cannot be read or written.
pub fn write_all() -> Result<Vec<PathBuf>, Failure> {
    let asked_for = named_by_conformance()?;
    let named = |part: &str| -> Vec<String> { asked_for.iter().filter(|name| name.contains(part)).cloned().collect() };
    [(PAUSE, PAUSE_NAME, Vec::new()), (COREDNS, COREDNS_NAME, named("/coredns:")), (ECHO, ECHO_NAME, named("/echo-basic:"))]
        .into_iter()
        .map(|(program, name, others): (Program, &str, Vec<String>)| {
            let binary = program.path()?;
            let archive = places::cache()?.join("images").join(format!("{}.tar", name.replace(['/', ':'], "-")));
            let names: Vec<String> = std::iter::once(name.to_owned()).chain(others).collect();
            if !is_newer(&archive, &binary) {
                fs::create_dir_all(archive.parent().unwrap_or(Path::new("/")))
                    .map_err(|error| Failure::new(format!("{} cannot be made: {error}", archive.display())))?;
                let files = vec![File { path: "program", mode: 0o755, content: Content::Program(binary) }];
                Image { names, user: "0:0", entrypoint: &["/program"], labels: &[], files }.write(&archive)?;
            }
            Ok(archive)
        })
        .collect()
}

fn is_newer(archive: &Path, binary: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    matches!((time(archive), time(binary)), (Ok(archive), Ok(binary)) if archive > binary)
}

/// The images that the manifests of the conformance suite name.
fn named_by_conformance() -> Result<BTreeSet<String>, Failure> {
    let suite = programs::module_folder("conformance", "sigs.k8s.io/gateway-api/conformance")?;
    let mut found = BTreeSet::new();
    for folder in ["base", "tests"] {
        collect(&suite.join(folder), &mut found)?;
    }
    Ok(found)
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| Failure::new(format!("{} cannot be read: {error}", folder.display()));
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path).map_err(unreadable)?;
            found.extend(text.lines().filter_map(|line| {
                let image = line.trim().trim_start_matches("- ").strip_prefix("image:")?;
                Some(image.trim().trim_matches(['"', '\'']).to_owned())
            }));
        }
    }
    Ok(())
}
