//! The lines that `make run` prints, and the addresses in them.
//!
//! `examples/quickstart/try.txt` holds them, one entry after the other:
//!
//! ```text
//! # refused: no credential, and how to get one
//! #= 401
//! #= credential.missing
//! curl -i http://127.0.0.1:8080/orders
//! ```
//!
//! `#` says in a few words what the command shows, each `#=` names a text that its output holds (the test looks for
//! it, people do not see it), the line after them is the command, for `sh` in the checkout. The usual addresses stand
//! in it; [`Line::at`] writes those in use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::{Failure, places};

/// The manifests that `make run` serves, from the checkout.
pub const EXAMPLE: &str = "examples/quickstart";

const TRAFFIC: &str = "127.0.0.1:8080";
const MANAGEMENT: &str = "127.0.0.1:9090";
const METRICS: &str = "127.0.0.1:9091";

/// One command to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it shows, for people.
    pub shows: String,
    /// Texts that its output holds.
    pub expects: Vec<String>,
    command: String,
}

/// Where a running gateway answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Requests of callers.
    pub traffic: SocketAddr,
    /// Console and management.
    pub management: SocketAddr,
    /// Metrics and health.
    pub metrics: SocketAddr,
}

/// The lines of the quickstart.
///
/// # Errors
/// The file cannot be read, or a line of it has no meaning.
pub fn lines() -> Result<Vec<Line>, Failure> {
    let path = places::root()?.join(EXAMPLE).join("try.txt");
    let text =
        std::fs::read_to_string(&path).map_err(|error| Failure::new(format!("{} cannot be read: {error}", path.display())))?;
    read(&text).map_err(|(line, what)| Failure::new(format!("{}:{line}: {what}", path.display())))
}

/// All entries, or the number of the line that is wrong and what is.
fn read(text: &str) -> Result<Vec<Line>, (usize, &'static str)> {
    let mut lines = Vec::new();
    let mut shows = None;
    let mut expects = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(expected) = line.strip_prefix("#= ") {
            expects.push(expected.trim().to_owned());
        } else if let Some(words) = line.strip_prefix("# ") {
            if shows.replace(words.trim().to_owned()).is_some() {
                return Err((number, "the command for the `#` line before this one is missing"));
            }
        } else if !line.trim().is_empty() {
            let shows = shows.take().ok_or((number, "a `# what this shows` line belongs before the command"))?;
            if expects.is_empty() {
                return Err((number, "a `#= text of the output` line belongs before the command"));
            }
            lines.push(Line { shows, expects: std::mem::take(&mut expects), command: line.trim().to_owned() });
        }
    }
    if shows.is_some() || !expects.is_empty() {
        return Err((text.lines().count(), "the last entry has no command"));
    }
    if lines.is_empty() { Err((1, "there is nothing to try")) } else { Ok(lines) }
}

impl Line {
    /// The command as people type it, for a gateway at these addresses.
    #[must_use]
    pub fn at(&self, addresses: &Addresses) -> String {
        let usual = [(TRAFFIC, addresses.traffic), (MANAGEMENT, addresses.management), (METRICS, addresses.metrics)];
        let mut written = String::new();
        let mut rest = self.command.as_str();
        // One pass: an address that was written must not be taken for a usual one.
        while let Some((at, text, address)) =
            usual.iter().filter_map(|(text, address)| rest.find(text).map(|at| (at, text, address))).min_by_key(|(at, ..)| *at)
        {
            written.push_str(&rest[..at]);
            written.push_str(&address.to_string());
            rest = &rest[at + text.len()..];
        }
        written + rest
    }
}

impl Addresses {
    /// From the gateway's flags and environment, defaults included. A flag or variable with port 0 becomes a flag with a
    /// free port, because the lines to try are printed by another process than the one that binds it.
    pub(crate) fn choose(arguments: &mut Vec<String>, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let mut address = |flag: &str, name: &str, usual: &str| -> Result<SocketAddr, Failure> {
            let given = flag_value(arguments, flag).or_else(|| variable(name)).unwrap_or_else(|| usual.to_owned());
            let parsed = parse(&given)?;
            if parsed.port() != 0 {
                return Ok(reachable(parsed));
            }
            let free = TcpListener::bind(parsed).and_then(|listener| listener.local_addr());
            let free = free.map_err(|error| Failure::new(format!("{given} has no free port: {error}")))?;
            set_flag(arguments, flag, &free.to_string());
            Ok(reachable(free))
        };
        Ok(Self {
            traffic: address("--http", "DOORWARD_HTTP", TRAFFIC)?,
            management: address("--management", "DOORWARD_MANAGEMENT", MANAGEMENT)?,
            metrics: address("--metrics", "DOORWARD_METRICS", METRICS)?,
        })
    }

