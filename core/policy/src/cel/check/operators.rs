//! What operators give, by the types of their operands.

use cel::common::ast::operators as op;

use super::super::types::Type;

/// What an operator gives, or why it cannot take these operands; `None` where the name is no
/// operator.
pub(super) fn apply(name: &str, operands: &[Type]) -> Option<Result<Type, String>> {
    let found = match (name, operands) {
        (op::LOGICAL_AND, [one, other]) => booleans("&&", [one, other]),
        (op::LOGICAL_OR, [one, other]) => booleans("||", [one, other]),
        (op::LOGICAL_NOT, [one]) => booleans("!", [one]),
        (op::NOT_STRICTLY_FALSE, [_]) => Ok(Type::Bool),
        (op::CONDITIONAL, [condition, then, otherwise]) => {
            booleans("? :", [condition]).map(|_| then.clone().or(otherwise.clone()))
        }
        (op::EQUALS | op::NOT_EQUALS, [one, other]) => equality(one, other),
        (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [one, other]) => order(one, other),
        (op::ADD, [one, other]) => sum(one, other),
        (op::SUBSTRACT, [one, other]) => difference(one, other),
        (op::MULTIPLY, [one, other]) => arithmetic("*", one, other),
        (op::DIVIDE, [one, other]) => arithmetic("/", one, other),
        (op::MODULO, [one, other]) => arithmetic("%", one, other),
        (op::NEGATE, [one]) => {
            let takes = matches!(one, Type::Any | Type::Int | Type::Double);
            if takes { Ok(one.clone()) } else { Err(format!("`-` does not take {}", one.with_article())) }
        }
        (op::IN, [item, container]) => membership(item, container),
        (op::INDEX, [container, index]) => index_into(container, index),
        _ => return None,
    };
    Some(found)
}

fn booleans<const N: usize>(sign: &str, operands: [&Type; N]) -> Result<Type, String> {
    match operands.into_iter().find(|operand| !matches!(operand, Type::Bool | Type::Any)) {
        None => Ok(Type::Bool),
        Some(other) => Err(format!("`{sign}` takes bools, and this is {}", other.with_article())),
    }
}

fn equality(one: &Type, other: &Type) -> Result<Type, String> {
    if matches!(one, Type::Map(_)) || matches!(other, Type::Map(_)) {
        return Err("maps are not compared; compare one of their values".to_owned());
    }
    if one.meets(other) { Ok(Type::Bool) } else { Err(format!("{} never equals {}", one.with_article(), other.with_article())) }
}

fn order(one: &Type, other: &Type) -> Result<Type, String> {
    let ordered = |kind: &Type| {
        kind.is_number() || matches!(kind, Type::Any | Type::Bool | Type::Text | Type::Bytes | Type::Timestamp | Type::Duration)
    };
    if ordered(one) && ordered(other) && one.meets(other) {
        Ok(Type::Bool)
    } else {
        Err(format!("{} and {} have no order", one.with_article(), other.with_article()))
    }
}

fn sum(one: &Type, other: &Type) -> Result<Type, String> {
    match (one, other) {
        (Type::Text, Type::Text | Type::Any) | (Type::Any, Type::Text) => Ok(Type::Text),
        (Type::Bytes, Type::Bytes | Type::Any) | (Type::Any, Type::Bytes) => Ok(Type::Bytes),
        (Type::List(one), Type::List(other)) => {
            Ok(Type::List(Box::new(if **one == Type::Any { (**other).clone() } else { (**one).clone().or((**other).clone()) })))
        }
        (Type::List(_), Type::Any) | (Type::Any, Type::List(_)) => Ok(Type::List(Box::new(Type::Any))),
        (Type::Timestamp, Type::Duration) | (Type::Duration, Type::Timestamp) => Ok(Type::Timestamp),
        (Type::Duration, Type::Duration) => Ok(Type::Duration),
        (Type::Timestamp | Type::Duration, Type::Any) | (Type::Any, Type::Timestamp | Type::Duration) => Ok(Type::Any),
        (one, other) => arithmetic("+", one, other),
    }
}

fn difference(one: &Type, other: &Type) -> Result<Type, String> {
    match (one, other) {
        (Type::Timestamp, Type::Timestamp) | (Type::Duration, Type::Duration) => Ok(Type::Duration),
        (Type::Timestamp, Type::Duration) => Ok(Type::Timestamp),
        (Type::Timestamp | Type::Duration, Type::Any) | (Type::Any, Type::Timestamp | Type::Duration) => Ok(Type::Any),
        (one, other) => arithmetic("-", one, other),
    }
}

fn arithmetic(sign: &str, one: &Type, other: &Type) -> Result<Type, String> {
    match (one, other) {
        (Type::Any, Type::Any) => Ok(Type::Any),
        (Type::Any, number) | (number, Type::Any) if number.is_number() => Ok(number.clone()),
        (one, other) if one == other && one.is_number() => Ok(one.clone()),
        (one, other) => Err(format!("`{sign}` does not take {} and {}", one.with_article(), other.with_article())),
    }
}

fn membership(item: &Type, container: &Type) -> Result<Type, String> {
    let fits = if let Type::List(held) = container {
        item.meets(held)
    } else if let Type::Map(_) = container {
        item.meets(&Type::Text)
    } else if *container == Type::Any {
        true
    } else {
        return Err(format!("`in` takes a list or map, and this is {}", container.with_article()));
    };
    if fits { Ok(Type::Bool) } else { Err(format!("{} is never in {}", item.with_article(), container.with_article())) }
}

fn index_into(container: &Type, index: &Type) -> Result<Type, String> {
    if *container == Type::Any {
        return Ok(Type::Any);
    }
    if let Type::List(item) = container
        && (*index == Type::Any || index.is_number())
    {
        return Ok((**item).clone());
    }
    if let Type::Map(value) = container
        && matches!(index, Type::Any | Type::Text)
    {
        return Ok((**value).clone());
    }
    Err(format!("{} has no item at {}", container.with_article(), index.with_article()))
}
