//! Metric series of operators and data planes: how many there are must not depend on what is served.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use xtask::Failure;

use super::Scene;
use super::processes::Role;
use super::report::Report;
use crate::doorward::NAMESPACE;
use crate::http::Request;

/// Where both have them.
const PORT: u16 = 9091;
const PATIENCE: Duration = Duration::from_secs(10);
/// How many new ones are told.
const TOLD: usize = 3;

/// The series of both roles.
pub(super) struct Series([(Role, BTreeSet<String>); 2]);

impl Series {
    /// What all pods have now.
    pub(super) fn read(scene: &Scene) -> Result<Self, Failure> {
        let of = |role: Role| {
            let mut found = BTreeSet::new();
            let list = ["pods", "-n", NAMESPACE, "-l", role.labels(), "-o", "jsonpath={.items[*].status.podIP}"];
            for address in scene.cluster.kubectl(&[&["get"], &list[..]].concat())?.split_whitespace() {
                found.extend(series(address)?);
            }
            Ok::<_, Failure>((role, found))
        };
        Ok(Self([of(Role::DataPlane)?, of(Role::Operator)?]))
    }

    /// Tells how many there are, and how many of them are new.
    pub(super) fn tell(&self, before: &Self, report: &mut Report) {
        for ((role, now), (_, then)) in self.0.iter().zip(&before.0) {
            let name = role.name();
            report.tell(&format!("{name}: metric series"), "", Some(now.len() as f64));
            let new: Vec<&str> = now.difference(then).map(String::as_str).collect();
            report.judge(&format!("{name}: series that came with the routes"), "", Some(new.len() as f64), 0.0);
            report.note(new.iter().take(TOLD).copied().collect::<Vec<_>>().join(" "));
        }
    }
}

fn series(address: &str) -> Result<BTreeSet<String>, Failure> {
    let cannot = |why: String| Failure::new(format!("metrics of {address} cannot be read: {why}"));
    let to = SocketAddr::new(address.parse().map_err(|_| cannot("it is no address".to_owned()))?, PORT);
    let answer = Request::get(address, "/metrics").send(to, PATIENCE).map_err(cannot)?;
    if answer.status != 200 {
        return Err(cannot(answer.status.to_string()));
    }
    Ok(names(&answer.body))
}

/// Names and labels, without values.
fn names(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_names_with_labels() {
        let text = "# HELP a b\n# TYPE a counter\na{x=\"1 2\"} 3\na{x=\"1 2\"} 4\na{x=\"2\"} 3\nb 1e3\n";
        assert_eq!(names(text), BTreeSet::from(["a{x=\"1 2\"}".to_owned(), "a{x=\"2\"}".to_owned(), "b".to_owned()]));
    }
}
