//! What a reload changed, in one line.

use std::fmt::Display;

use ir::{Difference, SharedMap, Snapshot};
use manifest::Summary;

use crate::terminal::WIDTH;

/// Names of what is different, by what became of it.
#[derive(Default)]
struct Different {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

impl Different {
    fn compare<K: Ord + Display, V: PartialEq>(&mut self, kind: &str, old: &SharedMap<K, V>, new: &SharedMap<K, V>) {
        for difference in new.since(old, PartialEq::eq) {
            match difference {
                Difference::Added(key, _) => self.added.push(format!("{kind} {key}")),
                Difference::Changed(key, ..) => self.changed.push(format!("{kind} {key}")),
                Difference::Removed(key, _) => self.removed.push(format!("{kind} {key}")),
            }
        }
    }
}

/// `reloaded: changed ApiRoute shop/orders; added ApiKey shop/app; 1 error, 0 warnings`.
pub(super) fn line(old: &Snapshot, new: &Snapshot, summary: &Summary) -> String {
    let mut different = Different::default();
    different.compare("listener", &old.listeners, &new.listeners);
    different.compare("certificate", &old.certificates, &new.certificates);
    different.compare("ApiRoute", &old.routes, &new.routes);
    different.compare("ApiKey", &old.keys, &new.keys);
    different.compare("IdentityProvider", &old.providers, &new.providers);
    different.compare("AiModel", &old.models, &new.models);
    different.compare("Service", &old.services, &new.services);
    if old.settings != new.settings {
        different.changed.push("GatewayConfig".to_owned());
    }
    let counts = [(summary.errors, "error"), (summary.warnings, "warning")]
        .map(|(count, noun)| format!("{count} {noun}{}", if count == 1 { "" } else { "s" }));
    let end = format!("; {}", counts.join(", "));
    let Different { added, changed, removed } = different;
    let room = WIDTH - end.len();
    for shown in (0..=4).rev() {
        let parts: Vec<String> = [("changed", &changed), ("added", &added), ("removed", &removed)]
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(verb, names)| part(verb, names, shown))
            .collect();
        let text = if parts.is_empty() { "nothing that serves changed".to_owned() } else { parts.join("; ") };
        let text = format!("  reloaded: {text}");
        if text.chars().count() <= room || shown == 0 {
            return format!("{text}{end}\n");
        }
    }
    String::new()
}

/// `changed ApiRoute shop/orders, ApiKey shop/app and 3 more`.
fn part(verb: &str, names: &[String], shown: usize) -> String {
    let shown = if names.len() == shown + 1 && shown > 0 { names.len() } else { shown.min(names.len()) };
    let told = names.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
    match (names.len() - shown, shown) {
        (0, _) => format!("{verb} {told}"),
        (rest, 0) => format!("{verb} {rest}"),
        (rest, _) => format!("{verb} {told} and {rest} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cause::ObjectName;
    use ir::{Addresses, Key, KeyId};

    use super::*;

    fn keys(names: &[(&str, bool)]) -> Snapshot {
        let key = |name: &str, suspended| Key {
            id: KeyId(ObjectName::new("shop", name)),
            consumer: name.into(),
            roles: Arc::new([]),
            routes: None,
            hash: None,
            public_id: None,
            earlier: Vec::new(),
            not_before: None,
            expires_at: None,
            suspended,
            addresses: Addresses::default(),
            limits: Vec::new(),
        };
        let keys = names.iter().map(|(name, suspended)| (KeyId(ObjectName::new("shop", *name)), Arc::new(key(name, *suspended))));
        Snapshot { keys: keys.collect(), ..Snapshot::default() }
    }

    #[test]
    fn what_changed_fits_a_line() {
        let check = |old: &[(&str, bool)], new: &[(&str, bool)], expected: &str| {
            let summary = Summary { errors: 1, ..Summary::default() };
            let line = line(&keys(old), &keys(new), &summary);
            assert_eq!(line, format!("{expected}; 1 error, 0 warnings\n"));
            assert!(line.len() <= WIDTH + 1, "{line}");
        };
        check(&[("a", false)], &[("a", false)], "  reloaded: nothing that serves changed");
        check(
            &[("a", false), ("b", false)],
            &[("a", true), ("c", false)],
            "  reloaded: changed ApiKey shop/a; added ApiKey shop/c; removed ApiKey shop/b",
        );
        let many = ["a", "b", "c", "d", "e", "f"].map(|name| (name, false));
        check(&[], &many, "  reloaded: added ApiKey shop/a, ApiKey shop/b, ApiKey shop/c and 3 more");
        let long = "n".repeat(60);
        check(&[], &[(&long, false), ("b", false)], "  reloaded: added 2");
    }
}
