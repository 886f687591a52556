//! How a Gateway's configuration gets from operators to its data planes: a gRPC stream of differences over TLS.
//!
//! - [`Publisher`] holds what each Gateway should serve and hears which replica serves it; [`Server`] is its socket.
//! - A replica is known by the token of its pod ([`Authenticate`]), and streams the one Gateway that it belongs to.
//! - Resources travel alone, each by a version that is the hash of its bytes. So a replica that comes back, to
//!   whichever operator, gets only what differs.

mod desired;
mod encoding;
mod identity;
mod publisher;
mod server;
mod session;
mod wire;

pub use identity::{Authenticate, CertificateError, Identity, Reviewed, ServerCertificate, Unauthenticated};
pub use publisher::{Publisher, Refusal, Replica, Replicas, Revision};
pub use server::Server;
