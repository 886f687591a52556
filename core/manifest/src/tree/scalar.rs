//! What an unquoted scalar means to kubectl.

use std::sync::Arc;

use serde_json::Number;

use super::Value;

/// The value of a plain scalar.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if is_ambiguous(text) {
        return Value::Ambiguous(text.into());
    }
    number(text).map_or_else(|| Value::String(Arc::from(text)), Value::Number)
}

/// What kubectl takes one of these words for.
pub(super) fn ambiguous_means(text: &str) -> bool {
    TRUE.contains(&text)
}

/// The words of YAML 1.1 that kubectl's reader takes for booleans, and readers of YAML 1.2 for text.
const TRUE: [&str; 8] = ["y", "Y", "yes", "Yes", "YES", "on", "On", "ON"];
const FALSE: [&str; 8] = ["n", "N", "no", "No", "NO", "off", "Off", "OFF"];

fn is_ambiguous(text: &str) -> bool {
    text.len() <= 3 && (TRUE.contains(&text) || FALSE.contains(&text))
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let plain: String = text.chars().filter(|character| *character != '_').collect();
    integer(&plain).or_else(|| float(&plain))
}

fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if !digits.starts_with(|first: char| first.is_ascii_hexdigit()) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if negative { -value } else { value };
    i64::try_from(value).map(Number::from).or_else(|_| u64::try_from(value).map(Number::from)).ok()
}

fn float(text: &str) -> Option<Number> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let is_decimal = text.len() - unsigned.len() <= 1
        && unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.contains(|character: char| character.is_ascii_digit());
    if !is_decimal {
        return None;
    }
    let value = text.parse::<f64>().ok()?;
    // Go prints a whole number without a fraction, so an API server sees an integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}
