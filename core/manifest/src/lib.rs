//! Manifests as text: read, checked as an API server would check them, and told about.
//!
//! Text comes in, objects and faults go out; who reads files and watches them is the shell.
//! [`read()`] gives the objects of a file with every fault at its place, [`update`] keeps the last
//! good version of each object over changes, and [`report`] prints findings for people and scripts. What an object means is
//! decided elsewhere, by field paths that [`Object::locate`] turns back into places.
//!
//! **Invariant:** no text panics, and no output repeats a Secret's value.

mod catalog;
mod document;
mod metadata;
mod place;
pub mod report;
mod schema;
mod set;
mod tree;

pub use catalog::{Catalog, KindSpec};
pub use document::{DEFAULT_NAMESPACE, File, Finding, Object, passed_over, read, read_into, unreadable};
pub use place::{Place, Source, Span};
pub use report::{Colour, Report, Summary};
pub use schema::SchemaDefect;
pub use set::{ObjectKey, Set, State, update};
pub use tree::{Entry, Node, Value};
