//! A model provider that speaks OpenAI's dialect and always says the same.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::Received;
use super::answer::{Answer, json as answer_json};
use super::completion;

/// The models that it has.
pub(super) const MODELS: [&str; 3] = ["demo-chat", "demo-chat-mini", "demo-embed"];
/// When they were made: an answer must not depend on the time.
pub(super) const CREATED: u64 = 1_767_225_600;
/// What a provider's key begins with here. Anything else, such as a caller's own key that a gateway let through, is
/// refused, so that it cannot go unseen.
const CREDENTIAL: &str = "demo";

/// The answer below `/openai`; `path` is the rest.
pub(super) fn answer(path: &str, request: &Received) -> Answer {
    if let Some(refusal) = refused_credential(request) {
        return refusal;
    }
    match (&request.head.method, path) {
        (&Method::GET, "/v1/models") => {
            let models = MODELS.map(|id| json!({"id": id, "object": "model", "created": CREATED, "owned_by": "doorward-demo"}));
            answer_json(StatusCode::OK, &json!({"object": "list", "data": models}))
        }
        (&Method::POST, "/v1/chat/completions") => with_document(request, completion::answer),
        (&Method::POST, "/v1/embeddings") => with_document(request, embeddings),
        (_, "/v1/models" | "/v1/chat/completions" | "/v1/embeddings") => {
            refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_supported", "Not allowed to use this method on this URL.")
        }
        _ => refused(StatusCode::NOT_FOUND, "unknown_url", "The demo model has chat completions, embeddings and models."),
    }
}

/// An error as OpenAI writes it.
pub(super) fn refused(status: StatusCode, code: &str, message: &str) -> Answer {
    let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": code});
    answer_json(status, &json!({"error": error}))
}

fn refused_credential(request: &Received) -> Option<Answer> {
    let value = request.head.headers.get(AUTHORIZATION)?;
    let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    if token.is_some_and(|token| token.starts_with(CREDENTIAL)) {
        return None;
    }
    let mut answer =
        refused(StatusCode::UNAUTHORIZED, "invalid_api_key", "The demo model takes keys that begin with `demo`, or no key.");
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Some(answer)
}

fn with_document(request: &Received, answer: impl Fn(&Value, &str) -> Answer) -> Answer {
    let Ok(document @ Value::Object(_)) = serde_json::from_slice::<Value>(&request.body) else {
        return refused(StatusCode::BAD_REQUEST, "invalid_json", "The body is not a JSON object.");
    };
    let model = document.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !MODELS.contains(&model.as_str()) {
        let message = format!("The demo model is not called so; there are {}.", MODELS.join(", "));
        return refused(StatusCode::NOT_FOUND, "model_not_found", &message);
    }
    answer(&document, &model)
}

/// One short vector for each input, made from its bytes.
fn embeddings(document: &Value, model: &str) -> Answer {
    const DIMENSIONS: usize = 8;
    let inputs: Vec<&str> = match document.get("input") {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if inputs.is_empty() {
        return refused(StatusCode::BAD_REQUEST, "missing_required_parameter", "`input` is a text or a list of texts.");
    }
    let vector = |text: &str| {
        let mut sums = [0_u32; DIMENSIONS];
        for (index, byte) in text.bytes().enumerate() {
            if let Some(sum) = sums.get_mut(index % DIMENSIONS) {
                *sum = (*sum * 31 + u32::from(byte)) % 1000;
            }
        }
        sums.map(|sum| f64::from(sum) / 1000.0)
    };
    let data = |(index, text): (usize, &&str)| json!({"object": "embedding", "index": index, "embedding": vector(text)});
    let tokens: usize = inputs.iter().map(|text| completion::tokens(text)).sum();
    answer_json(
        StatusCode::OK,
        &json!({
            "object": "list",
            "data": inputs.iter().enumerate().map(data).collect::<Vec<_>>(),
            "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }),
    )
}
