//! Names and types of an expression, and the guards that are put into it.
//!
//! The checker walks the tree once. It refuses what no request can make right, gives `Any` where
//! only the request tells, and rewrites as it goes: `request.path` becomes one name, a pattern's
//! text becomes the name of its compiled form, and every loop asks for a step first.

mod operators;

use cause::nearest;
use cel::IdedExpr;
use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, SourceInfo};
use cel::common::types::CelBool;

use super::functions::{self, Called};
use super::resolve::{PATTERN, STEP};
use super::types::{Phase, Type, fields, type_of, variables};
use super::values::Pattern;
use super::{DEPTH, ExpressionFault, LOOPS, NODES, fold, spans};

/// What the walk found.
pub(super) struct Checked {
    pub(super) patterns: Vec<Pattern>,
    /// What one turn of a loop may cost: all nodes of the expression.
    pub(super) weight: u32,
    pub(super) reads_request: bool,
}

/// Checks and rewrites an expression that must give a bool.
pub(super) fn check(root: &mut IdedExpr, places: &mut SourceInfo, phase: Phase) -> Result<Checked, ExpressionFault> {
    let mut checker = Checker {
        places,
        phase,
        scope: Vec::new(),
        loops: 0,
        depth: 0,
        nodes: 0,
        checked: Checked { patterns: Vec::new(), weight: 0, reads_request: false },
    };
    let given = checker.type_of(root)?;
    if !matches!(given, Type::Bool | Type::Any) {
        return Err(checker.fault(root, format!("a condition gives a bool, and this gives {}", given.with_article())));
    }
    checker.checked.weight += checker.nodes;
    Ok(checker.checked)
}

struct Checker<'a> {
    places: &'a mut SourceInfo,
    phase: Phase,
    /// Names that loops bind, innermost last.
    scope: Vec<(String, Type)>,
    loops: usize,
    depth: usize,
    nodes: u32,
    checked: Checked,
}

type Found = Result<Type, ExpressionFault>;

