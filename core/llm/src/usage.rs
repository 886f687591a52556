//! How many tokens a call took, in the one form that limits, prices and logs read.

use serde::{Deserialize, Serialize};

/// Bytes of text that make one token where nobody counted: the usual mean of English text.
const BYTES_PER_TOKEN: u64 = 4;

/// Tokens of one call. Parts are included in their wholes, whatever the provider's own habit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Tokens written, reasoning included.
    pub output: u64,
    /// The part of `input` that the provider had cached.
    pub cached_input: u64,
    /// The part of `output` that is reasoning.
    pub reasoning: u64,
    /// Whether the provider sent no numbers, so that these are an estimate.
    pub estimated: bool,
}

/// What was seen of an answer whose provider sent no numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Events that carried text.
    pub deltas: u64,
    /// Bytes of text in them.
    pub text_bytes: u64,
}

impl Usage {
    /// Input and output together.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// The best guess about a call whose provider sent no numbers. `request_bytes` is the length of
    /// the request's body.
    ///
    /// Providers that send a token an event are counted by events (right for every script), those
    /// that send more at once by bytes; hence the larger of the two.
    #[must_use]
    pub fn estimate(request_bytes: u64, seen: Seen) -> Self {
        Self {
            input: request_bytes.div_ceil(BYTES_PER_TOKEN),
            output: seen.deltas.max(seen.text_bytes.div_ceil(BYTES_PER_TOKEN)),
            cached_input: 0,
            reasoning: 0,
            estimated: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_of_events_and_bytes_is_the_estimate() {
        for (request_bytes, deltas, text_bytes, input, output) in
            [(0, 0, 0, 0, 0), (1, 0, 0, 1, 0), (400, 7, 12, 100, 7), (401, 7, 29, 101, 8), (8, 3, 400, 2, 100)]
        {
            let usage = Usage::estimate(request_bytes, Seen { deltas, text_bytes });
            assert_eq!(usage, Usage { input, output, cached_input: 0, reasoning: 0, estimated: true });
            assert_eq!(usage.total(), input + output);
        }
    }
}
