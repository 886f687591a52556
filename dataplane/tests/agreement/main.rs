//! On random manifests and requests: what `explain` says is what enforcement does, and nothing is
//! admitted that a naive reading of the manifests refuses.
//!
//! `DOORWARD_AGREEMENT_SEED` and `DOORWARD_AGREEMENT_PAIRS` choose other pairs, and how many.

#[cfg(test)]
mod connection;
#[cfg(test)]
mod model;
#[cfg(test)]
mod random;
#[cfg(test)]
mod request;
#[cfg(test)]
mod run;
#[cfg(test)]
mod world;
