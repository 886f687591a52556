//! What is compared with what, and the bars: the one table that the measurement and its report follow.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// A group of comparisons that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
pub(crate) enum Cell {
    /// A 200-byte answer forwarded, nothing checked.
    #[value(name = "A200")]
    A200,
    /// A 10 KB answer forwarded, nothing checked.
    #[value(name = "A10k")]
    A10k,
    /// 1,000 API keys in turn, each with its own limit.
    #[value(name = "Bkey")]
    Bkey,
    /// The same RS256 token again and again.
    #[value(name = "Jwt")]
    Jwt,
    /// 10,000 routes on one host against 10.
    #[value(name = "D10000")]
    D10000,
    /// Refusals against the accepted call of the same route.
    #[value(name = "Refusal")]
    Refusal,
    /// System calls per request, counted by strace.
    #[value(name = "Syscalls")]
    Syscalls,
}

/// A proxy under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Server {
    /// The gateway with one route for each kind of call.
    Doorward,
    /// The gateway with 10 routes.
    DoorwardTen,
    /// The gateway with 10,000 routes.
    DoorwardTenThousand,
    /// nginx.
    Nginx,
    /// A hyper relay without features: the lower bound of what the gateway is built on.
    Relay,
}

/// Which calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Calls {
    /// One path with a small answer.
    Plain,
    /// One path with a large answer.
    Large,
    /// All good keys in turn.
    Keys,
    /// As many keys that nobody issued, in turn.
    UnknownKeys,
    /// A good key that is not for the route.
    ForeignKey,
    /// A good key whose limit is used up.
    SpentKey,
    /// One token.
    Token,
    /// Each of 10 routes in turn.
    Ten,
    /// Each of 10,000 routes in turn.
    TenThousand,
}

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Load {
    pub(crate) server: Server,
    pub(crate) calls: Calls,
}

/// Two measured things of one run, side by side.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) cell: Cell,
    pub(crate) subject: Load,
    pub(crate) peer: Load,
    /// The largest ratio that passes; none where the ratio only informs.
    pub(crate) bar: Option<f64>,
}

/// System calls per forwarded request that pass, at [`crate::load::CONNECTIONS`] connections.
pub(crate) const SYSCALLS_BAR: f64 = 4.3;

/// Keys that are good, and routes of the two route tables.
pub(crate) const KEYS: usize = 1_000;
pub(crate) const FEW_ROUTES: usize = 10;
pub(crate) const MANY_ROUTES: usize = 10_000;

/// Bytes of the two answers.
pub(crate) const SMALL_ANSWER: usize = 200;
pub(crate) const LARGE_ANSWER: usize = 10 * 1024;

const fn load(server: Server, calls: Calls) -> Load {
    Load { server, calls }
}

const PLAIN: Load = load(Server::Doorward, Calls::Plain);
const LARGE: Load = load(Server::Doorward, Calls::Large);
const KEYED: Load = load(Server::Doorward, Calls::Keys);

/// All comparisons, in the order of the report.
pub(crate) const COMPARISONS: &[Comparison] = &[
    Comparison { cell: Cell::A200, subject: PLAIN, peer: load(Server::Nginx, Calls::Plain), bar: Some(1.25) },
    Comparison { cell: Cell::A200, subject: PLAIN, peer: load(Server::Relay, Calls::Plain), bar: None },
    Comparison { cell: Cell::A10k, subject: LARGE, peer: load(Server::Nginx, Calls::Large), bar: Some(1.25) },
    Comparison { cell: Cell::A10k, subject: LARGE, peer: load(Server::Relay, Calls::Large), bar: None },
    Comparison { cell: Cell::Bkey, subject: KEYED, peer: load(Server::Nginx, Calls::Keys), bar: Some(1.30) },
    Comparison { cell: Cell::Jwt, subject: load(Server::Doorward, Calls::Token), peer: PLAIN, bar: Some(1.40) },
    Comparison {
        cell: Cell::D10000,
        subject: load(Server::DoorwardTenThousand, Calls::TenThousand),
        peer: load(Server::DoorwardTen, Calls::Ten),
        bar: Some(1.10),
    },
    Comparison { cell: Cell::Refusal, subject: load(Server::Doorward, Calls::UnknownKeys), peer: KEYED, bar: Some(0.60) },
    Comparison { cell: Cell::Refusal, subject: load(Server::Doorward, Calls::ForeignKey), peer: KEYED, bar: Some(0.60) },
    Comparison { cell: Cell::Refusal, subject: load(Server::Doorward, Calls::SpentKey), peer: KEYED, bar: Some(0.60) },
];

