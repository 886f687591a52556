//! Keys that the operator issues and rotates.
