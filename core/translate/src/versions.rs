//! The versions of a route and how callers name them.

use std::sync::Arc;

use cause::{FaultCause, FieldPath, Listed, ObjectName};
use crds::v1alpha1 as written;
use ir::{Stage, Version, VersionSource, Versioning};

use crate::backends::{self, Gathered};
use crate::parse;
use crate::report::Report;
use crate::world::World;

/// How versions are named and the versions, newest first; `None` after a fault that closes the
/// route.
pub(crate) fn translate(
    world: &World<'_>,
    own: &ObjectName,
    spec: &written::ApiRouteSpec,
    report: &mut Report,
    gathered: &mut Gathered,
) -> Option<(Versioning, Vec<Version>)> {
    let at = FieldPath::of("spec");
    let place = at.field("versions");
    let mut versions: Vec<Version> = Vec::new();
    for (index, one) in spec.versions.iter().enumerate() {
        let at = place.index(index);
        let number = report.need(&at.field("version"), parse::version(&one.version));
        let (deprecated_at, sunset_at) = life(one, &at, world, report);
        let backend = backends::translate(world, &one.backend, (own, &at.field("backend")), report, gathered);
        let Some(version) = number else { continue };
        if let Some(other) = versions.iter().find(|other| other.version.cmp_precedence(&version).is_eq()) {
            let cause = FaultCause::VersionDuplicate { version: other.version.to_string().into() };
            report.close(&at.field("version"), cause);
            continue;
        }
        versions.push(Version { version, stage: stage(one.stage), deprecated_at, sunset_at, backend });
    }
    if spec.versions.is_empty() {
        report.close(&place, FaultCause::FieldMissing { field: "versions".into() });
    }
    versions.sort_by(|a, b| b.version.cmp(&a.version));
    // What a default matches can only be told where every version can be read.
    let told = !versions.is_empty() && versions.len() == spec.versions.len();
    let versioning = versioning(spec.versioning.as_ref(), &versions, told, &at.field("versioning"), report)?;
    (!versions.is_empty()).then_some((versioning, versions))
}

const fn stage(written: Option<written::Stage>) -> Stage {
    match written {
        None | Some(written::Stage::Published) => Stage::Published,
        Some(written::Stage::Draft) => Stage::Draft,
        Some(written::Stage::Deprecated) => Stage::Deprecated,
        Some(written::Stage::Retired) => Stage::Retired,
    }
}

type Moments = (Option<jiff::Timestamp>, Option<jiff::Timestamp>);

/// Since when a version is deprecated and when it ends.
fn life(one: &written::RouteVersion, at: &FieldPath, world: &World<'_>, report: &mut Report) -> Moments {
    let mut time =
        |text: Option<&String>, field: &str| text.and_then(|text| report.need(&at.field(field), parse::timestamp(text)));
    let deprecated_at = time(one.deprecated_at.as_ref(), "deprecatedAt");
    let sunset_at = time(one.sunset_at.as_ref(), "sunsetAt");
    let at = at.field("sunsetAt");
    if let (Some(deprecated_at), Some(sunset_at)) = (deprecated_at, sunset_at)
        && sunset_at < deprecated_at
    {
        // RFC 9745 section 4: a sunset is never before the deprecation.
        report.close(&at, FaultCause::RuleViolated { message: "`sunsetAt` must not be earlier than `deprecatedAt`".into() });
    }
    if let Some(sunset_at) = sunset_at.filter(|sunset_at| *sunset_at <= world.context.now)
        && stage(one.stage) != Stage::Retired
    {
        let reason = format!("the version was to end at {sunset_at} and still serves; `stage: Retired` ends it").into();
        report.warn(&at, FaultCause::NoEffect { reason });
    }
    (deprecated_at, sunset_at)
}

/// Where callers name a version. A route of one version that says nothing has no versions to
/// choose from, so that `/v1/...` below it is a path like any other.
fn versioning(
    written: Option<&written::Versioning>,
    versions: &[Version],
    told: bool,
    at: &FieldPath,
    report: &mut Report,
) -> Option<Versioning> {
    use written::VersionSource::{Header, MediaType, Path, Query};
    let Some(written) = written else {
        let select = if versions.len() > 1 {
            vec![
                VersionSource::Path,
                VersionSource::Header(HEADER.into()),
                VersionSource::Query(PARAMETER.into()),
                VersionSource::MediaType(PARAMETER.into()),
            ]
        } else {
            Vec::new()
        };
        return Some(Versioning { select, default: None });
    };
    let header = match &written.header {
        Some(text) => report.need(&at.field("header"), parse::readable_header(text)),
        None => Some(HEADER.into()),
    };
    let named = |text: &Option<String>| Arc::<str>::from(text.as_deref().unwrap_or(PARAMETER));
    let default = written.default.as_ref().map(|text| {
        let place = at.field("default");
        let requirement = report.need(&place, parse::requirement(text))?;
        let fits = |version: &&Version| version.stage != Stage::Draft && requirement.matches(&version.version);
        if !told || versions.iter().any(|version| fits(&version)) {
            return Some(requirement);
        }
        let known: Vec<_> =
            versions.iter().filter(|version| version.stage != Stage::Draft).map(|version| &version.version).collect();
        let message = format!("no version of the API matches `{text}`; there are {}", Listed(&known));
        report.close(&place, FaultCause::RuleViolated { message: message.into() });
        None
    });
    let header = header?;
    let sources = written.select.as_deref().unwrap_or(&[Path, Header, Query, MediaType]);
    for (source, field, name) in
        [(Header, "header", &written.header), (Query, "query", &written.query), (MediaType, "mediaType", &written.media_type)]
    {
        if name.is_some() && !sources.contains(&source) {
            let reason = format!("`select` has no {source:?}, so that nobody names a version there").into();
            report.warn(&at.field(field), FaultCause::NoEffect { reason });
        }
    }
    let mut select = Vec::new();
    for source in sources {
        let source = match source {
            Path => VersionSource::Path,
            Header => VersionSource::Header(Arc::clone(&header)),
            Query => VersionSource::Query(named(&written.query)),
            MediaType => VersionSource::MediaType(named(&written.media_type).to_ascii_lowercase().into()),
        };
        if !select.contains(&source) {
            select.push(source);
        }
    }
    let default = match default {
        None => None,
        Some(default) => Some(default?),
    };
    Some(Versioning { select, default })
}

const HEADER: &str = "api-version";
const PARAMETER: &str = "version";
