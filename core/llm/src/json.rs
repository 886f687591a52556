//! A reader of JSON text (RFC 8259) that allocates nothing and never recurses.
//!
//! It tells where the members of one object lie and, on the way, whether the whole text is one
//! valid object. Nesting is a bit per level in one word, which is also what bounds it.

use std::borrow::Cow;
use std::ops::Range;

/// Levels of nesting that are read, the outermost object included.
pub const MAX_DEPTH: usize = 64;

/// Why a text is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// It stops being a JSON object at this byte.
    Syntax {
        /// Byte offset.
        offset: usize,
    },
    /// It nests deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// One member of the outermost object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// The name, escapes resolved.
    pub(crate) key: Cow<'a, str>,
    /// The value's bytes, without white space around them.
    pub(crate) value: Range<usize>,
}

/// The members of the object that `text` is, in order. After the last one the rest of the text has
/// been checked too; after an error the iterator ends.
pub(crate) struct Members<'a> {
    scanner: Scanner<'a>,
    state: State,
}

enum State {
    Before,
    Within,
    Over,
}

impl<'a> Members<'a> {
    pub(crate) const fn of(text: &'a str) -> Self {
        Self { scanner: Scanner { text, at: 0 }, state: State::Before }
    }

    fn advance(&mut self) -> Result<Option<Member<'a>>, Invalid> {
        let scanner = &mut self.scanner;
        scanner.whitespace();
        match self.state {
            State::Before => {
                scanner.expect(b'{')?;
                scanner.whitespace();
                if scanner.peek() == Some(b'}') {
                    return scanner.close().map(|()| None);
                }
            }
            State::Within if scanner.peek() == Some(b'}') => return scanner.close().map(|()| None),
            State::Within => {
                scanner.expect(b',')?;
                scanner.whitespace();
            }
            State::Over => return Ok(None),
        }
        self.state = State::Within;
        let key = scanner.string()?;
        scanner.whitespace();
        scanner.expect(b':')?;
        scanner.whitespace();
        let begin = scanner.at;
        scanner.value()?;
        let key = decode(scanner.text, &key).ok_or(Invalid::Syntax { offset: key.start })?;
        Ok(Some(Member { key, value: begin..scanner.at }))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.state = State::Over;
        }
        item
    }
}

