//! What a caller writes for a version.

use semver::{Comparator, Op, Version, VersionReq};

/// A requirement: `2` is any 2.x.y, `2.1` any 2.1.x, `2.1.0` that one; `^`, `~`, `>=` and lists of
/// them mean what semver says. A leading `v` is passed over.
#[derive(Clone, Debug, PartialEq)]
pub enum Requirement {
    /// One version; its build metadata does not count.
    Exact(Version),
    /// All releases of a major, or of a major and minor version.
    Series {
        /// The major version.
        major: u64,
        /// The minor version.
        minor: Option<u64>,
    },
    /// A range with operators.
    Range(VersionReq),
}

/// Characters that a requirement may have.
const LONGEST: usize = 64;

impl Requirement {
    /// Reads a requirement; `None` where the text is none or has more than 64 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        if text.contains(['^', '~', '<', '>', '=', '*', ',']) {
            return VersionReq::parse(text).ok().map(Self::Range);
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        if let Ok(version) = Version::parse(text) {
            return Some(Self::Exact(version));
        }
        Some(match text.split_once('.') {
            Some((major, minor)) => Self::Series { major: number(major)?, minor: Some(number(minor)?) },
            None => Self::Series { major: number(text)?, minor: None },
        })
    }

    /// Whether a version satisfies it.
    #[must_use]
    pub fn admits(&self, version: &Version) -> bool {
        match self {
            Self::Exact(_) => self.names(version),
            Self::Series { major, minor } => {
                version.pre.is_empty() && version.major == *major && minor.is_none_or(|minor| version.minor == minor)
            }
            Self::Range(range) => range.matches(version),
        }
    }

    /// Whether it names this version and no other.
    #[must_use]
    pub fn names(&self, version: &Version) -> bool {
        match self {
            Self::Exact(exact) => exact.cmp_precedence(version).is_eq(),
            Self::Series { .. } | Self::Range(_) => false,
        }
    }

    /// The same requirement as `semver` writes it, for the default of a manifest.
    #[must_use]
    pub fn to_range(&self) -> VersionReq {
        let comparator = match self {
            Self::Range(range) => return range.clone(),
            Self::Exact(version) => Comparator {
                op: Op::Exact,
                major: version.major,
                minor: Some(version.minor),
                patch: Some(version.patch),
                pre: version.pre.clone(),
            },
            Self::Series { major, minor } => {
                Comparator { op: Op::Tilde, major: *major, minor: *minor, patch: None, pre: semver::Prerelease::EMPTY }
            }
        };
        VersionReq { comparators: vec![comparator] }
    }
}

fn number(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_admit_versions() {
        const VERSIONS: [&str; 7] = ["1.4.2", "2.0.0", "2.1.0", "2.1.7", "2.10.0", "3.0.0-rc.1", "10.0.0"];
        fn check(text: &str, expected: Option<&[&str]>) {
            let requirement = Requirement::parse(text);
            let admitted = requirement.as_ref().map(|requirement| {
                VERSIONS.into_iter().filter(|version| requirement.admits(&Version::parse(version).unwrap())).collect::<Vec<_>>()
            });
            assert_eq!(admitted.as_deref(), expected, "{text}");
            if let Some(requirement) = requirement {
                let range = requirement.to_range();
                for version in VERSIONS.map(|version| Version::parse(version).unwrap()) {
                    assert_eq!(range.matches(&version), requirement.admits(&version), "{text} {version}");
                }
            }
        }
        check("2", Some(&["2.0.0", "2.1.0", "2.1.7", "2.10.0"]));
        check("v2.1", Some(&["2.1.0", "2.1.7"]));
        check("2.1.0", Some(&["2.1.0"]));
        check("2.1.0+build.5", Some(&["2.1.0"]));
        check(" 1 ", Some(&["1.4.2"]));
        check("3", Some(&[]));
        check("3.0.0-rc.1", Some(&["3.0.0-rc.1"]));
        check("^2.1", Some(&["2.1.0", "2.1.7", "2.10.0"]));
        check(">=2, <2.5", Some(&["2.0.0", "2.1.0", "2.1.7"]));
        check("*", Some(&["1.4.2", "2.0.0", "2.1.0", "2.1.7", "2.10.0", "10.0.0"]));
        for wrong in ["", "v", "latest", "2.", ".2", "02", "2.1.0.0", "-1", "2.x", "99999999999999999999", "２", ">"] {
            check(wrong, None);
        }
        check(&"1".repeat(65), None);
    }
}
