//! What a whole answer cost.
//!
//! The answer itself passes by untouched and unjudged, chunk by chunk; only the value of its
//! outermost `usage` is kept.

use std::mem::take;

use serde_json::Value;

use crate::Usage;

/// Bytes that the value of `usage` may have.
const USAGE_LIMIT: usize = 16 * 1024;

/// Reads the usage of an answer that lies whole. `None` where the answer has none.
#[must_use]
pub fn usage(body: &[u8]) -> Option<Usage> {
    let mut reader = UsageReader::default();
    reader.push(body);
    reader.usage()
}

/// Reads the usage of an answer that comes in chunks; keeps no more of it than `usage` itself.
///
/// An answer that is not JSON has no usage. Nothing is validated: whoever asked does that.
#[derive(Debug, Default)]
pub struct UsageReader {
    depth: usize,
    string: Literal,
    /// The next string at the outermost level is a member's name.
    names: bool,
    /// The name that is being read, or was read last; as much of it as tells `usage` apart.
    name: Vec<u8>,
    /// The value of `usage`, while it is being read.
    value: Option<Vec<u8>>,
    found: Option<Usage>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Literal {
    #[default]
    Outside,
    Inside,
    Escape,
}

impl UsageReader {
    /// The next chunk of the answer.
    pub fn push(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let length = match self.string {
                Literal::Outside => self.structure(rest),
                Literal::Inside => self.literal(rest),
                Literal::Escape => {
                    self.string = Literal::Inside;
                    self.keep(&rest[..1]);
                    1
                }
            };
            rest = &rest[length..];
        }
    }

    /// The usage that the answer has stated so far.
    #[must_use]
    pub const fn usage(&self) -> Option<Usage> {
        self.found
    }

    /// Reads up to the next byte that matters outside of strings, and that byte.
    fn structure(&mut self, rest: &[u8]) -> usize {
        let inner = self.depth > 1;
        let matters = |byte: &u8| match byte {
            b'"' | b'{' | b'}' | b'[' | b']' => true,
            b',' | b':' => !inner,
            _ => false,
        };
        let Some(at) = rest.iter().position(matters) else {
            self.keep(rest);
            return rest.len();
        };
        let byte = rest[at];
        self.keep(&rest[..at]);
        let outermost = self.depth == 1;
        match byte {
            b',' | b'}' if outermost => self.member_over(),
            _ => self.keep(&rest[at..=at]),
        }
        match byte {
            b'"' => {
                self.string = Literal::Inside;
                if outermost && self.names {
                    self.name.clear();
                }
            }
            b'{' | b'[' => {
                self.depth += 1;
                self.names = byte == b'{' && self.depth == 1;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => self.names = outermost,
            b':' if outermost && take(&mut self.names) && self.name == b"usage" => self.value = Some(Vec::new()),
            _ => {}
        }
        at + 1
    }

    /// Reads up to the end of a string or to its next escape.
    fn literal(&mut self, rest: &[u8]) -> usize {
        let end = memchr::memchr2(b'"', b'\\', rest);
        let run = end.unwrap_or(rest.len());
        if self.depth == 1 && self.names {
            // The backslash of an escape stays in it: nobody writes `usage` with one.
            let kept = run + usize::from(rest.get(run) == Some(&b'\\'));
            let room = (b"usage".len() + 1).saturating_sub(self.name.len());
            self.name.extend_from_slice(&rest[..kept.min(room)]);
        }
        let length = end.map_or(run, |end| end + 1);
        self.keep(&rest[..length]);
        self.string = match end.map(|end| rest[end]) {
            None => Literal::Inside,
            Some(b'"') => Literal::Outside,
            Some(_) => Literal::Escape,
        };
        length
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(value) = &mut self.value {
            if value.len() + bytes.len() > USAGE_LIMIT {
                self.value = None;
            } else {
                value.extend_from_slice(bytes);
            }
        }
    }

    fn member_over(&mut self) {
        if let Some(value) = self.value.take() {
            self.found = read_usage(&value).or(self.found);
        }
    }
}

/// What the value of a member `usage` says, in any of the names that providers of this dialect use.
/// `None` where it says nothing.
pub(crate) fn read_usage(value: &[u8]) -> Option<Usage> {
    let value: Value = serde_json::from_slice(value).ok()?;
    let of = |names: &[&str]| names.iter().find_map(|name| tokens(value.get(name)?));
    let part = |wholes: &[&str], name| wholes.iter().find_map(|whole| tokens(value.get(whole)?.get(name)?));
    let input = of(&["prompt_tokens", "input_tokens"]);
    let output = of(&["completion_tokens", "output_tokens"]);
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, mut output) = (input.unwrap_or(0), output.unwrap_or(0));
    let cached_input = part(&["prompt_tokens_details", "input_tokens_details", "prompt_token_details"], "cached_tokens")
        .or_else(|| of(&["prompt_cache_hit_tokens"]));
    let reasoning = part(&["completion_tokens_details", "output_tokens_details", "completion_token_details"], "reasoning_tokens");
    let reasoning = reasoning.unwrap_or(0);
    // Some providers count reasoning beside the output instead of in it; only their total shows it.
    let beside = input.saturating_add(output).saturating_add(reasoning);
    if reasoning > 0 && of(&["total_tokens"]) == Some(beside) {
        output = output.saturating_add(reasoning);
    }
    Some(Usage { input, output, cached_input: cached_input.unwrap_or(0), reasoning, estimated: false })
}

