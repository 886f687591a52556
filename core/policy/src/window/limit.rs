//! A named limit with its answer fields, made once.

use std::sync::Arc;

use cause::ObjectRef;
use http::HeaderValue;
use ir::{Dimension, Enforcement, Limit};
use jiff::{SignedDuration, Timestamp};

use super::{Gcra, Reading};

/// A compiled limit of requests.
#[derive(Clone, Debug)]
pub struct RequestLimit {
    /// Its name.
    pub name: Arc<str>,
    /// What is counted apart.
    pub per: Vec<Dimension>,
    /// Whether it refuses.
    pub enforcement: Enforcement,
    /// Its rule.
    pub gcra: Gcra,
    /// The value of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers).
    pub policy: HeaderValue,
    /// `"name";r=`, to which a reading is appended.
    prefix: Box<[u8]>,
    requests: u64,
    burst: u64,
    window_ms: u64,
}

impl RequestLimit {
    /// Compiles a limit.
    #[must_use]
    pub fn compile(limit: &Limit) -> Self {
        // A structured string holds visible ASCII and blanks only (RFC 9651 section 3.3.3).
        let name: String = limit.name.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect();
        let window = limit.window_ms.div_ceil(1000);
        let policy = format!("\"{name}\";q={};w={window}", limit.requests);
        Self {
            name: Arc::clone(&limit.name),
            per: limit.per.clone(),
            enforcement: limit.enforcement,
            gcra: Gcra::new(limit.requests, limit.window_ms, limit.burst),
            policy: value(policy.into_bytes()),
            prefix: format!("\"{name}\";r=").into_bytes().into(),
            requests: limit.requests,
            burst: limit.burst,
            window_ms: limit.window_ms,
        }
    }

    /// The value of `RateLimit`: calls that remain, and seconds until all are back, or until the
    /// next one where none remains.
    #[must_use]
    pub fn rate_limit(&self, reading: &Reading) -> HeaderValue {
        let seconds = reset_seconds(reading);
        // With no more memory than it needs, it becomes a value as it is.
        let mut octets = Vec::with_capacity(self.prefix.len() + digits(reading.remaining) + b";t=".len() + digits(seconds));
        octets.extend_from_slice(&self.prefix);
        push_number(&mut octets, reading.remaining);
        octets.extend_from_slice(b";t=");
        push_number(&mut octets, seconds);
        value(octets)
    }

    /// Calls that it allows, and in how many seconds.
    #[must_use]
    pub const fn allowed(&self) -> (u64, u64) {
        (self.requests, self.window_ms.div_ceil(1000))
    }

    /// The cause of a refused call.
    #[must_use]
    pub fn refusal(&self, reading: &Reading, holder: ObjectRef, now: Timestamp) -> cause::Limit {
        let wait = SignedDuration::from_nanos(i64::try_from(reading.retry_after).unwrap_or(i64::MAX));
        cause::Limit::Requests {
            holder,
            limit: Arc::clone(&self.name),
            requests: self.requests,
            burst: u32::try_from(self.burst).unwrap_or(u32::MAX),
            window_seconds: self.window_ms.div_ceil(1000),
            retry_at: now.checked_add(wait).map_or(Timestamp::MAX, whole_second),
            retry_after_seconds: u32::try_from(seconds(reading.retry_after)).unwrap_or(u32::MAX).max(1),
        }
    }
}

/// The first whole second that is not before `time`, as [`seconds`] is for waiting.
fn whole_second(time: Timestamp) -> Timestamp {
    let second = time.as_second() + i64::from(time.subsec_nanosecond() > 0);
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// Seconds until all calls are back, or until the next one where none remains.
#[must_use]
pub const fn reset_seconds(reading: &Reading) -> u64 {
    seconds(if reading.admitted { reading.reset_after } else { reading.retry_after })
}

/// Digits of the largest number.
const DIGITS: usize = 20;

/// How many digits a number has.
fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |power| power as usize + 1)
}

/// Writes a number in decimal digits: on every call that is limited, so without a formatter.
fn push_number(octets: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; DIGITS];
    let mut first = DIGITS;
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    octets.extend_from_slice(&digits[first..]);
}

/// Whole seconds, rounded up: who waits this long is not refused again.
const fn seconds(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(1_000_000_000)
}

#[expect(clippy::expect_used, reason = "the octets are visible ASCII and blanks, by construction")]
fn value(octets: Vec<u8>) -> HeaderValue {
    HeaderValue::try_from(octets).expect("visible ASCII is a field value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cause::ObjectName;

    #[test]
    fn a_limit_tells_its_state() {
        fn check(name: &str, taken: u64, rate_limit: &str, policy: &str) {
            let limit = RequestLimit::compile(&Limit {
                name: name.into(),
                per: Vec::new(),
                requests: 100,
                window_ms: 60_000,
                burst: 3,
                enforcement: Enforcement::Enforce,
            });
            let state = std::sync::atomic::AtomicU64::new(0);
            let mut reading = Reading::default();
            for _ in 0..taken {
                reading = limit.gcra.take(&state, 1);
            }
            assert_eq!(limit.rate_limit(&reading), rate_limit, "{taken}");
            assert_eq!(limit.policy, policy);
        }
        check("per-key", 1, r#""per-key";r=2;t=1"#, r#""per-key";q=100;w=60"#);
        check("per-key", 3, r#""per-key";r=0;t=2"#, r#""per-key";q=100;w=60"#);
        check("per-key", 4, r#""per-key";r=0;t=1"#, r#""per-key";q=100;w=60"#);
        check("a\"b\\c\r\né d", 1, r#""abc d";r=2;t=1"#, r#""abc d";q=100;w=60"#);
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
            let mut octets = Vec::new();
            push_number(&mut octets, number);
            assert_eq!(octets.len(), digits(number));
            assert_eq!(octets, number.to_string().into_bytes());
        }
    }

    #[test]
    fn a_refusal_says_when() {
        let limit = RequestLimit::compile(&Limit {
            name: "slow".into(),
            per: Vec::new(),
            requests: 2,
            window_ms: 1500,
            burst: 1,
            enforcement: Enforcement::Enforce,
        });
        let reading = Reading { retry_after: 750_000_000, ..Reading::default() };
        let holder = ObjectRef::new("ApiRoute", ObjectName::new("shop", "orders"));
        let refusal = limit.refusal(&reading, holder.clone(), "2026-05-01T00:00:00Z".parse().unwrap());
        let expected = cause::Limit::Requests {
            holder,
            limit: "slow".into(),
            requests: 2,
            burst: 1,
            window_seconds: 2,
            retry_at: "2026-05-01T00:00:01Z".parse().unwrap(),
            retry_after_seconds: 1,
        };
        assert_eq!(refusal, expected);
    }
}