impl Checker<'_> {
    fn fault(&self, node: &IdedExpr, reason: impl Into<String>) -> ExpressionFault {
        let (start, end) = spans::span(node, self.places);
        ExpressionFault { reason: reason.into().into(), start, end }
    }

    fn type_of(&mut self, node: &mut IdedExpr) -> Found {
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(self.fault(node, format!("an expression may have {NODES} parts")));
        }
        if self.depth >= DEPTH {
            return Err(self.fault(node, format!("an expression may nest {DEPTH} deep")));
        }
        self.depth += 1;
        let mut expr = std::mem::take(&mut node.expr);
        let found = match &mut expr {
            Expr::Literal(literal) => Ok(type_of_literal(literal)),
            Expr::Ident(name) => self.name(name, node),
            Expr::List(list) => self.list(&mut list.elements),
            Expr::Map(map) => {
                let mut item: Option<Type> = None;
                let mut result = Ok(());
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        let both = self.type_of(&mut entry.key).and_then(|_| self.type_of(&mut entry.value));
                        match both {
                            Ok(value) => item = Some(item.map_or(value.clone(), |item| item.or(value))),
                            Err(fault) => result = result.and(Err(fault)),
                        }
                    }
                }
                result.map(|()| Type::Map(Box::new(item.unwrap_or(Type::Any))))
            }
            Expr::Struct(_) => Err(self.fault(node, "messages are not known here; write a map")),
            Expr::Unspecified => Err(self.fault(node, "it does not parse")),
            Expr::Call(_) | Expr::Select(_) | Expr::Comprehension(_) => {
                node.expr = expr;
                let found = self.compound(node);
                self.depth -= 1;
                return found;
            }
        };
        node.expr = expr;
        self.depth -= 1;
        found
    }

    fn compound(&mut self, node: &mut IdedExpr) -> Found {
        let id = node.id;
        match std::mem::take(&mut node.expr) {
            Expr::Select(select) => self.select(node, select),
            Expr::Call(call) => self.call(node, call),
            Expr::Comprehension(fold) => self.comprehension(node, *fold),
            other @ (Expr::Unspecified | Expr::Ident(_) | Expr::List(_) | Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_)) => {
                *node = IdedExpr { id, expr: other };
                Ok(Type::Any)
            }
        }
    }

    fn name(&mut self, name: &str, node: &IdedExpr) -> Found {
        if let Some((_, known)) = self.scope.iter().rev().find(|(bound, _)| bound == name) {
            return Ok(known.clone());
        }
        if let Some(variable) = variables(self.phase).iter().find(|variable| variable.name == name) {
            self.checked.reads_request = true;
            return Ok(type_of(variable));
        }
        let group: Vec<_> = fields(self.phase, name).map(|(field, _)| format!("{name}.{field}")).collect();
        if !group.is_empty() {
            return Err(self.fault(node, format!("`{name}` is a group of variables; name one: {}", group.join(", "))));
        }
        if ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"].contains(&name) {
            return Ok(Type::Kind);
        }
        if name == "body" {
            return Err(self.fault(node, "`body` is not read before authorization; rules about it belong to validation"));
        }
        let bound = self.scope.iter().map(|(bound, _)| bound.as_str()).filter(|bound| !bound.starts_with('@'));
        let roots = ["request", "principal", "client", "route", "now"];
        let hint = hint(nearest(name, roots.into_iter().chain(bound)));
        Err(self.fault(node, format!("there is no variable `{name}`{hint}")))
    }

    fn list(&mut self, elements: &mut [IdedExpr]) -> Found {
        let mut item: Option<Type> = None;
        for element in elements {
            let found = self.type_of(element)?;
            item = Some(item.map_or(found.clone(), |item| item.or(found)));
        }
        Ok(Type::List(Box::new(item.unwrap_or(Type::Any))))
    }

    /// `a.b` and `has(a.b)`.
    fn select(&mut self, node: &mut IdedExpr, mut select: SelectExpr) -> Found {
        if let Expr::Ident(group) = &select.operand.expr
            && !self.scope.iter().any(|(bound, _)| bound == group)
            && fields(self.phase, group).next().is_some()
        {
            let group = group.clone();
            return self.field(node, &group, select);
        }
        let operand = self.type_of(&mut select.operand);
        let (field, test) = (select.field.clone(), select.test);
        if let (Ok(Type::Map(_)), true) = (&operand, test) {
            // Whether a key is there is another question than what it holds, which may be an error.
            let key = IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::String(field.into())) };
            node.expr = Expr::Call(CallExpr { func_name: op::IN.to_owned(), target: None, args: vec![key, *select.operand] });
            return Ok(Type::Bool);
        }
        node.expr = Expr::Select(select);
        let given = match operand? {
            Type::Any => Type::Any,
            Type::Map(value) => *value,
            other @ (Type::Bool
            | Type::Int
            | Type::Uint
            | Type::Double
            | Type::Text
            | Type::Bytes
            | Type::Null
            | Type::Timestamp
            | Type::Duration
            | Type::Kind
            | Type::List(_)) => return Err(self.fault(node, format!("{} has no field `{field}`", other.with_article()))),
        };
        Ok(if test { Type::Bool } else { given })
    }

    /// A variable such as `request.path`, which becomes one name.
    fn field(&mut self, node: &mut IdedExpr, group: &str, select: SelectExpr) -> Found {
        let Some((_, variable)) = fields(self.phase, group).find(|(field, _)| *field == select.field) else {
            let hint = hint(nearest(&select.field, fields(self.phase, group).map(|(field, _)| field)));
            let reason = format!("`{group}` has no field `{}`{hint}", select.field);
            node.expr = Expr::Select(select);
            return Err(self.fault(node, reason));
        };
        self.checked.reads_request = true;
        // The one name stands where both parts stood.
        if let (Some((start, _)), Some((_, stop))) = (self.places.offset_for(select.operand.id), self.places.offset_for(node.id))
        {
            self.places.add_offset(node.id, start, stop);
        }
        let name = IdedExpr { id: node.id, expr: Expr::Ident(variable.name.to_owned()) };
        let given = type_of(variable);
        if !select.test {
            node.expr = name.expr;
            return Ok(given);
        }
        // A variable is always there; a text that is empty holds nothing.
        node.expr = if given == Type::Text {
            let empty = IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::String(String::new().into())) };
            Expr::Call(CallExpr { func_name: op::NOT_EQUALS.to_owned(), target: None, args: vec![name, empty] })
        } else {
            literal_true()
        };
        Ok(Type::Bool)
    }

    fn call(&mut self, node: &mut IdedExpr, mut call: CallExpr) -> Found {
        let mut given = Vec::with_capacity(call.args.len() + 1);
        let operands = call.target.as_deref_mut().into_iter().chain(&mut call.args);
        let mut broken = None;
        for operand in operands {
            match self.type_of(operand) {
                Ok(found) => given.push(found),
                Err(fault) => broken = broken.or(Some(fault)),
            }
        }
        let operator = call.target.is_none().then(|| operators::apply(&call.func_name, &given)).flatten();
        let is_member = call.target.is_some();
        let name = call.func_name.clone();
        node.expr = Expr::Call(call);
        if let Some(fault) = broken {
            return Err(fault);
        }
        let found = match operator {
            Some(found) => found.map_err(|reason| self.fault(node, reason))?,
            None => self.function(node, &name, is_member, &given)?,
        };
        self.checked.weight += functions::weight(&name);
        if let Some(failure) = fold::failure_of_literals(node) {
            return Err(self.fault(node, failure));
        }
        Ok(found)
    }

    fn function(&mut self, node: &mut IdedExpr, name: &str, is_member: bool, given: &[Type]) -> Found {
        let found = match functions::call(name, is_member, given) {
            Called::Gives(found) => found,
            Called::Takes(taken) => return Err(self.fault(node, format!("`{name}` does not take this; it is {taken}"))),
            Called::Unknown => {
                let hint = hint(nearest(name, functions::names(is_member)));
                return Err(self.fault(node, format!("there is no function `{name}` for this{hint}")));
            }
        };
        if name == "matches" {
            self.pattern(node)?;
        }
        if let Expr::Call(call) = &node.expr
            && given.first() == Some(&Type::Timestamp)
            && is_member
            && let Some(failure) = fold::failure_of_zone(call)
        {
            return Err(self.fault(node, failure));
        }
        Ok(found)
    }

    /// Compiles the pattern of a `matches` call and puts its name in its place.
    fn pattern(&mut self, node: &mut IdedExpr) -> Result<(), ExpressionFault> {
        let Expr::Call(call) = &node.expr else { return Ok(()) };
        let Some(argument) = call.args.last() else { return Ok(()) };
        let Expr::Literal(LiteralValue::String(text)) = &argument.expr else {
            return Err(self.fault(argument, "the pattern of `matches` is a text in quotes, so that it is compiled once"));
        };
        let compiled = regex::RegexBuilder::new(text.inner()).size_limit(1 << 18).build();
        let pattern = compiled
            .map_err(|error| self.fault(argument, format!("the pattern does not compile: {}", last_line(&error.to_string()))))?;
        let name = format!("{PATTERN}{}", self.checked.patterns.len());
        self.checked.patterns.push(Pattern(pattern));
        if let Expr::Call(call) = &mut node.expr
            && let Some(argument) = call.args.last_mut()
        {
            argument.expr = Expr::Ident(name);
        }
        Ok(())
    }

    /// A loop, which asks for a step before each turn.
    fn comprehension(&mut self, node: &mut IdedExpr, mut fold: ComprehensionExpr) -> Found {
        let range = self.type_of(&mut fold.iter_range);
        let start = self.type_of(&mut fold.accu_init);
        let outer = self.scope.len();
        let item = match &range {
            Ok(Type::List(item)) => Ok((**item).clone()),
            Ok(Type::Map(_)) => Ok(Type::Text),
            Ok(Type::Any) => Ok(Type::Any),
            Ok(other) => Err(self.fault(&fold.iter_range, format!("{} has no items", other.with_article()))),
            Err(fault) => Err(fault.clone()),
        };
        let too_deep = self.loops >= LOOPS;
        self.loops += 1;
        let result = item.and_then(|item| {
            if too_deep {
                return Err(self.fault(&fold.iter_range, format!("loops may nest {LOOPS} deep")));
            }
            let start = start?;
            self.scope.push((fold.iter_var.clone(), item));
            self.scope.push((fold.accu_var.clone(), start));
            self.type_of(&mut fold.loop_cond)?;
            let step = self.type_of(&mut fold.loop_step)?;
            if let Some((_, known)) = self.scope.last_mut() {
                *known = step;
            }
            self.type_of(&mut fold.result)
        });
        self.loops -= 1;
        self.scope.truncate(outer);
        guard(&mut fold);
        node.expr = Expr::Comprehension(Box::new(fold));
        result
    }
}

