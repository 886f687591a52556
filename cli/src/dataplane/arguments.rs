//! What `doorward dataplane` is told.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use cause::ObjectName;
use delivery::Options;
use jiff::SignedDuration;

use crate::{address, management};

/// On two lines, so that screens of any width show it whole.
const USAGE: &str = "\
doorward dataplane [OPTIONS] --gateway <NAMESPACE/NAME> --operator <NAME[:PORT]>
                          --ca <FILE> --token <FILE> --state <FOLDER>";

const EXAMPLES: &str = "\
Examples:
  doorward dataplane --gateway web/public --operator https://doorward-operator.doorward.svc:9092 \\
    --ca /var/run/doorward/ca.crt --token /var/run/doorward/token --state /var/lib/doorward

An operator starts it in the pods of a Gateway. Every flag can be given as a variable too: DOORWARD_GATEWAY, ...
The access log goes to standard output, one JSON object a line; everything else to standard error.";

/// Where metrics and health listen unless told otherwise: probes come from outside the pod.
const METRICS: u16 = 9091;

/// The port of the config stream.
const STREAM: u16 = 9092;

/// `doorward dataplane`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, override_usage = USAGE)]
pub(crate) struct Args {
    /// The Gateway to serve
    #[arg(long, value_name = "NAMESPACE/NAME", env = "DOORWARD_GATEWAY", value_parser = object_name)]
    pub(crate) gateway: ObjectName,
    /// Where operators are: a name that leads to all of them
    #[arg(long, value_name = "NAME[:PORT]", env = "DOORWARD_OPERATOR", value_parser = Operator::parse)]
    pub(crate) operator: Operator,
    /// The certificate authorities that operators are known by, in PEM
    #[arg(long, value_name = "FILE", env = "DOORWARD_CA")]
    pub(crate) ca: PathBuf,
    /// The token that this pod is known by
    #[arg(long, value_name = "FILE", env = "DOORWARD_TOKEN")]
    pub(crate) token: PathBuf,
    /// Where the last good configuration is kept, encrypted
    #[arg(long, value_name = "FOLDER", env = "DOORWARD_STATE")]
    pub(crate) state: PathBuf,
    /// The key that it is encrypted with, made where there is none; it should lie in memory. Without this flag it is in
    /// the same folder
    #[arg(long, value_name = "FILE", env = "DOORWARD_SEAL_KEY")]
    seal_key: Option<PathBuf>,
    /// Where the owner asks: status, decisions, explain. It asks for no credential
    #[arg(long, value_name = "ADDR", env = "DOORWARD_MANAGEMENT", default_value = management::ADDRESS, value_parser = address::parse)]
    pub(crate) management: SocketAddr,
    /// Where metrics and health are; omitted is port 9091 at the address of listeners
    #[arg(long, value_name = "ADDR", env = "DOORWARD_METRICS", value_parser = address::parse)]
    metrics: Option<SocketAddr>,
    /// The addresses of the pod: with one of IPv6 among them both families are listened on
    #[arg(long, value_name = "IP,..", env = "DOORWARD_POD_IPS", default_value = "", hide_default_value = true)]
    pod_ips: String,
    /// Threads that serve; without this one for each core
    #[arg(long, value_name = "N", env = "DOORWARD_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// How long connections are still taken when the pod ends
    #[arg(long, value_name = "TIME", env = "DOORWARD_LINGER", default_value = "5s", value_parser = time)]
    pub(crate) linger: Duration,
}

impl Args {
    pub(crate) fn seal_key(&self) -> PathBuf {
        self.seal_key.clone().unwrap_or_else(|| self.state.join("seal.key"))
    }

    /// Where listeners are.
    pub(crate) fn listen(&self) -> IpAddr {
        address::every(&self.pod_ips)
    }

    /// Where metrics and health are.
    pub(crate) fn metrics(&self) -> SocketAddr {
        self.metrics.unwrap_or_else(|| SocketAddr::new(self.listen(), METRICS))
    }

    pub(crate) fn subscription(&self) -> Options {
        Options {
            server_name: self.operator.host.clone(),
            gateway: self.gateway.clone(),
            ca: self.ca.clone(),
            token: self.token.clone(),
        }
    }
}

/// Where operators are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operator {
    /// The name in their certificates.
    pub(crate) host: String,
    /// Name and port.
    pub(crate) authority: String,
}

impl Operator {
    fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/');
        let (host, port) = rest.rsplit_once(':').unwrap_or((rest, ""));
        let port = if port.is_empty() { Ok(STREAM) } else { port.parse() };
        let is_name = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        match port {
            Ok(port @ 1..) if is_name => Ok(Self { host: host.to_owned(), authority: format!("{host}:{port}") }),
            Ok(_) | Err(_) => {
                Err("expected a host name and perhaps a port, such as doorward-operator.doorward.svc:9092".to_owned())
            }
        }
    }
}

fn object_name(text: &str) -> Result<ObjectName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(ObjectName::new(namespace, name))
        }
        Some(_) | None => Err("expected NAMESPACE/NAME, such as web/public".to_owned()),
    }
}

/// The longest time that a pod may linger.
const LONGEST: Duration = Duration::from_secs(3600);

fn time(text: &str) -> Result<Duration, String> {
    let read = text.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    read.filter(|time| *time <= LONGEST).ok_or_else(|| "expected a time of at most an hour, such as 5s or 500ms".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_a_name_and_a_port() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let found = Operator::parse(text).ok();
            let expected = expected.map(|(host, authority)| Operator { host: host.to_owned(), authority: authority.to_owned() });
            assert_eq!(found, expected, "{text}");
        };
        check("https://operator.doorward.svc:9092", Some(("operator.doorward.svc", "operator.doorward.svc:9092")));
        check("operator.doorward.svc", Some(("operator.doorward.svc", "operator.doorward.svc:9092")));
        check("127.0.0.1:19092", Some(("127.0.0.1", "127.0.0.1:19092")));
        check("http://operator:9092", None);
        check("operator:0", None);
        check("operator:x", None);
        check(":9092", None);
        check("", None);
    }

    #[test]
    fn names_and_times_are_read() {
        let check = |text: &str, expected: bool| assert_eq!(object_name(text).is_ok(), expected, "{text}");
        check("web/public", true);
        check("public", false);
        check("/public", false);
        check("web/", false);
        check("a/b/c", false);
        let check =
            |text: &str, expected: Option<u64>| assert_eq!(time(text).ok(), expected.map(Duration::from_millis), "{text}");
        check("10s", Some(10_000));
        check("500ms", Some(500));
        check("0s", Some(0));
        check("-1s", None);
        check("2h", None);
        check("10", None);
    }
}
