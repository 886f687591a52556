//! Data planes: what each Gateway of ours gets in its own namespace.
//!
//! [`children`] says which objects those are; it reads nothing but its arguments. [`follow`] tells
//! what is there of them and [`Live`] remembers it, so that [`reconcile`] asks and writes only where
//! something differs. Whoever calls does so from its one loop, on the replica that leads.
//!
//! Every object is owned by its Gateway and goes with it, with or without an operator. An object of
//! the same name that is somebody else's is never written; [`Problem`] says so.

mod apply;
mod children;
mod covers;
mod live;
mod names;
mod pods;
mod service;

pub use apply::{Problem, ProvisionError, reconcile, withdraw};
pub use children::{Child, ChildKind, Image, Surroundings, Wanted, children};
pub use live::{Live, News, follow};
pub use names::{child_name, label_value};
pub use service::{Address, addresses, asked};
