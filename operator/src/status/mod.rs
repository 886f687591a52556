//! Status: what the operator says of each object, and when it says it.
//!
//! [`compute`] makes every status from what objects mean and data planes said; it decides nothing
//! about meaning. A [`Board`] says which of them are worth a write now, and a [`Writer`] writes.

mod board;
mod compute;
mod conditions;
mod features;
mod gateways;
mod merge;
mod notices;
mod programmed;
mod writer;

pub use board::{Basis, Board, Plan, Planning, Transition, Wanted, Write, Written};
pub use compute::{Consider, Facts, Provisioned, compute};
pub use merge::merge;
pub use notices::{Notice, Notices};
pub use programmed::{Programmed, Until, Witnesses};
pub use writer::{MANAGER, Writer};

#[cfg(test)]
mod tests;
