//! The query of a target, read as forms are: `+` is a blank, `%2e` an octet.
//!
//! What is no escape stays as it is, and octets that are no UTF-8 are replaced: a query is only
//! compared here, never forwarded from here.

use std::borrow::Cow;

/// The parameters of a query (without `?`), decoded, in order: all of them, since what is not looked
/// at here would be forwarded unjudged. A target's bound bounds them. Allocates only for escapes.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// All values of one parameter, decoded, in order.
pub fn values<'a>(query: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    pairs(query).filter(move |(found, _)| found == name).map(|(_, value)| value)
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        octets.push(match (octet, behind) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = behind;
                    high * 16 + low
                }
                (_, _) => octet,
            },
            (_, _) => octet,
        });
    }
    Cow::Owned(match String::from_utf8(octets) {
        Ok(text) => text,
        Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
    })
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_as_forms() {
        fn check(query: &str, expected: &[(&str, &str)]) {
            let found: Vec<_> = pairs(query).collect();
            let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
            assert_eq!(found, expected, "{query}");
        }
        check("", &[]);
        check("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]);
        check("a&&b=", &[("a", ""), ("b", "")]);
        check("a+b=c%20d%2Be", &[("a b", "c d+e")]);
        check("a=%zz%4&b=%", &[("a", "%zz%4"), ("b", "%")]);
        check("a=%ff=%41", &[("a", "\u{fffd}=A")]);
        assert_eq!(values("a=1&b=2&%61=3", "a").collect::<Vec<_>>(), ["1", "3"]);
        assert_eq!(pairs(&"a&".repeat(4000)).count(), 4000);
    }
}
