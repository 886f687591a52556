//! Regular expressions that never take a request, because a prefix goes before them.
//!
//! Gateway API leaves the place of regular expressions among paths to each implementation; here they come behind all
//! prefixes of the same host. So a prefix that takes whatever an expression can match takes all of its requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath};
use ir::{HostPattern, Match, PathMatch, Route, RouteId, RouteKind, SharedMap};

use crate::manifests::Context;

/// A host of routes, or any, and a path.
type Place = (Option<HostPattern>, Arc<str>);

/// Which routes have expressions, and where the prefixes are that ask for nothing beside the path.
#[derive(Debug, Default)]
pub(crate) struct Shadows {
    routes: SharedMap<RouteId, Arc<Route>>,
    expressions: BTreeSet<RouteId>,
    prefixes: BTreeMap<Place, BTreeSet<RouteId>>,
}

impl Shadows {
    /// Knows these routes from now on.
    pub(crate) fn follow(&mut self, routes: &SharedMap<RouteId, Arc<Route>>) {
        let before = std::mem::replace(&mut self.routes, routes.clone());
        for difference in routes.since(&before, Arc::ptr_eq) {
            let (gone, come) = difference.sides();
            if let Some(gone) = gone {
                self.expressions.remove(&gone.id);
                for place in prefixes(gone) {
                    if let Some(routes) = self.prefixes.get_mut(&place) {
                        routes.remove(&gone.id);
                        if routes.is_empty() {
                            self.prefixes.remove(&place);
                        }
                    }
                }
            }
            if let Some(come) = come {
                if come.matches.iter().any(|one| matches!(one.path, PathMatch::Regex(_))) {
                    self.expressions.insert(come.id.clone());
                }
                for place in prefixes(come) {
                    self.prefixes.entry(place).or_default().insert(come.id.clone());
                }
            }
        }
    }

    /// Warns of each expression that takes no request of some host.
    pub(crate) fn tell(&self, context: &Context, faults: &mut Vec<Fault>) {
        for route in self.expressions.iter().filter_map(|id| self.routes.get(id)) {
            // Of a closed route not all matches may be known, and something else is to be mended first.
            if route.serve.as_result().is_err() {
                continue;
            }
            for (index, one) in route.matches.iter().enumerate() {
                let PathMatch::Regex(pattern) = &one.path else { continue };
                let Some((host, path, other)) = self.before(route, pattern) else { continue };
                let at = FieldPath::of("spec.rules").index(route.id.rule.into()).field("matches").index(index);
                let may_know = context.is_standalone() || other.name.namespace == route.id.name.namespace;
                let named = match (may_know, other.kind) {
                    (false, _) => "of another namespace".to_owned(),
                    (true, RouteKind::ApiRoute) => format!("of {}", other.object()),
                    (true, RouteKind::HttpRoute | RouteKind::Ingress) => format!("of {other}"),
                };
                let host = host.map_or_else(|| "of any host".to_owned(), |host| format!("of {host}"));
                let reason =
                    format!("PathPrefix `{path}` {named} takes its requests {host}, since prefixes go before expressions");
                let cause = FaultCause::RuleNeverMatches { rule: Arc::clone(pattern), reason: reason.into() };
                faults.push(Fault::warning(route.id.object(), at.field("path").field("value"), cause));
            }
        }
    }

    /// The first prefix that takes all that an expression of a route can match, and a host of which it does.
    fn before<'a>(&self, route: &'a Route, pattern: &str) -> Option<(Option<&'a HostPattern>, Arc<str>, &RouteId)> {
        let covering = covering(pattern);
        hosts(route).find_map(|host| {
            covering.iter().find_map(|path| {
                let others = self.prefixes.get(&(host.cloned(), Arc::clone(path)))?;
                let meets = |other: &&RouteId| {
                    let other = self.routes.get(other);
                    other.is_some_and(|other| route.listeners.iter().any(|listener| other.listeners.contains(listener)))
                };
                let other = others.iter().filter(|other| **other != route.id).find(meets)?;
                Some((host, Arc::clone(path), other))
            })
        })
    }
}

