//! Causes that no manifest and no request of a page can bring about: their pages show what a caller
//! would read, from the same table.

use cause::{Audience, Denial, Disclosure, Fault, FaultCause, FieldPath, Limit, ObjectName, ObjectRef, Route, Upstream, view};

use crate::answer::json;

/// The code, why no page can bring it about, and the cause.
fn all() -> [(&'static str, &'static str, Denial); 6] {
    let orders = ObjectRef::new("ApiRoute", ObjectName::new("shop", "orders"));
    let broken = Fault::error(orders, FieldPath::of("spec"), FaultCause::RouteBroken);
    [
        ("route.internal", "it is a defect of the gateway", Denial::Route(Route::Internal)),
        ("limit.store_full", "it takes a million callers", Denial::Limit(Limit::StoreFull { capacity: 1_000_000 })),
        (
            "upstream.overloaded",
            "it takes 16,384 calls at once",
            Denial::Upstream(Upstream::Overloaded { backend: "shop/orders:8080".into(), limit: 16_384 }),
        ),
        (
            "upstream.address_refused",
            "a gateway of files calls every address that they name",
            Denial::Upstream(Upstream::AddressRefused {
                backend: "billing.internal:443".into(),
                address: [10, 0, 0, 7].into(),
                why: "private".into(),
            }),
        ),
        (
            "upstream.loop",
            "the gateway of a page is made after its manifests, which cannot name its address",
            Denial::Upstream(Upstream::Loop { backend: "http://gateway.example.com".into(), passes: 3 }),
        ),
        ("config.route_broken", "another fault is always told beside it", Denial::Misconfigured(broken.into())),
    ]
}

/// Whether a code has to be described, and why.
#[must_use]
pub fn reason(code: &str) -> Option<&'static str> {
    all().into_iter().find(|(found, ..)| *found == code).map(|(_, reason, _)| reason)
}

/// What a caller reads.
#[must_use]
pub fn seen(code: &str) -> Option<String> {
    let (_, _, denial) = all().into_iter().find(|(found, ..)| *found == code)?;
    let caller = Audience::Caller { disclosure: Disclosure::Standard, proven: true };
    let value = serde_json::to_value(view(&denial, caller, "https://doorward.dev/causes")).ok()?;
    Some(json(&value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_the_cause_that_it_says() {
        for (code, reason, denial) in all() {
            assert_eq!(denial.entry().code, code);
            assert!(!reason.is_empty() && seen(code).is_some_and(|text| text.contains(code)));
        }
    }
}
