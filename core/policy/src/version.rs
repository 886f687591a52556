//! Which version of an API a request is for.
//!
//! The sources are asked in the order of the manifest and the first that names a version decides.
//! The newest version that fits serves; a Draft serves only who names it exactly; a Retired one
//! answers 410 where nothing else fits. Pre-releases serve only who names them exactly, or by
//! default where there is nothing else.

mod lifecycle;
mod requirement;

use std::borrow::Cow;
use std::sync::Arc;

use cause::ObjectName;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ir::{Stage, VersionSource, Versioning};
use jiff::Timestamp;
use semver::Version;

pub use requirement::Requirement;

use crate::query;

/// Where in a request a version was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// By the path.
    Path,
    /// By a header field.
    Header,
    /// By a query parameter.
    Query,
    /// By a parameter of a media type.
    MediaType,
    /// By nothing: it is the default.
    Default,
}

/// The parts of a request that can name a version.
#[derive(Clone, Copy, Debug)]
pub struct VersionRequest<'a> {
    /// The path behind the route's own: empty, or beginning with `/`.
    pub path: &'a str,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The query, without `?`.
    pub query: &'a str,
}

/// Which version serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Its place in [`ir::Serve::versions`].
    pub index: usize,
    /// What named it.
    pub chosen: Chosen,
    /// Bytes of [`VersionRequest::path`] that the version's segment takes, slash included; the
    /// rest is forwarded.
    pub segment: usize,
}

/// The versions of one route, compiled.
#[derive(Clone, Debug)]
pub struct Versions {
    sources: Box<[Source]>,
    default: Default,
    /// Whether any version has fields that tell of its end.
    ends: bool,
    known: Box<Known>,
}

/// What is looked at for a request that names a version, or to refuse one.
#[derive(Clone, Debug)]
struct Known {
    route: ObjectName,
    entries: Vec<Entry>,
    available: Vec<Arc<str>>,
}

#[derive(Clone, Debug)]
enum Source {
    Path,
    Header(HeaderName, Arc<str>),
    Query(Arc<str>, Arc<str>),
    MediaType(Arc<str>, Arc<str>),
}

#[derive(Clone, Copy, Debug)]
enum Default {
    Serves(usize),
    Retired(usize),
    Missing,
}

#[derive(Clone, Debug)]
struct Entry {
    version: Version,
    text: Arc<str>,
    stage: Stage,
    sunset_at: Option<Timestamp>,
    successor: Option<Arc<str>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Versions {
    /// Compiles a route's versions. `path` is the route's own path, for links to successors.
    #[must_use]
    pub fn compile(route: &ObjectName, path: &str, versioning: &Versioning, versions: &[ir::Version]) -> Self {
        let sources = versioning.select.iter().filter_map(Source::compile).collect();
        let entries: Vec<_> = versions
            .iter()
            .map(|version| {
                let successor = lifecycle::successor(version, versions).map(|next| next.version.to_string());
                Entry {
                    version: version.version.clone(),
                    text: version.version.to_string().into(),
                    stage: version.stage,
                    sunset_at: version.sunset_at,
                    headers: lifecycle::headers(version, successor.as_deref(), path, &versioning.select),
                    successor: successor.map(Into::into),
                }
            })
            .collect();
        let available = listed(&entries, serves);
        let ends = entries.iter().any(|entry| !entry.headers.is_empty());
        let known = Box::new(Known { route: route.clone(), entries, available });
        Self { sources, default: known.default(versioning.default.as_ref()), ends, known }
    }

    /// Which version serves the request. Allocates nothing where one does, escapes in a query apart.
    ///
    /// # Errors
    /// `version.malformed`, `version.unknown`, `version.no_default` or `version.retired`.
    pub fn select(&self, request: VersionRequest<'_>) -> Result<Selected, cause::Version> {
        for source in &self.sources {
            let named = match source {
                Source::Path => match segment(request.path) {
                    Some(text) => Some((Ok(Cow::Borrowed(text)), Chosen::Path, text.len() + 1)),
                    None => None,
                },
                Source::Header(name, _) => {
                    single(request.headers.get_all(name).iter().map(text_of)).map(|text| (text, Chosen::Header, 0))
                }
                Source::Query(name, _) => single(query::values(request.query, name)).map(|text| (text, Chosen::Query, 0)),
                Source::MediaType(name, _) => {
                    media_type(request.headers, name).map(|text| (Ok(Cow::Borrowed(text)), Chosen::MediaType, 0))
                }
            };
            let Some((text, chosen, segment)) = named else { continue };
            let repeated = text.is_err();
            let requirement = text.ok().and_then(|text| Some((Requirement::parse(&text)?, text)));
            let Some((requirement, text)) = requirement else {
                return Err(cause::Version::Malformed {
                    route: self.known.route.clone(),
                    source: source.name(),
                    repeated,
                    available: self.known.available.clone(),
                });
            };
            let index = self.known.find(&requirement, &text)?;
            return Ok(Selected { index, chosen, segment });
        }
        match self.default {
            Default::Serves(index) => Ok(Selected { index, chosen: Chosen::Default, segment: 0 }),
            Default::Retired(index) => Err(self.known.retired(index)),
            Default::Missing => {
                let Known { route, available, .. } = &*self.known;
                Err(cause::Version::NoDefault { route: route.clone(), available: available.clone() })
            }
        }
    }

    /// The fields that tell a caller of this version's end: `Deprecation` (RFC 9745), `Sunset`
    /// (RFC 8594) and `Link` with `rel="successor-version"` (RFC 5829).
    #[must_use]
    pub fn headers(&self, index: usize) -> &[(HeaderName, HeaderValue)] {
        if !self.ends {
            return &[];
        }
        self.known.entries.get(index).map_or(&[], |entry| &entry.headers)
    }

    /// The text of a version, such as `2.1.0`.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<&Arc<str>> {
        Some(&self.known.entries.get(index)?.text)
    }
}

