//! Refusals that were written before. Whoever floods a gateway is refused for few causes, again and again.
//!
//! A refusal follows from its [`Grounds`]; in an answer for the same grounds nothing is new but the id of the call.
//! So the last answers are kept, and a refusal that is known costs a comparison and a copy.

use std::sync::Arc;

use bytes::Bytes;
use cause::{Check, Denial};
use http::{HeaderMap, Response, StatusCode, Version};
use observe::evidence::{CredentialReports, Evidence, RouteNames};
use upstream::ResponseBody;

use super::Dialect;
use crate::gateway::Rejection;

/// Refusals that are kept: more causes than a flood has.
const KEPT: usize = 16;

/// The refusals that one worker wrote last.
#[derive(Default)]
pub(crate) struct KnownRefusals {
    kept: Vec<Known>,
    /// The place of the oldest, once there are as many as are kept.
    oldest: usize,
}

struct Known {
    grounds: Grounds,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// Where the id of the call stands in the body.
    decisions: Vec<usize>,
}

/// All that an answer to a refused request is made of, but for the id of the call.
struct Grounds {
    /// The configuration: what may be told, where the pages of causes are.
    generation: u64,
    dialect: Dialect,
    protocol: Version,
    proven: bool,
    check: Check,
    denial: Denial,
    credentials: CredentialReports,
    route: Option<Arc<RouteNames>>,
}

impl Grounds {
    fn of(rejection: &Rejection, evidence: &Evidence, dialect: Dialect) -> Self {
        Self {
            generation: evidence.generation,
            dialect,
            protocol: evidence.received.protocol,
            proven: evidence.proven(),
            check: rejection.check,
            denial: rejection.denial.clone(),
            credentials: evidence.credentials.clone(),
            route: route(evidence).cloned(),
        }
    }

    fn are(&self, rejection: &Rejection, evidence: &Evidence, dialect: Dialect) -> bool {
        self.generation == evidence.generation
            && self.dialect == dialect
            && self.protocol == evidence.received.protocol
            && self.proven == evidence.proven()
            && self.check == rejection.check
            && self.route.as_ref().map(Arc::as_ptr) == route(evidence).map(Arc::as_ptr)
            && self.denial == rejection.denial
            && self.credentials == evidence.credentials
    }
}

fn route(evidence: &Evidence) -> Option<&Arc<RouteNames>> {
    evidence.located.as_ref().map(|located| &located.names)
}

impl KnownRefusals {
    /// The answer that was given on these grounds before, under the id of this call.
    pub(super) fn find(&self, rejection: &Rejection, evidence: &Evidence, dialect: Dialect) -> Option<Response<ResponseBody>> {
        let known = self.kept.iter().find(|known| known.grounds.are(rejection, evidence, dialect))?;
        let mut body = known.body.clone();
        let decision = evidence.received.decision.as_bytes();
        for place in &known.decisions {
            body.get_mut(*place..place + decision.len())?.copy_from_slice(decision);
        }
        let mut response = Response::new(ResponseBody::of(Bytes::from(body)));
        *response.status_mut() = known.status;
        *response.headers_mut() = known.headers.clone();
        Some(response)
    }

    /// Keeps an answer, in the place of the oldest. What no route took was refused for its own path or host, which
    /// will hardly come again.
    pub(super) fn keep(
        &mut self,
        (rejection, evidence, dialect): (&Rejection, &Evidence, Dialect),
        (status, headers, body): (StatusCode, &HeaderMap, &[u8]),
    ) {
        if evidence.located.is_none() {
            return;
        }
        let decision = evidence.received.decision.as_bytes();
        let known = Known {
            grounds: Grounds::of(rejection, evidence, dialect),
            status,
            headers: headers.clone(),
            body: body.to_vec(),
            decisions: memchr::memmem::find_iter(body, decision).collect(),
        };
        if self.kept.len() < KEPT {
            self.kept.push(known);
        } else if let Some(place) = self.kept.get_mut(self.oldest) {
            *place = known;
            self.oldest = (self.oldest + 1) % KEPT;
        }
    }
}
