//! Values that lie in the request and are looked into only where an expression asks.
//!
//! The maps here are the top of what an expression can name (`request.headers`, `request.query`,
//! `principal.claims`); what they hold is handed out as plain CEL values. The checker lets no
//! expression compare such a map, so they need no equality.

use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer, Iterable, Iterator as ValIterator, Sizer};
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt, MAP_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use crate::query;

/// What a lazy map reads from.
#[derive(Clone, Copy)]
pub(super) enum Source<'v> {
    /// Header fields, each with its only value.
    Headers(&'v HeaderMap),
    /// Header fields, each with the list of its values.
    HeaderValues(&'v HeaderMap),
    /// Query parameters, each with its only value.
    Query(&'v str),
    /// Query parameters, each with the list of its values.
    QueryValues(&'v str),
    /// Claims.
    Claims(&'v Map<String, Value>),
}

impl<'v> Source<'v> {
    /// The value of a key. Readers disagree on which of two values counts, so what has several has none: the rule that
    /// reads it fails, and refuses.
    fn get(self, key: &str) -> Result<Box<dyn Val + 'v>, ExecutionError> {
        let found: Option<Box<dyn Val + 'v>> = match self {
            Self::Headers(headers) if key.eq_ignore_ascii_case(COOKIE) => crumbs(headers).map(text),
            Self::Headers(headers) => only(key, "request.headerValues", headers.get_all(key).iter().map(line))?.map(text),
            Self::Query(query) => only(key, "request.queryValues", query::values(query, key))?.map(text),
            Self::HeaderValues(headers) => self.has(key).then(|| list(header_values(headers, key))),
            Self::QueryValues(query) => self.has(key).then(|| list(query::values(query, key))),
            Self::Claims(claims) => claims.get(key).map(json),
        };
        found.ok_or_else(|| ExecutionError::no_such_key(key))
    }

    fn has(self, key: &str) -> bool {
        match self {
            Self::Headers(headers) | Self::HeaderValues(headers) => headers.contains_key(key),
            Self::Query(query) | Self::QueryValues(query) => query::values(query, key).next().is_some(),
            Self::Claims(claims) => claims.contains_key(key),
        }
    }

    fn keys(self) -> Vec<CelString<'v>> {
        match self {
            Self::Headers(headers) | Self::HeaderValues(headers) => {
                headers.keys().map(|name| CelString::from(name.as_str())).collect()
            }
            Self::Query(query) | Self::QueryValues(query) => {
                let names: BTreeSet<Cow<'v, str>> = query::pairs(query).map(|(name, _)| name).collect();
                names.into_iter().map(CelString::from).collect()
            }
            Self::Claims(claims) => claims.keys().map(|name| CelString::from(name.as_str())).collect(),
        }
    }
}

/// The field whose values stand between semicolons (RFC 6265 section 4.2.1) and not between commas.
const COOKIE: &str = "cookie";

fn text<'v>(value: Cow<'v, str>) -> Box<dyn Val + 'v> {
    Box::new(CelString::from(value))
}

fn list<'v>(values: impl Iterator<Item = Cow<'v, str>>) -> Box<dyn Val + 'v> {
    Box::new(CelList::from(values.map(text).collect::<Vec<_>>()))
}

fn line(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The only one of these values; none where there is none.
fn only<'v>(
    key: &str,
    all: &'static str,
    mut values: impl Iterator<Item = Cow<'v, str>>,
) -> Result<Option<Cow<'v, str>>, ExecutionError> {
    let value = values.next();
    match values.next() {
        None => Ok(value),
        Some(_) => {
            let short: String = key.chars().take(64).collect();
            Err(ExecutionError::function_error(SEVERAL, format!("{all}[{short:?}]")))
        }
    }
}

/// What an error names as its function where a single value was asked for and there are several.
pub(super) const SEVERAL: &str = "@several";

/// HTTP/2 may cut a cookie into lines, which are one cookie again (RFC 9113 section 8.2.3).
fn crumbs(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut lines = headers.get_all(COOKIE).iter().map(line);
    let first = lines.next()?;
    Some(lines.fold(first, |joined, line| Cow::Owned(format!("{joined}; {line}"))))
}

