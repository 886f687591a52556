//! Expressions in rules: CEL, checked before a request is there and bounded while one waits.
//!
//! The interpreter is the `cel` crate's; what is ours is around it: names and types are checked
//! when an expression is compiled, patterns are compiled then too, variables are read from the
//! request only where an expression asks, and every turn of a loop costs from a budget, because
//! nothing here can look at a clock. An expression that fails gives an error, never a panic and
//! never a verdict.

mod check;
mod fold;
mod functions;
mod nesting;
mod resolve;
mod spans;
mod types;
mod values;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::common::ast::SourceInfo;
use cel::common::types::{CelBool, STRING_TYPE};
use cel::{Context, Env, ExecutionError, IdedExpr, Value};

pub use types::{Phase, Variable, variables};

use crate::request::RequestView;
use resolve::Names;
use values::Pattern;

/// Bytes of source that an expression may have.
pub const LONGEST: usize = 4096;
/// Nodes that an expression may have, macros expanded.
const NODES: u32 = 1000;
/// How deep nodes may nest: what the interpreter's stack is sure to bear.
const DEPTH: usize = 64;
/// How deep loops may nest.
const LOOPS: usize = 2;
/// Nodes that all turns of all loops may evaluate: well below 10 ms.
const BUDGET: u32 = 50_000;

/// Why an expression does not compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionFault {
    /// What is wrong, for whoever wrote it.
    pub reason: Arc<str>,
    /// Where it begins, in bytes of the source.
    pub start: usize,
    /// Where it ends, in bytes of the source.
    pub end: usize,
}

/// A compiled expression that gives a bool.
pub struct Expression {
    root: IdedExpr,
    places: SourceInfo,
    patterns: Vec<Pattern>,
    weight: u32,
    constant: Option<bool>,
}

impl Expression {
    /// Compiles an expression for a phase.
    ///
    /// # Errors
    /// The first fault: syntax, an unknown name, a type that cannot be right, a pattern that does
    /// not compile, or more than the bounds admit.
    pub fn compile(source: &str, phase: Phase) -> Result<Self, ExpressionFault> {
        if source.len() > LONGEST {
            let reason = format!("an expression may have {LONGEST} bytes, and this one has {}", source.len());
            return Err(ExpressionFault { reason: reason.into(), start: 0, end: source.len() });
        }
        if let Some(start) = nesting::too_deep(source) {
            let reason = format!("it nests too deep: at most {} brackets and conditions may be open at once", nesting::DEEPEST);
            return Err(ExpressionFault { reason: reason.into(), start, end: start + 1 });
        }
        let parsed = ENV.parser().max_recursion_depth(96).parse_with_source_info(source);
        let (mut root, mut places) = parsed.map_err(|errors| spans::syntax(source, &errors))?;
        let checked = check::check(&mut root, &mut places, phase)?;
        let mut expression = Self { root, places, patterns: checked.patterns, weight: checked.weight, constant: None };
        match expression.run(None) {
            Ok(constant) => expression.constant = Some(constant),
            Err(reason) if !checked.reads_request => {
                return Err(ExpressionFault { reason: format!("it always fails: {reason}").into(), start: 0, end: source.len() });
            }
            Err(_) => {}
        }
        Ok(expression)
    }

    /// Whether the expression holds for a request.
    ///
    /// # Errors
    /// What failed, for the owner: a key that is absent, a type that does not fit, a budget that
    /// is used up. Names the part of the source; holds no value of the request but names of keys.
    pub fn evaluate(&self, view: &RequestView<'_>) -> Result<bool, Arc<str>> {
        if let Some(constant) = self.constant {
            return Ok(constant);
        }
        self.run(Some(view))
    }

    /// What the expression gives for every request, where that is known.
    #[must_use]
    pub const fn constant(&self) -> Option<bool> {
        self.constant
    }

    fn run(&self, view: Option<&RequestView<'_>>) -> Result<bool, Arc<str>> {
        // The interpreter is not ours: a panic in it is a failed expression, not a failed request.
        let run = AssertUnwindSafe(|| {
            let names = Names::new(view, &self.patterns, self.weight, BUDGET);
            let mut context = Context::with_env(Arc::clone(&ENV));
            context.set_variable_resolver(&names);
            let value = Value::resolve_val(&self.root, &context).map_err(|error| self.failure(&error, &context))?;
            match value.downcast_ref::<CelBool>() {
                Some(verdict) => Ok(*verdict.inner()),
                None => Err(Arc::from(format!("it gives a {}, not a bool", value.get_type().name()))),
            }
        });
        catch_unwind(run).unwrap_or_else(|_| Err(Arc::from("the interpreter failed")))
    }

    fn failure(&self, error: &ExecutionError, context: &Context<'_, '_>) -> Arc<str> {
        let node = spans::failing(&self.root, context);
        let place = spans::text(node, &self.places);
        let reason = fold::reason(error);
        match place {
            Some(text) => format!("`{text}`: {reason}").into(),
            None => reason.into(),
        }
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.places.source).finish()
    }
}

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(environment()));

#[expect(clippy::expect_used, reason = "the two overloads are new: no other takes a pattern; every test compiles through here")]
fn environment() -> Env {
    let mut env = Env::stdlib().with_optional_support(false);
    let pattern = || cel::common::types::Type::new_unspecified_type("pattern");
    env.add_member_overload("matches", "string_matches_pattern", STRING_TYPE, vec![pattern()], values::matches)
        .expect("no other overload takes a pattern");
    env.add_overload("matches", "matches_string_pattern", vec![STRING_TYPE, pattern()], values::matches)
        .expect("no other overload takes a pattern");
    env
}

#[cfg(test)]
mod tests;
