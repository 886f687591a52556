//! An orders API in two versions, whose documents differ as versions do.

use http::header::{ALLOW, LOCATION};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::Received;
use super::answer::{Answer, empty, error, json as answer_json};
use super::echo::fields;

/// Which version answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Flat orders of one item.
    One,
    /// Orders of several lines, with money.
    Two,
}

/// The id of the order that a POST creates: there is no state to count in.
const CREATED: u32 = 8;
const ITEMS: [&str; 4] = ["tea", "coffee", "cocoa", "water"];

impl Version {
    const fn name(self) -> &'static str {
        match self {
            Self::One => "1",
            Self::Two => "2",
        }
    }

    fn order(self, id: u32) -> Value {
        let index = usize::try_from(id).unwrap_or(0) % ITEMS.len();
        let item = ITEMS.get(index).copied().unwrap_or_default();
        match self {
            Self::One => json!({"id": id, "item": item, "quantity": 1 + id % 3}),
            Self::Two => json!({
                "id": id,
                "lines": [{"item": item, "quantity": 1 + id % 3}],
                "total": {"amount": format!("{}.50", 3 * (1 + id % 3)), "currency": "EUR"},
            }),
        }
    }
}

/// The answer below `/v1` or `/v2`; `path` is the rest.
pub(super) fn answer(version: Version, path: &str, request: &Received) -> Answer {
    let mut segments = path.trim_start_matches('/').split('/');
    let (collection, id, rest) = (segments.next(), segments.next().filter(|id| !id.is_empty()), segments.next());
    if collection != Some("orders") || rest.is_some() {
        return error(StatusCode::NOT_FOUND, "the demo service has only orders here, such as /orders/7");
    }
    match id {
        None => of_all(version, request),
        Some(id) => match id.parse::<u32>() {
            Ok(id) => of_one(version, id, request),
            Err(_) => error(StatusCode::NOT_FOUND, "orders have numbers, such as /orders/7"),
        },
    }
}

fn of_all(version: Version, request: &Received) -> Answer {
    match request.head.method {
        Method::GET | Method::HEAD => {
            let orders: Vec<Value> = (5..CREATED).map(|id| version.order(id)).collect();
            told(StatusCode::OK, version, request, ("orders", orders.into()))
        }
        Method::POST => written(version, CREATED, request, StatusCode::CREATED),
        _ => not_allowed("GET, HEAD, POST"),
    }
}

fn of_one(version: Version, id: u32, request: &Received) -> Answer {
    match request.head.method {
        Method::GET | Method::HEAD => told(StatusCode::OK, version, request, ("order", version.order(id))),
        Method::PUT | Method::PATCH => written(version, id, request, StatusCode::OK),
        Method::DELETE => told(StatusCode::OK, version, request, ("deleted", id.into())),
        _ => not_allowed("GET, HEAD, PUT, PATCH, DELETE"),
    }
}

/// The caller's own order with its id.
fn written(version: Version, id: u32, request: &Received, status: StatusCode) -> Answer {
    let Ok(Value::Object(mut order)) = serde_json::from_slice(&request.body) else {
        return error(StatusCode::BAD_REQUEST, "an order is a JSON object");
    };
    order.insert("id".to_owned(), id.into());
    let mut answer = told(status, version, request, ("order", order.into()));
    if status == StatusCode::CREATED {
        // Relative to the path that the caller used, which a gateway may have changed on the way.
        answer.headers_mut().insert(LOCATION, HeaderValue::from_static("orders/8"));
    }
    answer
}

/// What is asked for, which version answered, and what the gateway said of the caller.
fn told(status: StatusCode, version: Version, request: &Received, (name, value): (&str, Value)) -> Answer {
    let received = fields(&request.head.headers, |name| name.starts_with("doorward-"));
    answer_json(status, &json!({"service": "doorward demo", "version": version.name(), name: value, "received": received}))
}

fn not_allowed(allowed: &'static str) -> Answer {
    let mut answer = empty(StatusCode::METHOD_NOT_ALLOWED);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}
