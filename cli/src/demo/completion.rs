//! Chat completions of the demo model, whole or as a stream.

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, events, json as answer_json};
use super::model::{CREATED, refused};

/// Every answer of the demo model has this id: it must not depend on chance.
const ID: &str = "chatcmpl-demo";
/// Most characters of a question that the answer repeats.
const REPEATED: usize = 200;

/// What the model says, and what that costs.
struct Reply {
    words: Vec<String>,
    finish_reason: &'static str,
    prompt_tokens: usize,
}

/// The answer to a chat.
pub(super) fn answer(document: &Value, model: &str) -> Answer {
    let Some(reply) = reply(document) else {
        return refused(
            StatusCode::BAD_REQUEST,
            "missing_required_parameter",
            "`messages` is a list with a message of the user.",
        );
    };
    let is = |name: &str, value: Option<&Value>| value.and_then(|value| value.get(name)).and_then(Value::as_bool) == Some(true);
    if is("stream", Some(document)) {
        return events(chunks(&reply, model, is("include_usage", document.get("stream_options"))));
    }
    answer_json(
        StatusCode::OK,
        &json!({
            "id": ID,
            "object": "chat.completion",
            "created": CREATED,
            "model": model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": reply.words.concat(), "refusal": null},
                "logprobs": null,
                "finish_reason": reply.finish_reason,
            }],
            "usage": reply.usage(),
        }),
    )
}

/// The tokens of a text: its words.
pub(super) fn tokens(text: &str) -> usize {
    text.split_whitespace().count()
}

impl Reply {
    fn usage(&self) -> Value {
        let completion = self.words.len();
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
        })
    }
}

/// A reply to the last message of the user, in words with the blanks before them.
fn reply(document: &Value) -> Option<Reply> {
    let messages = document.get("messages")?.as_array()?;
    let is_of_user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    let question: String = text(messages.iter().rev().find(is_of_user)?).chars().take(REPEATED).collect();
    let sentence = format!("The demo model read: {}", question.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut words: Vec<String> = sentence.split_inclusive(' ').map(str::to_owned).collect();
    let most = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| document.get(*name)).and_then(Value::as_u64);
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let finish_reason = if words.len() > most { "length" } else { "stop" };
    words.truncate(most);
    Some(Reply { words, finish_reason, prompt_tokens: messages.iter().map(|message| tokens(&text(message))).sum() })
}

/// The text of a message, whose content is a text or a list of parts.
fn text(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// The data of the events, the end marker included.
fn chunks(reply: &Reply, model: &str, with_usage: bool) -> Vec<String> {
    let chunk = |choices: Value, usage: Option<Value>| {
        let mut chunk = json!({
            "id": ID,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model,
            "choices": choices,
        });
        if with_usage {
            // Every other chunk has a null there.
            chunk["usage"] = usage.unwrap_or_default();
        }
        chunk.to_string()
    };
    let delta = |delta: Value, finish: Value| chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), None);
    let mut data = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
    data.extend(reply.words.iter().map(|word| delta(json!({"content": word}), Value::Null)));
    data.push(delta(json!({}), reply.finish_reason.into()));
    if with_usage {
        data.push(chunk(json!([]), Some(reply.usage())));
    }
    data.push("[DONE]".to_owned());
    data
}
