//! Reading files, folders and standard input, once.
//!
//! A folder is read with its subfolders: every `*.yaml`, `*.yml` and `*.json` in the order of
//! their paths, without those whose name or folder begins with a dot. A path that the user named
//! is read whatever it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File as Opened};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use manifest::{Catalog, DEFAULT_NAMESPACE, File, passed_over, unreadable};

use crate::walk::{self, why};

/// Most bytes of one file.
const FILE_BYTES: usize = 16 << 20;
/// Most bytes of all files.
const ALL_BYTES: usize = 256 << 20;
/// How standard input is named.
const STDIN: &str = "-";

/// What to read.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Files, folders and `-`, as the user wrote them.
    pub paths: Vec<PathBuf>,
    /// What standard input held, for `-`: it can be read only once.
    pub stdin: Arc<[u8]>,
}

impl Input {
    /// Files, folders, and `-` without any text.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self { paths, stdin: Arc::default() }
    }

    /// Whether `-` is among the paths.
    #[must_use]
    pub fn has_stdin(&self) -> bool {
        self.paths.iter().any(|path| is_stdin(path))
    }
}

pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

/// Every file of the input, in the order of the paths. `known` are the files of an earlier load:
/// one whose text is the same is taken over, and so is what lies in a folder that cannot be read
/// any more.
///
/// Total: what is missing, unreadable, too large or without any manifest is a file with a finding,
/// and keeps what it held ([`manifest::unreadable`]). Reads files, so it blocks.
#[must_use]
pub fn load(input: &Input, catalog: &Catalog, known: &[File]) -> Vec<File> {
    let known = known.iter().map(|file| (&**file.source.name(), file)).collect();
    Loading::new(catalog, DEFAULT_NAMESPACE, known).all(input)
}

/// As [`load`] without any earlier load, for objects that go into this namespace where they name none.
#[must_use]
pub fn load_into(namespace: &str, input: &Input, catalog: &Catalog) -> Vec<File> {
    Loading::new(catalog, namespace, BTreeMap::new()).all(input)
}

struct Loading<'a> {
    catalog: &'a Catalog,
    /// Of objects that name none.
    namespace: &'a str,
    /// By name.
    known: BTreeMap<&'a str, &'a File>,
    files: Vec<File>,
    /// Real places of the files: two paths may lead to one.
    read: BTreeSet<PathBuf>,
    bytes: usize,
}

impl<'a> Loading<'a> {
    const fn new(catalog: &'a Catalog, namespace: &'a str, known: BTreeMap<&'a str, &'a File>) -> Self {
        Self { catalog, namespace, known, files: Vec::new(), read: BTreeSet::new(), bytes: 0 }
    }

    fn all(mut self, input: &Input) -> Vec<File> {
        for path in &input.paths {
            if is_stdin(path) {
                if self.read.insert(path.clone()) {
                    let file = self.text(STDIN, &input.stdin);
                    self.files.push(with_manifests(file));
                }
            } else if path.is_dir() {
                self.folder(path);
            } else {
                self.named(path);
            }
        }
        self.files
    }

    /// A path that the user named.
    fn named(&mut self, path: &Path) {
        let name = path.display().to_string();
        let is_stream = path.metadata().is_ok_and(|metadata| !metadata.is_file());
        match self.known.get(&*name) {
            // A pipe can be read only once.
            Some(earlier) if is_stream => self.files.push((*earlier).clone()),
            Some(_) | None => {
                if let Some(file) = self.file(path) {
                    self.files.push(with_manifests(file));
                }
                if !path.exists() {
                    self.keep_below(path);
                }
            }
        }
    }

    /// What lay in a folder that cannot be read now.
    fn keep_below(&mut self, folder: &Path) {
        let names: BTreeSet<Arc<str>> = self.files.iter().map(|file| Arc::clone(file.source.name())).collect();
        let below = self.known.iter().filter(|(name, _)| Path::new(name).starts_with(folder) && !names.contains(**name));
        self.files.extend(below.map(|(_, file)| (*file).clone()));
    }

    fn folder(&mut self, root: &Path) {
        let found = walk::walk(root);
        let is_read = !found.files.is_empty() || !found.failures.is_empty();
        let first = self.files.len();
        for path in &found.files {
            // What is gone since the folder was read was never there.
            let file = self.file(path).filter(|file| file.is_complete || path.symlink_metadata().is_ok());
            self.files.extend(file);
        }
        for (path, what) in &found.others {
            let reason = format!("is {what} and no file, so it is passed over");
            self.files.push(passed_over(&path.display().to_string(), &reason));
        }
        for (path, reason) in &found.failures {
            self.files.push(unreadable(&path.display().to_string(), reason));
            self.keep_below(path);
        }
        let is_empty = self.files.iter().skip(first).all(|file| file.manifests == 0 && file.is_complete);
        let all_elsewhere = is_read && self.files.len() == first;
        if is_empty && !all_elsewhere {
            self.files.push(unreadable(&root.display().to_string(), "holds no manifest"));
        }
    }

    /// A file, or nothing where it has been read by another path.
    fn file(&mut self, path: &Path) -> Option<File> {
        let name = path.display().to_string();
        if let Ok(real) = path.canonicalize()
            && !self.read.insert(real)
        {
            return None;
        }
        Some(match read(path) {
            Ok(bytes) => self.text(&name, &bytes),
            Err(reason) => unreadable(&name, &reason),
        })
    }

    fn text(&mut self, name: &str, bytes: &[u8]) -> File {
        if bytes.len() > FILE_BYTES {
            return unreadable(name, "is larger than 16 MiB");
        }
        self.bytes += bytes.len();
        if self.bytes > ALL_BYTES {
            return unreadable(name, "is not read: all files together are larger than 256 MiB");
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        // The text of a file that could not be read is empty.
        let is_same = |file: &&&File| !text.is_empty() && file.source.text().as_bytes() == text;
        match self.known.get(name).filter(is_same) {
            Some(file) => (*file).clone(),
            None => manifest::read_into(self.namespace, name, bytes, self.catalog),
        }
    }
}

/// At most one byte more than a file may have.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let opened = Opened::open(path).map_err(|error| why(&error))?;
    let size = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(FILE_BYTES).min(FILE_BYTES) + 1);
    opened.take(FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| why(&error))?;
    Ok(bytes)
}

/// A path that the user named must hold something.
fn with_manifests(file: File) -> File {
    if file.manifests == 0 && file.is_complete { unreadable(file.source.name(), "holds no manifest") } else { file }
}

#[cfg(test)]
mod tests;
