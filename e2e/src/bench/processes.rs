//! The operators and the default Gateway's data planes as processes of this machine, and what they take.

use std::fs;

use xtask::Failure;

use crate::doorward::{NAME, NAMESPACE};

/// Of the times in `/proc`, in a second.
const TICKS: f64 = 100.0;

/// Which of the two kinds of pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An operator.
    Operator,
    /// A data plane of the default Gateway.
    DataPlane,
}

/// One process, by its number and when it began, which name it for good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Process {
    /// As this process sees it.
    pub(super) id: u32,
    /// Seconds after the machine's start.
    pub(super) began: f64,
}

/// What a process has in memory, in MB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Its own, and its part of what it shares.
    pub(super) proportional: f64,
    /// All that it maps.
    pub(super) resident: f64,
}

impl Role {
    /// As people say it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::DataPlane => "data plane",
        }
    }

    /// What its pods are labelled with.
    pub(super) const fn labels(self) -> &'static str {
        match self {
            Self::Operator => "app.kubernetes.io/name=doorward,app.kubernetes.io/component=operator",
            Self::DataPlane => "gateway.networking.k8s.io/gateway-name=doorward",
        }
    }

    /// The running ones, if this is the machine that they run on.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(super) fn processes(self) -> Result<Vec<Process>, Failure> {
        let unreadable = |error: std::io::Error| Failure::new(format!("/proc cannot be read: {error}"));
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
            // One that ended meanwhile has no command line any more.
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if let (Some(id), true) = (id, self.is_of(&command)) {
                found.extend(field(id, BEGAN).map(|began| Process { id, began }));
            }
        }
        Ok(found)
    }

    fn is_of(self, command: &[u8]) -> bool {
        let words: Vec<_> = command.split(|byte| *byte == 0).collect();
        let (entry, gateway) = match self {
            Self::Operator => (&b"operator"[..], None),
            Self::DataPlane => (&b"dataplane"[..], Some(format!("--gateway={NAMESPACE}/{NAME}"))),
        };
        let is_doorward = words.first().is_some_and(|word| word.ends_with(b"/doorward")) && words.get(1) == Some(&entry);
        is_doorward && gateway.is_none_or(|gateway| words.contains(&gateway.as_bytes()))
    }
}

impl Process {
    /// Seconds of a core that it took so far, in user and system mode; none once it has ended.
    pub(super) fn time(self) -> Option<f64> {
        Some(field(self.id, USER)? + field(self.id, SYSTEM)?)
    }

    /// What it has in memory; none once it has ended.
    pub(super) fn memory(self) -> Option<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id)).ok()?;
        let line =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.trim().parse().ok());
        let (proportional, resident): (f64, f64) = (line("Pss:")?, line("Rss:")?);
        Some(Memory { proportional: proportional / 1024.0, resident: resident / 1024.0 })
    }
}

/// Seconds after the machine's start, as processes' beginnings are counted.
pub(super) fn uptime() -> f64 {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default()
}

/// Places in `/proc/PID/stat` after the command's name (proc(5): 14, 15, 22).
const USER: usize = 11;
const SYSTEM: usize = 12;
const BEGAN: usize = 19;

/// A time of a process, in seconds.
fn field(process: u32, place: usize) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_whitespace().nth(place)?.parse::<f64>().ok().map(|ticks| ticks / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_by_command_lines() {
        let check = |words: &[&str], expected: Option<Role>| {
            let command = words.join("\0") + "\0";
            let found: Vec<Role> =
                [Role::Operator, Role::DataPlane].into_iter().filter(|role| role.is_of(command.as_bytes())).collect();
            assert_eq!(found, Vec::from_iter(expected), "{words:?}");
        };
        check(&["/doorward", "operator"], Some(Role::Operator));
        check(&["/doorward", "dataplane", "--gateway=doorward-system/doorward", "--ca=x"], Some(Role::DataPlane));
        check(&["/doorward", "dataplane", "--gateway=shop/other"], None);
        check(&["/doorward", "demo"], None);
        check(&["grep", "operator"], None);
    }

    #[test]
    fn this_process_has_memory_and_a_past() {
        let id = std::process::id();
        let own = Process { id, began: field(id, BEGAN).unwrap() };
        let memory = own.memory().unwrap();
        assert!(memory.proportional > 0.1 && memory.proportional <= memory.resident, "{memory:?}");
        assert!(own.began > 0.0 && own.began <= uptime() && own.time().is_some());
    }
}
