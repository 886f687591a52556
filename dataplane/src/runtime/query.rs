//! Query strings, as forms write them (WHATWG URL, application/x-www-form-urlencoded).

use std::borrow::Cow;

/// The parameters in order, names and values decoded. Bytes that are not UTF-8 become U+FFFD.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// The query without the parameters of this name; borrowed when there is none.
#[must_use]
pub fn without<'a>(query: &'a str, name: &str) -> Cow<'a, str> {
    if !pairs(query).any(|(key, _)| key == name) {
        return Cow::Borrowed(query);
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| decode(pair.split_once('=').map_or(*pair, |(key, _)| key)) != name).collect();
    Cow::Owned(kept.join("&"))
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high * 16 + low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (byte, _) => bytes.push(*byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_read_as_forms_write_them() {
        let read = |query| pairs(query).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        assert_eq!(read("a=1&b=x%20y&c=p+q&d&&e=%zz%4"), ["a=1", "b=x y", "c=p q", "d=", "e=%zz%4"]);
        assert_eq!(without("a=1&key=s&b=2&%6Bey=t", "key"), "a=1&b=2");
        assert_eq!(without("a=1", "key"), "a=1");
    }
}
