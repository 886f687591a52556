//! From host, path, method, header and query to a route, in Gateway API's precedence.
//!
//! Host first (exact, then the longest wildcard, then any), then the path: exact, then the longest
//! prefix of whole segments, then regular expressions. Each place holds its few candidates in
//! order of precedence. The number of routes costs nothing: every lookup is a hash of one part of
//! the request, and as many prefixes are tried as the deepest route has segments.

use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use ir::{HostPattern, Match, PathMatch, ValuePattern};
use policy::matching::Precedence;
use regex::Regex;
use rustc_hash::FxHasher;

type Table<V> = HashMap<Box<str>, V, BuildHasherDefault<FxHasher>>;
type Hosts = HashMap<Arc<str>, Arc<Paths>, BuildHasherDefault<FxHasher>>;

/// What a request offers to the router. The path is in its one normal form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'a> {
    /// The host in lower case, without port; empty where the request has none.
    pub(crate) host: &'a str,
    /// The path.
    pub(crate) path: &'a str,
    /// The query, without `?`.
    pub(crate) query: &'a str,
    /// The method.
    pub(crate) method: &'a Method,
    /// The header fields.
    pub(crate) headers: &'a HeaderMap,
}

/// How far a request came that no route took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Miss {
    /// No route serves the host.
    Host,
    /// No route of the host serves the path.
    Path,
    /// Routes serve the path, for other requests.
    Conditions,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The route, by its number.
    pub(crate) route: usize,
    /// Bytes of the path that the route's own path took.
    pub(crate) matched: usize,
}

/// One alternative of one route, as the router is told of it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// The conditions.
    pub(crate) conditions: &'a Match,
    /// The route's number.
    pub(crate) route: usize,
}

/// All routes of one listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Router {
    exact: Hosts,
    /// By the suffix without `*.`.
    wildcard: Hosts,
    any: Option<Arc<Paths>>,
}

/// The paths of one host.
#[derive(Debug, Default)]
struct Paths {
    exact: Table<Place>,
    prefix: Table<Place>,
    /// Numbers of segments that some prefix has, most first.
    depths: Vec<usize>,
    /// In order of precedence.
    regex: Vec<(Regex, Candidate)>,
    /// Whether some route takes hosts of any depth below a wildcard.
    is_deep: bool,
}

/// Who takes the requests of one path, in order of precedence. Mostly that is one route, which then lies in the
/// table itself: among ten thousand routes, a lookup reads its own entry and little else.
#[derive(Debug)]
enum Place {
    One(Candidate),
    Several(Vec<Candidate>),
}

/// One alternative of one route.
#[derive(Debug)]
struct Candidate {
    route: usize,
    /// What it asks of a request beside its path; `None` for nothing.
    conditions: Option<Box<Conditions>>,
}

#[derive(Debug)]
struct Conditions {
    /// Dots that the host must have, where a wildcard stands for one label alone.
    host_dots: Option<usize>,
    methods: Vec<Method>,
    headers: Vec<(HeaderName, Value)>,
    query: Vec<(Box<str>, Value)>,
}

#[derive(Debug)]
enum Value {
    Exact(Box<str>),
    Regex(Regex),
}

impl Value {
    fn compile(pattern: &ValuePattern) -> Option<Self> {
        Some(match pattern {
            ValuePattern::Exact(text) => Self::Exact(text.as_ref().into()),
            ValuePattern::Regex(text) => Self::Regex(whole(text)?),
        })
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => **text == *value,
            Self::Regex(regex) => regex.is_match(value),
        }
    }
}

/// The expression over a whole text, with a bound on what it may cost to build.
fn whole(pattern: &str) -> Option<Regex> {
    regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(1 << 20).build().ok()
}

impl Router {
    /// Has these take the requests of a host, and nobody else; `None` is any host. They come in order of age and name.
    /// A condition that does not compile takes its alternative out: the translator has reported it and closed the route.
    pub(crate) fn set<'a>(&mut self, host: Option<&HostPattern>, entries: impl IntoIterator<Item = Entry<'a>>) {
        let entries = entries.into_iter().enumerate();
        let mut entries: Vec<_> = entries.map(|(place, entry)| (Precedence::of(entry.conditions, place), entry)).collect();
        // Whatever is added to a place is then added behind what goes before it.
        entries.sort_by(|(one, _), (other, _)| Precedence::first_to_last(one, other));
        let dots = match host {
            Some(HostPattern::Wildcard(suffix)) => Some(suffix.matches('.').count() + 1),
            Some(HostPattern::Exact(_)) | None => None,
        };
        let mut paths = Paths::default();
        for (_, entry) in &entries {
            paths.add(entry, dots.filter(|_| entry.conditions.single_label));
        }
        paths.depths.sort_unstable_by(|one, other| other.cmp(one));
        let paths = (!entries.is_empty()).then(|| Arc::new(paths));
        match host {
            None => self.any = paths,
            Some(HostPattern::Exact(name)) => replace(&mut self.exact, name, paths),
            Some(HostPattern::Wildcard(suffix)) => replace(&mut self.wildcard, suffix, paths),
        }
    }

    /// The route that takes this request.
    ///
    /// # Errors
    /// How far the request came.
    pub(crate) fn find(&self, offer: &Offer<'_>) -> Result<Hit, Miss> {
        let mut miss = Miss::Host;
        for paths in self.hosts(offer.host) {
            match paths.find(offer) {
                Ok(hit) => return Ok(hit),
                Err(further) => miss = miss.max(further),
            }
        }
        Err(miss)
    }

    /// The tables that serve a host, most specific first.
    fn hosts<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Paths> {
        let exact = self.exact.get(host);
        let labels = if self.wildcard.is_empty() { "" } else { host };
        let wildcards = labels.match_indices('.').filter_map(|(dot, _)| self.wildcard.get(labels.get(dot + 1..)?));
        exact.into_iter().chain(wildcards).chain(self.any.as_ref()).map(|paths| &**paths)
    }
}

