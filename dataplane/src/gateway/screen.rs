//! `screen`: the client's address.

use std::net::IpAddr;

use cause::{Address, Check, Denial};
use http::HeaderName;
use ir::{ClientAddress, Enforcement};
use observe::evidence::Evidence;
use policy::addresses::{ForwardedForm, client_address};

use super::admit::Context;
use super::locate::Located;

/// The client's address, from what stood in the head before it was stripped.
pub(crate) fn client(source: &ClientAddress, peer: IpAddr, headers: &http::HeaderMap) -> IpAddr {
    let ClientAddress::Forwarded { hops, header } = source else { return peer.to_canonical() };
    let form = if **header == *"forwarded" { ForwardedForm::Elements } else { ForwardedForm::List };
    let Ok(name) = header.parse::<HeaderName>() else { return peer.to_canonical() };
    let lines = headers.get_all(name).into_iter().map(http::HeaderValue::as_bytes);
    client_address(lines, form, *hops).unwrap_or(peer).to_canonical()
}

/// Judges the address; it was found when the request was received.
pub(crate) fn screen(context: &Context<'_>, located: &Located<'_>, evidence: &mut Evidence) -> Result<(), Denial> {
    let addresses = &located.serve.addresses;
    let client = evidence.client.unwrap_or_else(|| context.connection.peer.ip());
    if let Some(explained) = &mut evidence.explained {
        explained.addresses = Some(addresses.told(client));
    }
    if addresses.is_empty() {
        return Ok(());
    }
    settle(addresses.judge_route(client, &located.route.id.name), addresses.enforcement, Check::Screen, evidence)
}

/// What a verdict about an address comes to.
pub(crate) fn settle(
    verdict: Result<(), Address>,
    enforcement: Enforcement,
    check: Check,
    evidence: &mut Evidence,
) -> Result<(), Denial> {
    super::enforce(verdict.map_err(Denial::Address), enforcement, check, evidence)
}
