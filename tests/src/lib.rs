//! Tests that look at more than one crate, or at the checkout itself. They are in `tests/tests`; this library is empty.
