//! The size lines of chunked bodies (RFC 9112 section 7.1).

use cause::Framing;

use super::line::{self, Broken};

/// Most hexadecimal digits of a size.
const SIZE_DIGITS: usize = 16;
/// Most bytes of extension in one line, the first `;` included.
const EXTENSION_BYTES: usize = 4 * 1024;
/// Most bytes of extensions in one body.
pub(super) const EXTENSIONS_BYTES: usize = 16 * 1024;

/// What a size line says.
#[derive(Debug)]
pub(super) struct SizeLine {
    pub(super) size: u64,
    /// Bytes of extension.
    pub(super) extension: usize,
    /// Bytes of the line with its CR LF.
    pub(super) used: usize,
}

/// The size line at the beginning of `rest`, or none if its end is still to come.
pub(super) fn size_line(rest: &[u8]) -> Result<Option<SizeLine>, Framing> {
    let line = match line::first(rest, SIZE_DIGITS + EXTENSION_BYTES + 2) {
        Ok(Some(line)) => line,
        Ok(None) => return Ok(None),
        Err(Broken::BareLineFeed) => return Err(Framing::BareLineFeed),
        Err(Broken::TooLong) => return Err(Framing::Chunk),
    };
    let digits = line.iter().take_while(|octet| octet.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at(digits);
    let size = size_of(size).ok_or(Framing::Chunk)?;
    // What follows the digits at once is an extension or nothing; a blank is neither.
    let starts_well = extension.is_empty() || extension.starts_with(b";");
    if !starts_well || extension.len() > EXTENSION_BYTES || !crate::octets::is_field_value(extension) {
        return Err(Framing::Chunk);
    }
    Ok(Some(SizeLine { size, extension: extension.len(), used: line.len() + 2 }))
}

/// 1 to 16 hexadecimal digits, up to 2^63-1.
fn size_of(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > SIZE_DIGITS {
        return None;
    }
    let size = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (size <= i64::MAX.unsigned_abs()).then_some(size)
}
