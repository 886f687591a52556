//! `framing.*`: the bytes are not one unambiguous HTTP request (RFC 9110, RFC 9112, RFC 9113).

use serde::Serialize;

use crate::{Action, Entry, Fixer, Retry, Status, Tell};

/// What about the bytes is refused. Bounds are in bytes, times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Framing {
    /// Both `Content-Length` and `Transfer-Encoding`.
    LengthAndTransferEncoding,
    /// `Content-Length` twice, a list, empty, signed, or over 2^63-1.
    ContentLength,
    /// `Transfer-Encoding` other than one `chunked`, or in HTTP/1.0.
    TransferEncoding,
    /// `Connection` nominates `Content-Length`, `Transfer-Encoding` or `Host`.
    Nomination,
    /// A field value that goes on in the next line (obs-fold).
    FoldedField,
    /// A line that ends in LF without CR.
    BareLineFeed,
    /// A field name that is empty or holds characters no token may.
    FieldName,
    /// A field value that holds control characters.
    FieldValue,
    /// The request line is not `METHOD target HTTP/1.x`.
    RequestLine,
    /// The protocol version is not one that is served.
    ProtocolVersion,
    /// A method that this gateway does not serve.
    Method {
        /// The methods that are served.
        served: Vec<String>,
    },
    /// The target is neither an origin form nor an absolute form that agrees with `Host`.
    Target {
        /// What about it.
        flaw: TargetFlaw,
    },
    /// The path holds encoded separators, control characters, `..;` or is not UTF-8.
    Path,
    /// `Host` is missing, repeated, or not a host and port.
    Host,
    /// More field lines than the limit.
    TooManyFields {
        /// How many are allowed.
        limit: usize,
    },
    /// The fields together are larger than the limit.
    FieldsTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The target is longer than the limit.
    TargetTooLong {
        /// Bytes allowed.
        limit: usize,
    },
    /// A chunk's size line, extension or end is malformed or too long.
    Chunk,
    /// A trailer field that is malformed or not allowed in trailers.
    Trailer,
    /// The head of the request did not arrive in time.
    HeaderTimeout {
        /// Milliseconds allowed.
        limit_ms: u64,
    },
    /// The body arrives slower than the minimum rate.
    BodyTooSlow {
        /// Bytes a second required on average.
        minimum_rate: u64,
    },
    /// An HTTP/2 request that cannot be said in HTTP/1.1, or contradicts its own framing.
    Http2Message,
    /// The body ended before its announced length.
    BodyIncomplete,
}

/// What about a target is refused (RFC 9112 section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TargetFlaw {
    /// It is no path, and no URL of the listener's scheme.
    Form,
    /// It is a URL whose authority is not the one in `Host`.
    Authority,
    /// It holds a fragment.
    Fragment,
    /// It holds an octet that must be sent in percent form.
    Octet(u8),
}

impl TargetFlaw {
    /// What is wrong, and what to send instead.
    fn tell(self, with: impl FnOnce(std::fmt::Arguments<'_>, std::fmt::Arguments<'_>)) {
        const PLAIN: &str = "Send the path and query as the target, and the authority in Host.";
        match self {
            Self::Form => with(
                format_args!("The target is neither a path that begins with `/` nor an absolute URL of this listener's scheme."),
                format_args!("{PLAIN}"),
            ),
            Self::Authority => with(
                format_args!("The target is an absolute URL, and its authority is not the one in Host."),
                format_args!("{PLAIN}"),
            ),
            Self::Fragment => with(
                format_args!("The target holds `#`; a fragment is for the client alone and never sent."),
                format_args!("Leave the fragment out, or send a `#` that belongs to the path or query as %23."),
            ),
            Self::Octet(octet) if octet.is_ascii_graphic() => with(
                format_args!("The target holds `{}`, which must not stand there as it is (RFC 3986).", char::from(octet)),
                format_args!("Send `{}` as %{octet:02X}.", char::from(octet)),
            ),
            Self::Octet(octet) => with(
                format_args!("The target holds the octet 0x{octet:02X}, which must not stand there as it is (RFC 3986)."),
                format_args!("Send what is not visible ASCII in percent form, such as %{octet:02X}."),
            ),
        }
    }
}