/// The hosts of a route; `None` is any.
fn hosts(route: &Route) -> impl Iterator<Item = Option<&HostPattern>> {
    let any = route.hostnames.is_empty().then_some(None);
    any.into_iter().chain(route.hostnames.iter().map(Some))
}

/// Where a route takes all that has a prefix.
fn prefixes(route: &Route) -> impl Iterator<Item = Place> {
    let takes_all = |one: &&Match| one.methods.is_empty() && one.headers.is_empty() && one.query.is_empty();
    let paths = route.matches.iter().filter(takes_all).filter_map(|one| match &one.path {
        PathMatch::Prefix(path) => Some((whole(path), one.single_label)),
        PathMatch::Exact(_) | PathMatch::Regex(_) => None,
    });
    paths.flat_map(|(path, single_label)| {
        // A wildcard that stands for one label takes fewer hosts than its like.
        let hosts = hosts(route).filter(move |host| !(single_label && matches!(host, Some(HostPattern::Wildcard(_)))));
        hosts.map(move |host| (host.cloned(), Arc::clone(&path)))
    })
}

/// A prefix without the slash at its end, which means nothing; `/` is the shortest.
fn whole(path: &str) -> Arc<str> {
    let path = path.trim_end_matches('/');
    if path.is_empty() { "/".into() } else { path.into() }
}

/// The prefixes, longest first, that every path has which the expression can match.
fn covering(pattern: &str) -> Vec<Arc<str>> {
    let (literal, is_whole) = literal(pattern);
    let ends = literal.match_indices('/').map(|(slash, _)| slash).chain(is_whole.then_some(literal.len()));
    let mut paths: Vec<Arc<str>> = ends.filter_map(|end| literal.get(..end)).map(whole).collect();
    paths.push("/".into());
    paths.reverse();
    paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
    paths.dedup();
    paths
}

/// The text with which all that an expression matches begins, and whether a segment ends behind it. Shorter than it
/// could be where that is not plain to see.
fn literal(pattern: &str) -> (String, bool) {
    let mut literal = String::new();
    if pattern.contains('|') {
        return (literal, false);
    }
    let mut rest = pattern.strip_prefix('^').unwrap_or(pattern);
    loop {
        let mut characters = rest.chars();
        let character = match characters.next() {
            Some('\\') => match characters.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => escaped,
                Some(_) | None => break,
            },
            Some(plain) if !".^$*+?()[]{}".contains(plain) => plain,
            Some(_) | None => break,
        };
        let behind = characters.as_str();
        if behind.starts_with(['*', '?', '{']) {
            break;
        }
        literal.push(character);
        rest = behind;
    }
    let is_whole = matches!(rest, "" | "$") || ["/", "(/", "(?:/"].iter().any(|begin| rest.starts_with(begin));
    (literal, is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_that_an_expression_matches_has_these_prefixes() {
        let check = |pattern: &str, expected: &[&str]| {
            let found = covering(pattern);
            assert_eq!(found.iter().map(|path| &**path).collect::<Vec<_>>(), expected, "{pattern}");
        };
        check("/api/v[0-9]+/orders", &["/api", "/"]);
        check("^/api/v1$", &["/api/v1", "/api", "/"]);
        check("/api(/.*)?", &["/api", "/"]);
        check("/api(?:/x)*", &["/api", "/"]);
        check("/api/?", &["/api", "/"]);
        check("/api.*", &["/"]);
        check("/a\\.b/c", &["/a.b/c", "/a.b", "/"]);
        check("/a\\d", &["/"]);
        check("/ab?", &["/"]);
        check("/ab{2}", &["/"]);
        check("/api/|/other", &["/"]);
        check("/api/a|b", &["/"]);
        check("(?i)/api/x", &["/"]);
        check(".*", &["/"]);
        check("", &["/"]);
    }
}
