//! What a route serves.

use std::sync::Arc;

use cause::{Fault, ObjectRef};
use ir::{Consumers, Enforcement};
use policy::addresses::AddressRules;
use policy::rules::RuleSet;
use policy::version::Versions;
use policy::window::RequestLimit;

use super::{Authentication, Backend, Traffic};

/// What a route serves.
#[derive(Debug)]
pub struct Serve {
    /// How a version is chosen.
    pub choice: Versions,
    /// The versions, in the order of `choice`.
    pub versions: Vec<Version>,
    /// Who calls.
    pub authentication: Authentication,
    /// Whose keys are admitted.
    pub consumers: Consumers,
    /// What principals may do.
    pub rules: RuleSet,
    /// From where.
    pub addresses: AddressRules,
    /// How much.
    pub limits: Vec<HeldLimit>,
    /// Bytes of request body that are accepted.
    pub max_body_bytes: Option<u64>,
    /// How requests and answers are shaped.
    pub traffic: Traffic,
}

/// One version.
#[derive(Debug)]
pub struct Version {
    /// Its number.
    pub text: Arc<str>,
    /// What answers, or why it is closed.
    pub backend: Result<Backend, Arc<Fault>>,
}

/// A limit and who holds it.
#[derive(Clone, Debug)]
pub struct HeldLimit {
    /// The route or key.
    pub holder: ObjectRef,
    /// The limit.
    pub limit: RequestLimit,
    /// Names its counters: the same in every generation while holder and name are the same.
    pub id: u64,
}

impl HeldLimit {
    /// Compiles a limit of `holder`.
    #[must_use]
    pub fn compile(holder: &ObjectRef, limit: &ir::Limit, hash: impl Fn(&str) -> u64) -> Self {
        let id = hash(&format!("{holder} {}", limit.name));
        Self { holder: holder.clone(), limit: RequestLimit::compile(limit), id }
    }

    /// Whether it refuses.
    #[must_use]
    pub fn enforced(&self) -> bool {
        self.limit.enforcement == Enforcement::Enforce
    }
}
