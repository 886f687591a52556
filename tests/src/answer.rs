//! An answer as a page shows it: its first line, the header fields that say something, its body.

use serde_json::Value;

use crate::client::Message;

/// Stands where the id of the decision was, which no two answers share.
pub const DECISION: &str = "06FZ3Q8X5KTR2MVB";
/// The fields that are shown, where an answer has them. `Date` and lengths say nothing.
const SHOWN: [&str; 14] = [
    "Content-Type",
    "Doorward-Decision",
    "Doorward-Code",
    "WWW-Authenticate",
    "Retry-After",
    "X-Should-Retry",
    "RateLimit",
    "RateLimit-Policy",
    "Deprecation",
    "Sunset",
    "Link",
    "Location",
    "Allow",
    "Connection",
];
/// Columns of a line.
const WIDTH: usize = 110;

/// The text of an answer.
#[must_use]
pub fn shown(message: &Message) -> String {
    let mut text = format!("{}\n", message.start.trim_end());
    for name in SHOWN {
        let values = message.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        for (_, value) in values {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    let body = String::from_utf8_lossy(&message.body);
    if !body.is_empty() {
        text.push('\n');
        match serde_json::from_str(&body) {
            Ok(value) => text.push_str(&json(&value)),
            Err(_) => text.push_str(body.trim_end()),
        }
    }
    let text = text.trim_end().to_owned();
    match message.header("doorward-decision") {
        Some(decision) => text.replace(decision, DECISION),
        None => text,
    }
}

/// JSON for people: what fits a line stands in one.
#[must_use]
pub fn json(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, 0, &mut text);
    text
}

/// `before` is how many columns of the first line are taken.
fn write(value: &Value, indent: usize, before: usize, text: &mut String) {
    let line = inline(value);
    if before + line.chars().count() <= WIDTH {
        return text.push_str(&line);
    }
    let pad = " ".repeat(indent + 2);
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    let items: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().map(|item| (String::new(), item)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (format!("{}: ", Value::from(name.as_str())), member)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return text.push_str(&line),
    };
    text.push(open);
    for (index, (name, item)) in items.iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(&pad);
        text.push_str(name);
        write(item, indent + 2, indent + 2 + name.len(), text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(close);
}

fn inline(value: &Value) -> String {
    let joined = |items: Vec<String>| items.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", joined(items.iter().map(inline).collect())),
        Value::Object(members) => {
            format!(
                "{{{}}}",
                joined(
                    members.iter().map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), inline(value))).collect()
                )
            )
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_read_well_and_have_no_chance_in_them() {
        let long = "x".repeat(WIDTH);
        let message = Message {
            start: "HTTP/1.1 401 Unauthorized".to_owned(),
            headers: [("date", "now"), ("doorward-decision", "AB"), ("content-type", "application/problem+json")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            body: format!(r#"{{"b":{{"c":[1,"{long}"]}},"a":"urn:AB"}}"#).into_bytes(),
        };
        let expected = format!(
            "HTTP/1.1 401 Unauthorized\nContent-Type: application/problem+json\nDoorward-Decision: {DECISION}\n\n\
             {{\n  \"b\": {{\n    \"c\": [\n      1,\n      \"{long}\"\n    ]\n  }},\n  \"a\": \"urn:{DECISION}\"\n}}"
        );
        assert_eq!(shown(&message), expected);
        assert_eq!(json(&serde_json::json!({"a": [1, {"b": null}]})), r#"{"a": [1, {"b": null}]}"#);
    }
}
