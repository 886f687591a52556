//! Issuers' key sets: fetched in the background, kept while they may be stale, one fetch for an
//! unknown key in 30 s (DESIGN section 5).

use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use cause::Token;
use policy::jwt::KeySet;
use tokio::sync::{Notify, mpsc, watch};
use upstream::{Guard, Upstreams};

use super::parse_url;
use crate::clock::Clock;

/// How long a set may be used after its last good fetch.
const STALE: Duration = Duration::from_secs(3600);
/// How often a set is fetched when all is well.
const REFRESH: Duration = Duration::from_secs(300);
/// Between two fetches for unknown keys, and the longest pause after a failed one.
const PAUSE: Duration = Duration::from_secs(30);
/// How long a request waits for a fetch.
const PATIENCE: Duration = Duration::from_secs(6);
/// The largest document that is read.
const DOCUMENT_BYTES: usize = 64 * 1024;

/// The key set of one issuer, shared by all workers and kept across configurations.
#[derive(Debug)]
pub(crate) struct KeySetCell {
    provider: cause::ObjectName,
    issuer: Arc<str>,
    source: ir::KeySet,
    /// Whether the first attempt waits for a token: an issuer that says how it is asked about tokens has no keys to
    /// discover unless a method of some route wants them (OIDC discovery unless `jwks` or `introspection` is given).
    is_on_demand: bool,
    algorithms: ArcSwap<Vec<Arc<str>>>,
    current: ArcSwapOption<Fetched>,
    /// Why there is no set, or none newer; for the owner.
    trouble: Mutex<Arc<str>>,
    /// Attempts that ended.
    attempts: watch::Sender<u64>,
    /// The attempt that requests wait for; one that has ended is wanted no more.
    wanted: AtomicU64,
    /// When requests last asked for an attempt, in monotonic nanoseconds. Held for no longer than
    /// it takes to see whether one more may ask.
    asked_at: Mutex<Option<u64>>,
    /// The document must be read again, whoever waits.
    outdated: AtomicBool,
    wake: Notify,
    retired: AtomicBool,
}

#[derive(Debug)]
struct Fetched {
    keys: Arc<KeySet>,
    /// Monotonic nanoseconds.
    at: u64,
    /// Tells sets apart in the token cache.
    generation: u64,
}

/// The keys as a request finds them.
#[derive(Clone, Debug)]
pub(crate) struct KeysView {
    /// The keys.
    pub(crate) keys: Arc<KeySet>,
    /// Tells sets apart in the token cache.
    pub(crate) generation: u64,
}

impl KeySetCell {
    /// The cell of an issuer. Inline keys are there at once; the translator has checked them.
    #[must_use]
    pub(crate) fn new(provider: &ir::Provider) -> Self {
        let cell = Self {
            provider: provider.id.0.clone(),
            issuer: Arc::clone(&provider.issuer),
            source: provider.keys.clone(),
            is_on_demand: provider.keys == ir::KeySet::Discovery && provider.introspection.is_some(),
            algorithms: ArcSwap::from_pointee(provider.algorithms.clone()),
            current: ArcSwapOption::empty(),
            trouble: Mutex::new("the key set has not been fetched yet".into()),
            attempts: watch::Sender::new(0),
            wanted: AtomicU64::new(0),
            asked_at: Mutex::new(None),
            outdated: AtomicBool::new(false),
            wake: Notify::new(),
            retired: AtomicBool::new(false),
        };
        if let ir::KeySet::Inline(text) = &provider.keys {
            cell.accept(text.as_bytes(), u64::MAX);
        }
        cell
    }

    /// Whether the keys stand in the manifest.
    #[must_use]
    pub(crate) const fn is_inline(&self) -> bool {
        matches!(self.source, ir::KeySet::Inline(_))
    }

    /// Other algorithms are allowed now: the keys are read anew.
    pub(crate) fn allow(&self, algorithms: &[Arc<str>]) {
        if self.algorithms.load().as_slice() == algorithms {
            return;
        }
        self.algorithms.store(Arc::new(algorithms.to_vec()));
        if let ir::KeySet::Inline(text) = &self.source {
            self.accept(text.as_bytes(), u64::MAX);
        } else {
            self.outdated.store(true, Ordering::Release);
            self.wake.notify_one();
        }
    }

