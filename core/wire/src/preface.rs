//! Which protocol a connection speaks, from its first bytes (RFC 9113 section 3.3).

/// What a client of HTTP/2 sends before its first frame (RFC 9113 section 3.4).
pub const HTTP2: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preface {
    /// The whole preface of HTTP/2 is there.
    Http2,
    /// Anything else: the guard of HTTP/1 judges it.
    Http1,
    /// So far a beginning of the preface.
    Undecided,
}

/// Judges everything received on a connection so far.
#[must_use]
pub fn preface(first: &[u8]) -> Preface {
    if first.starts_with(HTTP2) {
        Preface::Http2
    } else if HTTP2.starts_with(first) {
        Preface::Undecided
    } else {
        Preface::Http1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide() {
        for (first, expected) in [
            (&b""[..], Preface::Undecided),
            (b"P", Preface::Undecided),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", Preface::Undecided),
            (HTTP2, Preface::Http2),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04", Preface::Http2),
            (b"PO", Preface::Http1),
            (b"G", Preface::Http1),
            (b"PRI * HTTP/2.0\r\n\r\nXM", Preface::Http1),
            (b"\x16\x03\x01", Preface::Http1),
        ] {
            assert_eq!(preface(first), expected, "{first:?}");
        }
    }
}
