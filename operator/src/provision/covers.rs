//! Whether an object that is there says all that it should.

use serde_json::Value;

/// Whether `there` has every member of `wanted`. What it has beside them, such as the defaults of an
/// API server and what others wrote, does not count; nor does the order of lists, nor the spelling of
/// an amount.
pub(super) fn covers(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| match there.get(name) {
            Some(there) => covers(there, wanted),
            // An API server leaves out what is empty.
            None => is_empty(wanted),
        }),
        (Value::Array(there), Value::Array(wanted)) => {
            wanted.iter().all(|wanted| there.iter().any(|there| covers(there, wanted)))
        }
        (Value::String(there), Value::String(wanted)) => {
            there == wanted || amount(there).is_some_and(|there| Some(there) == amount(wanted))
        }
        (there, wanted) => there == wanted,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A quantity (`100m`, `1.5`, `64Mi`) in thousandths.
fn amount(text: &str) -> Option<u128> {
    let end = text.bytes().position(|byte| byte.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !(1..=18).contains(&whole.len()) || fraction.len() > 3 || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return None;
    }
    let thousandths: u128 = format!("{whole}{fraction:0<3}").parse().ok()?;
    let times: u128 = match unit {
        "m" => return Some(thousandths / 1_000),
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    thousandths.checked_mul(times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_wanted_counts() {
        fn check(there: Value, wanted: Value, expected: bool) {
            assert_eq!(covers(&there, &wanted), expected, "{there} {wanted}");
        }
        check(json!({"a": 1, "b": 2}), json!({"a": 1}), true);
        check(json!({"b": 2}), json!({"a": 1}), false);
        check(json!({"a": 2}), json!({"a": 1}), false);
        check(json!({}), json!({"a": {}, "b": [], "c": null}), true);
        check(json!({"a": {"x": 1}}), json!({"a": {}}), true);
        let ports = json!([{"name": "http", "port": 80, "protocol": "TCP"}, {"name": "https", "port": 443}]);
        check(ports.clone(), json!([{"name": "https", "port": 443}, {"name": "http", "port": 80}]), true);
        check(ports.clone(), json!([{"name": "http", "port": 443}]), false);
        check(ports, json!([{"name": "other"}]), false);
        for (there, wanted, expected) in [
            ("1", "1000m", true),
            ("1500m", "1.5", true),
            ("64Mi", "65536Ki", true),
            ("1G", "1000M", true),
            ("1Gi", "1G", false),
            ("100m", "0.1", true),
            ("100m", "101m", false),
            ("a", "b", false),
            ("", "0", false),
            (".", "0", false),
        ] {
            check(json!(there), json!(wanted), expected);
        }
    }
}