impl Paths {
    /// Adds an entry, which goes behind all that were added before it.
    fn add(&mut self, entry: &Entry<'_>, host_dots: Option<usize>) {
        let Some(candidate) = Candidate::compile(entry, host_dots) else { return };
        self.is_deep |= host_dots.is_none();
        match &entry.conditions.path {
            PathMatch::Exact(path) => add(&mut self.exact, path, candidate),
            PathMatch::Prefix(path) => {
                let path = path.trim_end_matches('/');
                add(&mut self.prefix, path, candidate);
                let depth = path.matches('/').count();
                if !self.depths.contains(&depth) {
                    self.depths.push(depth);
                }
            }
            PathMatch::Regex(pattern) => self.regex.extend(whole(pattern).map(|regex| (regex, candidate))),
        }
    }

    fn find(&self, offer: &Offer<'_>) -> Result<Hit, Miss> {
        // Where no route takes the host's depth, no route serves the host.
        let mut miss = if self.is_deep { Miss::Path } else { Miss::Host };
        let mut judge = |candidates: &[Candidate], matched: usize| {
            let hit = candidates
                .iter()
                .find(|candidate| candidate.takes(offer))
                .map(|candidate| Hit { route: candidate.route, matched });
            if hit.is_none() && candidates.iter().any(|candidate| candidate.takes_host(offer)) {
                miss = Miss::Conditions;
            }
            hit
        };
        if let Some(hit) = self.exact.get(offer.path).and_then(|place| judge(place.candidates(), offer.path.len())) {
            return Ok(hit);
        }
        let deepest = self.depths.first().copied().unwrap_or(0);
        let (segments, count) = Segments::of(offer.path, deepest);
        for depth in self.depths.iter().copied().filter(|depth| *depth <= count) {
            let Some(end) = segments.end(depth) else { continue };
            let place = offer.path.get(..end).and_then(|prefix| self.prefix.get(prefix));
            if let Some(hit) = place.and_then(|place| judge(place.candidates(), end)) {
                return Ok(hit);
            }
        }
        for (regex, candidate) in &self.regex {
            if regex.is_match(offer.path)
                && let Some(hit) = judge(std::slice::from_ref(candidate), offer.path.len())
            {
                return Ok(hit);
            }
        }
        // All of them ask for the same depth.
        let is_served = || self.candidates().next().is_some_and(|candidate| candidate.takes_host(offer));
        Err(if miss == Miss::Host && is_served() { Miss::Path } else { miss })
    }

    fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        let places = self.exact.values().chain(self.prefix.values()).flat_map(Place::candidates);
        places.chain(self.regex.iter().map(|(_, candidate)| candidate))
    }
}

fn replace(hosts: &mut Hosts, name: &Arc<str>, paths: Option<Arc<Paths>>) {
    match paths {
        Some(paths) => drop(hosts.insert(Arc::clone(name), paths)),
        None => drop(hosts.remove(name)),
    }
}

fn add(table: &mut Table<Place>, path: &str, candidate: Candidate) {
    match table.entry(path.into()) {
        Slot::Vacant(slot) => {
            slot.insert(Place::One(candidate));
        }
        Slot::Occupied(mut slot) => slot.get_mut().push(candidate),
    }
}

impl Place {
    fn push(&mut self, candidate: Candidate) {
        let several = match std::mem::replace(self, Self::Several(Vec::new())) {
            Self::One(first) => vec![first, candidate],
            Self::Several(mut several) => {
                several.push(candidate);
                several
            }
        };
        *self = Self::Several(several);
    }

    fn candidates(&self) -> &[Candidate] {
        match self {
            Self::One(candidate) => std::slice::from_ref(candidate),
            Self::Several(candidates) => candidates,
        }
    }
}

/// How many segments a path may have before further ones are looked at one by one.
const INLINE: usize = 16;

/// Where the first segments of a path end.
struct Segments {
    inline: [u16; INLINE],
    more: Vec<u16>,
}

