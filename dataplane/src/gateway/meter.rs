//! `meter`: how much is left. All limits of route and key are evaluated together.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use cause::{Check, Denial, Limit};
use ir::Dimension;
use observe::evidence::{Evidence, LimitLeft, Metered};
use policy::principal::Principal;
use policy::window::{Combined, Counter, Reading, reset_seconds, take_all};

use super::Trail;
use super::admit::Context;
use super::identify::Credentials;
use super::locate::Located;
use crate::runtime::{HeldLimit, Runtime, Serve, Version};
use crate::state::{CAPACITY, LimitKey, State, counted};

/// Takes one call from every limit, or from none.
pub(crate) fn meter<'a>(
    context: &Context<'a>,
    located: &Located<'a>,
    credentials: &Credentials,
    evidence: &mut Evidence,
    trail: &mut Trail<'a>,
) -> Result<(), Denial> {
    let (own, keys) = held_limits(context, located.serve, credentials);
    if own.is_empty() && keys.is_empty() {
        return Ok(());
    }
    let held = |index: usize| own.get(index).or_else(|| keys.get(index - own.len()));
    let caller = Caller::of(context, Some(located.version), credentials, evidence);
    let view = context.worker.state.limits.view();
    let unused = AtomicU64::new(0);
    let counter = |limit: &'a HeldLimit| {
        let key = caller.key(limit);
        // `explain` counts nothing and keeps nothing.
        let state = if context.explaining { Some(view.known(key).unwrap_or(&unused)) } else { view.counter(key) };
        let state = state.ok_or(Denial::Limit(Limit::StoreFull { capacity: CAPACITY }))?;
        Ok(Counter { limit: &limit.limit, state })
    };
    // Mostly there is one, and then nothing is made for it.
    let (one, several);
    let counters: &[Counter<'_>] = match (own, keys) {
        ([limit], []) | ([], [limit]) => {
            one = [counter(limit)?];
            &one
        }
        (_, _) => {
            several = own.iter().chain(keys).map(counter).collect::<Result<Vec<_>, Denial>>()?;
            &several
        }
    };
    let now = context.now.get();
    let mut shadow = Vec::new();
    let each = |index: usize, reading: Reading| {
        if !reading.admitted
            && let Some(limit) = held(index).filter(|limit| !limit.enforced())
        {
            let denial = limit.limit.refusal(&reading, limit.holder.clone(), evidence.received.at);
            if !shadow.contains(&denial) {
                shadow.push(denial);
            }
        }
    };
    let combined = if context.explaining { policy::window::look(counters, now, each) } else { take_all(counters, now, each) };
    evidence.shadow.extend(shadow.into_iter().map(|denial| (Check::Meter, Denial::Limit(denial))));
    let (decisive, reading, admitted) = match combined {
        Combined::Unlimited => return Ok(()),
        Combined::Admitted { decisive, reading } => (decisive, reading, true),
        Combined::Refused { decisive, reading } => (decisive, reading, false),
    };
    let Some(limit) = held(decisive) else { return Ok(()) };
    evidence.metered = Some(metered(limit, &reading));
    trail.limit = Some((limit.limit.rate_limit(&reading), &limit.limit.policy));
    if admitted {
        return Ok(());
    }
    Err(Denial::Limit(limit.limit.refusal(&reading, limit.holder.clone(), evidence.received.at)))
}