/// Puts the step where the interpreter evaluates it each turn. `map` and `filter` are built in
/// place only while their condition is a literal, so there it goes into the step itself.
fn guard(fold: &mut ComprehensionExpr) {
    let step = || IdedExpr { id: 0, expr: Expr::Ident(STEP.to_owned()) };
    let when = |condition: IdedExpr, then: IdedExpr, otherwise: IdedExpr| IdedExpr {
        id: 0,
        expr: Expr::Call(CallExpr {
            func_name: op::CONDITIONAL.to_owned(),
            target: None,
            args: vec![condition, then, otherwise],
        }),
    };
    let never = || IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::Boolean(CelBool::from(false))) };
    if !matches!(fold.accu_init.expr, Expr::List(_)) {
        fold.loop_cond = when(step(), std::mem::take(&mut fold.loop_cond), never());
        return;
    }
    if let Expr::Call(call) = &mut fold.loop_step.expr
        && call.func_name == op::CONDITIONAL
        && let Some(condition) = call.args.first_mut()
    {
        *condition = when(step(), std::mem::take(condition), never());
        return;
    }
    let unchanged = IdedExpr { id: 0, expr: Expr::Ident(fold.accu_var.clone()) };
    fold.loop_step = when(step(), std::mem::take(&mut fold.loop_step), unchanged);
}

fn literal_true() -> Expr {
    Expr::Literal(LiteralValue::Boolean(CelBool::from(true)))
}

fn type_of_literal(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

fn hint(nearest: Option<std::sync::Arc<str>>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
