//! `kubectl doorward explain`: what a call would get, or got, from the data planes that serve.

use futures_util::stream::{self, StreamExt as _};
use http::{Method, StatusCode};
use jiff::Timestamp;
use observe::decision::DecisionId;
use observe::report::Report;
use operator::kinds::Kind;
use serde_json::Value;

use super::cluster::{Cluster, Reach};
use super::objects::{full_name, text};
use super::pods::{self, Replica};
use super::{Form, show};
use crate::explain::exit_of;
use crate::explain::request::{self, RequestLine};
use crate::failure::{Exit, Failure};

const EXAMPLES: &str = "\
Examples:
  kubectl doorward explain --request 'POST /orders' -H 'X-Api-Key: dw_live_...'
  kubectl doorward explain --request 'GET http://api.example.com/orders' --from 10.0.0.9
  kubectl doorward explain --request 'GET /orders' --gateway shop/web   where there are several Gateways
  kubectl doorward explain --decision 01JD8Z6M4T0VC0BA                  what happened to a call: asks all data planes

Exit codes: 0 the call is allowed, 1 it is refused, 2 wrong usage, 3 no data plane answers.";

/// Data planes that are asked at the same time.
const AT_ONCE: usize = 8;

/// `kubectl doorward explain`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["request", "decision"]))]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// The Gateway whose data planes are asked; without this the only one, or for a decision all
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    gateway: Option<String>,
    #[command(flatten)]
    asked: request::Asked,
    /// The `Doorward-Decision` of a call that was answered
    #[arg(long, value_name = "ID")]
    decision: Option<String>,
    /// How it is printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// Prints the explanation; exits with 1 where the call is refused.
///
/// # Errors
/// No data plane answers, or none has the decision.
pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    let report = match (&args.decision, &args.asked.request) {
        (Some(id), _) => decided(args, id).await?,
        (None, Some(line)) => asked(args, line).await?,
        (None, None) => return Err(Failure::usage("nothing to explain", "kubectl doorward explain --help")),
    };
    let document = || serde_json::to_value(&report).unwrap_or_default();
    show(args.output, document, |style| report.text(style, Timestamp::now()))?;
    Ok(exit_of(&report))
}

/// By a data plane that serves: all of a Gateway have the same to say, so the first that answers is taken.
async fn asked(args: &Args, line: &RequestLine) -> Result<Report, Failure> {
    let described = args.asked.described(line)?;
    let document = serde_json::to_value(&described).unwrap_or_default();
    let cluster = Cluster::of(&args.reach).await?;
    let gateway = match &args.gateway {
        Some(name) => named(name, &cluster.namespace),
        None => only(&gateways(&cluster).await?)?,
    };
    let mut silent = Vec::new();
    for replica in serving(&cluster, Some(&gateway)).await? {
        match pods::ask(&cluster, &replica, (Method::POST, "/explain"), Some(&document)).await {
            Ok(answer) if answer.status == StatusCode::OK => return read(answer.document, &replica),
            Ok(answer) => return Err(Failure::unreachable(format!("{} refuses: {}", replica.name, answer.detail()), "")),
            Err(why) => silent.push(format!("{}: {why}", replica.name)),
        }
    }
    Err(nobody(&format!("of Gateway {}/{}", gateway.0, gateway.1), &silent))
}

/// By the data plane that made the decision: only it remembers.
async fn decided(args: &Args, id: &str) -> Result<Report, Failure> {
    let Some(id) = DecisionId::parse(id) else {
        return Err(Failure::usage(
            "the decision id has another form: it is the 16 letters and digits of the header `Doorward-Decision`",
            "curl -i the call again and copy that header",
        ));
    };
    let cluster = Cluster::of(&args.reach).await?;
    let gateway = args.gateway.as_ref().map(|name| named(name, &cluster.namespace));
    let replicas = serving(&cluster, gateway.as_ref()).await?;
    let path = format!("/decisions/{id}");
    let (cluster, path) = (&cluster, path.as_str());
    let answers = stream::iter(replicas).map(|replica| async move {
        let answer = pods::ask(cluster, &replica, (Method::GET, path), None).await;
        (replica, answer)
    });
    let mut answers = std::pin::pin!(answers.buffer_unordered(AT_ONCE));
    let (mut silent, mut without) = (Vec::new(), 0_usize);
    while let Some((replica, answer)) = answers.next().await {
        match answer {
            Ok(answer) if answer.status == StatusCode::OK => return read(answer.document, &replica),
            Ok(_) => without += 1,
            Err(why) => silent.push(format!("{}: {why}", replica.name)),
        }
    }
    if without == 0 {
        return Err(nobody("of any Gateway", &silent));
    }
    let unasked = if silent.is_empty() { String::new() } else { format!("; not asked: {}", silent.join(", ")) };
    Err(Failure::found(
        format!("none of {without} data planes keeps the decision {id}{unasked}"),
        "a data plane keeps its newest calls, and a pod that is gone none: make the call again, or describe it with --request",
    ))
}

