//! Something that serves, or is closed and says why.

use std::sync::Arc;

use cause::Fault;
use serde::{Deserialize, Serialize};

/// A part of the snapshot that could or could not be resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Part<T> {
    /// Resolved.
    Ready(T),
    /// Closed: every request that needs it is refused with this fault's cause.
    Broken(Arc<Fault>),
}

impl<T> Part<T> {
    /// The resolved value, or the fault that closes it.
    ///
    /// # Errors
    /// The fault, when the part is broken.
    pub const fn as_result(&self) -> Result<&T, &Arc<Fault>> {
        match self {
            Self::Ready(value) => Ok(value),
            Self::Broken(fault) => Err(fault),
        }
    }
}
