//! `kubectl doorward explain`: what a call would get, or got, from the data planes that serve.

mod serving;

use futures_util::stream::{self, StreamExt as _};
use http::{Method, StatusCode};
use jiff::Timestamp;
use observe::decision::DecisionId;
use observe::report::Report;
use serde_json::Value;

use super::cluster::{Cluster, Reach};
use super::pods::{self, Replica};
use super::{Form, show};
use crate::explain::exit_of;
use crate::explain::request::{self, RequestLine};
use crate::failure::{Exit, Failure};
use crate::terminal::tell;
use serving::{Name, Serving, Silent};

const EXAMPLES: &str = "\
Examples:
  kubectl doorward explain --request 'POST /orders' -H 'X-Api-Key: dw_live_...'
  kubectl doorward explain --request 'GET http://api.example.com/orders' --from 10.0.0.9
  kubectl doorward explain --request 'GET /orders' --gateway shop/web   where several Gateways have a route for it
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
    /// The Gateway whose data planes are asked; without this the one that has a route for the call, or for a decision all
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

/// By data planes that serve: all of a Gateway have the same to say, so the first that answers is taken.
async fn asked(args: &Args, line: &RequestLine) -> Result<Report, Failure> {
    let described = args.asked.described(line)?;
    let document = serde_json::to_value(&described).unwrap_or_default();
    let cluster = Cluster::of(&args.reach).await?;
    let named = args.gateway.as_ref().map(|name| Name::of(name, &cluster.namespace));
    let serving = Serving::find(&cluster, named.as_ref()).await?;
    let (mut told, mut silent) = (Vec::new(), Silent::default());
    for (gateway, replicas) in serving.gateways {
        if let Some(report) = first(&cluster, &replicas, &document, &mut silent).await? {
            told.push((gateway, report));
        }
    }
    if told.is_empty() {
        return Err(silent.failure(named.as_ref()));
    }
    let (report, note) = the_one(told)?;
    tell(&note);
    Ok(report)
}

/// What the first data plane says that answers.
async fn first(
    cluster: &Cluster,
    replicas: &[Replica],
    document: &Value,
    silent: &mut Silent,
) -> Result<Option<Report>, Failure> {
    for replica in replicas {
        match pods::ask(cluster, replica, (Method::POST, "/explain"), Some(document)).await {
            Ok(answer) if answer.status == StatusCode::OK => return read(answer.document, replica).map(Some),
            Ok(answer) => return Err(Failure::unreachable(format!("{} refuses: {}", replica.name, answer.detail()), "")),
            Err(why) => silent.add(replica, why),
        }
    }
    Ok(None)
}

/// What is said by the Gateway that has a route for the call, and a note where there are others.
fn the_one(mut told: Vec<(Name, Report)>) -> Result<(Report, String), Failure> {
    let names = |told: &[(Name, Report)]| told.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>().join(", ");
    let all = names(&told);
    let several = told.len() > 1;
    if told.iter().any(|(_, report)| report.object.is_some()) {
        told.retain(|(_, report)| report.object.is_some());
        if let [(first, _), _, ..] = told.as_slice() {
            return Err(Failure::usage(
                format!("several Gateways have a route for this call: {}", names(&told)),
                format!("kubectl doorward explain --gateway {first} ..."),
            ));
        }
    }
    let taken = told.into_iter().next();
    let (name, report) = taken.ok_or_else(|| Failure::unreachable("no data plane answers", "kubectl doorward status"))?;
    let note = match (several, report.object.is_some()) {
        (false, _) => String::new(),
        (true, true) => format!("note: of the Gateways {all} only {name} has a route for this call\n"),
        (true, false) => format!("note: none of the Gateways {all} has a route for this call; this is what {name} says\n"),
    };
    Ok((report, note))
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
    let named = args.gateway.as_ref().map(|name| Name::of(name, &cluster.namespace));
    let replicas = Serving::find(&cluster, named.as_ref()).await?.gateways.into_values().flatten();
    let path = format!("/decisions/{id}");
    let (cluster, path) = (&cluster, path.as_str());
    let answers = stream::iter(replicas).map(|replica| async move {
        let answer = pods::ask(cluster, &replica, (Method::GET, path), None).await;
        (replica, answer)
    });
    let mut answers = std::pin::pin!(answers.buffer_unordered(AT_ONCE));
    let (mut silent, mut without) = (Silent::default(), 0_usize);
    while let Some((replica, answer)) = answers.next().await {
        match answer {
            Ok(answer) if answer.status == StatusCode::OK => return read(answer.document, &replica),
            Ok(_) => without += 1,
            Err(why) => silent.add(&replica, why),
        }
    }
    if without == 0 {
        return Err(silent.failure(named.as_ref()));
    }
    let unasked = if silent.told.is_empty() { String::new() } else { format!("; not asked: {}", silent.told.join(", ")) };
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

#[cfg(test)]
mod tests {
    use observe::report::Verdict;

    use super::*;

    #[test]
    fn the_gateway_with_a_route_for_the_call_is_taken() {
        let report = |object: Option<&str>| Report {
            request: "GET /orders".to_owned(),
            object: object.map(ToOwned::to_owned),
            verdict: if object.is_some() { Verdict::Allowed } else { Verdict::Refused },
            status: None,
            code: None,
            title: None,
            detail: None,
            rule: None,
            checks: Vec::new(),
            fix: None,
            decision: None,
            at: Timestamp::UNIX_EPOCH,
            generation: 1,
        };
        let check = |told: &[(&str, Option<&str>)], expected: Result<(Option<&str>, &str), &str>| {
            let told = told.iter().map(|(name, object)| (Name::of(name, "shop"), report(*object))).collect();
            let found = the_one(told).map(|(report, note)| (report.object, note)).map_err(|failure| failure.to_string());
            let found = found.as_ref().map(|(object, note)| (object.as_deref(), note.as_str())).map_err(String::as_str);
            assert_eq!(found, expected);
        };
        let orders = Some("ApiRoute shop/orders");
        check(&[("web", orders)], Ok((orders, "")));
        check(&[("web", None)], Ok((None, "")));
        let only = "note: of the Gateways infra/edge, shop/web only shop/web has a route for this call\n";
        check(&[("infra/edge", None), ("web", orders)], Ok((orders, only)));
        let none = "note: none of the Gateways infra/edge, shop/web has a route for this call; this is what infra/edge says\n";
        check(&[("infra/edge", None), ("web", None)], Ok((None, none)));
        let several = "several Gateways have a route for this call: infra/edge, shop/web\n  next: kubectl doorward explain --gateway infra/edge ...";
        check(&[("infra/edge", orders), ("other", None), ("web", orders)], Err(several));
    }
}
