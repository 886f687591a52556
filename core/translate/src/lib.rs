//! From what users write to what a gateway serves: [`translate`].
//!
//! Translation is total: it never fails, never panics and drops nothing. What cannot be resolved
//! becomes a closed part of the snapshot (its requests are refused with a `config.*` cause) and a
//! fault of the object that said so. All faults of all objects come in one run, in one order:
//! the same manifests give the same translation.
//!
//! The modules follow the kinds: `routes` (with `versions`, `authorization`, `backends`,
//! `traffic`, `attach`, `conflicts`), `keys`, `providers`, `models`, `gateways` (with
//! `certificates`), `services`, `settings`, and the standard kinds `http_routes` and `ingresses`, whose
//! routes are `open`; `shadowed` looks at all routes together. They share `world` (looking up references), `grants`, `secrets`, `checks`,
//! `report` and `rehearsal` (what readers refused). `last_good` is what both readers do about updates that are refused. `parse` knows the syntaxes of text fields.

mod admission;
mod attach;
mod authorization;
mod backends;
mod certificates;
mod checks;
mod conflicts;
mod effective;
mod gateways;
mod grants;
mod http_routes;
mod ingresses;
pub mod issue;
mod judging;
mod keys;
mod last_good;
mod manifests;
mod memory;
mod models;
mod open;
mod outdone;
mod ownership;
pub mod parse;
mod projection;
mod providers;
mod reach;
mod rehearsal;
mod report;
mod routes;
mod rules;
mod secrets;
mod services;
mod settings;
mod shadowed;
mod standings;
mod traffic;
mod translation;
mod versions;
mod world;

pub use ingresses::{CONTROLLER as INGRESS_CONTROLLER, TLS as INGRESS_LISTENER};
pub use last_good::{LastGood, refused_certificate};
pub use manifests::{Assumption, CONTROLLER, Cluster, Context, Kind, Manifests, Objects, Visit, VisitBeside, Written};
pub use memory::Memory;
pub use standings::{
    AiModelStanding, ApiKeyStanding, ApiRouteStanding, ClassStanding, GatewayConfigStanding, GatewayStanding,
    IdentityProviderStanding, ListenerStanding, ParentStanding, SERVING_LAST_GOOD, Standing, Standings, Verdict,
};
pub use translation::{Translation, translate, translate_again};