/// A count, also where it is written as `12.0`.
fn tokens(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0)?;
        format!("{number:.0}").parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(input: u64, output: u64, cached_input: u64, reasoning: u64) -> Option<Usage> {
        Some(Usage { input, output, cached_input, reasoning, estimated: false })
    }

    /// Reads `body` whole and cut at every offset.
    fn check(body: &str, want: Option<Usage>) {
        assert_eq!(usage(body.as_bytes()), want, "{body}");
        for cut in 0..body.len() {
            let mut reader = UsageReader::default();
            reader.push(&body.as_bytes()[..cut]);
            reader.push(&body.as_bytes()[cut..]);
            assert_eq!(reader.usage(), want, "{body} cut at {cut}");
        }
        let mut reader = UsageReader::default();
        body.bytes().for_each(|byte| reader.push(&[byte]));
        assert_eq!(reader.usage(), want, "{body} byte by byte");
    }

    #[test]
    fn each_operation_states_its_usage() {
        let chat = r#"{"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"the \"usage\": {\"prompt_tokens\":1}"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":5,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":3}},"service_tier":"default"}"#;
        check(chat, numbers(19, 10, 5, 3));
        check(
            r#"{"choices":[{"text":"a"}],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}"#,
            numbers(2, 3, 0, 0),
        );
        check(r#"{"data":[{"embedding":[0.1,-2e3,{}]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#, numbers(8, 0, 0, 0));
        check(
            r#"{"object":"response","output":[],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":1},"output_tokens":87,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":123},"user":null}"#,
            numbers(36, 87, 4, 64),
        );
        check(r#"{"id":"modr-1","results":[{"flagged":false}]}"#, None);
    }

    #[test]
    fn providers_have_habits() {
        let of = |usage: &str| format!(r#"{{"usage": {usage} }}"#);
        check(
            &of(r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":3}"#),
            numbers(9, 4, 6, 0),
        );
        check(
            &of(r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_token_details":{"cached_tokens":2}}"#),
            numbers(9, 4, 2, 0),
        );
        check(
            &of(
                r#"{"prompt_tokens":9,"completion_tokens":4,"total_tokens":20,"completion_tokens_details":{"reasoning_tokens":7}}"#,
            ),
            numbers(9, 11, 0, 7),
        );
        check(&of(r#"{"prompt_tokens":9.0,"completion_tokens":4.0}"#), numbers(9, 4, 0, 0));
        check(&of(r#"{"prompt_tokens":9,"completion_tokens":null,"prompt_tokens_details":null}"#), numbers(9, 0, 0, 0));
        check(&of(r#"{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":"x"}"#), numbers(9, 4, 0, 0));
        for nothing in
            ["null", "{}", "7", "[1,2]", r#"{"prompt_tokens":-1}"#, r#"{"prompt_tokens":"9"}"#, r#"{"prompt_tokens":1.5}"#]
        {
            check(&of(nothing), None);
        }
    }

    #[test]
    fn only_the_outermost_usage_counts() {
        let usage = r#"{"prompt_tokens":1,"completion_tokens":2}"#;
        check(&format!(r#"{{"a":{{"usage":{usage}}}}}"#), None);
        check(&format!(r#"[{{"usage":{usage}}}]"#), None);
        check(&format!(r#"{{"usages":{usage},"usag":{usage},"\"usage":{usage}}}"#), None);
        check(&format!(r#"{{"a":"usage","usage":{usage},"b":1}}"#), numbers(1, 2, 0, 0));
        check(&format!(r#"{{"usage":{usage},"usage":null}}"#), numbers(1, 2, 0, 0));
        check(&format!(r#"{{"usage":{usage},"usage":{{"prompt_tokens":3}}}}"#), numbers(3, 0, 0, 0));
        check(&format!(r#"{{"usage":{usage}"#), None);
        check("", None);
        check("upstream failed: \"usage\":{}", None);
        check("]]}}\"", None);
    }

    #[test]
    fn a_usage_without_end_is_not_kept() {
        let mut reader = UsageReader::default();
        reader.push(br#"{"usage":{"prompt_tokens":1,"x":""#);
        for _ in 0..64 {
            reader.push(&[b'a'; 1024]);
            assert!(reader.value.as_ref().is_none_or(|value| value.len() <= USAGE_LIMIT));
        }
        reader.push(br#""},"usage":{"prompt_tokens":5}}"#);
        assert_eq!(reader.usage(), numbers(5, 0, 0, 0));
    }
}
