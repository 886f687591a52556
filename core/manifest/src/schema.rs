//! What a kind's schema asks of a manifest, compiled once.
//!
//! Two dialects come in: the structural OpenAPI v3 of a CustomResourceDefinition, and JSON
//! Schema with `$ref`, as the types of standard kinds describe themselves. Both become one flat
//! list of rules; a reference is an index, so a recursive type needs no end of its own.

mod bounds;
mod check;
mod compile;
mod meant;
mod syntax;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use cause::Syntax;
use regex::Regex;

pub(crate) use check::{At, Finding, Run, check, check_key, check_syntax};
pub(crate) use compile::compile;
pub(crate) use meant::one_of;

/// A schema that cannot be used; a defect of the kind, never of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaDefect {
    /// Where in the schema, as a JSON pointer.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for SchemaDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schema {}: {}", self.pointer, self.reason)
    }
}

impl std::error::Error for SchemaDefect {}

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Schema {
    rules: Vec<Rule>,
    root: RuleId,
}

impl Schema {
    fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.0)
    }

    /// The rule of the whole object.
    pub(crate) const fn root(&self) -> RuleId {
        self.root
    }
}

/// Which rule of a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RuleId(usize);

/// The types of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    List,
    Map,
}

/// What is asked of one node.
#[derive(Debug, Default)]
struct Rule {
    /// Any of these; empty for any type.
    types: Vec<Type>,
    properties: BTreeMap<Arc<str>, RuleId>,
    required: Vec<Arc<str>>,
    others: Others,
    items: Option<RuleId>,
    allowed: Option<Vec<serde_json::Value>>,
    bounds: Bounds,
    pattern: Option<Regex>,
    syntax: Option<Format>,
    list: ListKind,
    /// Each of these too.
    all_of: Vec<RuleId>,
    /// What each of these asks, besides.
    any_of: Vec<Alternatives>,
    not: Option<RuleId>,
    expressions: Option<kube_cel::CompiledSchema>,
    /// Whether an API server fills it in.
    is_defaulted: bool,
}

/// Rules of which one holds.
#[derive(Debug)]
struct Alternatives {
    branches: Vec<RuleId>,
    /// Whether a second may not hold.
    is_exclusive: bool,
}

/// What is said about members that `properties` does not name.
#[derive(Debug, Default, PartialEq, Eq)]
enum Others {
    /// Nothing is said, as in the branches of a structural schema.
    #[default]
    Unspoken,
    /// There are none.
    Unknown,
    /// They are free.
    Free,
    /// They follow a rule.
    Follow(RuleId),
}

/// Lower and upper bounds, each where there is one.
#[derive(Debug, Default)]
struct Bounds {
    minimum: Option<f64>,
    maximum: Option<f64>,
    is_minimum_excluded: bool,
    is_maximum_excluded: bool,
    length: (Option<u64>, Option<u64>),
    items: (Option<u64>, Option<u64>),
    members: (Option<u64>, Option<u64>),
}

/// What makes the items of a list differ.
#[derive(Debug, Default, PartialEq, Eq)]
enum ListKind {
    #[default]
    Plain,
    Set,
    Map(Vec<Arc<str>>),
}

/// A `format` that texts are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A syntax with its noun.
    Of(Syntax),
    /// A network with its prefix length written.
    Cidr,
    /// A duration that may count days.
    Lifetime,
    /// An https URL, or an http one of this machine.
    Issuer,
    /// Base64.
    Bytes,
}

#[cfg(test)]
mod tests;
