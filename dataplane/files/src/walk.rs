//! What lies in a folder: manifests by their extension, subfolders, nothing hidden.
//!
//! Symbolic links are followed, to files and to folders, because a mounted ConfigMap is made of
//! them: its names point into `..data`, which points to the folder of the day. Both of those are
//! hidden, so that each manifest is found once.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::FileType;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// Most files below one folder.
const FILES: usize = 10_000;
/// Most folders within folders.
const DEPTH: usize = 32;

/// What was found below a folder.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Manifests, sorted.
    pub(crate) files: Vec<PathBuf>,
    /// The folder itself and those below it, in the order in which they were opened.
    pub(crate) folders: Vec<PathBuf>,
    /// The files and folders among them that are links, those to nothing included.
    pub(crate) links: Vec<PathBuf>,
    /// What is named like a manifest and is no file, and what it is: opening it could wait for ever.
    pub(crate) others: Vec<(PathBuf, &'static str)>,
    /// What could not be read, and why.
    pub(crate) failures: Vec<(PathBuf, String)>,
}

/// Everything below a folder.
pub(crate) fn walk(root: &Path) -> Found {
    let mut walking = Walking { found: Found::default(), opened: BTreeSet::new() };
    walking.folder(root, 0);
    let mut found = walking.found;
    if found.files.len() > FILES {
        found.files.clear();
        found.failures = vec![(root.to_owned(), format!("holds more than {FILES} manifests"))];
    }
    found.files.sort();
    found
}

struct Walking {
    found: Found,
    /// Real places of the folders: links may lead in circles.
    opened: BTreeSet<PathBuf>,
}

impl Walking {
    fn folder(&mut self, folder: &Path, depth: usize) {
        if self.found.files.len() > FILES {
            return;
        }
        if let Err(reason) = self.entries(folder, depth) {
            self.found.failures.push((folder.to_owned(), reason));
        }
    }

    fn entries(&mut self, folder: &Path, depth: usize) -> Result<(), String> {
        if depth > DEPTH {
            return Err(format!("lies more than {DEPTH} folders deep"));
        }
        let real = folder.canonicalize().map_err(|error| why(&error))?;
        if !self.opened.insert(real) {
            return Ok(());
        }
        self.found.folders.push(folder.to_owned());
        let mut entries = Vec::new();
        for entry in folder.read_dir().map_err(|error| why(&error))? {
            let entry = entry.map_err(|error| why(&error))?;
            if !is_hidden(&entry.file_name()) {
                entries.push((entry.path(), entry.file_type()));
            }
        }
        entries.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (path, kind) in entries {
            // A file that is gone by now was never there.
            let Ok(kind) = kind else { continue };
            if kind.is_symlink() {
                self.found.links.push(path.clone());
                match path.metadata() {
                    Ok(metadata) => self.entry(path, metadata.file_type(), depth),
                    Err(error) if is_manifest(&path) => self.found.failures.push((path, why(&error))),
                    Err(_) => {}
                }
            } else {
                self.entry(path, kind, depth);
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, kind: FileType, depth: usize) {
        if kind.is_dir() {
            self.folder(&path, depth + 1);
        } else if !is_manifest(&path) {
            // Whatever it is, folders are not read for it.
        } else if kind.is_file() {
            self.found.files.push(path);
        } else {
            self.found.others.push((path, special(kind)));
        }
    }
}

/// What is neither a file nor a folder.
fn special(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Whether a name is one that folders are not read for.
pub(crate) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Whether a file of a folder is a manifest, by its extension.
pub(crate) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// An error as a reason, without the operating system's number.
pub(crate) fn why(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        return "no such file or folder".to_owned();
    }
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(reason, _)| reason).to_lowercase()
}
