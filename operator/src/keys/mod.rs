//! Keys that the operator makes (`issue: Generate`): the Secret is written once, and again only by a
//! rotation.
//!
//! [`survey`] says what is to be done now and when something is due next; it reads nothing but its
//! arguments. [`carry_out`] does one thing of it. Whoever calls does so from its one loop, on the
//! replica that leads: two that did it at once would lose to each other's versions, never double.

mod decide;
mod write;

pub use decide::{Decision, ROTATED_FOR, Survey, Work, decide, survey};
pub use write::{KeyError, Outcome, carry_out};
