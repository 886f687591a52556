//! The facts of one head that decide whether it is passed on and where its body ends.

use std::ops::Range;

use cause::{Framing, TargetFlaw};

use super::line::{self, Broken};
use crate::{Limits, host, octets};

/// Longest method that is looked for in a request line that does not end.
const METHOD_BYTES: usize = 32;
const VERSION_BYTES: usize = b"HTTP/1.1".len();

/// What the lines of a head have said so far. Positions count from the first held byte.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The method is HEAD.
    pub(super) is_head: bool,
    is_http_10: bool,
    /// The authority of an absolute form.
    authority: Option<Range<usize>>,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
    /// `Connection` nominates `upgrade`.
    nominates_upgrade: bool,
    /// `Upgrade` offers `websocket`.
    offers_websocket: bool,
    fields: usize,
    fields_bytes: usize,
}

/// What follows a head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The next request.
    None,
    /// Bytes, at least one.
    Length(u64),
    /// Chunks.
    Chunked,
}

impl Head {
    /// Reads the request line at `start`, says its length with CR LF, or none if its end is still to come.
    pub(super) fn request_line(&mut self, rest: &[u8], start: usize, limits: &Limits) -> Result<Option<usize>, Framing> {
        // TLS or another protocol would otherwise be waited for until the header timeout.
        if rest.first().is_some_and(|first| !octets::is_token_octet(*first)) {
            return Err(Framing::RequestLine);
        }
        let bound = METHOD_BYTES + limits.target_bytes + VERSION_BYTES + 4;
        let line = match line::first(rest, bound) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(None),
            Err(Broken::BareLineFeed) => return Err(Framing::BareLineFeed),
            Err(Broken::TooLong) => return Err(endless(&rest[..bound], limits)),
        };
        let [method, target, version] = split_request_line(line)?;
        self.is_http_10 = is_http_10(version)?;
        limits.check_method(method)?;
        self.is_head = method == b"HEAD";
        limits.check_target_length(target.len())?;
        let target_start = start + method.len() + 1;
        self.authority = authority(method, target, limits)?.map(|range| range.start + target_start..range.end + target_start);
        Ok(Some(line.len() + 2))
    }

    /// The next field line or the empty one, counted, or none if its end is still to come.
    pub(super) fn next_line<'a>(&mut self, rest: &'a [u8], limits: &Limits) -> Result<Option<&'a [u8]>, Framing> {
        // The empty line at the end is not a field and fits always.
        let bound = limits.fields_bytes.saturating_sub(self.fields_bytes).max(2);
        let line = match line::first(rest, bound) {
            Ok(Some([])) => return Ok(Some(&[])),
            Ok(Some(line)) => line,
            Ok(None) => return Ok(None),
            Err(Broken::BareLineFeed) => return Err(Framing::BareLineFeed),
            Err(Broken::TooLong) => return Err(limits.fields_too_large()),
        };
        self.fields += 1;
        self.fields_bytes += line.len() + 2;
        limits.check_fields(self.fields, self.fields_bytes)?;
        Ok(Some(line))
    }

    /// Takes in the field line that begins at `start`.
    pub(super) fn field(&mut self, line: &[u8], start: usize) -> Result<(), Framing> {
        let (name, value) = split_field(line)?;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                if self.host.is_some() || !host::is_host(value.text) {
                    return Err(Framing::Host);
                }
                self.host = Some(start + value.start..start + value.start + value.text.len());
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.offers_websocket |= octets::members(value.text).any(|member| member.eq_ignore_ascii_case(b"websocket"));
            }
            10 if name.eq_ignore_ascii_case(b"connection") => self.connection(value.text)?,
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value.text)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value.text)?,
            _ => {}
        }
        Ok(())
    }

    /// What the whole head, at the beginning of `held`, says about its body.
    pub(super) fn body(&self, held: &[u8]) -> Result<Body, Framing> {
        if self.host.is_none() && !self.is_http_10 {
            return Err(Framing::Host);
        }
        if let Some(authority) = self.authority.clone() {
            let host = self.host.clone().and_then(|host| held.get(host));
            let same = host.zip(held.get(authority)).is_some_and(|(host, authority)| host.eq_ignore_ascii_case(authority));
            if !same {
                return Err(Framing::Target { flaw: TargetFlaw::Authority });
            }
        }
        Ok(match self.length {
            _ if self.chunked => Body::Chunked,
            None | Some(0) => Body::None,
            Some(bytes) => Body::Length(bytes),
        })
    }

    /// The head asks for a WebSocket.
    pub(super) const fn is_upgrade(&self) -> bool {
        self.nominates_upgrade && self.offers_websocket && !self.is_http_10
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), Framing> {
        for member in octets::members(value) {
            // Peers differ in whether such a field is then removed: RFC 9110 section 7.6.1 has it never nominated.
            let is_nominable =
                ![&b"content-length"[..], b"transfer-encoding", b"host"].iter().any(|name| member.eq_ignore_ascii_case(name));
            if !is_nominable {
                return Err(Framing::Nomination);
            }
            self.nominates_upgrade |= member.eq_ignore_ascii_case(b"upgrade");
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Framing> {
        if self.chunked {
            return Err(Framing::LengthAndTransferEncoding);
        }
        if self.length.is_some() {
            return Err(Framing::ContentLength);
        }
        self.length = Some(octets::length(value).ok_or(Framing::ContentLength)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Framing> {
        if self.length.is_some() {
            return Err(Framing::LengthAndTransferEncoding);
        }
        if self.chunked || self.is_http_10 || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Framing::TransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }
}

/// The method, the target and the version, which is not checked yet.
fn split_request_line(line: &[u8]) -> Result<[&[u8]; 3], Framing> {
    let (method, rest) = split_at(line, memchr::memchr(b' ', line)).ok_or(Framing::RequestLine)?;
    if !octets::is_token(method) {
        return Err(Framing::RequestLine);
    }
    let Some((target, version)) = split_at(rest, memchr::memrchr(b' ', rest)) else {
        // `GET /path` alone is HTTP/0.9.
        return Err(if rest.first() == Some(&b'/') && path_and_query(rest).is_ok() {
            Framing::ProtocolVersion
        } else {
            Framing::RequestLine
        });
    };
    if target.is_empty() || memchr::memchr2(b' ', b'\t', target).is_some() {
        return Err(Framing::RequestLine);
    }
    Ok([method, target, version])
}

/// What is before and behind the octet at `position`.
fn split_at(text: &[u8], position: Option<usize>) -> Option<(&[u8], &[u8])> {
    let (before, behind) = text.split_at_checked(position?)?;
    Some((before, behind.get(1..)?))
}

/// Whether an acceptable version is 1.0.
fn is_http_10(version: &[u8]) -> Result<bool, Framing> {
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        [b'H', b'T', b'T', b'P', b'/', number @ ..]
            if !number.is_empty() && number.iter().all(|octet| octet.is_ascii_digit() || *octet == b'.') =>
        {
            Err(Framing::ProtocolVersion)
        }
        [..] => Err(Framing::RequestLine),
    }
}

/// Checks a target; the place of the authority in an absolute form (RFC 9112 section 3.2.2).
fn authority(method: &[u8], target: &[u8], limits: &Limits) -> Result<Option<Range<usize>>, Framing> {
    if target.first() == Some(&b'/') {
        return path_and_query(target).map(|()| None);
    }
    let scheme = limits.scheme.as_str().as_bytes();
    let start = scheme.len() + b"://".len();
    let is_absolute = target.get(..scheme.len()).is_some_and(|text| text.eq_ignore_ascii_case(scheme))
        && target.get(scheme.len()..start) == Some(b"://".as_slice());
    if !is_absolute {
        return Err(FORM);
    }
    let behind = &target[start..];
    let length = memchr::memchr2(b'/', b'?', behind).unwrap_or(behind.len());
    // Without a path, OPTIONS would be about the server itself, as `OPTIONS *` is.
    let is_about_server = method == b"OPTIONS" && length == behind.len();
    if length == 0 || is_about_server {
        return Err(FORM);
    }
    path_and_query(&behind[length..])?;
    Ok(Some(start..start + length))
}

const FORM: Framing = Framing::Target { flaw: TargetFlaw::Form };

/// Checks the octets of an origin form.
fn path_and_query(text: &[u8]) -> Result<(), Framing> {
    let (path, query) = split_at(text, memchr::memchr(b'?', text)).unwrap_or((text, b""));
    match octets::outside_path(path).or_else(|| octets::outside_query(query)) {
        None => Ok(()),
        Some(b'#') => Err(Framing::Target { flaw: TargetFlaw::Fragment }),
        Some(octet) => Err(Framing::Target { flaw: TargetFlaw::Octet(octet) }),
    }
}

/// What is wrong with a request line that does not end within its bound.
fn endless(window: &[u8], limits: &Limits) -> Framing {
    let method = window[..window.len().min(METHOD_BYTES + 1)].split(|octet| *octet == b' ').next().unwrap_or_default();
    if method.len() > METHOD_BYTES || !octets::is_token(method) {
        return Framing::RequestLine;
    }
    limits.check_method(method).err().unwrap_or_else(|| limits.target_too_long())
}

/// A field's value without blanks around it, and where it begins in its line.
#[derive(Debug)]
pub(super) struct Value<'a> {
    text: &'a [u8],
    start: usize,
}

/// The name and the value of a field line.
///
/// # Errors
/// [`Framing::FoldedField`], [`Framing::FieldName`] or [`Framing::FieldValue`].
pub(super) fn split_field(line: &[u8]) -> Result<(&[u8], Value<'_>), Framing> {
    if let [b' ' | b'\t', ..] = line {
        return Err(Framing::FoldedField);
    }
    let (name, value) = split_at(line, memchr::memchr(b':', line)).ok_or(Framing::FieldName)?;
    if !octets::is_token(name) {
        return Err(Framing::FieldName);
    }
    if !octets::is_field_value(value) {
        return Err(Framing::FieldValue);
    }
    let text = octets::trim(value);
    // Blanks before the text: what trimming took off the front.
    let blanks = value.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    Ok((name, Value { text, start: name.len() + 1 + blanks }))
}
