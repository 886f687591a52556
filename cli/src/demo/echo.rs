//! What arrived, told back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::Received;
use super::answer::{Answer, json as answer_json};

/// Method, path, query, header fields and body as JSON.
pub(super) fn answer(request: &Received) -> Answer {
    let head = &request.head;
    let mut document = json!({
        "service": "doorward demo",
        "method": head.method.as_str(),
        "path": head.uri.path(),
        "query": head.uri.query(),
        "headers": fields(&head.headers, |_| true),
        "bytes": request.body.len(),
    });
    match std::str::from_utf8(&request.body) {
        Ok(text) => document["body"] = text.into(),
        Err(_) => document["bodyBase64"] = STANDARD.encode(&request.body).into(),
    }
    answer_json(StatusCode::OK, &document)
}

/// Header fields as a JSON object; a name that stands on several lines has a list.
pub(super) fn fields(headers: &HeaderMap, is_wanted: impl Fn(&str) -> bool) -> Value {
    let mut map = Map::new();
    for name in headers.keys().filter(|name| is_wanted(name.as_str())) {
        let mut values: Vec<Value> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into()).collect();
        let value = if values.len() == 1 { values.swap_remove(0) } else { values.into() };
        map.insert(name.as_str().to_owned(), value);
    }
    map.into()
}
