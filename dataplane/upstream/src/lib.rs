//! The way to upstream services: choosing an endpoint, connecting, carrying one request and its
//! answer, and keeping connections for the next.
//!
//! Every worker thread has an [`Upstreams`] of its own, used inside a `LocalSet` of a
//! `current_thread` runtime: nothing here is shared between threads, so the request path takes no
//! lock. What is sent where is decided elsewhere: a [`Target`] is built when configuration is
//! compiled, and a request arrives with its origin-form target and `Host` set.
//!
//! Failures are told apart by whose they are ([`SendError`]): the client's body, or the upstream.
//! A request is sent again only when no byte of it can have been acted on, or when RFC 9110
//! section 9.2.2 allows it.
//!
//! - `target`, `tls`, `resolve`: where to and as whom; `policy::reach` says where not
//! - `peer`, `choose`: what is known of one address, and which one is next
//! - `stream`, `connect`, `h1`, `h2`: connections
//! - `outgoing`: a request with what is added to it
//! - `framing`, `failure`: what may be said on them, and what an error means
//! - `upstreams`, `send`, `fetch`: what a worker holds, one call on it, a whole answer at once
//! - `body`: bodies on both ways

pub mod body;
mod choose;
mod connect;
mod failure;
mod fetch;
mod framing;
mod h1;
mod h2;
mod outgoing;
mod peer;
mod resolve;
mod send;
mod stream;
mod target;
pub mod tls;
mod upstreams;
mod watch;

pub use body::{BodyFailure, BoxError, ClientBody, Cut, Download, End, RequestBody, ResponseBody, Upload, UpstreamBody};
pub use failure::{Delivery, SendError};
pub use fetch::Fetched;
pub use outgoing::{Lines, Outgoing};
pub use policy::reach::Guard;
pub use send::Timeouts;
pub use target::{Protocol, Target};
pub use tls::TlsIdentity;
pub use upstreams::Upstreams;

#[cfg(test)]
mod tests;
