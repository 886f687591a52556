//! Which functions exist, and for which arguments.

use super::types::Type;

/// A parameter or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameter {
    Any,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Timestamp,
    Duration,
    Kind,
    List,
    Map,
}

use Parameter::{Any, Bool, Bytes, Double, Duration, Int, List, Map, Text, Timestamp, Uint};

impl Parameter {
    fn takes(self, argument: &Type) -> bool {
        match argument {
            Type::Any => true,
            Type::Bool => matches!(self, Any | Bool),
            Type::Int => matches!(self, Any | Int),
            Type::Uint => matches!(self, Any | Uint),
            Type::Double => matches!(self, Any | Double),
            Type::Text => matches!(self, Any | Text),
            Type::Bytes => matches!(self, Any | Bytes),
            Type::Null => matches!(self, Any),
            Type::Timestamp => matches!(self, Any | Timestamp),
            Type::Duration => matches!(self, Any | Duration),
            Type::Kind => matches!(self, Any | Self::Kind),
            Type::List(_) => matches!(self, Any | List),
            Type::Map(_) => matches!(self, Any | Map),
        }
    }

    fn result(self) -> Type {
        match self {
            Any => Type::Any,
            Bool => Type::Bool,
            Int => Type::Int,
            Uint => Type::Uint,
            Double => Type::Double,
            Text => Type::Text,
            Bytes => Type::Bytes,
            Timestamp => Type::Timestamp,
            Duration => Type::Duration,
            Self::Kind => Type::Kind,
            List => Type::List(Box::new(Type::Any)),
            Map => Type::Map(Box::new(Type::Any)),
        }
    }
}

struct Signature {
    name: &'static str,
    /// Called on its first argument: `x.f(y)`.
    member: bool,
    parameters: &'static [&'static [Parameter]],
    result: Parameter,
}

const fn global(name: &'static str, parameters: &'static [&'static [Parameter]], result: Parameter) -> Signature {
    Signature { name, member: false, parameters, result }
}

const fn member(name: &'static str, parameters: &'static [&'static [Parameter]], result: Parameter) -> Signature {
    Signature { name, member: true, parameters, result }
}

const SIZED: &[&[Parameter]] = &[&[Text], &[Bytes], &[List], &[Map]];
const DATE: &[&[Parameter]] = &[&[Timestamp], &[Timestamp, Text]];
const TIME: &[&[Parameter]] = &[&[Timestamp], &[Timestamp, Text], &[Duration]];
const TEXTS: &[&[Parameter]] = &[&[Text, Text]];

const SIGNATURES: [Signature; 27] = [
    global("size", SIZED, Int),
    global("bool", &[&[Bool], &[Text]], Bool),
    global("int", &[&[Int], &[Uint], &[Double], &[Text], &[Timestamp]], Int),
    global("uint", &[&[Uint], &[Int], &[Double], &[Text]], Uint),
    global("double", &[&[Double], &[Int], &[Uint], &[Text]], Double),
    global("string", &[&[Text], &[Bool], &[Int], &[Uint], &[Double], &[Bytes], &[Timestamp], &[Duration]], Text),
    global("bytes", &[&[Bytes], &[Text]], Bytes),
    global("timestamp", &[&[Timestamp], &[Text], &[Int]], Timestamp),
    global("duration", &[&[Duration], &[Text]], Duration),
    global("dyn", &[&[Any]], Any),
    global("type", &[&[Any]], Parameter::Kind),
    global("matches", TEXTS, Bool),
    member("size", SIZED, Int),
    member("contains", TEXTS, Bool),
    member("startsWith", TEXTS, Bool),
    member("endsWith", TEXTS, Bool),
    member("matches", TEXTS, Bool),
    member("getFullYear", DATE, Int),
    member("getMonth", DATE, Int),
    member("getDate", DATE, Int),
    member("getDayOfMonth", DATE, Int),
    member("getDayOfWeek", DATE, Int),
    member("getDayOfYear", DATE, Int),
    member("getHours", TIME, Int),
    member("getMinutes", TIME, Int),
    member("getSeconds", TIME, Int),
    member("getMilliseconds", TIME, Int),
];

/// What a call gives.
pub(super) enum Called {
    /// A value of this type.
    Gives(Type),
    /// The function takes other arguments; these are the ones it takes.
    Takes(String),
    /// There is no such function.
    Unknown,
}

/// What a call of `name` with these arguments gives; a member's target is its first argument.
pub(super) fn call(name: &str, is_member: bool, arguments: &[Type]) -> Called {
    let Some(signature) = SIGNATURES.iter().find(|known| known.name == name && known.member == is_member) else {
        return Called::Unknown;
    };
    let fits = |parameters: &&&[Parameter]| {
        parameters.len() == arguments.len() && parameters.iter().zip(arguments).all(|(kind, argument)| kind.takes(argument))
    };
    if signature.parameters.iter().any(|parameters| fits(&parameters)) {
        return Called::Gives(signature.result.result());
    }
    let mut taken: Vec<String> = Vec::new();
    for parameters in signature.parameters {
        let names: Vec<String> = parameters.iter().map(|kind| kind.result().to_string()).collect();
        taken.push(match names.split_first() {
            Some((target, rest)) if is_member => format!("{target}.{name}({})", rest.join(", ")),
            Some(_) | None => format!("{name}({})", names.join(", ")),
        });
    }
    Called::Takes(taken.join(", "))
}

/// All functions of one kind, to find the nearest.
pub(super) fn names(is_member: bool) -> impl Iterator<Item = &'static str> {
    let macros: &[&str] = if is_member { &["all", "exists", "exists_one", "map", "filter"] } else { &["has"] };
    SIGNATURES.iter().filter(move |known| known.member == is_member).map(|known| known.name).chain(macros.iter().copied())
}

/// Units of the step budget beyond one node's, for functions that read whole texts.
pub(super) fn weight(name: &str) -> u32 {
    match name {
        "matches" => 100,
        "contains" | "startsWith" | "endsWith" | "size" | "string" | "bytes" => 10,
        _ => 0,
    }
}
