//! What the objects of a Gateway are called and marked with.

use std::collections::BTreeMap;

use cause::ObjectName;
use sha2::{Digest as _, Sha256};

use crate::kinds::GATEWAY_NAME;

/// The label of a Gateway's class (Gateway API, GEP-1762).
const GATEWAY_CLASS_NAME: &str = "gateway.networking.k8s.io/gateway-class-name";
/// The label of what an object is a part of.
const COMPONENT: (&str, &str) = ("app.kubernetes.io/component", "dataplane");
const NAME: (&str, &str) = ("app.kubernetes.io/name", "doorward");
const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "doorward");
const INSTANCE: &str = "app.kubernetes.io/instance";

/// What all of them are found by.
pub(super) const SELECTOR: &str = "app.kubernetes.io/managed-by=doorward,app.kubernetes.io/component=dataplane";

const SUFFIX: &str = "-doorward";
/// A label of DNS (RFC 1035), and the value of a label of Kubernetes.
const LONGEST: usize = 63;
const HASH: usize = 8;

/// The name of everything that a Gateway gets: `<gateway>-doorward`, which is its Service's name in
/// DNS too. A Gateway whose name cannot stand there is called by a part of it and a hash.
#[must_use]
pub fn child_name(gateway: &ObjectName) -> String {
    format!("{}{SUFFIX}", label(&gateway.name, LONGEST - SUFFIX.len()))
}

/// A text as one label of DNS that begins with a letter, at most so long.
fn label(text: &str, longest: usize) -> String {
    let is_label = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_label && text.len() <= longest {
        return text.to_owned();
    }
    let hash = Sha256::digest(text.as_bytes());
    let hash: String = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(HASH).map(digit).collect();
    let kept: String = text.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    let kept = if kept.starts_with(|c: char| c.is_ascii_lowercase()) { kept } else { format!("g-{kept}") };
    let kept = kept.get(..longest - HASH - 1).unwrap_or(&kept).trim_end_matches('-');
    format!("{kept}-{hash}")
}

fn digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('0')
}

/// The labels of a Gateway's pods that never change, by which they are selected.
pub(super) fn selector(gateway: &ObjectName) -> BTreeMap<String, String> {
    let mut labels = owned(&[NAME, COMPONENT]);
    labels.insert(GATEWAY_NAME.to_owned(), label_value(&gateway.name));
    labels
}

/// The labels of everything that a Gateway gets.
pub(super) fn labels(gateway: &ObjectName, class: &str) -> BTreeMap<String, String> {
    let mut labels = selector(gateway);
    labels.extend(owned(&[MANAGED_BY]));
    labels.insert(INSTANCE.to_owned(), child_name(gateway));
    labels.insert(GATEWAY_CLASS_NAME.to_owned(), label_value(class));
    labels
}

/// A name as a label's value; names may be longer than values.
#[must_use]
pub fn label_value(name: &str) -> String {
    if name.len() <= LONGEST { name.to_owned() } else { label(name, LONGEST) }
}

fn owned(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_of_dns_and_differ() {
        fn check(gateway: &str, expected: &str) {
            let name = child_name(&ObjectName::new("shop", gateway));
            assert_eq!(name, expected);
            assert!(name.len() <= LONGEST && name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
        }
        check("web", "web-doorward");
        check(&"a".repeat(54), &format!("{}-doorward", "a".repeat(54)));
        check(&"a".repeat(55), &format!("{}-9f4390f8-doorward", "a".repeat(45)));
        check(&"a".repeat(56), &format!("{}-b35439a4-doorward", "a".repeat(45)));
        check("web.shop", "web-shop-082775a0-doorward");
        check("web-shop", "web-shop-doorward");
        check("1st", "g-1st-e01ddf65-doorward");
    }

    #[test]
    fn labels_have_values_of_labels() {
        let check = |gateway: &str| {
            let name = ObjectName::new("shop", gateway);
            let labels = labels(&name, &"c".repeat(100));
            assert!(labels.values().all(|value| (1..=63).contains(&value.len())), "{labels:?}");
            assert!(selector(&name).iter().all(|(name, value)| labels.get(name) == Some(value)));
            labels
        };
        assert_eq!(check("web.shop").get(GATEWAY_NAME).map(String::as_str), Some("web.shop"));
        assert_ne!(check(&"a".repeat(64)).get(GATEWAY_NAME), check(&"a".repeat(65)).get(GATEWAY_NAME));
        for (part, labels) in [(NAME, check("web")), (COMPONENT, check("web")), (MANAGED_BY, check("web"))] {
            assert_eq!(labels.get(part.0).map(String::as_str), Some(part.1));
        }
        assert_eq!(SELECTOR, format!("{}={},{}={}", MANAGED_BY.0, MANAGED_BY.1, COMPONENT.0, COMPONENT.1));
    }
}
