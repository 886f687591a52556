//! What an expression's parts come to without a request, and how failures are told.

use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, LiteralValue};
use cel::common::types::CelInt;
use cel::{Context, ExecutionError, IdedExpr, Value};

use super::ENV;

/// Why a call of literals alone fails, if it does: `duration("soon")`.
pub(super) fn failure_of_literals(node: &IdedExpr) -> Option<String> {
    let Expr::Call(call) = &node.expr else { return None };
    let mut operands = call.args.iter().chain(call.target.as_deref());
    if !operands.all(|operand| matches!(operand.expr, Expr::Literal(_))) {
        return None;
    }
    failure(node)
}

/// Why a zone's name is no zone: `getHours("Mars/Base")`, whatever the time is.
pub(super) fn failure_of_zone(call: &CallExpr) -> Option<String> {
    if !call.args.iter().all(|argument| matches!(argument.expr, Expr::Literal(_))) {
        return None;
    }
    let zero = IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Int(CelInt::from(0))) };
    let epoch = Expr::Call(CallExpr { func_name: "timestamp".to_owned(), target: None, args: vec![zero] });
    let on_epoch = CallExpr { target: Some(Box::new(IdedExpr { id: 0, expr: epoch })), ..call.clone() };
    failure(&IdedExpr { id: 0, expr: Expr::Call(on_epoch) })
}

fn failure(node: &IdedExpr) -> Option<String> {
    let context = Context::with_env(Arc::clone(&ENV));
    // The values are of the source itself, so the whole text may be told.
    let error = Value::resolve_val(node, &context).err()?;
    Some(if let ExecutionError::FunctionError { function, message } = &error {
        format!("`{function}` does not take this: {message}")
    } else {
        reason(&error)
    })
}

/// An interpreter's error without any value of the request, which may be a credential.
#[expect(clippy::wildcard_enum_match_arm, reason = "the interpreter's enumeration is open")]
pub(super) fn reason(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => {
            let short: String = key.chars().take(64).collect();
            format!("there is no `{}`", short.escape_debug())
        }
        ExecutionError::UndeclaredReference(name) if name.as_str() == super::resolve::STEP => {
            "it takes too many steps".to_owned()
        }
        ExecutionError::NoSuchOverload(overload) => overload.to_string(),
        ExecutionError::UnexpectedType { got, want } => format!("it needs a {want} and finds a {got}"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "it divides by zero".to_owned(),
        ExecutionError::Overflow(..) => "its number is too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "the list is shorter".to_owned(),
        // Its text is ours: where all values are.
        ExecutionError::FunctionError { function, message } if function == super::values::SEVERAL => {
            format!("it was sent more than once; `{message}` holds all values")
        }
        ExecutionError::FunctionError { function, .. } => format!("`{function}` does not take this value"),
        _ => "its operands do not fit".to_owned(),
    }
}