    /// From three arguments, as [`Addresses::choose`] found them.
    pub(crate) fn read(arguments: &[String]) -> Result<Self, Failure> {
        let [traffic, management, metrics] = arguments else {
            return Err(Failure::usage("three addresses are needed: traffic, management, metrics"));
        };
        Ok(Self { traffic: parse(traffic)?, management: parse(management)?, metrics: parse(metrics)? })
    }
}

fn parse(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("`{text}` is not an address: write IP:PORT, for example {TRAFFIC}")))
}

/// Where a client on this machine finds a listener on all addresses.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// `--flag VALUE` or `--flag=VALUE`.
fn flag_value(arguments: &[String], flag: &str) -> Option<String> {
    arguments.iter().enumerate().find_map(|(index, argument)| match argument.strip_prefix(flag) {
        Some("") => arguments.get(index + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    })
}

/// Puts a value where the flag has one, or the flag at the end.
fn set_flag(arguments: &mut Vec<String>, flag: &str, value: &str) {
    let joined = format!("{flag}=");
    match arguments.iter().position(|argument| argument == flag || argument.starts_with(&joined)) {
        Some(index) if arguments[index] == flag && index + 1 < arguments.len() => value.clone_into(&mut arguments[index + 1]),
        Some(index) => arguments[index] = format!("{joined}{value}"),
        None => arguments.push(format!("{joined}{value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn entries_are_read_or_the_wrong_line_is_named() {
        let check = |text: &str, expected: Result<&[(&str, &str)], usize>| {
            let found = read(text).map_err(|(line, _)| line);
            let found = found.map(|lines| {
                lines.into_iter().map(|line| (line.shows, line.expects.join("+"), line.command)).collect::<Vec<_>>()
            });
            let expected =
                expected.map(|all| all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned(), "curl x".to_owned())).collect());
            assert_eq!(found, expected, "{text}");
        };
        check("# one\n#= 200\ncurl x\n\n# two\n#= 401\n#= code\ncurl x\n", Ok(&[("one", "200"), ("two", "401+code")]));
        check("# one\n#= 200\n", Err(2));
        check("# one\n# two\n#= 1\ncurl x\n", Err(2));
        check("# one\ncurl x\n", Err(2));
        check("#= 200\ncurl x\n", Err(2));
        check("\n", Err(1));
    }

    #[test]
    fn commands_name_the_addresses_in_use() -> Result<(), Failure> {
        let addresses = Addresses::read(&words("127.0.0.1:9090 127.0.0.1:9 [::1]:7"))?;
        let check = |command: &str, expected| {
            let line = Line { shows: String::new(), expects: Vec::new(), command: command.to_owned() };
            assert_eq!(line.at(&addresses), expected);
        };
        check("curl http://127.0.0.1:8080/a http://127.0.0.1:9090/b", "curl http://127.0.0.1:9090/a http://127.0.0.1:9/b");
        check("curl http://127.0.0.1:9091/metrics", "curl http://[::1]:7/metrics");
        check("curl http://127.0.0.2/", "curl http://127.0.0.2/");
        Ok(())
    }

    #[test]
    fn addresses_come_from_flags_then_variables_then_defaults() -> Result<(), Failure> {
        let variable = |name: &str| (name == "DOORWARD_METRICS").then(|| "[::]:6".to_owned());
        let check = |given: &str, expected: [&str; 3]| -> Result<(), Failure> {
            let mut arguments = words(given);
            let found = Addresses::choose(&mut arguments, variable)?;
            assert_eq!([found.traffic, found.management, found.metrics].map(|address| address.to_string()), expected, "{given}");
            assert_eq!(arguments, words(given), "{given}");
            Ok(())
        };
        check("", [TRAFFIC, MANAGEMENT, "[::1]:6"])?;
        check("--http 0.0.0.0:5 --workers 2", ["127.0.0.1:5", MANAGEMENT, "[::1]:6"])?;
        check("--management=127.0.0.1:4 --metrics 127.0.0.1:3", [TRAFFIC, "127.0.0.1:4", "127.0.0.1:3"])
    }

    #[test]
    fn port_zero_becomes_a_free_port_in_the_same_place() -> Result<(), Failure> {
        let check = |given: &str, template: &str| -> Result<(), Failure> {
            let mut arguments = words(given);
            let found = Addresses::choose(&mut arguments, |_| None)?;
            assert_ne!(found.traffic.port(), 0);
            assert_eq!(arguments.join(" "), template.replace("ADDRESS", &found.traffic.to_string()));
            Ok(())
        };
        check("--http 127.0.0.1:0 --workers 1", "--http ADDRESS --workers 1")?;
        check("--workers 1 --http=127.0.0.1:0", "--workers 1 --http=ADDRESS")
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let check = |given: &str| assert!(Addresses::choose(&mut words(given), |_| None).is_err(), "{given}");
        check("--http 8080");
        check("--metrics localhost:9");
        check("--management=");
    }
}