impl Known {
    fn find(&self, requirement: &Requirement, text: &str) -> Result<usize, cause::Version> {
        if let Some(index) = self.newest(|entry| serves(entry.stage) && requirement.admits(&entry.version)) {
            return Ok(index);
        }
        if let Some(index) = self.newest(|entry| entry.stage == Stage::Draft && requirement.names(&entry.version)) {
            return Ok(index);
        }
        if let Some(index) = self.newest(|entry| entry.stage == Stage::Retired && requirement.admits(&entry.version)) {
            return Err(self.retired(index));
        }
        Err(cause::Version::Unknown {
            route: self.route.clone(),
            requested: text.to_owned(),
            available: self.available.clone(),
            retired: listed(&self.entries, |stage| stage == Stage::Retired),
        })
    }

    /// The newest Published version; else the newest Deprecated one; else nothing serves by
    /// default, and where all are Retired that is the answer.
    fn default(&self, required: Option<&semver::VersionReq>) -> Default {
        let fits = |entry: &Entry| required.is_none_or(|required| required.matches(&entry.version));
        if required.is_some() {
            if let Some(index) = self.newest(|entry| serves(entry.stage) && fits(entry)) {
                return Default::Serves(index);
            }
        } else {
            for stage in [Stage::Published, Stage::Deprecated] {
                let released = self.newest(|entry| entry.stage == stage && entry.version.pre.is_empty());
                if let Some(index) = released.or_else(|| self.newest(|entry| entry.stage == stage)) {
                    return Default::Serves(index);
                }
            }
        }
        self.newest(|entry| entry.stage == Stage::Retired && fits(entry)).map_or(Default::Missing, Default::Retired)
    }

    fn newest(&self, fits: impl Fn(&Entry) -> bool) -> Option<usize> {
        let fitting = self.entries.iter().enumerate().filter(|(_, entry)| fits(entry));
        fitting.max_by(|(_, a), (_, b)| a.version.cmp(&b.version)).map(|(index, _)| index)
    }

    fn retired(&self, index: usize) -> cause::Version {
        let entry = &self.entries[index];
        cause::Version::Retired {
            route: self.route.clone(),
            version: Arc::clone(&entry.text),
            sunset_at: entry.sunset_at,
            successor: entry.successor.clone(),
        }
    }
}

/// The texts of the versions in some stages, newest first.
fn listed(entries: &[Entry], stage: impl Fn(Stage) -> bool) -> Vec<Arc<str>> {
    let mut listed: Vec<_> = entries.iter().filter(|entry| stage(entry.stage)).collect();
    listed.sort_by(|a, b| b.version.cmp(&a.version));
    listed.into_iter().map(|entry| Arc::clone(&entry.text)).collect()
}

const fn serves(stage: Stage) -> bool {
    match stage {
        Stage::Published | Stage::Deprecated => true,
        Stage::Draft | Stage::Retired => false,
    }
}

impl Source {
    fn compile(source: &VersionSource) -> Option<Self> {
        Some(match source {
            VersionSource::Path => Self::Path,
            VersionSource::Header(name) => {
                // A name that is no header's can be on no request.
                Self::Header(HeaderName::from_bytes(name.as_bytes()).ok()?, format!("header {name}").into())
            }
            VersionSource::Query(name) => Self::Query(Arc::clone(name), format!("query parameter {name}").into()),
            VersionSource::MediaType(name) => Self::MediaType(Arc::clone(name), format!("media type parameter {name}").into()),
        })
    }

    fn name(&self) -> Arc<str> {
        match self {
            Self::Path => "path".into(),
            Self::Header(_, name) | Self::Query(_, name) | Self::MediaType(_, name) => Arc::clone(name),
        }
    }
}

/// The first segment, where it looks like a version: `v` and a number, and nothing that is not
/// one (`v2`, `v2.1`; not `v2beta` or `value`).
fn segment(path: &str) -> Option<&str> {
    let first = path.strip_prefix('/')?.split('/').next()?;
    let number = first.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    (number && Requirement::parse(first).is_some()).then_some(first)
}

/// The one value, or an error where there are several.
fn single<T>(mut values: impl Iterator<Item = T>) -> Option<Result<T, ()>> {
    let first = values.next()?;
    Some(if values.next().is_some() { Err(()) } else { Ok(first) })
}

fn text_of(value: &HeaderValue) -> Cow<'_, str> {
    // What is not ASCII is no version: it reads as one that is malformed.
    Cow::Borrowed(value.to_str().unwrap_or("\u{fffd}"))
}

/// The first media type of `Accept`, then of `Content-Type`, with this parameter.
fn media_type<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    [header::ACCEPT, header::CONTENT_TYPE].into_iter().find_map(|field| {
        let lines = headers.get_all(field).into_iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split(',')).find_map(|range| {
            range.split(';').skip(1).find_map(|parameter| {
                let (found, value) = parameter.split_once('=')?;
                let value = value.trim();
                let bare = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value);
                found.trim().eq_ignore_ascii_case(name).then_some(bare)
            })
        })
    })
}

#[cfg(test)]
mod tests;
