//! `authorize`: may this principal do this.

use cause::{Check, Denial};
use http::request::Parts;
use observe::evidence::Evidence;

use super::admit::Context;
use super::identify::Credentials;
use super::locate::Located;
use super::{enforce, screen, view};

/// Judges consumer, the key's own bounds, then the rules.
pub(crate) fn authorize(
    context: &Context<'_>,
    parts: &Parts,
    located: &Located<'_>,
    credentials: &Credentials,
    evidence: &mut Evidence,
) -> Result<(), Denial> {
    let serve = located.serve;
    if let (Some(held), Some(asked)) = (credentials.key(context.runtime), &serve.authentication) {
        let admitted = held.judge_consumer(&asked.consumers, &located.route.id).map_err(Denial::Access);
        enforce(admitted, asked.consumers.enforcement, Check::Authorize, evidence)?;
        held.judge_route(&located.route.id).map_err(Denial::Access)?;
        if !held.addresses.is_empty() {
            let client = evidence.client.unwrap_or_else(|| context.connection.peer.ip());
            let address = held.addresses.judge_key(client, &held.key.id.0);
            screen::settle(address, held.addresses.enforcement, Check::Authorize, evidence)?;
        }
    }
    if serve.rules.is_empty() {
        evidence.authorized = Some(None);
        return Ok(());
    }
    let request = view::of(context, parts, located, &credentials.principal, evidence);
    if let Some(explained) = &mut evidence.explained {
        explained.rules = serve.rules.report(&request);
    }
    let verdict = serve.rules.judge(&request);
    evidence.shadow.extend(verdict.shadow.map(|denial| (Check::Authorize, denial)));
    evidence.authorized = Some(verdict.verdict?);
    Ok(())
}
