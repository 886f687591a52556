//! A real Kubernetes on a bare Linux machine, and what is tried on it.
//!
//! Everything comes from Go's modules and Debian's packages; no container engine, no registry and no virtual machine
//! takes part. A cluster is one process tree with a network, mounts and control groups of its own: several run side by
//! side, and ending one leaves nothing. What uses it knows Doorward only as users do: by its image, its chart, kubectl
//! and requests.

pub mod bench;
pub mod cases;
pub mod cluster;
pub mod conformance;
pub mod doorward;
pub mod http;
pub mod images;
pub mod node;
pub mod place;
pub mod port;
pub mod programs;
pub mod run;
pub mod traffic;
