//! `validate`: is the payload acceptable. A body is read only where a step needs it: for the model
//! that it names.

use std::sync::Arc;

use bytes::Bytes;
use cause::{Denial, Framing, Model, Payload};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::BodyExt as _;
use llm::openai::request::{self, Unreadable};
use llm::{Call, Operation};
use observe::evidence::Evidence;
use upstream::{BodyFailure, RequestBody};

use super::locate::Located;
use crate::runtime::{Backend, ModelTarget, Models};

/// The largest body that is read whole, in bytes (DESIGN section 5).
const BUFFERED_BYTES: u64 = 10 * 1024 * 1024;
/// How much of an unknown model's name is told back.
const TOLD_BYTES: usize = 128;

/// What the body proved.
pub(crate) enum Validated<'a> {
    /// It streams through.
    Unread,
    /// The models that this caller may use are asked for.
    List(&'a Models),
    /// One model is asked for.
    One(&'a ModelTarget),
    /// A model is called.
    Call(ModelCall<'a>),
}

/// A call to a model, with its body ready to send.
pub(crate) struct ModelCall<'a> {
    /// The model.
    pub(crate) model: &'a ModelTarget,
    /// The operation.
    pub(crate) call: Call,
    /// The body with the provider's name for the model.
    pub(crate) body: Bytes,
    /// Whether the gateway alone asked for usage.
    pub(crate) usage_injected: bool,
}

/// Judges the payload.
pub(crate) async fn validate<'a>(
    parts: &Parts,
    located: &Located<'a>,
    body: &mut RequestBody,
    evidence: &mut Evidence,
) -> Result<Validated<'a>, Denial> {
    let limit = located.serve.max_body_bytes;
    let announced: Option<u64> = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if let (Some(limit), Some(announced)) = (limit, announced)
        && announced > limit
    {
        return Err(Denial::Payload(Payload::TooLarge { limit }));
    }
    let backend: &'a Backend = located.backend;
    let Backend::Models(models) = backend else {
        // A body of unknown length is held to the limit while it passes.
        if let (Some(limit), RequestBody::Client(body)) = (limit, body) {
            body.limit_to(limit);
        }
        return Ok(Validated::Unread);
    };
    let below = located.below();
    let operation = Operation::find(parts.method.as_str(), below).ok_or_else(|| {
        Denial::Model(Model::OperationUnknown { route: located.route.id.name.clone(), served: llm::operation::SERVED })
    })?;
    let call = match operation {
        Operation::ListModels => return Ok(Validated::List(models)),
        Operation::GetModel(name) => {
            let model = models.find(name).ok_or_else(|| not_found(name, models))?;
            return Ok(Validated::One(model));
        }
        Operation::Call(call) => call,
    };
    let reading = read(parts, body, limit.unwrap_or(BUFFERED_BYTES).min(BUFFERED_BYTES));
    // Boxed, as the other ways that most calls do not take: each would make the state of every call larger.
    let bytes = Box::pin(reading).await?;
    let request = request::read(&bytes, call).map_err(|unreadable| match unreadable {
        Unreadable::Payload(payload) => Denial::Payload(payload),
        Unreadable::NoModel => Denial::Model(Model::Missing { available: models.names() }),
    })?;
    let model = models.find(&request.model).ok_or_else(|| not_found(&request.model, models))?;
    evidence.model = Some(Arc::clone(&model.names[1]));
    if let Err(fault) = &model.place {
        return Err(Denial::Misconfigured(Arc::clone(fault)));
    }
    Ok(Validated::Call(ModelCall {
        model,
        call,
        body: request::splice(&bytes, &request, &model.upstream_name),
        usage_injected: request.injects_usage(),
    }))
}

fn not_found(requested: &str, models: &Models) -> Denial {
    let mut end = requested.len().min(TOLD_BYTES);
    while !requested.is_char_boundary(end) {
        end -= 1;
    }
    let requested = requested.get(..end).unwrap_or_default().to_owned();
    Denial::Model(Model::NotFound { requested, available: models.names() })
}

/// The whole body, as it came.
async fn read(parts: &Parts, body: &mut RequestBody, limit: u64) -> Result<Bytes, Denial> {
    if parts.headers.get(CONTENT_ENCODING).is_some_and(|value| value.as_bytes() != b"identity") {
        return Err(Denial::Payload(Payload::Encoded));
    }
    let json = parts.headers.get(CONTENT_TYPE).is_none_or(|value| {
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        essence == "application/json" || essence.ends_with("+json")
    });
    if !json {
        return Err(Denial::Payload(Payload::MediaType { accepted: "application/json" }));
    }
    if let RequestBody::Client(body) = body {
        body.limit_to(limit);
    }
    let whole = std::mem::replace(body, RequestBody::Empty);
    match whole.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(failure) => Err(failed(failure)),
    }
}

/// A body that failed on its way is the client's doing.
pub(crate) const fn failed(failure: BodyFailure) -> Denial {
    match failure {
        BodyFailure::TooLarge { limit } => Denial::Payload(Payload::TooLarge { limit }),
        BodyFailure::TooSlow { minimum_rate } => Denial::Framing(Framing::BodyTooSlow { minimum_rate }),
        BodyFailure::Incomplete => Denial::Framing(Framing::BodyIncomplete),
        BodyFailure::Malformed => Denial::Framing(Framing::Chunk),
    }
}
