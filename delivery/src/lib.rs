//! How a Gateway's configuration gets from operators to its data planes: a gRPC stream of differences over TLS.
//!
//! - [`Publisher`] holds what each Gateway should serve and hears which replica serves it; [`Server`] is its socket.
//! - A replica is known by the token of its pod ([`Authenticate`]), and streams the one Gateway that it belongs to.
//! - [`Subscriber`] is the replica's side: a stream to each operator, one of which is the source. [`Seal`] keeps its last
//!   good state.
//! - Resources travel alone, each by a version that is the hash of its bytes. So a replica that comes back, to
//!   whichever operator, gets only what differs.

mod desired;
mod encoding;
mod held;
mod identity;
mod publisher;
mod seal;
mod server;
mod session;
mod subscriber;
mod wire;

pub use held::Held;
pub use identity::{Authenticate, CertificateError, Identity, Reviewed, ServerCertificate, Unauthenticated};
pub use publisher::{Publisher, Refusal, Replica, Replicas, Revision};
pub use seal::{Seal, SealError, Sealer};
pub use server::Server;
pub use subscriber::{Dice, Options, Resolve, Subscriber, Surroundings, by_name};