/// The values of a field: of all its lines, and of each line what stands between commas outside of quotes (RFC 9110
/// section 5.6.1), without the blanks around. So two lines and one line with a comma are the same here.
fn header_values<'v>(headers: &'v HeaderMap, name: &str) -> impl Iterator<Item = Cow<'v, str>> {
    let separator = if name.eq_ignore_ascii_case(COOKIE) { b';' } else { b',' };
    headers.get_all(name).iter().flat_map(move |value| {
        let bytes = value.as_bytes();
        let (mut quoted, mut escaped) = (false, false);
        let parts = bytes.split(move |byte| {
            let splits = !quoted && *byte == separator;
            quoted ^= *byte == b'"' && !escaped;
            escaped = quoted && *byte == b'\\' && !escaped;
            splits
        });
        let parts = parts.map(|part| String::from_utf8_lossy(part.trim_ascii()));
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>()
    })
}

/// A map by text that reads its source.
pub(super) struct LazyMap<'v> {
    source: Source<'v>,
    keys: OnceLock<Vec<CelString<'v>>>,
}

impl<'v> LazyMap<'v> {
    pub(super) const fn new(source: Source<'v>) -> Self {
        Self { source, keys: OnceLock::new() }
    }

    fn keys(&self) -> &[CelString<'v>] {
        self.keys.get_or_init(|| self.source.keys())
    }
}

impl fmt::Debug for LazyMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header values are credentials.
        f.write_str("LazyMap")
    }
}

impl Val for LazyMap<'_> {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        static MAP: Type = MAP_TYPE;
        &MAP
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(Self::new(self.source))
    }
}

impl Container for LazyMap<'_> {
    fn contains(&self, key: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(key.downcast_ref::<CelString<'_>>().is_some_and(|key| self.source.has(key.inner())))
    }
}

impl Indexer for LazyMap<'_> {
    fn get<'b, 'w>(&'b self, key: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        let name = key.downcast_ref::<CelString<'_>>().map_or("", |key| key.inner());
        self.source.get(name).map(CowVal::Owned)
    }

    fn steal<'w>(self: Box<Self>, key: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.get(key).map(CowVal::into_owned)
    }
}

impl Iterable for LazyMap<'_> {
    fn iter<'b, 'w>(&'b self) -> Box<dyn ValIterator<'b, 'w> + 'b>
    where
        Self: 'w,
    {
        Box::new(Keys(self.keys().iter()))
    }
}

impl Sizer for LazyMap<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(i64::try_from(self.keys().len()).unwrap_or(i64::MAX))
    }
}

struct Keys<'b, 'v>(std::slice::Iter<'b, CelString<'v>>);

impl<'b, 'v: 'w, 'w> ValIterator<'b, 'w> for Keys<'b, 'v> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'w)> {
        self.0.next().map(|key| key as &(dyn Val + 'w))
    }
}

/// A JSON value as CEL has it; numbers are int, then uint, then double.
pub(super) fn json(value: &Value) -> Box<dyn Val + '_> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(json).collect::<Vec<_>>())),
        Value::Object(members) => {
            let entries = members.iter().map(|(name, value)| (CelMapKey::String(CelString::from(name.as_str())), json(value)));
            Box::new(CelMap::from(entries.collect::<HashMap<_, _>>()))
        }
    }
}

/// A list of texts.
pub(super) fn texts<T: AsRef<str>>(items: &[T]) -> CelList<'_> {
    let mut list: Vec<Box<dyn Val + '_>> = Vec::with_capacity(items.len());
    for item in items {
        list.push(Box::new(CelString::from(item.as_ref())));
    }
    CelList::from(list)
}

/// A pattern that was compiled with its expression; stands where its text stood.
#[derive(Clone, Debug)]
pub(super) struct Pattern(pub(super) regex::Regex);

static PATTERN: Type = Type::new_unspecified_type("pattern");

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &PATTERN
    }

    fn cel_type() -> &'static Type {
        &PATTERN
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

/// `text.matches(pattern)`.
pub(super) fn matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut arguments = arguments.iter();
    let text = arguments.next().and_then(|text| text.downcast_ref::<CelString<'_>>());
    let pattern = arguments.next().and_then(|pattern| pattern.downcast_ref::<Pattern>());
    match (text, pattern) {
        (Some(text), Some(pattern)) => Ok(CowVal::owned(CelBool::from(pattern.0.is_match(text.inner())))),
        (_, _) => Err(ExecutionError::missing_argument_or_target()),
    }
}
