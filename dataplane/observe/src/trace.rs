//! W3C Trace Context: a call's place in a trace, read from `traceparent` and passed on.

use http::{HeaderMap, HeaderName, HeaderValue};

/// `traceparent`.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A call's place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never zero.
    pub trace_id: u128,
    /// Our span; never zero.
    pub span_id: u64,
    /// The caller's span.
    pub parent_id: Option<u64>,
    /// Whether the trace is kept.
    pub sampled: bool,
}

impl TraceContext {
    /// Continues the caller's trace, or begins one. `random` is three random numbers, of which the
    /// last decides against `sample_ppm` whether a trace that begins here is kept.
    #[must_use]
    pub fn of(headers: &HeaderMap, random: [u64; 3], sample_ppm: u32) -> Self {
        let span_id = random[1] | 1;
        if let Some((trace_id, parent, sampled)) = headers.get(TRACEPARENT).and_then(parse) {
            return Self { trace_id, span_id, parent_id: Some(parent), sampled };
        }
        let trace_id = (u128::from(random[0]) << 64) | u128::from(random[1].rotate_left(17)) | 1;
        Self { trace_id, span_id, parent_id: None, sampled: random[2] % 1_000_000 < u64::from(sample_ppm) }
    }

    /// `traceparent` for the upstream.
    #[must_use]
    pub fn to_text(self) -> [u8; 55] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex(&self.trace_id.to_be_bytes(), &mut text[3..35]);
        hex(&self.span_id.to_be_bytes(), &mut text[36..52]);
        hex(&[u8::from(self.sampled)], &mut text[53..55]);
        text
    }
}

/// Two digits for each byte: on every call that is passed on, so without a formatter.
fn hex(bytes: &[u8], digits: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (byte, digits) in bytes.iter().zip(digits.as_chunks_mut::<2>().0) {
        *digits = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
}

fn parse(value: &HeaderValue) -> Option<(u128, u64, bool)> {
    let text = value.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lower = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let well_formed = version.len() == 2 && trace.len() == 32 && span.len() == 16 && flags.len() == 2;
    if !well_formed || ![version, trace, span, flags].into_iter().all(lower) || version == "ff" {
        return None;
    }
    if version == "00" && parts.next().is_some() {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    let span = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    Some((trace, span, sampled))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(traceparent: Option<&'static str>) -> TraceContext {
        let mut headers = HeaderMap::new();
        if let Some(text) = traceparent {
            headers.insert(TRACEPARENT, HeaderValue::from_static(text));
        }
        TraceContext::of(&headers, [1, 2, 999_999], 10)
    }

    #[test]
    fn a_trace_goes_on_and_a_bad_one_is_begun_anew() {
        let known = of(Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        assert_eq!(known.parent_id, Some(0xb7ad_6b71_6920_3331));
        assert!(known.sampled);
        assert_eq!(str::from_utf8(&known.to_text()).unwrap(), "00-0af7651916cd43dd8448eb211c80319c-0000000000000003-01");
        for bad in [
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7",
        ] {
            assert_eq!(of(Some(bad)).parent_id, None, "{bad}");
        }
        assert!(!of(None).sampled);
    }
}
