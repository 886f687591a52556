//! Where in the source something stands.

use cel::common::ast::{EntryExpr, Expr, SourceInfo};
use cel::{Context, IdedExpr, ParseErrors, Value};

use super::ExpressionFault;

/// The first syntax error, as a fault.
pub(super) fn syntax(source: &str, errors: &ParseErrors) -> ExpressionFault {
    let first = errors.errors.iter().min_by_key(|error| error.pos);
    let Some(error) = first else {
        return ExpressionFault { reason: "it does not parse".into(), start: 0, end: source.len() };
    };
    let line = usize::try_from(error.pos.0 - 1).unwrap_or_default();
    let column = usize::try_from(error.pos.1 - 1).unwrap_or_default();
    let line_start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source.get(line_start..).unwrap_or_default();
    let start = rest.char_indices().nth(column).map_or(source.len(), |(offset, _)| line_start + offset);
    let end = source.get(start..).and_then(|rest| rest.chars().next()).map_or(start, |next| start + next.len_utf8());
    ExpressionFault { reason: format!("it does not parse: {}", in_words(&error.msg)).into(), start, end }
}

/// The parser's words, without the list of all that could have stood there.
fn in_words(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let line = line.strip_prefix("Syntax error: ").unwrap_or(line);
    let line = line.split_once(" expecting {").map_or(line, |(before, _)| before);
    line.replace("'<EOF>'", "the end").replace("<EOF>", "the end")
}

/// The bytes that a node and all below it take; the whole source where that is not known.
pub(super) fn span(node: &IdedExpr, places: &SourceInfo) -> (usize, usize) {
    let mut found: Option<(usize, usize)> = None;
    widen(node, places, &mut found);
    let source = &places.source;
    let Some((first, last)) = found else { return (0, source.len()) };
    // Places are bytes, and an end is the first byte of the last character.
    let (mut start, mut end) = (source.floor_char_boundary(first), source.ceil_char_boundary(last + 1));
    // The parser's place of a selection is its dot, and of a call its parenthesis or bracket.
    let before = source.get(..start).unwrap_or_default();
    if source.get(start..).is_some_and(|text| text.starts_with(['(', '{'])) {
        start = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').len();
    }
    if source.get(..end).is_some_and(|text| text.ends_with('.')) {
        let name = source.get(end..).unwrap_or_default();
        end += name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    }
    end = close(source, start, end);
    (start, end.max(start))
}

/// The end of a text once its open brackets are closed.
fn close(source: &str, start: usize, end: usize) -> usize {
    let mut open: i32 = 0;
    let mut quote = None;
    for (offset, character) in source.char_indices().skip_while(|(offset, _)| *offset < start) {
        if offset >= end && open <= 0 {
            return end.max(offset.min(end));
        }
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(mark), _) if mark == character => quote = None,
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') => {
                open -= 1;
                if offset >= end && open == 0 {
                    return offset + 1;
                }
            }
            (_, _) => {}
        }
    }
    end
}

fn widen(node: &IdedExpr, places: &SourceInfo, found: &mut Option<(usize, usize)>) {
    if let Some((first, last)) = places.offset_for(node.id) {
        let (first, last) = (first as usize, last as usize);
        *found = Some(found.map_or((first, last), |(from, to)| (from.min(first), to.max(last))));
    }
    for child in children(node) {
        widen(child, places, found);
    }
}

/// The source of a node, cut to a readable length.
pub(super) fn text(node: &IdedExpr, places: &SourceInfo) -> Option<String> {
    let (start, end) = span(node, places);
    let text = places.source.get(start..end)?;
    if text.is_empty() || (start == 0 && end == places.source.len()) {
        return None;
    }
    Some(text.chars().take(80).collect())
}

/// The innermost node that fails, for the message. Loops are one node: their names have no values
/// outside them.
pub(super) fn failing<'a>(node: &'a IdedExpr, context: &Context<'_, '_>) -> &'a IdedExpr {
    if matches!(node.expr, Expr::Comprehension(_)) {
        return node;
    }
    let fails = |child: &&IdedExpr| Value::resolve_val(child, context).is_err();
    match children(node).into_iter().find(fails) {
        Some(child) => failing(child, context),
        None => node,
    }
}

fn children(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(fold) => {
            vec![&fold.iter_range, &fold.accu_init, &fold.loop_cond, &fold.loop_step, &fold.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_children(&entry.expr)).collect(),
        Expr::Struct(literal) => literal.entries.iter().flat_map(|entry| entry_children(&entry.expr)).collect(),
    }
}

fn entry_children(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}
