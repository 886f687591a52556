//! `address.*`: the client's address is not admitted.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::{Action, Entry, FieldPath, Fixer, ObjectName, ObjectRef, Retry, Status, Tell};

/// Why the address is refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Address {
    /// A deny list of the route names it.
    Denied {
        /// The client's address.
        client: IpAddr,
        /// The network of the list that matched.
        network: Arc<str>,
        /// The route.
        route: ObjectName,
    },
    /// The route has an allow list and it does not name the address.
    NotAllowed {
        /// The client's address.
        client: IpAddr,
        /// The route.
        route: ObjectName,
    },
    /// The key may not be used from this address.
    KeyNotAllowed {
        /// The client's address.
        client: IpAddr,
        /// The ApiKey.
        key: ObjectName,
    },
}

impl Address {
    /// The list that the owner would change to admit the address.
    pub(crate) fn mended_at(&self) -> (ObjectRef, FieldPath) {
        let (kind, name, field) = match self {
            Self::Denied { route, .. } => ("ApiRoute", route, "spec.addresses.deny"),
            Self::NotAllowed { route, .. } => ("ApiRoute", route, "spec.addresses.allow"),
            Self::KeyNotAllowed { key, .. } => ("ApiKey", key, "spec.addresses"),
        };
        (ObjectRef::new(kind, name.clone()), FieldPath::of(field))
    }

    pub(crate) fn tell(&self, tell: Tell<'_>) {
        let entry = |code, by, title| Entry {
            code,
            status: Status::new(403),
            by,
            action: Action::RequestAccess,
            retry: Retry::Never,
            title,
        };
        match self {
            Self::Denied { client, network, route } => tell(
                entry("address.denied", Fixer::ApiOwner, "The client's address is denied"),
                [
                    format_args!("{client} may not call {route}."),
                    format_args!("Call from another network, or ask the owner of {route} to admit {client}."),
                    format_args!("`spec.addresses.deny` holds {network}."),
                ],
            ),
            Self::NotAllowed { client, route } => tell(
                entry("address.not_allowed", Fixer::ApiOwner, "The client's address is not on the allow list"),
                [
                    format_args!("{client} is not among the addresses that may call {route}."),
                    format_args!("Call from an admitted network, or ask the owner of {route} to admit {client}."),
                    format_args!("No network of `spec.addresses.allow` holds {client}."),
                ],
            ),
            Self::KeyNotAllowed { client, key } => tell(
                entry("address.key_not_allowed", Fixer::KeyOwner, "The key may not be used from this address"),
                [
                    format_args!("The key may not be used from {client}."),
                    format_args!("Call from a network of the key, or ask its owner to add {client}."),
                    format_args!("`spec.addresses` of ApiKey {key} does not admit {client}."),
                ],
            ),
        }
    }
}
