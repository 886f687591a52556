//! What is known of a value before a request is there, and the variables that expressions have.

use std::fmt;

/// What is known of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Nothing: it depends on the request.
    Any,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Null,
    Timestamp,
    Duration,
    /// The type of types, as `type(x)` gives them.
    Kind,
    List(Box<Self>),
    /// A map by text.
    Map(Box<Self>),
}

impl Type {
    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Uint | Self::Double)
    }

    /// Whether values of the two can be equal.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::List(one), Self::List(other)) | (Self::Map(one), Self::Map(other)) => one.meets(other),
            (one, other) => one == other || (one.is_number() && other.is_number()),
        }
    }

    /// The type of a value that is one or the other.
    pub(super) fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Any }
    }
}

impl Type {
    /// How a sentence names one: `a string`, `an int`.
    pub(super) fn with_article(&self) -> impl fmt::Display {
        let article = match self {
            Self::Any | Self::Null | Self::Bytes => "",
            Self::Int => "an ",
            Self::Bool
            | Self::Uint
            | Self::Double
            | Self::Text
            | Self::Timestamp
            | Self::Duration
            | Self::Kind
            | Self::List(_)
            | Self::Map(_) => "a ",
        };
        fmt::from_fn(move |f| write!(f, "{article}{self}"))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any value"),
            Self::Bool => f.write_str("bool"),
            Self::Int => f.write_str("int"),
            Self::Uint => f.write_str("uint"),
            Self::Double => f.write_str("double"),
            Self::Text => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Null => f.write_str("null"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Duration => f.write_str("duration"),
            Self::Kind => f.write_str("type"),
            Self::List(item) => write!(f, "list of {item}"),
            Self::Map(item) => write!(f, "map of {item}"),
        }
    }
}

/// When expressions are evaluated, which decides what they see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// `authorization.rules[].when`: the body has not been read.
    Authorization,
}

/// One variable, for `doorward explain --variables`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, such as `request.path`.
    pub name: &'static str,
    /// Its type, in CEL's words.
    pub kind: &'static str,
    /// What it holds.
    pub description: &'static str,
}

/// The variables that expressions of a phase see.
#[must_use]
pub const fn variables(phase: Phase) -> &'static [Variable] {
    match phase {
        Phase::Authorization => &VARIABLES,
    }
}

const VARIABLES: [Variable; 21] = [
    variable("request.method", "string", "the method, such as GET"),
    variable("request.path", "string", "the path in its one normal form, without a segment that names the version"),
    variable("request.host", "string", "the host in lower case, without port"),
    variable("request.scheme", "string", "http or https"),
    variable(
        "request.headers",
        "map(string, string)",
        "header fields by name in lower case; reading one that was sent on several lines is an error",
    ),
    variable(
        "request.headerValues",
        "map(string, list(string))",
        "all values of a header field: of all its lines, split at commas (of cookie, at semicolons)",
    ),
    variable(
        "request.query",
        "map(string, string)",
        "query parameters by name; reading one that was sent several times is an error",
    ),
    variable("request.queryValues", "map(string, list(string))", "all values of a query parameter"),
    variable("request.size", "int", "bytes of the body; -1 where only its end will tell"),
    variable("principal.kind", "string", "Anonymous, ApiKey, Jwt or Introspection"),
    variable("principal.name", "string", "the consumer of the key or the principal claim of the token; empty when anonymous"),
    variable("principal.team", "string", "the namespace of the key or the team claim of the token; empty where there is none"),
    variable("principal.roles", "list(string)", "the roles"),
    variable("principal.scopes", "list(string)", "the scopes of the token"),
    variable("principal.claims", "map(string, dyn)", "the claims of the token"),
    variable("principal.key", "string", "namespace/name of the ApiKey; empty where no key was used"),
    variable("client.address", "string", "the client's IP address"),
    variable("route.namespace", "string", "the namespace of the ApiRoute"),
    variable("route.name", "string", "the name of the ApiRoute"),
    variable("route.version", "string", "the version that serves, such as 2.1.0"),
    variable("now", "timestamp", "the time of the request"),
];

const fn variable(name: &'static str, kind: &'static str, description: &'static str) -> Variable {
    Variable { name, kind, description }
}

/// The type of a variable.
pub(super) fn type_of(variable: &Variable) -> Type {
    match variable.kind {
        "int" => Type::Int,
        "timestamp" => Type::Timestamp,
        "list(string)" => Type::List(Box::new(Type::Text)),
        "map(string, string)" => Type::Map(Box::new(Type::Text)),
        "map(string, list(string))" => Type::Map(Box::new(Type::List(Box::new(Type::Text)))),
        "map(string, dyn)" => Type::Map(Box::new(Type::Any)),
        _ => Type::Text,
    }
}

/// The fields of a group of variables such as `request`; empty where there is no such group.
pub(super) fn fields(phase: Phase, group: &str) -> impl Iterator<Item = (&'static str, &'static Variable)> {
    variables(phase).iter().filter_map(move |variable| {
        let (found, field) = variable.name.split_once('.')?;
        (found == group).then_some((field, variable))
    })
}
