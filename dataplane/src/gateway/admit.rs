//! The checks of a request, in their order. The order is a security property:
//!
//! - `locate` first, since every other check belongs to a route; a closed route answers here,
//!   before any credential is looked at;
//! - `screen` before `identify`: an address costs nothing to judge and bounds key guessing;
//! - `identify` before `authorize`: what a caller may learn depends on what it has proven;
//! - `validate` before `meter`: a malformed request costs no quota.
//!
//! No step logs, counts or writes an answer: each returns what it proved, or why it refuses.

use std::cell::Cell;

use cause::{Check, Denial};
use http::request::Parts;
use observe::evidence::Evidence;
use upstream::RequestBody;

use super::identify::Credentials;
use super::locate::Located;
use super::validate::Validated;
use super::{Trail, authorize, identify, locate, meter, screen, validate};
use crate::listen::Connection;
use crate::runtime::Runtime;
use crate::worker::Worker;

/// What the checks look at.
pub(crate) struct Context<'a> {
    /// The configuration.
    pub(crate) runtime: &'a Runtime,
    /// State, time and the connections on which issuers are asked.
    pub(crate) worker: &'a Worker,
    /// The client's connection.
    pub(crate) connection: &'a Connection,
    /// The time since the last wait of the call, in the nanoseconds of [`crate::clock::Clock::monotonic`]: one look at
    /// the clock serves all that happens between two waits, which is over in microseconds.
    pub(crate) now: Cell<u64>,
    /// Whether this is `explain`: nothing is counted, and every rule is reported.
    pub(crate) explaining: bool,
    /// Whether issuers may be asked: not by `explain` of files.
    pub(crate) live: bool,
    /// Whether the time is the present: what is kept of tokens holds for no other.
    pub(crate) present: bool,
}

/// A request whose checks all passed. Its fields are private to the gateway and [`Permit::spend`]
/// takes it whole, so that nothing is forwarded unchecked and nothing twice.
pub(crate) struct Permit<'a> {
    located: Located<'a>,
    credentials: Credentials,
    validated: Validated<'a>,
}

/// A request that a check refused.
pub(crate) struct Rejection {
    /// Which.
    pub(crate) check: Check,
    /// Why.
    pub(crate) denial: Denial,
}

impl<'a> Permit<'a> {
    /// What the checks proved, for whoever forwards the request.
    pub(crate) fn spend(self) -> (Located<'a>, Credentials, Validated<'a>) {
        (self.located, self.credentials, self.validated)
    }
}

/// Checks a request. What each step proved stands in `evidence`, however it ends. `parts` were
/// stripped at entry.
pub(crate) async fn admit<'a>(
    context: &Context<'a>,
    parts: &Parts,
    body: &mut RequestBody,
    evidence: &mut Evidence,
    trail: &mut Trail<'a>,
) -> Result<Permit<'a>, Rejection> {
    let located = match locate::locate(context, parts, evidence, trail) {
        Ok(located) => located,
        Err(denial) => return Err(refused(context, None, (Check::Locate, denial), (evidence, trail))),
    };
    if let Err(denial) = screen::screen(context, &located, evidence) {
        return Err(refused(context, None, (Check::Screen, denial), (evidence, trail)));
    }
    let credentials = match identify::identify(context, parts, &located, evidence).await {
        Ok(credentials) => credentials,
        Err(denial) => return Err(refused(context, None, (Check::Identify, denial), (evidence, trail))),
    };
    if context.explaining {
        meter::look_ahead(context, &located, &credentials, evidence);
    }
    if let Err(denial) = authorize::authorize(context, parts, &located, &credentials, evidence) {
        return Err(refused(context, Some(&credentials), (Check::Authorize, denial), (evidence, trail)));
    }
    let validated = match validate::validate(parts, &located, body, evidence).await {
        Ok(validated) => validated,
        Err(denial) => {
            return Err(refused(context, Some(&credentials), (Check::Validate, denial), (evidence, trail)));
        }
    };
    match meter::meter(context, &located, &credentials, evidence, trail) {
        Ok(()) => Ok(Permit { located, credentials, validated }),
        Err(denial) => Err(Rejection { check: Check::Meter, denial }),
    }
}

/// A refusal before `meter`: it takes nothing from the limits, and tells of them all the same.
fn refused<'a>(
    context: &Context<'a>,
    credentials: Option<&Credentials>,
    (check, denial): (Check, Denial),
    (evidence, trail): (&Evidence, &mut Trail<'a>),
) -> Rejection {
    meter::tell(context, credentials, evidence, trail);
    Rejection { check, denial }
}
