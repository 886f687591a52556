//! What answers the requests of a version.

use std::sync::Arc;

use bytes::Bytes;
use cause::Fault;
use http::{HeaderMap, HeaderValue, StatusCode};
use upstream::{Guard, Protocol, Target, TlsIdentity};

use super::{HeaderChanges, Redirect};

/// What answers the requests of a version.
#[derive(Debug)]
pub(crate) enum Backend {
    /// Services by weight.
    Services(Services),
    /// A URL, shared by all routes that lead there.
    Url(Arc<Url>),
    /// The unified AI API.
    Models(Models),
    /// A fixed answer.
    Response(Box<Fixed>),
    /// A redirect.
    Redirect(Box<Redirect>),
}

/// A fixed answer.
#[derive(Debug)]
pub(crate) struct Fixed {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its fields.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

impl Backend {
    /// Where its requests can go.
    pub(crate) fn targets(&self) -> Vec<&Target> {
        match self {
            Self::Services(services) => services.shares.iter().filter_map(|share| share.target.as_deref().ok()).collect(),
            Self::Url(url) => vec![&*url.target],
            Self::Models(models) => {
                models.0.iter().filter_map(|model| model.place.as_ref().ok()).map(|place| &*place.target).collect()
            }
            Self::Response(_) | Self::Redirect(_) => Vec::new(),
        }
    }
}

/// Services by weight.
#[derive(Debug)]
pub(crate) struct Services {
    shares: Vec<Service>,
    total: u64,
}

/// One Service and its share.
#[derive(Debug)]
pub(crate) struct Service {
    /// Where it is, or why it cannot serve its share.
    pub(crate) target: Result<Arc<Target>, Arc<Fault>>,
    /// Its share.
    pub(crate) weight: u32,
    /// Changes to the fields of its requests.
    pub(crate) request: HeaderChanges,
    /// Changes to the fields of its answers.
    pub(crate) response: HeaderChanges,
}

impl Services {
    /// Services with their shares.
    #[must_use]
    pub(crate) fn new(shares: Vec<Service>) -> Self {
        let total = shares.iter().map(|share| u64::from(share.weight)).sum();
        Self { shares, total }
    }

    /// The Service for one request; `random` is any number. `None` when every weight is 0.
    #[must_use]
    pub(crate) fn choose(&self, random: u64) -> Option<&Service> {
        if let [only] = self.shares.as_slice() {
            return (self.total > 0).then_some(only);
        }
        let mut place = random.checked_rem(self.total)?;
        self.shares.iter().find(|share| {
            let weight = u64::from(share.weight);
            let chosen = place < weight;
            place = place.saturating_sub(weight);
            chosen
        })
    }
}

/// A URL.
#[derive(Debug)]
pub(crate) struct Url {
    /// Where it is.
    pub(crate) target: Arc<Target>,
    /// Its `Host`.
    pub(crate) host: HeaderValue,
    /// What is put before the path; empty for nothing.
    pub(crate) prefix: Arc<str>,
}

impl Url {
    /// A URL as a target that leads where `guard` lets it; `name` is how causes call it.
    ///
    /// # Errors
    /// Why its certificate authorities or its host cannot be used.
    pub(crate) fn of(written: &ir::UrlBackend, name: Arc<str>, guard: &Guard) -> Result<Self, Arc<str>> {
        let (protocol, usual) = match written.scheme {
            ir::Scheme::Http => (Protocol::Http1, 80),
            ir::Scheme::Https => (Protocol::Tls(TlsIdentity::new(Arc::clone(&written.host), written.roots.clone())?), 443),
        };
        let bracketed = if written.host.contains(':') { format!("[{}]", written.host) } else { written.host.to_string() };
        let host = if written.port == usual { bracketed } else { format!("{bracketed}:{}", written.port) };
        let host = HeaderValue::from_str(&host).map_err(|_| Arc::from("the host is no field value"))?;
        let endpoint = ir::Endpoint::Name(Arc::clone(&written.host), written.port);
        let target = Arc::new(Target::new(name, vec![endpoint], protocol).guarded(guard.clone()));
        Ok(Self { target, host, prefix: Arc::clone(&written.path) })
    }
}

/// The models of a route, by the names that callers use.
#[derive(Debug)]
pub(crate) struct Models(pub Vec<ModelTarget>);

/// One model.
#[derive(Debug)]
pub(crate) struct ModelTarget {
    /// What callers call it, and its namespace-qualified name.
    pub(crate) names: [Arc<str>; 2],
    /// What the provider calls it.
    pub(crate) upstream_name: Arc<str>,
    /// Where it is, or why it cannot be used.
    pub(crate) place: Result<Url, Arc<Fault>>,
    /// The gateway's own credential, as a field value that is never logged.
    pub(crate) authorization: Option<HeaderValue>,
}

impl Models {
    /// The model that a caller names.
    #[must_use]
    pub(crate) fn find(&self, name: &str) -> Option<&ModelTarget> {
        self.0.iter().find(|model| model.names.iter().any(|known| **known == *name))
    }

    /// Those that can be called.
    pub(crate) fn usable(&self) -> impl Iterator<Item = &ModelTarget> {
        self.0.iter().filter(|model| model.place.is_ok())
    }

    /// The names that callers use for those.
    #[must_use]
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        self.usable().map(|model| Arc::clone(&model.names[0])).collect()
    }
}
