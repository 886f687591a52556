//! Bytes that are not one unambiguous request, sent to a running gateway: what is answered, what the upstream sees.

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod entry;
#[cfg(test)]
mod heads;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod times;

#[cfg(test)]
#[path = "../shop/mod.rs"]
#[expect(dead_code, reason = "configurations that change are tested in `serving`")]
mod shop;
