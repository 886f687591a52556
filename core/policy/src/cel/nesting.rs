//! How deep an expression nests, told before it is parsed: the parser goes down a level for each bracket and each
//! condition, and has no words for too many of them.

/// Brackets and conditions that may be open at once.
pub(super) const DEEPEST: usize = 90;

/// Where the first bracket or condition begins that is nested too deep.
pub(super) fn too_deep(source: &str) -> Option<usize> {
    // Conditions (`a ? b : c`) that are open in each open bracket.
    let (mut open, mut depth) = (vec![0_usize], 0_usize);
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '"' | '\'' => text(rest, is_raw(source, source.len() - rest.len())),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ => character.len_utf8(),
        };
        match character {
            '(' | '[' | '{' => {
                open.push(0);
                depth += 1;
            }
            '?' => {
                *open.last_mut()? += 1;
                depth += 1;
            }
            ')' | ']' | '}' if open.len() > 1 => depth -= 1 + open.pop().unwrap_or_default(),
            ',' => depth -= std::mem::take(open.last_mut()?),
            _ => {}
        }
        if depth > DEEPEST {
            return Some(source.len() - rest.len());
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    None
}

/// Whether the text in quotes at this place has no escapes: `r'...'`, also of bytes.
fn is_raw(source: &str, quote: usize) -> bool {
    let before = source.get(..quote).unwrap_or_default();
    let word = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    matches!(word, "r" | "R" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB")
}

/// How many bytes the text in quotes takes with which `rest` begins.
fn text(rest: &str, is_raw: bool) -> usize {
    let single = rest.get(..1).unwrap_or_default();
    let mark = if rest.starts_with(&single.repeat(3)) { single.repeat(3) } else { single.to_owned() };
    let mut at = mark.len();
    while let Some(behind) = rest.get(at..).filter(|behind| !behind.is_empty()) {
        if behind.starts_with(&mark) {
            return at + mark.len();
        }
        let mut characters = behind.chars();
        let escapes = characters.next() == Some('\\') && !is_raw;
        let skipped = if escapes { characters.next().map_or(0, char::len_utf8) } else { 0 };
        at += behind.chars().next().map_or(1, char::len_utf8) + skipped;
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_conditions_nest() {
        let check = |source: &str, expected: Option<usize>| assert_eq!(too_deep(source), expected, "{source}");
        let brackets = |count: usize| format!("{}1{}", "(".repeat(count), ")".repeat(count));
        check(&brackets(DEEPEST), None);
        check(&brackets(DEEPEST + 1), Some(DEEPEST));
        check(&vec![brackets(DEEPEST); 3].join(" + "), None);
        check(&"a ? b : ".repeat(DEEPEST), None);
        check(&"a ? b : ".repeat(DEEPEST + 1), Some(8 * DEEPEST + 2));
        check(&format!("[{}]", "a ? b : c, ".repeat(500)), None);
        check(&format!("é{}", "[".repeat(DEEPEST + 1)), Some(2 + DEEPEST));
        // What stands in texts and remarks opens nothing.
        let many = "(".repeat(500);
        for text in [
            format!("'{many}'"),
            format!("'''{many}'{many}'''"),
            format!("\"\\\"{many}\""),
            format!("r'\\' + '{many}'"),
            format!("br\"{many}\\\""),
            format!("1 // {many}\n + 1"),
            format!("'{many}"),
            ")".repeat(500),
        ] {
            check(&text, None);
        }
        check(&format!("'\\\\' + {many}"), Some(7 + DEEPEST));
    }
}
