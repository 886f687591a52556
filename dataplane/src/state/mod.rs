//! What outlives a configuration: counters, key sets, verified tokens. Keyed by stable ids, so that
//! an edited label resets nothing.

mod keysets;
mod limits;
mod tokens;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use policy::principal::{Principal, PrincipalKind};
use tokio::sync::mpsc;
use upstream::Guard;

pub(crate) use keysets::{Fetcher, KeySetCell, KeysView};
pub(crate) use limits::{CAPACITY, LimitKey, Limits};
pub(crate) use tokens::{Introspected, TokenCache, Verified};

/// An issuer's object, where its keys are, and its `iss`.
type KeySetKey = (ir::ProviderId, ir::KeySet, Arc<str>);

/// What all workers share and no configuration owns.
#[derive(Debug)]
pub(crate) struct State {
    /// The counters of limits.
    pub(crate) limits: Limits,
    /// One random key a process: counters cannot be made to collide from outside.
    hasher: RandomState,
    /// Key sets by issuer and source. Locked when a configuration is compiled, never by a request.
    key_sets: Mutex<HashMap<KeySetKey, Arc<KeySetCell>>>,
    /// Where URLs of the present configuration may lead.
    guard: Arc<ArcSwap<Guard>>,
    /// Addresses that they may never lead to in a cluster.
    never: OnceLock<Arc<[IpAddr]>>,
    /// What this process calls itself in `CDN-Loop`.
    pseudonym: String,
    /// Where new key sets are fetched; `None` where nothing is (`check`, `explain` of files).
    fetcher: Option<mpsc::UnboundedSender<Arc<KeySetCell>>>,
}

impl State {
    /// No counts, no keys. Key sets that must be fetched are sent to `fetcher`.
    #[must_use]
    pub(crate) fn new(fetcher: Option<mpsc::UnboundedSender<Arc<KeySetCell>>>) -> Self {
        let hasher = RandomState::new();
        let pseudonym = format!("doorward-{:016x}", hasher.hash_one("cdn-loop"));
        Self {
            limits: Limits::default(),
            hasher,
            pseudonym,
            key_sets: Mutex::default(),
            guard: Arc::default(),
            never: OnceLock::new(),
            fetcher,
        }
    }

    /// Where URLs of the present configuration may lead; follows it.
    #[must_use]
    pub(crate) const fn guard(&self) -> &Arc<ArcSwap<Guard>> {
        &self.guard
    }

    /// Has URLs lead where a configuration lets them, from now on.
    pub(crate) fn reach(&self, settings: &ir::Settings) -> Guard {
        let own = self.never.get().into_iter().flat_map(|own| own.iter());
        let guard = Guard::new(settings.reach, own.chain(&settings.never).copied().collect());
        self.guard.store(Arc::new(guard.clone()));
        guard
    }

    /// Has URLs never lead to these addresses in a cluster, from the next configuration on. Counts once.
    pub(crate) fn never_call(&self, addresses: Vec<IpAddr>) {
        let _ = self.never.set(addresses.into());
    }

    /// What this process calls itself to others like it (RFC 8586 section 2), which none of them does.
    #[must_use]
    pub(crate) fn pseudonym(&self) -> &str {
        &self.pseudonym
    }

    /// The same number for the same text for as long as the process lives.
    #[must_use]
    pub(crate) fn stable_hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// The same number for the same principal for as long as the process lives: who it is, not
    /// which of its credentials was used. 0 for nobody.
    #[must_use]
    pub(crate) fn principal_hash(&self, principal: &Principal) -> u64 {
        if principal.kind == PrincipalKind::Anonymous {
            return 0;
        }
        self.hasher.hash_one((principal.kind, &principal.team, &principal.provider, &principal.name))
    }

    /// The key set of an issuer, which is kept while its issuer and source stay the same.
    #[must_use]
    pub(crate) fn key_set(&self, provider: &Arc<ir::Provider>) -> Arc<KeySetCell> {
        let key = (provider.id.clone(), provider.keys.clone(), Arc::clone(&provider.issuer));
        let mut known = self.key_sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = known.get(&key) {
            cell.allow(&provider.algorithms);
            return Arc::clone(cell);
        }
        let cell = Arc::new(KeySetCell::new(provider));
        if !cell.is_inline()
            && let Some(fetcher) = &self.fetcher
        {
            // A closed channel means that the gateway stops.
            let _ = fetcher.send(Arc::clone(&cell));
        }
        known.insert(key, Arc::clone(&cell));
        cell
    }

    /// Forgets the key sets that no configuration uses.
    pub(crate) fn retain_key_sets(&self) {
        // One reference is the map's own, one the fetcher's.
        let mut known = self.key_sets.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, cell| {
            let used = Arc::strong_count(cell) > if cell.is_inline() { 1 } else { 2 };
            if !used {
                cell.retire();
            }
            used
        });
    }
}

/// The URL of an issuer's endpoint. The translator has checked it.
#[must_use]
pub(crate) fn parse_url(text: &str) -> Option<ir::UrlBackend> {
    let uri: http::Uri = text.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "http" => ir::Scheme::Http,
        "https" => ir::Scheme::Https,
        _ => return None,
    };
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(match scheme {
        ir::Scheme::Http => 80,
        ir::Scheme::Https => 443,
    });
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    Some(ir::UrlBackend { scheme, host: host.into(), port, path: path.into(), roots: ir::Roots::System })
}

/// `Authorization: Basic` of a client id and secret (RFC 6749 section 2.3.1).
#[must_use]
pub(crate) fn basic(client_id: &str, client_secret: &str) -> String {
    let pair = format!("{}:{}", form_encode(client_id), form_encode(client_secret));
    format!("Basic {}", STANDARD.encode(pair))
}

/// A value of an `application/x-www-form-urlencoded` body.
#[must_use]
pub(crate) fn form_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            other => {
                use std::fmt::Write as _;
                // Writing into a String cannot fail.
                let _ = write!(encoded, "%{other:02X}");
            }
        }
    }
    encoded
}

/// The part of an address that a limit counts: IPv6 by /64, which one subscriber has whole.
#[must_use]
pub(crate) fn counted(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64 | 1 << 127,
    }
}
