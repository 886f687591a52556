//! Floods of HTTP/2 frames that cost more to answer than to send (RFC 9113 section 10.5).
//!
//! Also tells whether the client owes the rest of its SETTINGS or of a header block, for timeouts.
//! Reads frame headers only and changes no byte. It is not a validator: frames out of place and
//! bad lengths are left to the HTTP library, which closes the connection on them.

use std::time::Duration;

/// Frames of one kind that a connection may send at once.
pub const BURST: u32 = 100;
/// Frames of one kind that a connection may send a second on average.
pub const RATE: u32 = 20;

const INTERVAL: Duration = Duration::from_millis(1_000 / RATE as u64);
const HEADER_BYTES: usize = 9;
const END_STREAM_OR_ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const GOAWAY: u8 = 0x7;
const ENHANCE_YOUR_CALM: u8 = 0xb;

/// A kind of frame that is counted. Acknowledgements and the empty DATA that ends a stream are not:
/// each of them follows a frame of ours or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// SETTINGS.
    Settings,
    /// PING.
    Ping,
    /// RST_STREAM.
    Reset,
    /// DATA without data.
    EmptyData,
    /// CONTINUATION without a field.
    EmptyContinuation,
    /// PRIORITY.
    Priority,
}

impl Frame {
    /// The name, for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "SETTINGS",
            Self::Ping => "PING",
            Self::Reset => "RST_STREAM",
            Self::EmptyData => "empty DATA",
            Self::EmptyContinuation => "empty CONTINUATION",
            Self::Priority => "PRIORITY",
        }
    }
}

/// A connection sent more frames of one kind than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Of which kind.
    pub frame: Frame,
    /// The last stream that the client opened, for the GOAWAY.
    pub last_stream: u32,
}

impl Flood {
    /// The GOAWAY frame with ENHANCE_YOUR_CALM that closes the connection (RFC 9113 section 6.8).
    #[must_use]
    pub const fn goaway(&self) -> [u8; HEADER_BYTES + 8] {
        let [a, b, c, d] = self.last_stream.to_be_bytes();
        [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, ENHANCE_YOUR_CALM]
    }
}

/// What a client has begun, and has to finish in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owed {
    /// The SETTINGS behind the preface.
    Settings,
    /// The rest of a header block.
    Head {
        /// On this stream: the next one has a time of its own.
        stream: u32,
    },
}

/// Counts the frames that a client sends behind the preface of HTTP/2.
#[derive(Debug, Default)]
pub struct Floods {
    header: [u8; HEADER_BYTES],
    /// Bytes of `header` that have come.
    filled: usize,
    /// Bytes of payload to come.
    payload: usize,
    /// The next byte is the length of the padding of a DATA frame.
    at_padding: bool,
    last_stream: u32,
    /// The first SETTINGS have come.
    is_settled: bool,
    /// A header block goes on in another frame.
    continues: bool,
    buckets: [Bucket; 6],
}

impl Floods {
    /// At the first frame, right behind the preface.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at all bytes as they arrive, each once. `now` is the time since the connection began.
    ///
    /// # Errors
    /// The first frame over its budget. The connection is to be closed then: nothing is scanned after it.
    pub fn scan(&mut self, mut bytes: &[u8], now: Duration) -> Result<(), Flood> {
        while !bytes.is_empty() {
            if self.filled < HEADER_BYTES {
                bytes = self.fill(bytes);
                if self.filled == HEADER_BYTES {
                    self.begin(now)?;
                }
            } else if self.at_padding {
                let is_empty = usize::from(bytes[0]) + 1 >= self.payload;
                self.at_padding = false;
                if is_empty {
                    self.count(Frame::EmptyData, now)?;
                }
            } else {
                let skipped = bytes.len().min(self.payload);
                self.payload -= skipped;
                bytes = &bytes[skipped..];
            }
            if self.payload == 0 && self.filled == HEADER_BYTES {
                self.filled = 0;
            }
        }
        Ok(())
    }

    /// What the client has not finished, by the bytes that were scanned.
    #[must_use]
    pub fn owed(&self) -> Option<Owed> {
        let in_frame = self.filled == HEADER_BYTES && matches!(self.header[3], 0x1 | 0x9);
        if self.continues || in_frame {
            Some(Owed::Head { stream: self.last_stream })
        } else {
            (!self.is_settled).then_some(Owed::Settings)
        }
    }

    fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(bytes.len().min(HEADER_BYTES - self.filled));
        self.header[self.filled..self.filled + taken.len()].copy_from_slice(taken);
        self.filled += taken.len();
        rest
    }

    /// Judges a frame by its header.
    fn begin(&mut self, now: Duration) -> Result<(), Flood> {
        let [high, middle, low, kind, flags, stream @ ..] = self.header;
        self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        let is_empty = self.payload == 0;
        let ends_or_acks = flags & END_STREAM_OR_ACK != 0;
        self.is_settled |= kind == 0x4;
        if matches!(kind, 0x1 | 0x9) {
            self.continues = flags & END_HEADERS == 0;
        }
        let counted = match kind {
            0x0 if ends_or_acks => None,
            0x0 if is_empty => Some(Frame::EmptyData),
            0x0 => {
                self.at_padding = flags & PADDED != 0;
                None
            }
            0x1 => {
                self.last_stream = self.last_stream.max(u32::from_be_bytes(stream) & 0x7fff_ffff);
                None
            }
            0x2 => Some(Frame::Priority),
            0x3 => Some(Frame::Reset),
            0x4 if !ends_or_acks => Some(Frame::Settings),
            0x6 if !ends_or_acks => Some(Frame::Ping),
            0x9 if is_empty => Some(Frame::EmptyContinuation),
            _ => None,
        };
        counted.map_or(Ok(()), |frame| self.count(frame, now))
    }

    fn count(&mut self, frame: Frame, now: Duration) -> Result<(), Flood> {
        let bucket = &mut self.buckets[frame as usize];
        if bucket.take(now) { Ok(()) } else { Err(Flood { frame, last_stream: self.last_stream }) }
    }
}

