//! OpenAI's dialect, which is also the unified one.
//!
//! A provider that speaks it gets the caller's own bytes but for the model's name and, in streams,
//! the wish for usage; the caller gets the provider's own bytes.

pub mod error;
pub mod models;
pub mod request;
pub mod response;
pub mod stream;
