//! Bodies on their way: to the upstream ([`RequestBody`]) and from it ([`ResponseBody`]).

mod request;
mod response;

use std::error::Error;

pub use request::{BodyFailure, ClientBody, RequestBody, Upload};
pub(crate) use response::Pace;
pub use response::{Cut, Download, End, ResponseBody, UpstreamBody};

/// What a body that fails yields.
pub type BoxError = Box<dyn Error + Send + Sync>;
