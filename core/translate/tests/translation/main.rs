//! Manifests in, snapshots and faults out.

#![expect(clippy::disallowed_methods, reason = "golden pairs are files, and `cargo xtask gen` writes them")]

#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod load;
#[cfg(test)]
mod rows;
