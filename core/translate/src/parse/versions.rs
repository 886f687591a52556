//! Versions and points in time.

use cause::{FaultCause, Syntax};
use jiff::Timestamp;
use policy::version::Requirement;
use semver::{Version, VersionReq};

use super::{malformed, plain};

/// A full semantic version.
///
/// # Errors
/// Any other text.
pub fn version(text: &str) -> Result<Version, FaultCause> {
    Version::parse(text).map_err(|_| {
        let meant = completed(text).filter(|meant| meant != text);
        malformed(Syntax::SemanticVersion, meant, |meant| Version::parse(meant).map_err(|_| plain(Syntax::SemanticVersion)))
    })
}

fn completed(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['v', 'V', '=']);
    let numbers: Vec<&str> = text.split('.').collect();
    match numbers.as_slice() {
        [major] => Some(format!("{major}.0.0")),
        [major, minor] => Some(format!("{major}.{minor}.0")),
        _ => Some(text.to_owned()),
    }
}

/// A semver requirement, as callers write it too: `2` is any 2.x.y, `2.1` any 2.1.x and `2.1.0` that
/// one alone; operators mean what semver says.
///
/// # Errors
/// Any other text.
pub fn requirement(text: &str) -> Result<VersionReq, FaultCause> {
    Requirement::parse(text).map(|requirement| requirement.to_range()).ok_or(plain(Syntax::VersionRequirement))
}

/// A point in time (RFC 3339).
///
/// # Errors
/// Any other text, such as a date without a time.
pub fn timestamp(text: &str) -> Result<Timestamp, FaultCause> {
    rfc3339(text).ok_or_else(|| {
        let text = text.trim();
        let spaced = text.replacen(' ', "T", 1);
        let meant =
            [format!("{text}T00:00:00Z"), format!("{spaced}Z"), spaced].into_iter().find(|meant| rfc3339(meant).is_some());
        FaultCause::Malformed { syntax: Syntax::Timestamp, suggestion: meant.map(Into::into) }
    })
}

/// RFC 3339 proper: the parser itself also takes spaces, missing seconds and zone names.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let fixed = bytes.get(..19)?;
    let shaped = fixed.iter().zip(b"0000-00-00T00:00:00").all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't'),
        other => byte == other,
    });
    let rest = bytes.get(19..)?;
    let fraction = match rest.split_first() {
        Some((b'.', digits)) => 1 + digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        Some(_) | None => 0,
    };
    let zone = match rest.get(fraction..)? {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', a, b, b':', c, d] => [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    if shaped && zone && fraction != 1 { text.parse().ok() } else { None }
}
