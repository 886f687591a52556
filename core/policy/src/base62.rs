//! Base 62, digits first, then upper case, then lower case: the alphabet of key texts.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether all characters are of the alphabet.
pub(crate) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Appends the `width` lowest digits of a big-endian number, which is consumed by the division.
pub(crate) fn push(text: &mut String, number: &mut [u8], width: usize) {
    let start = text.len();
    for _ in 0..width {
        let mut remainder = 0_u32;
        for byte in number.iter_mut() {
            let value = remainder * 256 + u32::from(*byte);
            // value < 62 * 256, so the quotient fits a byte.
            *byte = (value / 62).to_le_bytes()[0];
            remainder = value % 62;
        }
        text.insert(start, char::from(ALPHABET[remainder as usize % 62]));
    }
}
