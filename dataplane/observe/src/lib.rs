//! What is seen of calls from outside: evidence, the access log, metrics, traces, look-back.
//!
//! A request thread gives a finished call away as one [`evidence::Record`] and counts it in its
//! own [`metrics::Shard`]; both formats nothing, lock nothing and never wait. Everything else
//! happens on the one thread of [`observer::Observer`], or when somebody asks.
//!
//! - `evidence`, `decision`, `trace`: what a call is known by
//! - `observer`: from request threads to whoever writes
//! - `log`, `otlp`: the access log, spans
//! - `decisions`, `report`: a call looked back at, and told
//! - `metrics`, `refusals`, `status`: many calls, counted
//! - `redact`, `printable`: what of a caller's text may be shown, and how
//!
//! **Invariant:** no credential leaves here, in any form.

pub mod decision;
pub mod decisions;
pub mod evidence;
pub mod log;
pub mod metrics;
pub mod observer;
pub mod otlp;
pub mod printable;
pub mod redact;
pub mod refusals;
pub mod report;
#[cfg(test)]
mod samples;
pub mod status;
pub mod trace;
