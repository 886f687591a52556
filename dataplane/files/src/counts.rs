//! How much there is of each kind.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use manifest::Set;

/// The kinds that a summary names, in its order: what a gateway serves, not what that refers to.
const NAMED: [&str; 8] =
    ["Gateway", "ApiRoute", "HTTPRoute", "Ingress", "ApiKey", "IdentityProvider", "AiModel", "GatewayConfig"];

/// Objects by kind, broken ones included. As text: `1 Gateway, 2 ApiRoutes, 3 ApiKeys`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many objects of each kind that is there.
    pub objects: BTreeMap<Arc<str>, usize>,
    /// How many files were read.
    pub files: usize,
}

impl Counts {
    pub(crate) fn new(set: &Set) -> Self {
        let mut objects = BTreeMap::new();
        for (key, _) in set.objects() {
            *objects.entry(Arc::clone(&key.reference.kind)).or_default() += 1;
        }
        Self { objects, files: set.files().len() }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_first = true;
        for kind in NAMED {
            let Some(count) = self.objects.get(kind) else { continue };
            let comma = if is_first { "" } else { ", " };
            let plural = match (*count, kind.ends_with('s')) {
                (1, _) => "",
                (_, false) => "s",
                (_, true) => "es",
            };
            write!(f, "{comma}{count} {kind}{plural}")?;
            is_first = false;
        }
        if is_first { f.write_str("nothing to serve") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_the_order_of_a_call() {
        let check = |objects: &[(&str, usize)], expected: &str| {
            let objects = objects.iter().map(|(kind, count)| (Arc::from(*kind), *count)).collect();
            assert_eq!(Counts { objects, files: 1 }.to_string(), expected);
        };
        check(&[], "nothing to serve");
        check(&[("Secret", 4)], "nothing to serve");
        check(
            &[("AiModel", 1), ("ApiKey", 3), ("ApiRoute", 2), ("Gateway", 1), ("IdentityProvider", 1), ("Service", 5)],
            "1 Gateway, 2 ApiRoutes, 3 ApiKeys, 1 IdentityProvider, 1 AiModel",
        );
        check(&[("HTTPRoute", 1), ("Ingress", 2)], "1 HTTPRoute, 2 Ingresses");
    }
}
