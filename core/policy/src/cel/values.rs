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
use http::HeaderMap;
use serde_json::{Map, Value};

use crate::query;

/// What a lazy map reads from.
#[derive(Clone, Copy)]
pub(super) enum Source<'v> {
    /// Header fields.
    Headers(&'v HeaderMap),
    /// Query parameters.
    Query(&'v str),
    /// Claims.
    Claims(&'v Map<String, Value>),
}

impl<'v> Source<'v> {
    fn get(self, key: &str) -> Option<Box<dyn Val + 'v>> {
        match self {
            Self::Headers(headers) => {
                let mut lines = headers.get_all(key).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
                let first = lines.next()?;
                let joined = lines.fold(first, |joined, line| Cow::Owned(format!("{joined}, {line}")));
                Some(Box::new(CelString::from(joined)))
            }
            // Readers disagree on which of two values counts, so two are as good as none: the rule
            // fails, and refuses.
            Self::Query(query) => {
                let mut values = query::values(query, key);
                let value = values.next()?;
                values.next().is_none().then(|| Box::new(CelString::from(value)) as Box<dyn Val + 'v>)
            }
            Self::Claims(claims) => claims.get(key).map(json),
        }
    }

    fn has(self, key: &str) -> bool {
        match self {
            Self::Headers(headers) => headers.contains_key(key),
            Self::Query(query) => query::values(query, key).next().is_some(),
            Self::Claims(claims) => claims.contains_key(key),
        }
    }

    fn keys(self) -> Vec<CelString<'v>> {
        match self {
            Self::Headers(headers) => headers.keys().map(|name| CelString::from(name.as_str())).collect(),
            Self::Query(query) => {
                let names: BTreeSet<Cow<'v, str>> = query::pairs(query).map(|(name, _)| name).collect();
                names.into_iter().map(CelString::from).collect()
            }
            Self::Claims(claims) => claims.keys().map(|name| CelString::from(name.as_str())).collect(),
        }
    }
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
        self.source.get(name).map(CowVal::Owned).ok_or_else(|| ExecutionError::no_such_key(name))
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