/// Tells a caller that an earlier check refuses what is left of the most restrictive limit, as far as it is known what
/// they count: every answer of a limited route says so. Takes nothing, and keeps no counter.
pub(crate) fn tell<'a>(context: &Context<'a>, credentials: Option<&Credentials>, evidence: &Evidence, trail: &mut Trail<'a>) {
    let Some(serve) = trail.route.and_then(|route| route.serve.as_ref().ok()) else { return };
    if trail.limit.is_some() || serve.limits.is_empty() && credentials.is_none_or(|known| known.key_index.is_none()) {
        return;
    }
    let version = trail.version.and_then(|index| serve.versions.get(index));
    let nobody;
    let known = match credentials {
        Some(known) => known,
        None => {
            nobody = Credentials::nobody(context.runtime);
            &nobody
        }
    };
    let (own, keys) = held_limits(context, serve, known);
    let is_known = |dimension: &Dimension| match dimension {
        Dimension::Principal | Dimension::Team => credentials.is_some(),
        Dimension::Version => version.is_some(),
        Dimension::ClientAddress => true,
    };
    let counts = |limit: &&HeldLimit| limit.limit.per.iter().all(is_known);
    let limits: Vec<&'a HeldLimit> = own.iter().chain(keys).filter(counts).collect();
    if limits.is_empty() {
        return;
    }
    let caller = Caller::of(context, version, known, evidence);
    let view = context.worker.state.limits.view();
    let unused = AtomicU64::new(0);
    let counters: Vec<Counter<'_>> = limits
        .iter()
        .map(|limit| Counter { limit: &limit.limit, state: view.known(caller.key(limit)).unwrap_or(&unused) })
        .collect();
    let combined = policy::window::look(&counters, context.now.get(), |_, _| {});
    if let Combined::Admitted { decisive, .. } | Combined::Refused { decisive, .. } = combined
        && let (Some(limit), Some(counter)) = (limits.get(decisive), counters.get(decisive))
    {
        let reading = limit.limit.gcra.left(counter.state, context.now.get());
        trail.limit = Some((limit.limit.rate_limit(&reading), &limit.limit.policy));
    }
}

/// Tells `explain` what is left of every limit, however the later steps end. Counts nothing, and keeps no counter.
pub(crate) fn look_ahead(context: &Context<'_>, located: &Located<'_>, credentials: &Credentials, evidence: &mut Evidence) {
    let (own, keys) = held_limits(context, located.serve, credentials);
    let caller = Caller::of(context, Some(located.version), credentials, evidence);
    let (view, now) = (context.worker.state.limits.view(), context.now.get());
    let unused = AtomicU64::new(0);
    let limits = own.iter().enumerate().chain(keys.iter().enumerate()).map(|(index, limit)| {
        let reading = limit.limit.gcra.peek(view.known(caller.key(limit)).unwrap_or(&unused), now);
        LimitLeft {
            holder: limit.holder.clone(),
            index,
            shadow: !limit.enforced(),
            admits: reading.admitted,
            metered: metered(limit, &reading),
        }
    });
    let limits = limits.collect();
    if let Some(explained) = &mut evidence.explained {
        explained.limits = limits;
    }
}

/// The limits of the route, and those of the key that was used.
fn held_limits<'a>(context: &Context<'a>, serve: &'a Serve, credentials: &Credentials) -> (&'a [HeldLimit], &'a [HeldLimit]) {
    let runtime: &'a Runtime = context.runtime;
    let keys = credentials.holder(runtime).map_or(&[][..], |holder| &holder.limits);
    (&serve.limits, keys)
}

fn metered(limit: &HeldLimit, reading: &Reading) -> Metered {
    Metered {
        limit: Arc::clone(&limit.limit.name),
        remaining: reading.remaining,
        reset_seconds: reset_seconds(reading),
        allowed: limit.limit.allowed(),
    }
}

/// What limits count apart, of one call. A hash is made for the limit that asks for it.
struct Caller<'a> {
    state: &'a State,
    principal: &'a Principal,
    /// The hash of a key's principal, which is known before.
    hash: Option<u64>,
    address: u128,
    version: &'a str,
}

impl<'a> Caller<'a> {
    fn of(context: &Context<'a>, version: Option<&'a Version>, credentials: &'a Credentials, evidence: &Evidence) -> Self {
        Self {
            state: &context.worker.state,
            principal: &credentials.principal,
            hash: credentials.holder(context.runtime).map(|holder| holder.principal),
            address: evidence.client.map_or(0, counted),
            version: version.map_or("", |version| &version.text),
        }
    }

    fn key(&self, limit: &HeldLimit) -> LimitKey {
        let mut key = LimitKey { limit: limit.id, ..LimitKey::default() };
        for dimension in &limit.limit.per {
            match dimension {
                Dimension::Principal => {
                    key.principal = self.hash.unwrap_or_else(|| self.state.principal_hash(self.principal));
                }
                Dimension::Team => key.team = self.principal.team.as_deref().map_or(0, |team| self.state.stable_hash(team)),
                Dimension::ClientAddress => key.address = self.address,
                Dimension::Version => key.version = self.state.stable_hash(self.version),
            }
        }
        key
    }
}