    /// No configuration uses it any more.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// The keys, as long as they may be used at `now` (monotonic nanoseconds).
    ///
    /// # Errors
    /// `token.keys_unavailable` when there are none, or they are too old.
    pub(crate) fn view(&self, now: u64) -> Result<KeysView, Token> {
        self.newer_than(None, now).ok_or_else(|| self.unavailable())
    }

    /// The keys, for a token whose key `seen` does not hold and that arrived at `arrived`: fetched
    /// once more, unless that was done for another such token within [`PAUSE`].
    ///
    /// # Errors
    /// `token.key_unknown` when fresh keys do not hold it; `token.keys_unavailable` when the fetch
    /// failed.
    pub(crate) async fn fresher(&self, seen: Option<&KeysView>, arrived: u64) -> Result<KeysView, Token> {
        if self.is_inline() {
            return seen.cloned().ok_or_else(|| self.unavailable()).and(Err(self.unknown()));
        }
        let mut attempts = self.attempts.subscribe();
        let done = *attempts.borrow_and_update();
        if let Some(newer) = self.newer_than(seen, arrived) {
            return Ok(newer);
        }
        if let Err(asked_at) = self.ask(done, arrived) {
            let fetched = seen.is_some() && self.current.load().as_ref().is_some_and(|fetched| fetched.at >= asked_at);
            return Err(if fetched { self.unknown() } else { self.unavailable() });
        }
        let ended = tokio::time::timeout(PATIENCE, attempts.changed()).await;
        if ended.is_err() {
            return Err(self.unavailable());
        }
        self.newer_than(seen, arrived).ok_or_else(|| self.unavailable())
    }

    /// Sees to it that an attempt ends after the `done` ones; fails with the time at which one was
    /// asked for, where that was a moment ago.
    fn ask(&self, done: u64, arrived: u64) -> Result<(), u64> {
        if done == 0 {
            // The first attempt is made unasked, or by the first token.
            if self.is_on_demand && self.wanted.swap(1, Ordering::AcqRel) == 0 {
                self.wake.notify_one();
            }
            return Ok(());
        }
        let mut asked_at = self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if self.wanted.load(Ordering::Acquire) > done {
            return Ok(());
        }
        if let Some(at) = *asked_at
            && arrived.saturating_sub(at) <= nanoseconds(PAUSE)
        {
            return Err(at);
        }
        *asked_at = Some(arrived);
        self.wanted.store(done + 1, Ordering::Release);
        drop(asked_at);
        self.wake.notify_one();
        Ok(())
    }

    /// Whether the next attempt must not wait.
    fn is_due(&self) -> bool {
        self.outdated.load(Ordering::Acquire) || self.wanted.load(Ordering::Acquire) > *self.attempts.borrow()
    }

    /// The keys, where they are others than `seen` and not too old at `now`.
    fn newer_than(&self, seen: Option<&KeysView>, now: u64) -> Option<KeysView> {
        let current = self.current.load();
        let fetched = current.as_ref()?;
        let usable = now.saturating_sub(fetched.at) <= nanoseconds(STALE);
        let newer = seen.is_none_or(|seen| fetched.generation > seen.generation);
        (usable && newer).then(|| KeysView { keys: Arc::clone(&fetched.keys), generation: fetched.generation })
    }

    fn unknown(&self) -> Token {
        Token::KeyUnknown { provider: self.provider.clone() }
    }

    fn unavailable(&self) -> Token {
        let reason = Arc::clone(&self.trouble.lock().unwrap_or_else(PoisonError::into_inner));
        Token::KeysUnavailable { provider: self.provider.clone(), reason }
    }

    /// Takes a document, or records why it cannot be used.
    fn accept(&self, document: &[u8], at: u64) -> bool {
        match KeySet::parse(document, &self.algorithms.load()) {
            Ok(keys) => {
                let generation = self.current.load().as_ref().map_or(1, |fetched| fetched.generation + 1);
                self.current.store(Some(Arc::new(Fetched { keys: Arc::new(keys), at, generation })));
                true
            }
            Err(reason) => {
                self.note(&format!("the key set cannot be used: {reason}"));
                false
            }
        }
    }

