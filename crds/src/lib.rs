//! What users write: the kinds of `doorward.dev/v1alpha1` and the standard kinds beside them.
//!
//! Types, schemas and CEL rules only; nothing here has a meaning of its own. Every string, list
//! and map is bounded, because an API server charges CEL rules by the largest possible object.

#![expect(unreachable_pub, reason = "the schema derive repeats each struct, with its visibility, inside a private module")]

mod columns;
pub mod definition;
pub mod standard;
pub mod v1alpha1;

/// The API group of our kinds.
pub const GROUP: &str = "doorward.dev";
/// The version of our kinds.
pub const VERSION: &str = "v1alpha1";
