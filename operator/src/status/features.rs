//! What of Gateway API is served, by the names of its conformance suite, sorted.

/// The features that a GatewayClass says.
pub(super) const SUPPORTED: &[&str] = &["Gateway", "HTTPRoute", "ReferenceGrant"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_sorted() {
        assert!(SUPPORTED.is_sorted());
    }
}
