//! `version.*`: the API exists, the version asked for does not serve.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::{Action, Entry, Fixer, Listed, ObjectName, Retry, Status, Tell};

/// Why no version took the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Version {
    /// What the caller wrote is not a semver requirement, or stands there twice.
    Malformed {
        /// The route.
        route: ObjectName,
        /// Where it was written, such as `header Api-Version`.
        source: Arc<str>,
        /// Whether there are several values, whatever each says.
        repeated: bool,
        /// Versions that can be asked for: neither Draft nor Retired.
        available: Vec<Arc<str>>,
    },
    /// No version of the route satisfies the requirement.
    Unknown {
        /// The route.
        route: ObjectName,
        /// What was asked for; bounded in length.
        requested: String,
        /// Versions that can be asked for: neither Draft nor Retired.
        available: Vec<Arc<str>>,
        /// Versions that have been retired.
        retired: Vec<Arc<str>>,
    },
    /// Nothing was asked for and no version may serve by default.
    NoDefault {
        /// The route.
        route: ObjectName,
        /// Versions that can be asked for: neither Draft nor Retired.
        available: Vec<Arc<str>>,
    },
    /// The version has been retired.
    Retired {
        /// The route.
        route: ObjectName,
        /// The retired version.
        version: Arc<str>,
        /// When it ended, where the manifest says.
        sunset_at: Option<Timestamp>,
        /// The version to use instead.
        successor: Option<Arc<str>>,
    },
}

impl Version {
    pub(crate) fn tell(&self, tell: Tell<'_>) {
        let entry =
            |code, status, by, action, title| Entry { code, status: Status::new(status), by, action, retry: Retry::Never, title };
        match self {
            Self::Malformed { route, source, repeated: true, available } => tell(
                entry("version.malformed", 400, Fixer::Caller, Action::UseVersion, "The version asked for is not a version"),
                [
                    format_args!("The {source} is there more than once; {route} has {}.", Listed(available)),
                    format_args!("Send the {source} once, with one of {}.", Listed(available)),
                    format_args!(""),
                ],
            ),
            Self::Malformed { route, source, repeated: false, available } => tell(
                entry("version.malformed", 400, Fixer::Caller, Action::UseVersion, "The version asked for is not a version"),
                [
                    format_args!(
                        "The {source} does not hold a version such as 2, 2.1 or 2.1.0; {route} has {}.",
                        Listed(available)
                    ),
                    format_args!("Ask for one of {}.", Listed(available)),
                    format_args!(""),
                ],
            ),
            Self::Unknown { route, requested, available, retired } => tell(
                entry("version.unknown", 404, Fixer::Caller, Action::UseVersion, "The API has no such version"),
                [
                    format_args!(
                        "{route} has no version {requested}; it has {}{}{}.",
                        Listed(available),
                        if retired.is_empty() { "" } else { ", and retired " },
                        if retired.is_empty() { String::new() } else { Listed(retired).to_string() }
                    ),
                    format_args!("Ask for one of {}.", Listed(available)),
                    format_args!(""),
                ],
            ),
            Self::NoDefault { route, available } if available.is_empty() => tell(
                entry("version.no_default", 404, Fixer::ApiOwner, Action::RequestAccess, "The API has no published version"),
                [
                    format_args!("The request names no version and {route} has none that is published."),
                    format_args!("Ask the owner of {route} to publish a version."),
                    format_args!("No version of ApiRoute {route} is Published or Deprecated; publish one."),
                ],
            ),
            Self::NoDefault { route, available } => tell(
                entry("version.no_default", 404, Fixer::Caller, Action::UseVersion, "The request must name a version"),
                [
                    format_args!("The request names no version and {route} has no default; it has {}.", Listed(available)),
                    format_args!("Ask for one of {}.", Listed(available)),
                    format_args!("Set `spec.versioning.default`, or publish a version."),
                ],
            ),
            Self::Retired { route, version, sunset_at, successor } => {
                let since = sunset_at.map(|at| format!(" at {at}")).unwrap_or_default();
                let next = successor.as_deref().unwrap_or("another version");
                tell(
                    entry("version.retired", 410, Fixer::Caller, Action::UseVersion, "The version has been retired"),
                    [
                        format_args!("Version {version} of {route} was retired{since}."),
                        format_args!("Use {next}."),
                        format_args!(""),
                    ],
                );
            }
        }
    }
}