fn read(document: Value, replica: &Replica) -> Result<Report, Failure> {
    serde_json::from_value(document).map_err(|_| {
        Failure::unreachable(
            format!("{}/{} is of another version than this program", replica.namespace, replica.name),
            "compare `kubectl doorward --version` with the image of that pod",
        )
    })
}

fn nobody(whose: &str, silent: &[String]) -> Failure {
    let what = if silent.is_empty() {
        format!("no data plane {whose} is ready")
    } else {
        format!("no data plane {whose} answers: {}", silent.join(", "))
    };
    Failure::unreachable(what, "kubectl doorward status")
}

/// The data planes that are ready.
async fn serving(cluster: &Cluster, gateway: Option<&(String, String)>) -> Result<Vec<Replica>, Failure> {
    let namespace = gateway.map(|(namespace, _)| namespace.as_str()).or(cluster.named.as_deref());
    let mut replicas = pods::replicas(cluster, namespace).await?;
    replicas.retain(|replica| replica.is_ready && gateway.is_none_or(|(_, name)| replica.gateway == *name));
    Ok(replicas)
}

async fn gateways(cluster: &Cluster) -> Result<Vec<(String, String)>, Failure> {
    let classes = cluster.list_if_allowed(&Kind::GatewayClass.resource(), None).await?;
    let gateways = cluster.list_if_allowed(&Kind::Gateway.resource(), cluster.named.as_deref()).await?.ok_or_else(|| {
        Failure::found(
            "you may not list Gateways, so none can be chosen",
            "kubectl doorward explain --gateway NAMESPACE/NAME ...",
        )
    })?;
    let ours = classes.as_deref().map(super::status::our_classes);
    let is_ours = |name: &str| ours.as_ref().is_none_or(|ours| ours.contains(&name));
    let ours = gateways.iter().filter(|gateway| is_ours(text(gateway, "/spec/gatewayClassName")));
    Ok(ours.map(|gateway| named(&full_name(gateway), "")).collect())
}

fn named(name: &str, namespace: &str) -> (String, String) {
    let (namespace, name) = name.split_once('/').unwrap_or((namespace, name));
    (namespace.to_owned(), name.to_owned())
}

fn only(gateways: &[(String, String)]) -> Result<(String, String), Failure> {
    match gateways {
        [] => Err(Failure::found("the cluster has no Gateway of Doorward", "kubectl doorward status")),
        [gateway] => Ok(gateway.clone()),
        [..] => {
            let names: Vec<String> = gateways.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
            Err(Failure::usage(
                format!("there are several Gateways: {}", names.join(", ")),
                format!("kubectl doorward explain --gateway {} ...", names.first().map_or("", String::as_str)),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gateway_needs_no_name() {
        let pair = |text: &str| named(text, "default");
        assert_eq!(pair("web"), ("default".to_owned(), "web".to_owned()));
        assert_eq!(pair("shop/web"), ("shop".to_owned(), "web".to_owned()));
        assert_eq!(only(&[pair("web")]).unwrap(), pair("web"));
        assert_eq!(only(&[]).unwrap_err().exit(), Exit::Found);
        let several = only(&[pair("web"), pair("shop/web")]).unwrap_err();
        assert_eq!(several.exit(), Exit::Usage);
        assert!(several.to_string().contains("--gateway default/web"), "{several}");
    }

    #[test]
    fn silence_is_told_with_its_reasons() {
        assert!(nobody("of any Gateway", &[]).to_string().starts_with("no data plane of any Gateway is ready\n"));
        assert!(nobody("of any Gateway", &["a: gone".to_owned()]).to_string().contains("answers: a: gone"));
    }
}