impl Segments {
    /// The ends of the first `deepest` segments, and how many there are. Prefix of depth n ends
    /// where segment n ends; depth 0 is the empty prefix, which every path has.
    fn of(path: &str, deepest: usize) -> (Self, usize) {
        let mut segments = Self { inline: [0; INLINE], more: Vec::new() };
        let mut count = 0;
        let slashes = memchr::memchr_iter(b'/', path.as_bytes().get(1..).unwrap_or_default()).map(|place| place + 1);
        for end in slashes.chain(std::iter::once(path.len())).take(deepest) {
            // A target has at most 8 KiB.
            let end = u16::try_from(end).unwrap_or(u16::MAX);
            match segments.inline.get_mut(count) {
                Some(place) => *place = end,
                None => segments.more.push(end),
            }
            count += 1;
        }
        (segments, count)
    }

    fn end(&self, depth: usize) -> Option<usize> {
        let Some(place) = depth.checked_sub(1) else { return Some(0) };
        let end = self.inline.get(place).or_else(|| self.more.get(place - INLINE.min(place)))?;
        Some(usize::from(*end))
    }
}

impl Candidate {
    fn compile(entry: &Entry<'_>, host_dots: Option<usize>) -> Option<Self> {
        let conditions = entry.conditions;
        let methods = conditions.methods.iter().map(|method| method.parse().ok()).collect::<Option<Vec<Method>>>()?;
        let headers = conditions
            .headers
            .iter()
            .map(|condition| Some((condition.name.parse().ok()?, Value::compile(&condition.value)?)))
            .collect::<Option<Vec<_>>>()?;
        let query = conditions
            .query
            .iter()
            .map(|condition| Some((condition.name.as_ref().into(), Value::compile(&condition.value)?)))
            .collect::<Option<Vec<_>>>()?;
        let conditions = Conditions { host_dots, methods, headers, query };
        Some(Self { route: entry.route, conditions: (!conditions.is_empty()).then(|| Box::new(conditions)) })
    }

    fn takes(&self, offer: &Offer<'_>) -> bool {
        self.conditions.as_ref().is_none_or(|conditions| conditions.hold(offer))
    }

    fn takes_host(&self, offer: &Offer<'_>) -> bool {
        self.conditions.as_ref().is_none_or(|conditions| conditions.hold_for_host(offer))
    }
}

impl Conditions {
    fn is_empty(&self) -> bool {
        self.host_dots.is_none() && self.methods.is_empty() && self.headers.is_empty() && self.query.is_empty()
    }

    fn hold_for_host(&self, offer: &Offer<'_>) -> bool {
        self.host_dots.is_none_or(|dots| offer.host.matches('.').count() == dots)
    }

    fn hold(&self, offer: &Offer<'_>) -> bool {
        let method = self.methods.is_empty() || self.methods.contains(offer.method);
        method
            && self.hold_for_host(offer)
            && self.headers.iter().all(|(name, value)| one_value(offer.headers, name).is_some_and(|text| value.matches(&text)))
            && self.query.iter().all(|(name, value)| query_value(offer.query, name).is_some_and(|text| value.matches(&text)))
    }
}

/// The field's value; several lines of it count as one list (RFC 9110 section 5.3).
fn one_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<std::borrow::Cow<'a, str>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    let Some(second) = values.next() else { return Some(first.into()) };
    let mut all = format!("{first},{}", second.to_str().ok()?);
    for value in values {
        all.push(',');
        all.push_str(value.to_str().ok()?);
    }
    Some(all.into())
}

/// The first value of a query parameter, percent-decoded.
fn query_value<'a>(query: &'a str, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    policy::query::values(query, name).next()
}

/// The hosts of a route on a listener: those that both take.
#[must_use]
pub(crate) fn shared_hosts(route: &[HostPattern], listener: Option<&HostPattern>) -> Option<Vec<HostPattern>> {
    let Some(listener) = listener else { return Some(route.to_vec()) };
    if route.is_empty() {
        return Some(vec![listener.clone()]);
    }
    let shared: Vec<HostPattern> =
        route.iter().filter_map(|host| narrower(host, listener)).collect::<BTreeSet<_>>().into_iter().collect();
    (!shared.is_empty()).then_some(shared)
}

/// The more specific of two patterns, where one takes all that the other takes.
fn narrower(one: &HostPattern, other: &HostPattern) -> Option<HostPattern> {
    match (one, other) {
        (HostPattern::Exact(name), pattern) if pattern.matches(name) => Some(one.clone()),
        (pattern, HostPattern::Exact(name)) if pattern.matches(name) => Some(other.clone()),
        (HostPattern::Wildcard(first), HostPattern::Wildcard(second)) => {
            let below =
                |inner: &str, outer: &str| inner.strip_suffix(outer).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            if below(first, second) { Some(one.clone()) } else { below(second, first).then(|| other.clone()) }
        }
        (HostPattern::Exact(_), HostPattern::Exact(_) | HostPattern::Wildcard(_))
        | (HostPattern::Wildcard(_), HostPattern::Exact(_)) => None,
    }
}
