//! What routes of kinds without checks serve: whoever reaches them may call.

use ir::{
    Addresses, Authentication, AuthenticationMode, Authorization, Backend, Checks, Consumers, Enforcement, Part, Serve, Traffic,
    Version, Versioning,
};

/// A backend without versions behind no checks.
pub(crate) fn serve(backend: Part<Backend>, traffic: Traffic) -> Serve {
    let checks = Checks {
        authentication: Authentication { mode: AuthenticationMode::Anonymous, methods: Vec::new() },
        consumers: Consumers { namespaces: None, enforcement: Enforcement::Enforce },
        authorization: Authorization::default(),
        addresses: Addresses::default(),
        limits: Vec::new(),
        max_body_bytes: None,
    };
    let versioning = Versioning { select: Vec::new(), default: None };
    Serve { versioning, versions: vec![Version::only(backend)], checks, traffic }
}
