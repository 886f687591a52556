//! Saying when files change.
//!
//! Folders are watched, never files: editors and mounts replace a file, and a watch on the file
//! that was replaced would see nothing more. Every name on the way to a path is watched in its
//! folder, and links are followed, so that a swap anywhere on the way is seen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::load::is_stdin;
use crate::walk::{is_hidden, is_manifest, walk};

/// How long nothing more may happen before a change is told: files come in groups.
const QUIET: Duration = Duration::from_millis(10);
/// How long a change may be held back while more happens.
const LONGEST: Duration = Duration::from_millis(250);
/// Most links on the way to a path.
const LINKS: usize = 40;
/// How often the folders may change while watches are set.
const ROUNDS: usize = 8;

/// Tells of changes to paths and to everything below them.
///
/// A file counts as changed when whoever wrote it has closed it, so that half of a file is not
/// read; where the system does not tell of that, at every write.
pub struct Watcher {
    paths: Vec<PathBuf>,
    watcher: RecommendedWatcher,
    targets: Arc<RwLock<Targets>>,
    changed: Arc<Notify>,
    /// A change was seen and is not told yet.
    is_due: bool,
}

/// What counts as a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Targets {
    /// In these folders, these names.
    names: BTreeMap<PathBuf, BTreeSet<OsString>>,
    /// In these folders (real places), every manifest and every folder.
    folders: BTreeSet<PathBuf>,
}

impl Watcher {
    /// Watches from now on; start it before the first load, and no change is lost. `-` is passed over.
    ///
    /// # Errors
    /// The system gives no means to watch files.
    pub fn start(paths: &[PathBuf]) -> Result<Self, notify::Error> {
        let targets = Arc::new(RwLock::new(Targets::default()));
        let changed = Arc::new(Notify::new());
        let (seen, signal) = (Arc::clone(&targets), Arc::clone(&changed));
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let is_relevant = match &event {
                Ok(event) => seen.read().unwrap_or_else(PoisonError::into_inner).are_met_by(event),
                Err(error) => {
                    tracing::warn!(%error, "a change of files may have been missed");
                    true
                }
            };
            if is_relevant {
                signal.notify_one();
            }
        })?;
        let paths = paths.iter().filter(|path| !is_stdin(path)).cloned().collect();
        let mut started = Self { paths, watcher, targets, changed, is_due: false };
        started.follow();
        Ok(started)
    }

    /// Waits until something changed since the last call, and then until it is quiet.
    ///
    /// Looks for new folders before it returns, so what is loaded after it misses nothing.
    /// Cancelling it loses nothing. Reads folders, so it belongs on no runtime that serves requests.
    pub async fn changed(&mut self) {
        if !self.is_due {
            self.changed.notified().await;
            self.is_due = true;
        }
        let until = Instant::now() + LONGEST;
        while timeout_at(until.min(Instant::now() + QUIET), self.changed.notified()).await.is_ok() {
            if Instant::now() >= until {
                break;
            }
        }
        self.follow();
        self.is_due = false;
    }

    /// Watches what the paths lead to now. A folder that appears while watches are set is found by
    /// the next round, or told by the watch on the folder above it.
    fn follow(&mut self) {
        for _ in 0..ROUNDS {
            let targets = Targets::new(&self.paths);
            let before = std::mem::replace(&mut *self.targets.write().unwrap_or_else(PoisonError::into_inner), targets.clone());
            for gone in before.all().difference(&targets.all()) {
                // It may be gone altogether, and its watch with it.
                let _ = self.watcher.unwatch(gone);
            }
            for folder in targets.all() {
                if let Err(error) = self.watcher.watch(&folder, RecursiveMode::NonRecursive)
                    && is_worth_telling(&error, targets.folders.contains(&folder))
                {
                    tracing::warn!(folder = %folder.display(), %error, "cannot watch a folder; changes in it are not seen");
                }
            }
            if Targets::new(&self.paths) == targets {
                return;
            }
        }
        // Folders come and go faster than they can be watched: look again soon.
        self.changed.notify_one();
    }
}

/// A folder that is gone is told by the folder above it, and one on the way may be closed to us.
const fn is_worth_telling(error: &notify::Error, holds_manifests: bool) -> bool {
    match error.kind {
        notify::ErrorKind::PathNotFound => false,
        notify::ErrorKind::Io(_) => holds_manifests,
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_)
        | notify::ErrorKind::MaxFilesWatch => true,
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl Targets {
    fn new(paths: &[PathBuf]) -> Self {
        let mut targets = Self::default();
        for path in paths {
            targets.way_to(path);
            if !path.is_dir() {
                continue;
            }
            let found = walk(path);
            found.links.iter().for_each(|link| targets.way_to(link));
            targets.folders.extend(found.folders.iter().filter_map(|folder| folder.canonicalize().ok()));
        }
        targets
    }

    /// Each name on the way to a path, in the folder that it really stands in.
    fn way_to(&mut self, path: &Path) {
        let Ok(absolute) = std::path::absolute(path) else { return };
        let mut ahead: VecDeque<OsString> = absolute.components().map(|part| part.as_os_str().to_owned()).collect();
        let mut at = PathBuf::new();
        let mut links = 0;
        while let Some(part) = ahead.pop_front() {
            match Path::new(&part).components().next() {
                Some(Component::Normal(name)) => {
                    self.names.entry(at.clone()).or_default().insert(name.to_owned());
                    let next = at.join(name);
                    match next.read_link() {
                        Ok(target) if links < LINKS => {
                            links += 1;
                            for part in target.components().rev() {
                                ahead.push_front(part.as_os_str().to_owned());
                            }
                        }
                        Ok(_) => return,
                        Err(_) if next.exists() => at = next,
                        // Whatever appears here is seen by its name.
                        Err(_) => return,
                    }
                }
                Some(Component::ParentDir) => {
                    at.pop();
                }
                Some(Component::CurDir) | None => {}
                Some(root @ (Component::RootDir | Component::Prefix(_))) => at.push(root),
            }
        }
    }

    /// Every folder that is to be watched.
    fn all(&self) -> BTreeSet<PathBuf> {
        self.folders.iter().chain(self.names.keys()).cloned().collect()
    }

    fn are_met_by(&self, event: &Event) -> bool {
        if event.need_rescan() {
            return true;
        }
        let closes_a_file = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
            EventKind::Access(_) => return false,
            EventKind::Modify(ModifyKind::Data(_)) if cfg!(target_os = "linux") => return false,
            EventKind::Modify(ModifyKind::Data(_)) => true,
            EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => false,
        };
        event.paths.iter().any(|path| self.are_met_at(path, closes_a_file))
    }

    fn are_met_at(&self, path: &Path, closes_a_file: bool) -> bool {
        // The folder itself was removed or renamed.
        if self.folders.contains(path) {
            return true;
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
        let is_named = self.names.get(folder).is_some_and(|names| names.contains(name));
        let is_below = self.folders.contains(folder) && is_of_folder(path, name, closes_a_file);
        is_named || is_below
    }
}

/// Whether a name in a folder may change what the folder holds. A name without the extension of a
/// manifest may be a folder's, unless it is a file that is closed.
fn is_of_folder(path: &Path, name: &OsStr, closes_a_file: bool) -> bool {
    !is_hidden(name) && (is_manifest(path) || !closes_a_file)
}

#[cfg(test)]
mod tests;