/// The text of the string literal at `literal`, quotes included; borrowed where it has no escapes.
/// `None` where it is no string, or an escape stands for no character.
pub(crate) fn decode<'a>(text: &'a str, literal: &Range<usize>) -> Option<Cow<'a, str>> {
    let literal = text.get(literal.clone())?;
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(literal).ok().map(Cow::Owned)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    const fn wrong<T>(&self) -> Result<T, Invalid> {
        Err(Invalid::Syntax { offset: self.at })
    }

    fn expect(&mut self, byte: u8) -> Result<(), Invalid> {
        if self.peek() != Some(byte) {
            return self.wrong();
        }
        self.at += 1;
        Ok(())
    }

    /// The outermost object's end, behind which only white space may follow.
    fn close(&mut self) -> Result<(), Invalid> {
        self.expect(b'}')?;
        self.whitespace();
        if self.at < self.text.len() { self.wrong() } else { Ok(()) }
    }

    /// One value below the outermost object, whatever lies in it.
    fn value(&mut self) -> Result<(), Invalid> {
        // Bit 0 is the innermost open level: 1 for an object, 0 for an array.
        let mut objects = 0_u64;
        let mut depth = 0;
        loop {
            self.whitespace();
            let opened = self.peek();
            match opened {
                Some(b'{' | b'[') => {
                    if depth + 1 >= MAX_DEPTH {
                        return Err(Invalid::TooDeep);
                    }
                    self.at += 1;
                    depth += 1;
                    objects = objects << 1 | u64::from(opened == Some(b'{'));
                    self.whitespace();
                    match (opened, self.peek()) {
                        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) => {}
                        (Some(b'{'), _) => {
                            self.key()?;
                            continue;
                        }
                        _ => continue,
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(b'n') => self.word("null")?,
                _ => return self.wrong(),
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.whitespace();
                match (self.peek(), objects & 1 == 1) {
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        depth -= 1;
                        objects >>= 1;
                    }
                    (Some(b','), object) => {
                        self.at += 1;
                        if object {
                            self.whitespace();
                            self.key()?;
                        }
                        break;
                    }
                    _ => return self.wrong(),
                }
            }
        }
    }

    fn key(&mut self) -> Result<(), Invalid> {
        self.string()?;
        self.whitespace();
        self.expect(b':')
    }

    fn word(&mut self, word: &str) -> Result<(), Invalid> {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Invalid> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Invalid> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == begin { self.wrong() } else { Ok(()) }
    }

    /// One string literal; its range has the quotes in it.
    fn string(&mut self) -> Result<Range<usize>, Invalid> {
        let begin = self.at;
        self.expect(b'"')?;
        let bytes = self.text.as_bytes();
        loop {
            let rest = &bytes[self.at..];
            let run = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            if let Some(control) = rest[..run].iter().position(|byte| *byte < 0x20) {
                self.at += control;
                return self.wrong();
            }
            self.at += run + 1;
            match rest.get(run) {
                Some(b'"') => return Ok(begin..self.at),
                Some(_) => self.escape()?,
                None => {
                    self.at = bytes.len();
                    return self.wrong();
                }
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), Invalid> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return self.wrong();
                    }
                    self.at += 1;
                }
            }
            _ => return self.wrong(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, &str)>, Invalid> {
        Members::of(text).map(|member| member.map(|member| (member.key.into_owned(), &text[member.value]))).collect()
    }

    fn check(text: &str, want: &[(&str, &str)]) {
        let want: Vec<_> = want.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        assert_eq!(read(text), Ok(want), "{text}");
    }

    fn check_invalid(text: &str, offset: usize) {
        assert_eq!(read(text), Err(Invalid::Syntax { offset }), "{text}");
    }

    #[test]
    fn members_lie_where_they_lie() {
        check("{}", &[]);
        check(" \t\r\n{ } \n", &[]);
        check(r#"{"a":1}"#, &[("a", "1")]);
        check(r#" { "a" : [ ] , "b" : { } } "#, &[("a", "[ ]"), ("b", "{ }")]);
        check(r#"{"a":"x\"}","a":null}"#, &[("a", r#""x\"}""#), ("a", "null")]);
        check(r#"{"\u006dodel":true,"é\n":-0.5e+10}"#, &[("model", "true"), ("é\n", "-0.5e+10")]);
        check(r#"{"a":[{"b":[1,{"c":{}}]},false,0]}"#, &[("a", r#"[{"b":[1,{"c":{}}]},false,0]"#)]);
        check(r#"{"a":"\ud800","b":"\\"}"#, &[("a", r#""\ud800""#), ("b", r#""\\""#)]);
    }

    #[test]
    fn an_error_has_its_place() {
        for (text, offset) in [
            ("", 0),
            ("  ", 2),
            ("[]", 0),
            ("null", 0),
            ("\u{feff}{}", 0),
            ("{", 1),
            ("{\"a\"", 4),
            ("{\"a\":}", 5),
            ("{\"a\":1", 6),
            ("{\"a\":1,}", 7),
            ("{,}", 1),
            ("{a:1}", 1),
            ("{\"a\":01}", 6),
            ("{\"a\":1.}", 7),
            ("{\"a\":-}", 6),
            ("{\"a\":1e}", 7),
            ("{\"a\":+1}", 5),
            ("{\"a\":tru}", 8),
            ("{\"a\":nulll}", 9),
            ("{\"a\":NaN}", 5),
            ("{\"a\":\"x}", 8),
            ("{\"a\":\"\n\"}", 6),
            ("{\"a\":\"\\x\"}", 7),
            ("{\"a\":\"\\u12g4\"}", 10),
            ("{\"a\":[1,]}", 8),
            ("{\"a\":[1 2]}", 8),
            ("{\"a\":[}}", 6),
            ("{\"a\":{]}", 6),
            ("{\"a\":{\"b\"1}}", 9),
            ("{\"a\":1}{}", 7),
            ("{\"a\":1} x", 8),
            ("{\"\\ud800\":1}", 1),
        ] {
            check_invalid(text, offset);
        }
    }

    #[test]
    fn nesting_is_bounded_however_deep_it_goes() {
        let nested =
            |levels: usize, open: &str, close: &str| format!("{{\"a\":{}1{}}}", open.repeat(levels), close.repeat(levels));
        for (open, close) in [("[", "]"), ("{\"b\":", "}")] {
            assert!(read(&nested(MAX_DEPTH - 1, open, close)).is_ok());
            assert_eq!(read(&nested(MAX_DEPTH, open, close)), Err(Invalid::TooDeep));
            assert_eq!(read(&nested(500_000, open, close)), Err(Invalid::TooDeep));
        }
        let wide = format!("{{\"a\":[{}[]]}}", "[],".repeat(10_000));
        assert!(read(&wide).is_ok());
    }

    fn document() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|value| value.to_string()),
            any::<i64>().prop_map(|value| value.to_string()),
            any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(|value| format!("{value:e}")),
            any::<String>().prop_map(|value| serde_json::to_string(&value).unwrap()),
        ];
        let value = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" ,"))),
                prop::collection::vec(("[a-c\\\\\"é]{0,3}", inner), 0..4).prop_map(|members| object(&members)),
            ]
        });
        prop::collection::vec(("[a-c\\\\\"é]{0,3}", value), 0..5).prop_map(|members| object(&members))
    }

    fn object(members: &[(String, String)]) -> String {
        let members: Vec<_> =
            members.iter().map(|(key, value)| format!("{}: {value}", serde_json::to_string(key).unwrap())).collect();
        format!("{{{}}}", members.join(",\n"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// An independent reader agrees on what is a JSON object, also where one character is another.
        #[test]
        fn another_reader_agrees(text in document(), place in any::<prop::sample::Index>(), other in "[\\[\\]{}\",:0-9e.\\\\ntfu \n-]") {
            prop_assert!(read(&text).is_ok(), "{}", text);
            let (index, _) = *place.get(&text.char_indices().collect::<Vec<_>>());
            let mut changed = text.clone();
            changed.replace_range(index..=index + text[index..].chars().next().unwrap().len_utf8() - 1, &other);
            let judged = serde_json::from_str::<std::collections::BTreeMap<String, serde::de::IgnoredAny>>(&changed);
            prop_assert_eq!(read(&changed).is_ok(), judged.is_ok(), "{}", changed);
        }
    }
}
