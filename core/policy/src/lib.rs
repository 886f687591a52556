//! What a request deserves: pure verdicts over a request, a compiled rule and the time.
//!
//! Nothing here reads a clock, opens anything or keeps state of its own. Rules are compiled once
//! from [`ir`]; judging with them allocates and formats nothing where a request is admitted,
//! unless the module says so. Refusals are [`cause`]s.

pub mod addresses;
mod base62;
pub mod cel;
pub mod certificate;
pub mod introspection;
pub mod jwt;
pub mod key_text;
pub mod keys;
pub mod matching;
pub mod principal;
pub mod published;
pub mod query;
pub mod reach;
pub mod request;
pub mod rules;
mod strict;
pub mod version;
pub mod window;
