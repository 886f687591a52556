//! From a permit to an answer: the gateway's own, or the upstream's.

use std::time::Duration;

use cause::{Denial, Upstream as UpstreamCause};
use http::request::Parts;
use http::{Request, Response};
use observe::evidence::Evidence;
use upstream::{Lines, Outgoing, RequestBody, ResponseBody, SendError, Target, Timeouts};

use super::admit::{Context, Permit};
use super::finish::Call;
use super::hop::Hop;
use super::identify::Credentials;
use super::locate::Located;
use super::shape::{self, Destination};
use super::validate::{self, Validated};
use super::{answer, models};
use crate::runtime::{Backend, PortProtocol};

/// Answers an admitted request.
pub(super) async fn forward(
    context: &Context<'_>,
    (parts, body): (&mut Parts, RequestBody),
    permit: Permit<'_>,
    evidence: &mut Evidence,
    call: &mut Call,
) -> Result<Response<ResponseBody>, Denial> {
    let (located, credentials, validated) = permit.spend();
    let created = evidence.received.at.as_second();
    let mut response = match (located.backend, validated) {
        (_, Validated::List(models)) => answer::models(models, created),
        (_, Validated::One(model)) => answer::model(model, created)?,
        (_, Validated::Call(model)) => Box::pin(models::call(context, parts, &located, model, (evidence, call))).await?,
        (Backend::Response(fixed), Validated::Unread) => answer::fixed(fixed),
        (Backend::Redirect(redirect), Validated::Unread) => {
            let port = asked_port(context, parts);
            let query = shape::take_credentials(parts, &located);
            answer::redirect(redirect, &located, query.as_deref().or(parts.uri.query()), port)
        }
        (Backend::Services(services), Validated::Unread) => {
            let Some(service) = services.choose(context.worker.random()) else {
                let backend = located.route.id.object().to_string().into();
                return Err(Denial::Upstream(UpstreamCause::NoEndpoints { backend }));
            };
            let target = service.target.as_ref().map_err(|fault| Denial::Misconfigured(fault.clone()))?;
            let hop = Hop::of(&context.worker.state, &parts.headers, target)?;
            let destination = Destination { host: None, prefix: "" };
            let mut lines = shape::shape(context, parts, &located, &credentials, (evidence, &destination));
            shape::change(&service.request, &mut parts.headers, &mut lines);
            hop.sign(&mut parts.headers, &mut lines);
            let mut response = send(context, (parts, lines, body), target, &located, call).await?;
            service.response.apply(response.headers_mut());
            response
        }
        (Backend::Url(url), Validated::Unread) => {
            let hop = Hop::of(&context.worker.state, &parts.headers, &url.target)?;
            let destination = Destination { host: Some(&url.host), prefix: &url.prefix };
            let mut lines = shape::shape(context, parts, &located, &credentials, (evidence, &destination));
            hop.sign(&mut parts.headers, &mut lines);
            send(context, (parts, lines, body), &url.target, &located, call).await?
        }
        // `validate` answers every request of a route with models by one of the arms above.
        (Backend::Models(_), Validated::Unread) => return Err(Denial::Route(cause::Route::Internal)),
    };
    located.serve.traffic.response.apply(response.headers_mut());
    drop::<(Located<'_>, Credentials)>((located, credentials));
    Ok(response)
}

/// The port that the client asked for.
fn asked_port(context: &Context<'_>, parts: &Parts) -> (PortProtocol, u16) {
    let protocol = context.connection.port.protocol;
    let text = parts.uri.authority().map(http::uri::Authority::as_str);
    let text = text.or_else(|| parts.headers.get(http::header::HOST)?.to_str().ok());
    let port = text.and_then(|text| wire::host::parse(text).ok()?.port);
    let usual = match protocol {
        PortProtocol::Http => 80,
        PortProtocol::Https => 443,
    };
    (protocol, port.unwrap_or(usual))
}

/// The times of a call, by its route and the gateway's defaults.
pub(super) fn timeouts(context: &Context<'_>, located: &Located<'_>) -> Timeouts {
    let mut timeouts = Timeouts::from(&context.runtime.settings.timeouts);
    if let Some(timeout) = located.serve.traffic.timeout {
        timeouts.response_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    }
    if let Some(whole) = located.serve.traffic.whole {
        let whole = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
        // Its head may take all of that.
        (timeouts.response_ms, timeouts.whole_ms) = (whole, Some(whole));
    }
    timeouts
}

/// Sends the shaped request and takes its answer.
pub(super) async fn send(
    context: &Context<'_>,
    (parts, lines, body): (&mut Parts, Lines, RequestBody),
    target: &Target,
    located: &Located<'_>,
    call: &mut Call,
) -> Result<Response<ResponseBody>, Denial> {
    let mut request = Request::new(body);
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = std::mem::take(&mut parts.uri);
    *request.headers_mut() = std::mem::take(&mut parts.headers);
    let began = context.now.get();
    let sent = context.worker.upstreams.send(target, Outgoing::new(request, lines), timeouts(context, located)).await;
    let mut response = sent.map_err(|error| match error {
        SendError::Body(failure) => validate::failed(failure),
        SendError::Upstream { cause, .. } => Denial::Upstream(cause),
    })?;
    call.upstream = Some(Duration::from_nanos(context.now.get().saturating_sub(began)));
    call.backend = Some(std::sync::Arc::clone(target.name()));
    // Ours to say.
    response.headers_mut().remove(super::respond::CODE);
    Ok(response)
}