/// What system calls are counted of; the first one has the bar.
pub(crate) const COUNTED: &[Load] = &[PLAIN, load(Server::Nginx, Calls::Plain), load(Server::Relay, Calls::Plain)];

/// What is measured for some cells.
pub(crate) struct Plan {
    pub(crate) comparisons: Vec<&'static Comparison>,
    /// Everything compared, once each, neighbours in the order of the comparisons.
    pub(crate) loads: Vec<Load>,
    /// Whose system calls are counted.
    pub(crate) counted: &'static [Load],
}

impl Plan {
    /// The plan for the named cells; for all if none is named.
    pub(crate) fn of(only: &[Cell]) -> Self {
        let is_wanted = |cell: Cell| only.is_empty() || only.contains(&cell);
        let comparisons: Vec<_> = COMPARISONS.iter().filter(|comparison| is_wanted(comparison.cell)).collect();
        let mut loads = Vec::new();
        for load in comparisons.iter().flat_map(|comparison| [comparison.subject, comparison.peer]) {
            if !loads.contains(&load) {
                loads.push(load);
            }
        }
        Self { comparisons, loads, counted: if is_wanted(Cell::Syscalls) { COUNTED } else { &[] } }
    }

    /// The proxies that it needs.
    pub(crate) fn servers(&self) -> Vec<Server> {
        let mut servers: Vec<_> = self.loads.iter().chain(self.counted).map(|load| load.server).collect();
        servers.sort_unstable();
        servers.dedup();
        servers
    }
}

impl Calls {
    /// The status that every one of the calls must be answered with.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Plain | Self::Large | Self::Keys | Self::Token | Self::Ten | Self::TenThousand => 200,
            Self::UnknownKeys => 401,
            Self::ForeignKey => 403,
            Self::SpentKey => 429,
        }
    }

    /// Bytes of the backend's answer; none where the backend is not asked.
    pub(crate) fn answer(self) -> Option<usize> {
        match self {
            Self::Plain | Self::Keys | Self::Token | Self::Ten | Self::TenThousand => Some(SMALL_ANSWER),
            Self::Large => Some(LARGE_ANSWER),
            Self::UnknownKeys | Self::ForeignKey | Self::SpentKey => None,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Doorward | Self::DoorwardTen | Self::DoorwardTenThousand => "doorward",
            Self::Nginx => "nginx",
            Self::Relay => "hyper relay",
        })
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "200 B",
            Self::Large => "10 KB",
            Self::Keys => "1,000 keys",
            Self::UnknownKeys => "401",
            Self::ForeignKey => "403",
            Self::SpentKey => "429",
            Self::Token => "JWT",
            Self::Ten => "10 routes",
            Self::TenThousand => "10,000 routes",
        })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.server, self.calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_measures_each_thing_once_and_starts_what_it_needs() {
        let check = |only: &[Cell], loads: usize, counted: usize, servers: &[Server]| {
            let plan = Plan::of(only);
            assert_eq!((plan.loads.len(), plan.counted.len()), (loads, counted), "{only:?}");
            assert_eq!(plan.servers(), servers, "{only:?}");
        };
        let all = [Server::Doorward, Server::DoorwardTen, Server::DoorwardTenThousand, Server::Nginx, Server::Relay];
        check(&[], 14, 3, &all);
        check(&[Cell::Jwt], 2, 0, &[Server::Doorward]);
        check(&[Cell::Refusal, Cell::Bkey], 5, 0, &[Server::Doorward, Server::Nginx]);
        check(&[Cell::D10000], 2, 0, &[Server::DoorwardTen, Server::DoorwardTenThousand]);
        check(&[Cell::Syscalls], 0, 3, &[Server::Doorward, Server::Nginx, Server::Relay]);
    }

    #[test]
    fn every_load_has_its_own_name() {
        let loads = Plan::of(&[]).loads;
        let names: std::collections::BTreeSet<_> = loads.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), loads.len());
    }
}
