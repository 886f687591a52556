//! The last good state on disk: a restarted container serves from it when no operator is there.
//!
//! It holds keys' hashes, certificates and providers' credentials, so it is encrypted (AES-256-GCM) with a key that
//! only this pod has. Where the key lies in memory (an `emptyDir` of medium `Memory`), what is left on the
//! node's disk cannot be read by anyone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use cause::ObjectName;
use ir::Resource;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep};

use crate::encoding::Version;
use crate::held::Held;

/// The file of the state.
const NAME: &str = "snapshot.sealed";

/// The file that it is written as before it takes its name.
const UNFINISHED: &str = "snapshot.unfinished";

/// Bytes of a state that are read.
const SEALED: u64 = 512 << 20;

/// Bytes of the key.
const KEY: usize = 32;

/// Where a replica keeps its last good state.
pub struct Seal {
    folder: PathBuf,
    key: RandomizedNonceKey,
    /// What the state is of: another Gateway's is not taken.
    about: Vec<u8>,
}

/// Why a state cannot be kept or taken up.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key file is not one that was made here.
    #[error("{}: the key has {KEY} bytes", .0.display())]
    Key(PathBuf),
    /// The system has no randomness, or the cipher fails.
    #[error("the state cannot be sealed")]
    Cipher,
    /// The file was not sealed with this key for this Gateway: it was changed, cut, or another pod's.
    #[error("{}: it was not sealed by this pod for this Gateway", .0.display())]
    Broken(PathBuf),
    /// What was sealed is of another form.
    #[error("it cannot be read or written: {0}")]
    Form(String),
}

#[derive(Serialize, Deserialize)]
struct Content {
    digest: [u8; 16],
    resources: Vec<([u8; 16], Resource)>,
}

impl Seal {
    /// The state of `gateway` in `folder`. The key is made where there is none.
    ///
    /// # Errors
    /// When the key can be neither read nor made.
    pub fn open(folder: &Path, key: &Path, gateway: &ObjectName) -> Result<Self, SealError> {
        let bytes = match File::open(key) {
            Ok(file) => {
                let mut bytes = Vec::new();
                file.take(KEY as u64 + 1).read_to_end(&mut bytes).map_err(at(key))?;
                bytes
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = vec![0; KEY];
                rand::fill(&mut bytes).map_err(|_| SealError::Cipher)?;
                write(key, &bytes)?;
                bytes
            }
            Err(source) => return Err(at(key)(source)),
        };
        if bytes.len() != KEY {
            return Err(SealError::Key(key.to_owned()));
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::Cipher)?;
        let about = format!("doorward snapshot 1 {gateway}").into_bytes();
        Ok(Self { folder: folder.to_owned(), key, about })
    }

    /// The last good state; `None` where there is none. Blocks on the disk.
    ///
    /// # Errors
    /// When there is one that cannot be trusted or read. It is not used then.
    pub fn load(&self) -> Result<Option<Held>, SealError> {
        let path = self.folder.join(NAME);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(at(&path)(source)),
        };
        let mut bytes = Vec::new();
        file.take(SEALED).read_to_end(&mut bytes).map_err(at(&path))?;
        let broken = || SealError::Broken(path.clone());
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let plain = self.key.open_in_place(nonce, Aad::from(&self.about), sealed).map_err(|_| broken())?;
        let content: Content = ciborium::from_reader(&*plain).map_err(|error| SealError::Form(error.to_string()))?;
        let resources = content.resources.into_iter().map(|(version, resource)| (Version::from(version), resource)).collect();
        Ok(Some(Held::restored(resources, content.digest.into())))
    }

    /// Keeps a complete state instead of the last one, in whole or not at all. Blocks on the disk.
    ///
    /// # Errors
    /// When it cannot be written; the last one stays then.
    pub fn save(&self, held: &Held) -> Result<(), SealError> {
        let Some(digest) = held.digest() else { return Ok(()) };
        let versions = held.versions();
        let resources = held.snapshot().resources();
        let resources = resources.filter_map(|resource| Some(((*versions.get(&resource.id())?).into(), resource))).collect();
        let mut bytes = vec![0; NONCE_LEN];
        let content = Content { digest: digest.into(), resources };
        ciborium::into_writer(&content, &mut bytes).map_err(|error| SealError::Form(error.to_string()))?;
        let mut sealed = bytes.split_off(NONCE_LEN);
        let nonce = self.key.seal_in_place_append_tag(Aad::from(&self.about), &mut sealed).map_err(|_| SealError::Cipher)?;
        bytes.copy_from_slice(nonce.as_ref());
        bytes.append(&mut sealed);
        let (unfinished, path) = (self.folder.join(UNFINISHED), self.folder.join(NAME));
        write(&unfinished, &bytes)?;
        fs::rename(&unfinished, &path).map_err(at(&path))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SealError {
    let path = path.to_owned();
    |source| SealError::File { path, source }
}

/// Writes a file that nobody else reads.
fn write(path: &Path, bytes: &[u8]) -> Result<(), SealError> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(at(path))
}

/// Keeps the newest state, on a thread that may wait for the disk.
pub struct Sealer {
    states: watch::Sender<Held>,
    task: JoinHandle<()>,
}

/// The pause behind each write at least, and how many times as long as the write: under endless change it takes
/// a small share of one core.
const PAUSE: Duration = Duration::from_millis(200);
const SHARE: u32 = 200;

impl Sealer {
    /// Keeps what it is given by [`Sealer::put`].
    #[must_use]
    pub fn start(seal: Arc<Seal>) -> Self {
        let (states, mut newest) = watch::channel(Held::default());
        let task = tokio::spawn(async move {
            while newest.changed().await.is_ok() {
                let (seal, held) = (Arc::clone(&seal), newest.borrow_and_update().clone());
                let began = Instant::now();
                match spawn_blocking(move || seal.save(&held)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "the last good configuration is not kept"),
                    Err(error) => tracing::warn!(%error, "keeping the last good configuration failed"),
                }
                let rest = sleep(PAUSE.max(began.elapsed() * SHARE));
                tokio::select! {
                    () = rest => {}
                    // Nothing more comes: what waits is written at once.
                    () = ended(newest.clone()) => {}
                }
            }
        });
        Self { states, task }
    }

    /// Keeps `held` soon, unless a newer one comes first.
    pub fn put(&self, held: &Held) {
        self.states.send_replace(held.clone());
    }

    /// Waits until the newest state is kept.
    pub async fn finish(self) {
        drop(self.states);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "keeping the last good configuration failed");
        }
    }
}

async fn ended(mut states: watch::Receiver<Held>) {
    while states.changed().await.is_ok() {}
}
