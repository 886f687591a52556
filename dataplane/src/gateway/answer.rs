//! Answers that the gateway gives itself to admitted requests: fixed ones, redirects, the list of
//! models.

use std::sync::Arc;

use bytes::Bytes;
use cause::Denial;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use ir::Scheme;
use upstream::ResponseBody;

use super::locate::Located;
use super::shape::rewrite_path;
use crate::runtime::{Fixed, ModelTarget, Models, PortProtocol, Redirect};

/// A fixed answer.
pub(super) fn fixed(fixed: &Fixed) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::of(fixed.body.clone()));
    *response.status_mut() = fixed.status;
    *response.headers_mut() = fixed.headers.clone();
    response
}

/// A redirect; what it does not name stays as in the request.
pub(super) fn redirect(
    redirect: &Redirect,
    located: &Located<'_>,
    query: Option<&str>,
    port: (PortProtocol, u16),
) -> Response<ResponseBody> {
    let (protocol, number) = port;
    let own = match protocol {
        PortProtocol::Http => Scheme::Http,
        PortProtocol::Https => Scheme::Https,
    };
    let scheme = redirect.scheme.unwrap_or(own);
    let (name, usual) = match scheme {
        Scheme::Http => ("http", 80),
        Scheme::Https => ("https", 443),
    };
    // Another scheme has its own usual port; the same one keeps the port that was asked.
    let port = redirect.port.unwrap_or(if redirect.scheme.is_some() { usual } else { number });
    let mut location = format!("{name}://{}", redirect.hostname.as_deref().unwrap_or(&located.host));
    if port != usual {
        location.push(':');
        location.push_str(&port.to_string());
    }
    match &redirect.path {
        None => location.push_str(&located.path),
        Some(rewrite) => {
            let before = location.len();
            rewrite_path(&mut location, rewrite, located.below());
            if location.len() == before {
                location.push('/');
            }
        }
    }
    if let Some(query) = query {
        location.push('?');
        location.push_str(query);
    }
    let mut response = Response::new(ResponseBody::Empty);
    *response.status_mut() = StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::FOUND);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// The models that a caller may use: those that can be called now.
pub(super) fn models(models: &Models, created: i64) -> Response<ResponseBody> {
    json(llm::openai::models::list(models.usable().map(|model| (&*model.names[0], owner(model))), created))
}

/// One model.
///
/// # Errors
/// Why it cannot be called.
pub(super) fn model(model: &ModelTarget, created: i64) -> Result<Response<ResponseBody>, Denial> {
    model.place.as_ref().map_err(|fault| Denial::Misconfigured(Arc::clone(fault)))?;
    Ok(json(llm::openai::models::one(&model.names[0], owner(model), created)))
}

/// The namespace of a model's AiModel.
fn owner(model: &ModelTarget) -> &str {
    model.names[1].split('/').next().unwrap_or_default()
}

fn json(body: Vec<u8>) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::of(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
