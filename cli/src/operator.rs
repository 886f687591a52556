//! `doorward operator`: the manifests of a cluster, to its data planes and back into status.

use std::error::Error as _;
use std::net::SocketAddr;

use ::operator::provision::Image;
use ::operator::run::{OperatorError, Options};
use cause::ObjectName;
use tracing_subscriber::EnvFilter;

use crate::failure::{Exit, Failure};
use crate::{address, signals};

const EXAMPLES: &str = "\
Examples:
  doorward operator --image doorward:0.1.0              in a pod, as the chart runs it
  doorward operator --namespace doorward-system --pod me --image doorward:dev
                                                        outside, with the kubeconfig of kubectl

Every flag can be given as a variable too: DOORWARD_NAMESPACE, DOORWARD_IMAGE, ...
The log goes to standard error; DOORWARD_LOG (else RUST_LOG) says how much of it.";

/// The port of the config stream.
const STREAM: u16 = 9092;
/// The port of metrics and health.
const METRICS: u16 = 9091;

/// `doorward operator`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(crate) struct Args {
    /// The namespace that operators run in
    #[arg(long, value_name = "NAMESPACE", env = "DOORWARD_NAMESPACE", default_value = "doorward-system")]
    namespace: String,
    /// The name of this operator, which no other one has; its pod's in a cluster
    #[arg(long, value_name = "NAME", env = "DOORWARD_POD")]
    pod: Option<String>,
    /// The Service of operators, in their namespace
    #[arg(long, value_name = "NAME", env = "DOORWARD_SERVICE", default_value = "doorward-operator")]
    service: String,
    /// The Gateway of routes that name none: NAME in the operators' namespace, or NAMESPACE/NAME
    #[arg(long, value_name = "NAME", env = "DOORWARD_DEFAULT_GATEWAY", default_value = "doorward")]
    default_gateway: String,
    /// The image of data planes, with tag or digest
    #[arg(long, value_name = "IMAGE", env = "DOORWARD_IMAGE")]
    image: String,
    /// When it is pulled
    #[arg(long, value_name = "POLICY", env = "DOORWARD_IMAGE_PULL_POLICY", value_parser = ["Always", "IfNotPresent", "Never"])]
    image_pull_policy: Option<String>,
    /// Secrets to pull it with, in the namespace of each Gateway
    #[arg(long, value_name = "NAME,..", env = "DOORWARD_IMAGE_PULL_SECRETS", value_delimiter = ',')]
    image_pull_secrets: Vec<String>,
    /// The namespaces whose objects are served; omitted is all
    #[arg(long, value_name = "NAMESPACE,..", env = "DOORWARD_WATCH_NAMESPACES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// Where data planes stream from; omitted is port 9092 at every address
    #[arg(long, value_name = "ADDR", env = "DOORWARD_CONFIG_STREAM", value_parser = address::parse)]
    config_stream: Option<SocketAddr>,
    /// Where metrics and health are; omitted is port 9091 at every address
    #[arg(long, value_name = "ADDR", env = "DOORWARD_METRICS", value_parser = address::parse)]
    metrics: Option<SocketAddr>,
    /// The addresses of the pod: with one of IPv6 among them both families are listened on
    #[arg(long, value_name = "IP,..", env = "DOORWARD_POD_IPS", default_value = "", hide_default_value = true)]
    pod_ips: String,
}

/// Runs until it is told to stop.
///
/// # Errors
/// There is no cluster, or an address cannot be listened on.
pub(crate) async fn run(args: Args) -> Result<Exit, Failure> {
    log();
    ::operator::run::run(args.options(), signals::asked_to_stop()).await.map_err(|error| not_run(&error))?;
    Ok(Exit::Fine)
}

/// What is worth reading in an operator's log is more than what is in a gateway's.
fn log() {
    let filter = EnvFilter::try_from_env("DOORWARD_LOG").or_else(|_| EnvFilter::try_from_default_env());
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    // It fails where a log is set already, which then goes on.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).compact().try_init();
}

impl Args {
    fn options(self) -> Options {
        let default_gateway = match self.default_gateway.split_once('/') {
            Some((namespace, name)) => ObjectName::new(namespace, name),
            None => ObjectName::new(self.namespace.as_str(), self.default_gateway.as_str()),
        };
        let every = address::every(&self.pod_ips);
        let given = |names: Vec<String>| names.into_iter().filter(|name| !name.is_empty()).collect();
        Options {
            // Two operators outside a cluster that share a name would both lead.
            me: self.pod.unwrap_or_else(|| format!("doorward-{}", std::process::id())),
            namespace: self.namespace,
            service: self.service,
            default_gateway,
            image: Image {
                reference: self.image,
                pull_policy: self.image_pull_policy,
                pull_secrets: given(self.image_pull_secrets),
            },
            watch_namespaces: given(self.watch_namespaces),
            config_stream: self.config_stream.unwrap_or_else(|| SocketAddr::new(every, STREAM)),
            metrics: self.metrics.unwrap_or_else(|| SocketAddr::new(every, METRICS)),
        }
    }
}

fn not_run(error: &OperatorError) -> Failure {
    let why = error.source().map(|source| format!("{error}: {source}")).unwrap_or_else(|| error.to_string());
    match error {
        OperatorError::NoCluster(_) | OperatorError::Client(_) => {
            Failure::unreachable(why, "`kubectl cluster-info` must work here, or this must run in a pod of the cluster")
        }
        OperatorError::Bind { .. } => Failure::found(why, "choose another address, such as `--metrics 127.0.0.1:0`"),
        OperatorError::Ended(_) => Failure::found(why, "report this, with the log"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_default_gateway_lies_in_the_operators_namespace_unless_it_says_another() {
        let check = |given: &[&str], expected: &str| {
            let line = ["operator", "--image", "i"].iter().chain(given);
            let options = Line::parse_from(line).args.options();
            assert_eq!(options.default_gateway.to_string(), expected, "{given:?}");
        };
        check(&[], "doorward-system/doorward");
        check(&["--namespace", "edge"], "edge/doorward");
        check(&["--namespace", "edge", "--default-gateway", "web"], "edge/web");
        check(&["--default-gateway", "shop/web"], "shop/web");
    }
}
