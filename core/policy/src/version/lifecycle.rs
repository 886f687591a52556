//! What callers are told of a version's end.

use http::{HeaderName, HeaderValue, header};
use ir::{Stage, Version, VersionSource};
use jiff::Timestamp;

/// The version to move to: the newest Published one that is newer; releases before pre-releases.
pub(super) fn successor<'a>(version: &Version, versions: &'a [Version]) -> Option<&'a Version> {
    versions
        .iter()
        .filter(|other| other.stage == Stage::Published && other.version > version.version)
        .max_by_key(|other| (other.version.pre.is_empty(), other.version.clone()))
}

/// The fields of a version's answers, made once.
pub(super) fn headers(
    version: &Version,
    successor: Option<&str>,
    path: &str,
    select: &[VersionSource],
) -> Vec<(HeaderName, HeaderValue)> {
    let mut fields = Vec::new();
    let ending = version.stage == Stage::Deprecated || version.deprecated_at.is_some() || version.sunset_at.is_some();
    if !ending {
        return fields;
    }
    if version.stage == Stage::Deprecated || version.deprecated_at.is_some() {
        // The field needs a date; where the manifest has none, any past one says what is known.
        let since = version.deprecated_at.unwrap_or(Timestamp::UNIX_EPOCH);
        push(&mut fields, HeaderName::from_static("deprecation"), &format!("@{}", since.as_second()));
    }
    if let Some(at) = version.sunset_at {
        let date = at.strftime("%a, %d %b %Y %H:%M:%S GMT");
        push(&mut fields, HeaderName::from_static("sunset"), &date.to_string());
    }
    if let Some(next) = successor {
        let target = target(path, next, select);
        push(&mut fields, header::LINK, &format!("<{target}>; rel=\"successor-version\""));
    }
    fields
}

/// Where the successor is found, as far as a URL can say it.
fn target(path: &str, next: &str, select: &[VersionSource]) -> String {
    let path = path.trim_end_matches('/');
    for source in select {
        match source {
            VersionSource::Path => return format!("{path}/v{next}"),
            VersionSource::Query(name) => return format!("{}?{name}={next}", if path.is_empty() { "/" } else { path }),
            VersionSource::Header(_) | VersionSource::MediaType(_) => {}
        }
    }
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

fn push(fields: &mut Vec<(HeaderName, HeaderValue)>, name: HeaderName, value: &str) {
    // A path that no field can carry leaves its link out.
    if let Ok(value) = HeaderValue::from_str(value) {
        fields.push((name, value));
    }
}
