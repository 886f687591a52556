//! What requests to and answers of AI providers say: bytes in, bytes out.
//!
//! One folder per dialect; each has `request` (what is asked, and the same bytes with another
//! model), `response` (what a whole answer cost), `stream` (the same event by event) and `error`
//! (a refusal in the words that this dialect's clients know). What all dialects share lies beside
//! them: [`operation`], [`usage`], [`sse`] and a bounded reader of JSON.
//!
//! **Invariant:** nothing here builds a tree of an untrusted document or recurses over one, and
//! bytes that need no change are handed on as they came.

mod json;
pub mod openai;
pub mod operation;
pub mod sse;
pub mod usage;

pub use json::MAX_DEPTH;
pub use operation::{Call, Operation};
pub use usage::Usage;
