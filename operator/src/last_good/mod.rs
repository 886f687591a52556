//! Last good versions outlive all operators: what serves in place of a refused update is written down in the release
//! namespace, one Secret an object, and read by an operator that starts.
//!
//! Written is what [`Store::kept`](crate::store::Store::kept) says, no more: an object that is good again, or gone, has
//! no Secret. What is read counts for the object of that uid alone, so that nothing that was deleted comes back. It is
//! a Secret and no ConfigMap because a certificate may be such a version.

mod form;
mod write;

use cause::ObjectName;
use thiserror::Error;

pub use write::{Keeper, Kept, recall};

/// Why a last good version is not written down or read.
#[derive(Debug, Error)]
pub enum LastGoodError {
    /// The API server did not take or give it.
    #[error("last good versions in namespace {namespace}")]
    Api {
        /// The release namespace.
        namespace: String,
        /// What it said.
        #[source]
        source: Box<kube::Error>,
    },
    /// It is too long for a Secret.
    #[error("the last good version of {object} has {bytes} bytes, and only {most} can be kept over a restart")]
    TooLong {
        /// The object.
        object: ObjectName,
        /// Its bytes.
        bytes: usize,
        /// The most that can be kept.
        most: usize,
    },
}
