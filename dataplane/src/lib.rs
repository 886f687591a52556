//! The data plane: from a snapshot to served requests.
//!
//! `runtime` is the compiled configuration, swapped whole; `state` is what outlives it. `listen`
//! brings connections in, `gateway` takes each request its way, `control` holds it all together.
//! What is seen of calls is in `observe`, the way to upstreams in `upstream`, the way from files in
//! `files`.

pub mod admin;
mod clock;
mod control;
mod egress;
mod explain;
mod gateway;
mod listen;
mod runtime;
mod state;
mod threads;
mod worker;

pub use clock::Clock;
pub use control::{Gateway, GatewayHandle, Options, StartError};
pub use explain::{Described, explain_offline};
pub use runtime::{Placement, Port, PortProtocol};
