//! What a route serves.

use std::sync::Arc;

use cause::{Fault, ObjectRef};
use ir::Enforcement;
use policy::addresses::AddressRules;
use policy::rules::RuleSet;
use policy::version::Versions;
use policy::window::RequestLimit;

use super::{Authentication, Backend, Traffic};

/// What a route serves. What most routes have nothing of lies elsewhere: among ten thousand routes, it matters how
/// much memory a call has to look at.
#[derive(Debug)]
pub(crate) struct Serve {
    /// How a version is chosen.
    pub(crate) choice: Versions,
    /// The versions, in the order of `choice`.
    pub(crate) versions: Vec<Version>,
    /// Who calls; `None` where nobody is asked.
    pub(crate) authentication: Option<Box<Authentication>>,
    /// What principals may do.
    pub(crate) rules: RuleSet,
    /// From where.
    pub(crate) addresses: AddressRules,
    /// How much.
    pub(crate) limits: Box<[HeldLimit]>,
    /// Bytes of request body that are accepted.
    pub(crate) max_body_bytes: Option<u64>,
    /// How requests and answers are shaped.
    pub(crate) traffic: Traffic,
}

/// One version.
#[derive(Debug)]
pub(crate) struct Version {
    /// Its number.
    pub(crate) text: Arc<str>,
    /// What answers, or why it is closed.
    pub(crate) backend: Result<Backend, Arc<Fault>>,
}

/// A limit and who holds it.
#[derive(Clone, Debug)]
pub(crate) struct HeldLimit {
    /// The route or key.
    pub(crate) holder: ObjectRef,
    /// The limit.
    pub(crate) limit: RequestLimit,
    /// Names its counters: the same in every generation while holder and name are the same.
    pub(crate) id: u64,
}

impl HeldLimit {
    /// Compiles a limit of `holder`.
    #[must_use]
    pub(crate) fn compile(holder: &ObjectRef, limit: &ir::Limit, hash: impl Fn(&str) -> u64) -> Self {
        let id = hash(&format!("{holder} {}", limit.name));
        Self { holder: holder.clone(), limit: RequestLimit::compile(limit), id }
    }

    /// Whether it refuses.
    #[must_use]
    pub(crate) fn enforced(&self) -> bool {
        self.limit.enforcement == Enforcement::Enforce
    }
}
