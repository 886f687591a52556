//! Lines that end in CR LF, found within a bound.

use cause::Framing;

/// Why the bytes do not begin with a line.
#[derive(Debug)]
pub(super) enum Broken {
    /// It ends in LF alone.
    BareLineFeed,
    /// It does not end within the bound.
    TooLong,
}

/// The first line without its CR LF, or none if its end is still to come.
///
/// `bound` counts the CR LF too. Whether a line is too long shows in the first `bound` bytes, so
/// the verdict is the same however the bytes arrived.
pub(super) fn first(rest: &[u8], bound: usize) -> Result<Option<&[u8]>, Broken> {
    if let [b'\r', b'\n', ..] = rest {
        return Ok(Some(&[]));
    }
    let window = rest.get(..bound).unwrap_or(rest);
    let Some(end) = memchr::memchr(b'\n', window) else {
        return if window.len() == bound { Err(Broken::TooLong) } else { Ok(None) };
    };
    match &window[..end] {
        [line @ .., b'\r'] => Ok(Some(line)),
        [..] => Err(Broken::BareLineFeed),
    }
}

/// What stands before a request line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// An empty line, the one that RFC 9112 section 2.2 has servers ignore.
    Empty,
    /// Too few bytes to tell.
    Unknown,
    /// A request line.
    Request,
}

/// Looks for an empty line; `seen` says that one was passed over already.
pub(super) fn empty_lines(rest: &[u8], seen: bool) -> Result<Start, Framing> {
    match rest {
        [] => Ok(Start::Unknown),
        [b'\n', ..] => Err(Framing::BareLineFeed),
        [b'\r', ..] if seen => Err(Framing::RequestLine),
        [b'\r', b'\n', ..] => Ok(Start::Empty),
        [b'\r'] => Ok(Start::Unknown),
        [b'\r', ..] => Err(Framing::RequestLine),
        [..] => Ok(Start::Request),
    }
}
