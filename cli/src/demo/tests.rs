//! Requests and the answers of the demo service.

use serde_json::{Value, json};

use super::*;

/// Answers a request without a connection. Header fields are `name: value`.
async fn ask(method: &str, target: &str, headers: &[&str], body: &str) -> (u16, http::HeaderMap, String) {
    let mut request = Request::builder().method(method).uri(target);
    for line in headers {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let answer = route(Received { head, body: Bytes::from(body.to_owned()) }).await;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// The status, and what stands at a JSON pointer of the body.
async fn check(request: (&str, &str, &str), status: u16, members: &[(&str, Value)]) {
    let (method, target, body) = request;
    let (found, _, body) = ask(method, target, &["doorward-principal: mobile", "x-other: 1"], body).await;
    assert_eq!(found, status, "{method} {target}: {body}");
    let document: Value = serde_json::from_str(&body).unwrap_or_default();
    for (pointer, expected) in members {
        assert_eq!(document.pointer(pointer), Some(expected), "{method} {target} {pointer}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn orders_say_which_version_answered() {
    let all = [("/version", json!("2")), ("/orders/2/id", json!(7)), ("/received", json!({"doorward-principal": "mobile"}))];
    check(("GET", "/v2/orders", ""), 200, &all).await;
    check(("GET", "/v1/orders/7", ""), 200, &[("/version", json!("1")), ("/order/item", json!("water"))]).await;
    check(("GET", "/v2/orders/7?full=1", ""), 200, &[("/order/total/currency", json!("EUR"))]).await;
    check(("DELETE", "/v2/orders/7", ""), 200, &[("/deleted", json!(7))]).await;
    let order = r#"{"item":"tea"}"#;
    check(("POST", "/v1/orders", order), 201, &[("/order", json!({"item": "tea", "id": 8}))]).await;
    check(("PUT", "/v1/orders/3", order), 200, &[("/order", json!({"item": "tea", "id": 3}))]).await;
    check(("POST", "/v1/orders", "[]"), 400, &[]).await;
    check(("PUT", "/v1/orders", order), 405, &[]).await;
    for lost in ["/v1/orders/x", "/v1", "/v1/invoices", "/v1/orders/7/lines", "/v3/orders", "/nowhere"] {
        check(("GET", lost, ""), 404, &[("/service", json!("doorward demo"))]).await;
    }
    let (_, headers, _) = ask("POST", "/v2/orders", &[], order).await;
    assert_eq!(headers["location"], "orders/8");
}

#[tokio::test(start_paused = true)]
async fn whatever_else_is_there() {
    check(("GET", "/", ""), 200, &[("/service", json!("doorward demo"))]).await;
    check(("GET", "/slow?ms=30000", ""), 200, &[("/waitedMs", json!(30_000))]).await;
    check(("GET", "/slow?ms=60001", ""), 400, &[]).await;
    check(("GET", "/status/503", ""), 503, &[("/status", json!(503))]).await;
    check(("GET", "/status/204", ""), 204, &[]).await;
    check(("GET", "/status/100", ""), 400, &[]).await;
    let echoed = [
        ("/method", json!("PUT")),
        ("/path", json!("/echo/a")),
        ("/query", json!("b=c")),
        ("/headers", json!({"doorward-principal": "mobile", "x-other": "1"})),
        ("/body", json!("text")),
        ("/bytes", json!(4)),
    ];
    check(("PUT", "/echo/a?b=c", "text"), 200, &echoed).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_answers_as_openai_does() {
    let chat = |more: &str| {
        format!(
            r#"{{"model":"demo-chat","messages":[{{"role":"system","content":"be kind"}},{{"role":"user","content":"how are you"}}]{more}}}"#
        )
    };
    let path = "/openai/v1/chat/completions";
    let whole = [
        ("/object", json!("chat.completion")),
        ("/choices/0/message/content", json!("The demo model read: how are you")),
        ("/choices/0/finish_reason", json!("stop")),
        ("/usage", json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12})),
    ];
    check(("POST", path, &chat("")), 200, &whole).await;
    let cut = [("/choices/0/message/content", json!("The demo ")), ("/choices/0/finish_reason", json!("length"))];
    check(("POST", path, &chat(r#","max_tokens":2"#)), 200, &cut).await;
    check(("POST", path, "{}"), 404, &[("/error/code", json!("model_not_found"))]).await;
    check(("POST", path, r#"{"model":"demo-chat"}"#), 400, &[]).await;
    check(("POST", path, "no"), 400, &[("/error/code", json!("invalid_json"))]).await;
    check(("GET", path, ""), 405, &[]).await;
    check(("GET", "/openai/v1/models", ""), 200, &[("/data/0/id", json!("demo-chat"))]).await;
    let embed = r#"{"model":"demo-embed","input":["a b","c"]}"#;
    check(
        ("POST", "/openai/v1/embeddings", embed),
        200,
        &[("/data/1/embedding/0", json!(0.099)), ("/usage/total_tokens", json!(3))],
    )
    .await;
    for (credential, status) in [("demo-1", 200), ("dw_live_x", 401), ("sk-1", 401)] {
        let line = format!("authorization: Bearer {credential}");
        assert_eq!(ask("GET", "/openai/v1/models", &[&line], "").await.0, status, "{credential}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_model_streams_words_and_usage_when_asked() {
    let ask_stream = async |options: &str| {
        let body = format!(r#"{{"model":"demo-chat","messages":[{{"role":"user","content":"hi"}}],"stream":true{options}}}"#);
        let (status, headers, text) = ask("POST", "/openai/v1/chat/completions", &[], &body).await;
        assert_eq!((status, headers["content-type"].as_bytes()), (200, &b"text/event-stream"[..]));
        let events: Vec<String> =
            text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap().to_owned()).collect();
        assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
        events[..events.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect::<Vec<Value>>()
    };
    let chunks = ask_stream("").await;
    let words: String = chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/content")?.as_str()).collect();
    assert_eq!(words, "The demo model read: hi");
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
    let chunks = ask_stream(r#","stream_options":{"include_usage":true}"#).await;
    assert_eq!(chunks.last().unwrap()["usage"], json!({"prompt_tokens": 1, "completion_tokens": 5, "total_tokens": 6}));
    assert_eq!(chunks.last().unwrap()["choices"], json!([]));
}