/// When a bucket will be full again: one duration says how much is in it.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket(Duration);

impl Bucket {
    /// Takes one out, if there is one.
    fn take(&mut self, now: Duration) -> bool {
        let full_at = self.0.max(now) + INTERVAL;
        let has_room = full_at - now <= INTERVAL * BURST;
        if has_room {
            self.0 = full_at;
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// How many of 20,000 such frames at once are let through, and which flood that is.
    fn check(frame: &[u8], expected: Option<Frame>) {
        let mut floods = Floods::new();
        let refused = (0..20_000_u32)
            .find_map(|count| floods.scan(frame, Duration::from_millis(3)).err().map(|flood| (count, flood.frame)));
        assert_eq!(refused, expected.map(|frame| (BURST, frame)), "{frame:?}");
        let mut floods = Floods::new();
        let all = frame.repeat(20_000);
        let refused = all.chunks(7).find_map(|piece| floods.scan(piece, Duration::ZERO).err());
        assert_eq!(refused.map(|flood| flood.frame), expected, "in pieces: {frame:?}");
    }

    #[test]
    fn each_kind_has_its_own_budget() {
        check(&frame(0x4, 0, 0, &[]), Some(Frame::Settings));
        check(&frame(0x4, 0, 0, &[0; 6]), Some(Frame::Settings));
        check(&frame(0x6, 0, 0, &[7; 8]), Some(Frame::Ping));
        check(&frame(0x3, 0, 1, &[0; 4]), Some(Frame::Reset));
        check(&frame(0x2, 0, 1, &[0; 5]), Some(Frame::Priority));
        check(&frame(0x9, 0, 1, &[]), Some(Frame::EmptyContinuation));
        check(&frame(0x0, 0, 1, &[]), Some(Frame::EmptyData));
        check(&frame(0x0, PADDED, 1, &[3, 0, 0, 0]), Some(Frame::EmptyData));
        check(&frame(0x0, PADDED, 1, &[0]), Some(Frame::EmptyData));
    }

    #[test]
    fn what_a_good_client_sends_is_not_counted() {
        check(&frame(0x4, 1, 0, &[]), None);
        check(&frame(0x6, 1, 0, &[7; 8]), None);
        check(&frame(0x0, 1, 1, &[]), None);
        check(&frame(0x0, 0, 1, b"x"), None);
        check(&frame(0x0, PADDED, 1, &[2, b'x', 0, 0]), None);
        check(&frame(0x1, 0x5, 1, &[0x82]), None);
        check(&frame(0x8, 0, 1, &[0, 0, 0, 1]), None);
        check(&frame(0x9, 0, 1, &[0x82]), None);
        check(&frame(0xfe, 0, 1, &[]), None);
        // Frames inside a payload are no frames.
        check(&frame(0x0, 0, 1, &frame(0x6, 0, 0, &[7; 8])), None);
    }

    #[test]
    fn budgets_fill_up_again() {
        let mut bucket = Bucket::default();
        let mut let_through = |seconds: u64| (0..1_000).take_while(|_| bucket.take(Duration::from_secs(seconds))).count();
        assert_eq!([0, 0, 1, 3, 60, 61].map(&mut let_through), [100, 0, 20, 40, 100, 20]);
    }

    #[test]
    fn the_goaway_names_the_last_stream_and_the_reason() {
        let mut floods = Floods::new();
        // The highest bit of an identifier is reserved and means nothing.
        for stream in [1, 0x8000_0003, 0x0102_0305, 5] {
            floods.scan(&frame(0x1, 0x5, stream, &[0x82]), Duration::ZERO).unwrap();
        }
        let flood = floods.scan(&frame(0x4, 0, 0, &[]).repeat(101), Duration::ZERO).unwrap_err();
        assert_eq!(flood, Flood { frame: Frame::Settings, last_stream: 0x0102_0305 });
        assert_eq!(flood.goaway().as_slice(), frame(0x7, 0, 0, &[1, 2, 3, 5, 0, 0, 0, 0xb]));
    }

    #[test]
    fn what_is_begun_is_owed() {
        let mut floods = Floods::new();
        let mut check = |bytes: &[u8], expected: Option<Owed>| {
            floods.scan(bytes, Duration::ZERO).unwrap();
            assert_eq!(floods.owed(), expected, "{bytes:?}");
        };
        check(&[], Some(Owed::Settings));
        check(&frame(0x4, 0, 0, &[]), None);
        let block = frame(0x1, 0x5, 1, &[0x82; 8]);
        check(&block[..12], Some(Owed::Head { stream: 1 }));
        check(&block[12..], None);
        check(&frame(0x1, 0x1, 3, &[0x82]), Some(Owed::Head { stream: 3 }));
        check(&frame(0x9, 0, 3, &[0x82]), Some(Owed::Head { stream: 3 }));
        check(&frame(0x9, END_HEADERS, 3, &[0x82]), None);
        check(&frame(0x0, 0, 3, b"data")[..10], None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn cuts_do_not_matter(
            frames in prop::collection::vec((0_u8..11, 0_u8..16, 0_u32..9, prop::collection::vec(0_u8..4, 0..5)), 0..300),
            piece in 1_usize..40,
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload)).collect();
            let whole = Floods::new().scan(&bytes, Duration::ZERO);
            let mut floods = Floods::new();
            let pieces = bytes.chunks(piece).try_for_each(|piece| floods.scan(piece, Duration::ZERO));
            prop_assert_eq!(whole, pieces);
        }
    }
}
