//! Spans of time, sizes and shares.

use cause::{FaultCause, Syntax};

use super::{malformed, plain};

const MILLISECOND: u64 = 1;
const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A Gateway API duration (GEP-2257) above zero, in milliseconds: one to four of a number of at
/// most five digits and `h`, `m`, `s` or `ms`.
///
/// # Errors
/// Any other text, zero and negative spans.
pub fn duration(text: &str) -> Result<u64, FaultCause> {
    parts(text, 4).filter(|span| !span.has_days && span.milliseconds > 0).map(|span| span.milliseconds).ok_or_else(|| {
        // `duration` itself checks what is suggested; a suggestion suggests nothing further.
        let meant = meant_span(text, false).filter(|meant| meant != text);
        match meant {
            Some(meant) => malformed(Syntax::Duration, Some(meant), duration),
            None => plain(Syntax::Duration),
        }
    })
}

/// As [`duration`], where zero is no limit: `None`.
///
/// # Errors
/// Any other text and negative spans.
pub fn timeout(text: &str) -> Result<Option<u64>, FaultCause> {
    match parts(text, 4) {
        Some(Span { milliseconds: 0, has_days: false }) => Ok(None),
        Some(_) | None => duration(text).map(Some),
    }
}

/// As [`duration`], with `d` for days too, in milliseconds.
///
/// # Errors
/// Any other text, zero and negative spans.
pub fn lifetime(text: &str) -> Result<u64, FaultCause> {
    parts(text, 5).map(|span| span.milliseconds).filter(|&milliseconds| milliseconds > 0).ok_or_else(|| {
        let meant = meant_span(text, true).filter(|meant| meant != text);
        match meant {
            Some(meant) => malformed(Syntax::Duration, Some(meant), lifetime),
            None => plain(Syntax::Duration),
        }
    })
}

struct Span {
    milliseconds: u64,
    has_days: bool,
}

fn parts(text: &str, most: usize) -> Option<Span> {
    let mut span = Span { milliseconds: 0, has_days: false };
    let mut rest = text;
    let mut count = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        count += 1;
        if !(1..=5).contains(&digits) || count > most {
            return None;
        }
        let (number, behind) = rest.split_at(digits);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at(letters);
        let unit = match unit {
            "ms" => MILLISECOND,
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            _ => return None,
        };
        span.has_days |= unit == DAY;
        span.milliseconds += number.parse::<u64>().ok()? * unit;
        rest = behind;
    }
    (count > 0).then_some(span)
}

/// What a text of almost this syntax says: a missing unit means seconds, units may be spelt out,
/// numbers may have a fraction or a sign, and blanks do not count.
fn meant_span(text: &str, days: bool) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    let mut rest = text.trim_start_matches(['-', '+']);
    if rest.is_empty() || rest.len() > 64 {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let number = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (amount, behind) = rest.split_at(number);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, behind) = behind.split_at(letters);
        let unit = match unit {
            "ms" | "msec" | "msecs" | "millis" | "milliseconds" | "millisecond" => MILLISECOND,
            "" | "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
            "m" | "min" | "mins" | "minute" | "minutes" => MINUTE,
            "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
            "d" | "day" | "days" => DAY,
            "w" | "week" | "weeks" => 7 * DAY,
            _ => return None,
        };
        total = total.checked_add(scaled(amount, unit)?)?;
        rest = behind;
    }
    (total > 0).then(|| spelled(total, days))
}

/// A decimal number times a whole one, when that is whole.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 15 || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut total = u128::from(whole.parse::<u64>().ok()?) * u128::from(unit);
    if !fraction.is_empty() {
        let denominator = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit);
        if !parts.is_multiple_of(denominator) {
            return None;
        }
        total += parts / denominator;
    }
    u64::try_from(total).ok()
}

fn spelled(mut milliseconds: u64, days: bool) -> String {
    let mut text = String::new();
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (MILLISECOND, "ms")] {
        let count = milliseconds / unit;
        if count > 0 && (days || unit != DAY) {
            text.push_str(&format!("{count}{name}"));
            milliseconds %= unit;
        }
    }
    text
}

const SUFFIXES: [(&str, u64); 12] = [
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
];

/// A Kubernetes quantity that is a whole number of bytes.
///
/// # Errors
/// Any other text, fractions of a byte and more than 2^63-1 bytes.
pub fn quantity(text: &str) -> Result<u64, FaultCause> {
    bytes_of(text).ok_or_else(|| match meant_quantity(text).filter(|meant| meant != text) {
        Some(meant) => malformed(Syntax::Quantity, Some(meant), quantity),
        None => plain(Syntax::Quantity),
    })
}

fn bytes_of(text: &str) -> Option<u64> {
    let number = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (amount, suffix) = text.split_at(number);
    let (_, unit) = SUFFIXES.iter().find(|(name, _)| *name == suffix)?;
    scaled(amount, *unit).filter(|&bytes| bytes <= i64::MAX.unsigned_abs())
}

fn meant_quantity(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '_' && *c != ',').collect();
    let number = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (amount, suffix) = text.split_at(number);
    let wanted = suffix.trim_end_matches("ytes").trim_end_matches("yte").trim_end_matches(['b', 'B']);
    SUFFIXES.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(name, _)| format!("{amount}{name}"))
}

/// A share from 0 to 1 with at most six decimals, in millionths.
///
/// # Errors
/// Any other text.
pub fn share(text: &str) -> Result<u32, FaultCause> {
    scaled(text, 1_000_000)
        .and_then(|millionths| u32::try_from(millionths).ok())
        .filter(|&millionths| millionths <= 1_000_000)
        .ok_or_else(|| FaultCause::OutOfBounds { bound: "must be from 0 to 1, with at most six decimals".into() })
}
