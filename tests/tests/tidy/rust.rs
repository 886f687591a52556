//! Just enough of Rust's grammar to tell code from comments, text and tests.

/// The code alone: comments and the insides of literals become spaces, line ends stay.
pub(crate) fn code(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut kept = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'/')) => bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length),
            (b'/', Some(b'*')) => comment_end(bytes, at),
            (b'"', _) => text_end(bytes, at),
            (b'r', _) if !is_word(bytes, at.wrapping_sub(1)) || is_prefix(bytes, at.wrapping_sub(1)) => {
                raw_end(bytes, at).unwrap_or(at)
            }
            (b'\'', _) => character_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut kept[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(kept).expect("whole characters are replaced")
}

/// The code without items that only tests have, and the names of modules (`mod x;`) that only tests have.
pub(crate) fn without_tests(source: &str) -> (String, Vec<String>) {
    let mut code = code(source).into_bytes();
    let mut modules = Vec::new();
    while let Some(start) = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|text| find(&code, text.as_bytes())).min() {
        let end = item_end(&code, start);
        let item = String::from_utf8_lossy(&code[start..end]).into_owned();
        if let Some(name) = item.trim_end().strip_suffix(';').and_then(|head| head.rsplit_once("mod ")) {
            modules.push(name.1.trim().to_owned());
        }
        for byte in &mut code[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    (String::from_utf8(code).expect("whole characters are replaced"), modules)
}

/// Where the item that an attribute stands before ends: at its `;`, or at the brace that closes its first one.
fn item_end(code: &[u8], start: usize) -> usize {
    let (mut braces, mut others) = (0_usize, 0_usize);
    for (at, byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => others += 1,
            b')' | b']' => others = others.saturating_sub(1),
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return at + 1;
                }
            }
            b';' if braces == 0 && others == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn find(code: &[u8], wanted: &[u8]) -> Option<usize> {
    code.windows(wanted.len()).position(|window| window == wanted)
}

fn is_word(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The `b` or `c` of `br"..."` and `cr"..."`.
fn is_prefix(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_some_and(|byte| matches!(byte, b'b' | b'c')) && !is_word(bytes, at.wrapping_sub(1))
}

fn comment_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn text_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_end(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = start + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let close = [&b"\""[..], &vec![b'#'; hashes]].concat();
    Some(find(&bytes[open + 1..], &close).map_or(bytes.len(), |length| open + 1 + length + close.len()))
}

/// The end of `'x'` or `'\n'`; a lifetime has none.
fn character_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start + 1) == Some(&b'\\') {
        return bytes[start + 3..].iter().position(|byte| *byte == b'\'').map(|length| start + length + 4);
    }
    let text = std::str::from_utf8(&bytes[start + 1..bytes.len().min(start + 6)]);
    let text = match &text {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[start + 1..start + 1 + error.valid_up_to()]).ok()?,
    };
    let length = text.chars().next()?.len_utf8();
    (bytes.get(start + 1 + length) == Some(&b'\'')).then_some(start + length + 2)
}

#[test]
fn code_is_told_from_comments_and_text() {
    let check = |source: &str, expected: &str| assert_eq!(code(source), expected, "{source}");
    check("a // panic!\nb", "a          \nb");
    check("a /* x /* y */ z */ b", "a                   b");
    check(r#"f("a\"b", c)"#, "f(      , c)");
    check(r##"f(r#"a"b"#, c)"##, "f(        , c)");
    check(r##"f(br#"a"#)"##, "f(b      )");
    check("f('\"', '\\'', 'é', b'x') + x::<'a>()", "f(   ,     ,     , b   ) + x::<'a>()");
    check("for r in x {}", "for r in x {}");
}

#[test]
fn items_of_tests_are_left_out() {
    let check = |source: &str, expected: &str, modules: &[&str]| {
        let (code, found) = without_tests(source);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{source}");
        assert_eq!(found, modules, "{source}");
    };
    check("fn a() {} #[cfg(test)] mod tests { fn b() { panic!() } } fn c() {}", "fn a() {} fn c() {}", &[]);
    check("#[cfg(test)]\n#[path = \"a_tests.rs\"]\nmod tests;\nfn c() {}", "fn c() {}", &["tests"]);
    check("#[cfg(test)] fn b([a; 2]: X) -> [u8; 3] { x } fn c() {}", "fn c() {}", &[]);
    check("#[cfg(test)] use x::{y, z}; fn c() {}", "; fn c() {}", &[]);
    check("#[cfg(not(test))] fn c() {}", "#[cfg(not(test))] fn c() {}", &[]);
}
