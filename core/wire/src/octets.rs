//! Classes of octets, one table for all of the crate.

const TOKEN: u8 = 1;
const PATH: u8 = 2;
const QUERY: u8 = 4;
const NAME: u8 = 8;
const PCHAR: u8 = 16;
const UNRESERVED: u8 = 32;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0_u8;
    while octet < 128 {
        table[octet as usize] = class(octet);
        octet += 1;
    }
    table
}

const fn class(octet: u8) -> u8 {
    let unreserved = octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~');
    let sub_delim = matches!(octet, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=');
    let pchar = unreserved || sub_delim || matches!(octet, b':' | b'@');
    let graphic = octet.is_ascii_graphic();
    let mut class = 0;
    if octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
    {
        class |= TOKEN;
    }
    // What the HTTP library's `Uri` takes, so that it never refuses a target that passed here.
    if graphic && !matches!(octet, b'#' | b'<' | b'>' | b'?' | b'`') {
        class |= PATH;
    }
    if graphic && !matches!(octet, b'"' | b'#' | b'<' | b'>') {
        class |= QUERY;
    }
    if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.') {
        class |= NAME;
    }
    if pchar {
        class |= PCHAR;
    }
    if unreserved {
        class |= UNRESERVED;
    }
    class
}

const fn is(octet: u8, class: u8) -> bool {
    CLASSES[octet as usize] & class != 0
}

/// RFC 9110 section 5.6.2: methods and field names.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|octet| is(*octet, TOKEN))
}

/// One character of a token.
pub(crate) const fn is_token_octet(octet: u8) -> bool {
    is(octet, TOKEN)
}

/// The first octet that a target's path may not hold before it is normalised.
pub(crate) fn outside_path(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|octet| !is(*octet, PATH))
}

/// The first octet that a target's query may not hold.
pub(crate) fn outside_query(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|octet| !is(*octet, QUERY))
}

/// Letters, digits, `-`, `_` and `.`: what host names are made of.
pub(crate) const fn is_host_octet(octet: u8) -> bool {
    is(octet, NAME)
}

/// RFC 3986 section 3.3, escapes apart.
pub(crate) const fn is_pchar(octet: u8) -> bool {
    is(octet, PCHAR)
}

/// RFC 3986 section 2.3: never escaped in the normal form.
pub(crate) const fn is_unreserved(octet: u8) -> bool {
    is(octet, UNRESERVED)
}

/// RFC 9110 section 5.5: no control characters but the tab.
///
/// Written without an early end, so that it is checked many octets at a time.
pub(crate) fn is_field_value(text: &[u8]) -> bool {
    !text.iter().fold(false, |bad, octet| bad | ((*octet < b' ') & (*octet != b'\t')) | (*octet == 0x7f))
}

/// Without blanks and tabs at the ends.
pub(crate) const fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

/// The members of a comma-separated list, without blanks around them, empty ones left out.
pub(crate) fn members(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|octet| *octet == b',').map(trim).filter(|member| !member.is_empty())
}

/// Decimal digits up to 2^63-1: the one form of a length (RFC 9110 section 8.6).
pub(crate) fn length(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let value = text.iter().try_fold(0_u64, |value, octet| {
        let digit = octet.is_ascii_digit().then(|| u64::from(octet - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })?;
    (value <= i64::MAX.unsigned_abs()).then_some(value)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, Uri};

    use super::*;

    #[test]
    fn what_passes_is_taken_by_the_http_library() {
        for octet in 0..=u8::MAX {
            let (path, query) = ([b'/', octet], [b'/', b'?', octet]);
            assert!(outside_path(&path).is_some() || Uri::try_from(&path[..]).is_ok(), "path {octet:#x}");
            assert!(outside_query(&query[2..]).is_some() || Uri::try_from(&query[..]).is_ok(), "query {octet:#x}");
            assert_eq!(is_token(&[octet]), HeaderName::from_bytes(&[octet]).is_ok(), "name {octet:#x}");
            assert_eq!(is_field_value(&[octet]), HeaderValue::from_bytes(&[octet]).is_ok(), "value {octet:#x}");
        }
    }

    #[test]
    fn lengths_are_plain_numbers() {
        for (text, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("9223372036854775807", Some(9_223_372_036_854_775_807)),
            ("9223372036854775808", None),
            ("00000000000000000000", None),
            ("", None),
            ("+1", None),
            ("1 ", None),
        ] {
            assert_eq!(length(text.as_bytes()), expected, "{text:?}");
        }
    }
}
