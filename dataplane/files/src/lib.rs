//! From paths to what a gateway serves: files are read, kept over changes, and translated.
//!
//! [`load()`] reads files, folders and standard input once; [`Session`] does so again and again and
//! keeps the last good version of whatever a change breaks; [`Watcher`] says when to. What the
//! objects mean is `core`'s to decide: no rule about a kind stands here.
//!
//! **Invariant:** a change that cannot be read closes nothing that served before it.

mod counts;
mod decode;
mod effects;
mod findings;
mod kinds;
mod load;
mod session;
mod walk;
mod watch;

pub use counts::Counts;
pub use kinds::catalog;
pub use load::{Input, load, load_into};
pub use session::{Outcome, Session};
pub use watch::Watcher;
