//! What is seen of calls from outside: evidence, the access log, metrics, traces, look-back.

pub mod decision;
pub mod evidence;
pub mod trace;
