//! What is told of objects by events alone, because their status has no conditions. Pure, as the board is.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::ObjectName;
use ir::SharedMap;
use translate::Verdict;

use super::board::Transition;
use crate::kinds::Kind;
use crate::store::{Key, Known};

/// Events at once; the rest follows.
const AT_ONCE: usize = 32;

/// One event to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Of what.
    pub key: Key,
    /// Of which object of that name.
    pub uid: Arc<str>,
    /// What.
    pub transition: Transition,
}

/// What was told of each Ingress.
#[derive(Debug, Default)]
pub struct Notices {
    told: BTreeMap<ObjectName, (Arc<str>, Arc<str>)>,
}

impl Notices {
    /// What is to be told now and was not told yet, and whether more is left.
    pub fn due(&mut self, said: &BTreeMap<ObjectName, Verdict>, known: &SharedMap<Key, Known>) -> (Vec<Notice>, bool) {
        let mut notices = Vec::new();
        let key = |name: &ObjectName| Key::new(Kind::Ingress, name.clone());
        let mended: Vec<ObjectName> = self.told.keys().filter(|name| !said.contains_key(*name)).cloned().collect();
        for name in mended {
            let (Some((uid, _)), Some(now)) = (self.told.remove(&name), known.get(&key(&name))) else { continue };
            if now.marks.uid == uid {
                let message = "What was told of it is mended.".to_owned();
                let transition = Transition { is_good: true, reason: "Accepted".to_owned(), message };
                notices.push(Notice { key: key(&name), uid, transition });
            }
        }
        for (name, verdict) in said {
            let Some(known) = known.get(&key(name)) else { continue };
            let now = (Arc::clone(&known.marks.uid), Arc::clone(&verdict.message));
            if self.told.get(name) == Some(&now) {
                continue;
            }
            if notices.len() >= AT_ONCE {
                return (notices, true);
            }
            let reason = if verdict.holds { "Warning" } else { verdict.reason };
            let transition = Transition { is_good: false, reason: reason.to_owned(), message: verdict.message.to_string() };
            notices.push(Notice { key: key(name), uid: Arc::clone(&now.0), transition });
            self.told.insert(name.clone(), now);
        }
        (notices, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Marks;

    #[test]
    fn each_fault_of_an_ingress_is_told_once_and_that_it_is_mended() {
        let mut notices = Notices::default();
        let mut check = |uid: &str, said: Option<(bool, &str)>, expected: &[(bool, &str, &str)]| {
            let name = ObjectName::new("shop", "web");
            let known = Known { marks: Marks { uid: uid.into(), ..Marks::default() }, ..Known::default() };
            let known = SharedMap::from_iter([(Key::new(Kind::Ingress, name.clone()), known)]);
            let verdict = |(holds, message): (bool, &str)| Verdict { holds, reason: "BackendNotFound", message: message.into() };
            let said = said.map(|said| (name, verdict(said))).into_iter().collect();
            let (due, more) = notices.due(&said, &known);
            let told: Vec<(bool, &str, &str)> =
                due.iter().map(|it| (it.transition.is_good, &*it.transition.reason, &*it.transition.message)).collect();
            assert_eq!(told, expected);
            assert!(!more);
        };
        check("u", None, &[]);
        check("u", Some((false, "one")), &[(false, "BackendNotFound", "one")]);
        check("u", Some((false, "one")), &[]);
        check("u", Some((true, "two")), &[(false, "Warning", "two")]);
        check("u", None, &[(true, "Accepted", "What was told of it is mended.")]);
        check("u", None, &[]);
        check("u", Some((false, "one")), &[(false, "BackendNotFound", "one")]);
        // Another object of the name.
        check("v", Some((false, "one")), &[(false, "BackendNotFound", "one")]);
        check("w", None, &[]);
    }

    #[test]
    fn many_are_told_in_turn() {
        let names: Vec<ObjectName> = (0..70).map(|number| ObjectName::new("shop", format!("i{number}"))).collect();
        let verdict = Verdict { holds: false, reason: "R", message: "m".into() };
        let said = names.iter().map(|name| (name.clone(), verdict.clone())).collect();
        let known: SharedMap<Key, Known> =
            names.iter().map(|name| (Key::new(Kind::Ingress, name.clone()), Known::default())).collect();
        let mut notices = Notices::default();
        let counts: Vec<(usize, bool)> = (0..4)
            .map(|_| {
                let (due, more) = notices.due(&said, &known);
                (due.len(), more)
            })
            .collect();
        assert_eq!(counts, [(32, true), (32, true), (6, false), (0, false)]);
    }
}
