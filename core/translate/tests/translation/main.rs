//! Manifests in, snapshots and faults out.

#![expect(clippy::disallowed_methods, reason = "golden pairs are files, which are written on demand")]

#[cfg(test)]
mod again;
#[cfg(test)]
mod golden;
mod key_texts;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod load;
#[cfg(test)]
mod parents;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod shadowed;
#[cfg(test)]
mod told;
