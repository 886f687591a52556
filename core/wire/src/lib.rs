//! The strict guard: what bytes are one unambiguous HTTP request, and what of it may be believed.
//!
//! It stands between the socket and the HTTP library. [`h1::Guard`] lets only bytes through that
//! every parser behind it reads alike; [`h2::Floods`] counts the frames that cost more to answer
//! than to send; [`path`], [`host`] and [`fields`] reduce a request to the one form that matching,
//! policy, the log and the upstream all see.
//!
//! It is not an HTTP implementation: it builds no messages and writes no answers. It reads no
//! clock and no socket; bytes and times come in as arguments.
//!
//! **Invariant:** every refusal of a request is a [`cause::Framing`] and depends on the bytes alone, never on
//! how they were cut into reads.

pub mod fields;
pub mod h1;
pub mod h2;
pub mod host;
mod limits;
mod message;
mod octets;
pub mod path;
pub mod preface;
pub mod proxy_protocol;

pub use limits::{Limits, Scheme};
pub use message::h2_message;
