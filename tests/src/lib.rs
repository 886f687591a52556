//! Documentation that is tested as it stands: pages of causes and examples, served by a gateway in
//! this process and called over real sockets.
//!
//! [`pages`] runs `docs/causes/*.md`, [`examples`] runs `examples/*.yaml`. They share [`stage`] (a
//! clock that stands still, upstreams that misbehave as asked, placeholders such as tokens),
//! [`client`] (exact bytes out, exact answers in) and [`answer`] (an answer as a page shows it).
//! Tests that need more than a page can say write their upstream's answers themselves ([`origin`])
//! and read the gateway's log and counters ([`watched`]).
//! Tests that look at the checkout itself are in `tests/tests/tidy`.

pub mod answer;
pub mod charts;
pub mod client;
pub mod described;
pub mod examples;
pub mod manifests;
pub mod metrics;
pub mod origin;
pub mod page;
pub mod pages;
pub mod stage;
mod token;
mod upstream;
pub mod watched;
