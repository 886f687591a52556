//! A request as rules see it.

use http::request::Parts;
use observe::evidence::Evidence;
use policy::principal::Principal;
use policy::request::RequestView;

use super::admit::Context;
use super::locate::Located;

/// The request, borrowed.
pub(super) fn of<'a>(
    context: &Context<'_>,
    parts: &'a Parts,
    located: &'a Located<'_>,
    principal: &'a Principal,
    evidence: &Evidence,
) -> RequestView<'a> {
    let length = parts.headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    RequestView {
        method: parts.method.as_str(),
        path: &located.path,
        host: &located.host,
        scheme: if context.connection.tls.is_some() { "https" } else { "http" },
        headers: &parts.headers,
        query: parts.uri.query().unwrap_or_default(),
        size: length,
        client: evidence.client.unwrap_or_else(|| context.connection.peer.ip()),
        principal,
        route: &located.route.id.name,
        version: &located.version.text,
        now: evidence.received.at,
    }
}
