//! The files of the checkout, as text.

use std::fs;
use std::path::{Path, PathBuf};

/// One text file.
pub(crate) struct File {
    /// From the root of the checkout, with `/`.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

impl File {
    /// Whether it is Rust that ships or builds what ships, by its place: not below a folder of tests.
    pub(crate) fn is_production_rust(&self) -> bool {
        self.path.ends_with(".rs") && !self.path.split('/').any(|part| part == "tests" || part == "benches")
    }
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    xtask::places::root().expect("tests run in a checkout")
}

/// Every text file below the root, but for what git and cargo keep there, in the order of their paths.
pub(crate) fn files() -> Vec<File> {
    let root = root();
    let mut files = Vec::new();
    gather(&root, &root, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 50, "the walk found only {} files", files.len());
    files
}

/// Those that end in `.rs`.
pub(crate) fn rust_files() -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

fn gather(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a folder of the checkout can be read") {
        let path = entry.expect("an entry of the checkout can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if [".git", "target", "node_modules"].contains(&name.as_str()) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            gather(root, &path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path.strip_prefix(root).expect("the walk stays below the root").to_string_lossy().replace('\\', "/");
            files.push(File { path, text });
        }
    }
}