impl Framing {
    #[expect(clippy::too_many_lines, reason = "the table of this family, one row each")]
    pub(crate) fn tell(&self, tell: Tell<'_>) {
        let mut row = |code, status, title, detail: std::fmt::Arguments<'_>, remedy: std::fmt::Arguments<'_>| {
            let entry = Entry {
                code,
                status: Status::new(status),
                by: Fixer::Caller,
                action: Action::FixRequest,
                retry: Retry::Never,
                title,
            };
            tell(entry, [detail, remedy, format_args!("")]);
        };
        match self {
            Self::LengthAndTransferEncoding => row(
                "framing.cl_te",
                400,
                "The request states its length in two ways",
                format_args!("Content-Length and Transfer-Encoding were both sent; intermediaries disagree on which counts."),
                format_args!("Send Content-Length or Transfer-Encoding: chunked, never both."),
            ),
            Self::ContentLength => row(
                "framing.content_length",
                400,
                "The Content-Length is not one plain number",
                format_args!("Content-Length must be sent once, as decimal digits."),
                format_args!("Send exactly one Content-Length with the body's size in bytes."),
            ),
            Self::TransferEncoding => row(
                "framing.transfer_encoding",
                400,
                "The Transfer-Encoding is not a single chunked",
                format_args!("Transfer-Encoding must be sent once, with the one value chunked, in HTTP/1.1."),
                format_args!("Send Transfer-Encoding: chunked once, or a Content-Length."),
            ),
            Self::Nomination => row(
                "framing.nomination",
                400,
                "Connection names a field that must not be removed",
                format_args!(
                    "Connection lists Content-Length, Transfer-Encoding or Host; intermediaries would disagree on whether it counts."
                ),
                format_args!("Take Content-Length, Transfer-Encoding and Host out of Connection."),
            ),
            Self::FoldedField => row(
                "framing.folded_field",
                400,
                "A header field goes on in the next line",
                format_args!("Line folding in header fields is obsolete (RFC 9112 section 5.2)."),
                format_args!("Send each header field on one line."),
            ),
            Self::BareLineFeed => row(
                "framing.bare_lf",
                400,
                "A line ends without a carriage return",
                format_args!("Every line of the head and of chunk framing must end in CR LF."),
                format_args!("End lines with CR LF."),
            ),
            Self::FieldName => row(
                "framing.field_name",
                400,
                "A header field's name is not a token",
                format_args!("A field name is empty, has white space around it, or holds characters outside RFC 9110's token."),
                format_args!("Use letters, digits and hyphens in field names."),
            ),
            Self::FieldValue => row(
                "framing.field_value",
                400,
                "A header field's value holds control characters",
                format_args!("A field value holds CR, LF, NUL or another control character."),
                format_args!("Remove control characters from header values."),
            ),
            Self::RequestLine => row(
                "framing.request_line",
                400,
                "The request line is malformed",
                format_args!("The first line must be METHOD, one space, target, one space, HTTP version."),
                format_args!("Send a request line such as GET /path HTTP/1.1."),
            ),
            Self::ProtocolVersion => row(
                "framing.version",
                505,
                "The HTTP version is not served",
                format_args!("HTTP/1.0, HTTP/1.1 and HTTP/2 are served."),
                format_args!("Use HTTP/1.1 or HTTP/2."),
            ),
            Self::Method { served } => row(
                "framing.method",
                501,
                "The method is not served",
                format_args!("Methods are case-sensitive; served are {}.", crate::Listed(served)),
                format_args!("Use one of {}.", crate::Listed(served)),
            ),
            Self::Target { flaw } => flaw.tell(|detail, remedy| {
                row("framing.target", 400, "The request target is malformed or ambiguous", detail, remedy);
            }),
            Self::Path => row(
                "framing.path",
                400,
                "The path has no single meaning",
                format_args!(
                    "The path holds an encoded slash, a backslash, a control character, `..;` or bytes that are not UTF-8."
                ),
                format_args!("Send a plain path; put such characters into the query or the body."),
            ),
            Self::Host => row(
                "framing.host",
                400,
                "The Host is missing, repeated or malformed",
                format_args!("HTTP/1.1 requires exactly one Host with a name and an optional port."),
                format_args!("Send one Host header, such as Host: api.example.com."),
            ),
            Self::TooManyFields { limit } => row(
                "framing.too_many_fields",
                431,
                "The request has too many header fields",
                format_args!("At most {limit} header fields are accepted."),
                format_args!("Send at most {limit} header fields."),
            ),
            Self::FieldsTooLarge { limit } => row(
                "framing.fields_too_large",
                431,
                "The header fields are too large",
                format_args!("At most {limit} bytes of header fields are accepted."),
                format_args!("Send at most {limit} bytes of header fields; cookies are often the largest."),
            ),
            Self::TargetTooLong { limit } => row(
                "framing.target_too_long",
                414,
                "The request target is too long",
                format_args!("At most {limit} bytes of target are accepted."),
                format_args!("Keep the path and query within {limit} bytes; send long input in the body."),
            ),
            Self::Chunk => row(
                "framing.chunk",
                400,
                "A chunk of the body is malformed",
                format_args!(
                    "A chunk's size is 1 to 16 hexadecimal digits, its extension at most 4 KiB, its lines end in CR LF."
                ),
                format_args!("Send well-formed chunks, or a Content-Length."),
            ),
            Self::Trailer => row(
                "framing.trailer",
                400,
                "A trailer field is malformed",
                format_args!("Trailers follow the rules and limits of header fields."),
                format_args!("Send well-formed trailers, or none."),
            ),
            Self::HeaderTimeout { limit_ms } => row(
                "framing.header_timeout",
                408,
                "The head of the request did not arrive in time",
                format_args!("A request's head must arrive within {limit_ms} ms of its first byte."),
                format_args!("Send the head of the request at once."),
            ),
            Self::BodyTooSlow { minimum_rate } => row(
                "framing.body_too_slow",
                408,
                "The body arrives too slowly",
                format_args!("Bodies must average at least {minimum_rate} bytes a second."),
                format_args!("Send the body without long pauses."),
            ),
            Self::Http2Message => row(
                "framing.http2",
                400,
                "The HTTP/2 request contradicts itself",
                format_args!(
                    "The request cannot be said in HTTP/1.1: connection fields, a bad pseudo-header or a length that differs from the data."
                ),
                format_args!(
                    "Send the request without connection-specific fields, with one authority and a true content-length."
                ),
            ),
            Self::BodyIncomplete => row(
                "framing.body_incomplete",
                400,
                "The body ended before its announced length",
                format_args!("The connection ended, or the last chunk was missing, before the whole body arrived."),
                format_args!("Send the whole body."),
            ),
        }
    }
}
