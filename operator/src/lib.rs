//! The operator: what a cluster's objects say becomes what data planes serve, and what they serve
//! becomes status.
//!
//! A shell around `translate`: it watches, hands objects over, publishes what comes back and writes
//! what that means into the cluster. It decides nothing about requests.

pub mod authority;
pub mod classes;
pub mod health;
pub mod keys;
pub mod kinds;
pub mod last_good;
pub mod leader;
pub mod owner;
pub mod permissions;
pub mod provision;
pub mod reconcile;
pub mod run;
#[cfg(test)]
mod stand;
pub mod status;
pub mod store;
pub mod watch;