    fn note(&self, trouble: &str) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble.into();
    }

    /// Fetches the set once.
    async fn fetch(&self, fetcher: &Fetcher) -> Result<Vec<u8>, String> {
        let uri = match &self.source {
            ir::KeySet::Inline(text) => return Ok(text.as_bytes().to_vec()),
            ir::KeySet::Uri(uri) => Arc::clone(uri),
            ir::KeySet::Discovery => self.discover(fetcher).await?,
        };
        fetcher.document(&uri).await
    }

    /// `jwks_uri` of the issuer's own description (OpenID Connect Discovery 1.0 section 4).
    async fn discover(&self, fetcher: &Fetcher) -> Result<Arc<str>, String> {
        let uri = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let body = fetcher.document(&uri).await?;
        let description: Description = serde_json::from_slice(&body).map_err(|_| format!("{uri} is no OpenID configuration"))?;
        if description.issuer != *self.issuer {
            return Err(format!("{uri} describes another issuer"));
        }
        let place = parse_url(&description.jwks_uri).ok_or_else(|| format!("{uri} names no usable jwks_uri"))?;
        let loopback =
            place.host.parse::<std::net::IpAddr>().map_or(&*place.host == "localhost", |address| address.is_loopback());
        if place.scheme == ir::Scheme::Http && !loopback {
            return Err(format!("{uri} names a jwks_uri that is not https"));
        }
        Ok(description.jwks_uri.into())
    }
}

#[derive(serde::Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

const fn nanoseconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000)
}

/// Keeps key sets fresh, on a thread of its own.
pub(crate) struct Fetcher {
    /// Connections to issuers.
    pub(crate) upstreams: Rc<Upstreams>,
    /// Where they may lead.
    pub(crate) guard: Arc<ArcSwap<Guard>>,
    /// Time.
    pub(crate) clock: Clock,
}

impl Fetcher {
    /// Serves until every sender is gone.
    pub(crate) async fn run(self, mut cells: mpsc::UnboundedReceiver<Arc<KeySetCell>>) {
        let fetcher = Rc::new(self);
        while let Some(cell) = cells.recv().await {
            tokio::task::spawn_local(keep_fresh(cell, Rc::clone(&fetcher)));
        }
    }
}

impl Fetcher {
    async fn document(&self, uri: &str) -> Result<Vec<u8>, String> {
        let place = parse_url(uri).ok_or_else(|| format!("{uri} is not a usable URL"))?;
        let guard = self.guard.load_full();
        let fetched = crate::egress::get(&self.upstreams, &place, &guard, DOCUMENT_BYTES).await;
        let fetched = fetched.map_err(|reason| format!("{uri}: {reason}"))?;
        if !fetched.status.is_success() {
            return Err(format!("{uri} answered {}", fetched.status.as_u16()));
        }
        Ok(fetched.body.to_vec())
    }
}

/// Fetches one key set now, or when a token first asks for it, then again and again until it is retired.
async fn keep_fresh(cell: Arc<KeySetCell>, fetcher: Rc<Fetcher>) {
    let mut failures: u32 = 0;
    while cell.is_on_demand && !cell.is_due() {
        cell.wake.notified().await;
        if cell.retired.load(Ordering::Acquire) {
            return;
        }
    }
    loop {
        cell.outdated.store(false, Ordering::Release);
        let fetched = cell.fetch(&fetcher).await;
        let good = match fetched {
            Ok(document) => cell.accept(&document, fetcher.clock.monotonic()),
            Err(trouble) => {
                tracing::warn!(provider = %cell.provider, trouble, "could not fetch a key set");
                cell.note(&trouble);
                false
            }
        };
        cell.attempts.send_modify(|attempts| *attempts += 1);
        failures = if good { 0 } else { failures.saturating_add(1) };
        let pause = if good { REFRESH } else { PAUSE.min(Duration::from_secs(1 << failures.min(5))) };
        let until = tokio::time::Instant::now() + pause;
        // Those who asked while the document was on its way have been served by it.
        while !cell.retired.load(Ordering::Acquire) && !cell.is_due() {
            if tokio::time::timeout_at(until, cell.wake.notified()).await.is_err() {
                break;
            }
        }
        if cell.retired.load(Ordering::Acquire) {
            return;
        }
    }
}
