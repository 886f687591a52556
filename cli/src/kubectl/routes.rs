//! `kubectl doorward routes`: every route, where it is reached and whether it is served.

use observe::printable::Style;
use operator::kinds::Kind;
use serde_json::{Value, json};

use super::cluster::{Cluster, Reach};
use super::objects::{Condition, condition, list, of_status, partly_served, text};
use super::table::{Cell, table};
use super::{Form, show};
use crate::failure::{Exit, Failure};

const EXAMPLES: &str = "\
Examples:
  kubectl doorward routes                    those of this namespace
  kubectl doorward routes -A                 those of all namespaces
  kubectl doorward routes -A -o json         for scripts";

/// `kubectl doorward routes`.
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    reach: Reach,
    /// Those of all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// How it is printed
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

/// One route as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Route {
    kind: String,
    namespace: String,
    name: String,
    hosts: String,
    path: String,
    versions: String,
    authentication: String,
    ready: String,
    reason: String,
}

/// Prints the routes.
///
/// # Errors
/// The API server does not answer or does not allow it.
pub(super) async fn run(args: &Args) -> Result<Exit, Failure> {
    let cluster = Cluster::of(&args.reach).await?;
    let namespace = if args.all_namespaces { None } else { Some(cluster.namespace.as_str()) };
    let api_routes = cluster.list(&Kind::ApiRoute.resource(), namespace, "").await?;
    let http_routes = cluster.list_if_allowed(&Kind::HttpRoute.resource(), namespace).await?.unwrap_or_default();
    let routes = routes(&api_routes, &http_routes);
    let document = || json!({"routes": routes.iter().map(Route::document).collect::<Vec<_>>()});
    show(args.output, document, |style| screen(&routes, namespace, style))?;
    Ok(Exit::Fine)
}

fn routes(api_routes: &[Value], http_routes: &[Value]) -> Vec<Route> {
    let ours = http_routes.iter().filter_map(http_route);
    let mut routes: Vec<Route> = api_routes.iter().map(api_route).chain(ours).collect();
    routes.sort_by(|a, b| (&a.namespace, &a.kind, &a.name).cmp(&(&b.namespace, &b.kind, &b.name)));
    routes
}

fn api_route(route: &Value) -> Route {
    let ready = of_status(route, "Ready");
    let spec = || joined(list(route, "/spec/hostnames"));
    Route {
        hosts: Some(text(route, "/status/hosts")).filter(|hosts| !hosts.is_empty()).map_or_else(spec, str::to_owned),
        path: text(route, "/spec/path").to_owned(),
        versions: text(route, "/status/versions").to_owned(),
        authentication: text(route, "/status/authentication").to_owned(),
        ..named(route, ready)
    }
}

/// A route of the standard that a Gateway of ours speaks about.
fn http_route(route: &Value) -> Option<Route> {
    let mut ours = list(route, "/status/parents")
        .iter()
        .filter(|parent| text(parent, "/controllerName") == translate::CONTROLLER)
        .peekable();
    ours.peek()?;
    let conditions = ours.flat_map(|parent| {
        let found = |kind: &str| condition(route, parent, kind);
        [found("Accepted"), found("ResolvedRefs"), partly_served(route, parent)]
    });
    let mut worst = None;
    for found in conditions.flatten() {
        worst = match worst {
            Some(Condition { status: "False", .. }) => worst,
            Some(_) if found.is_true() => worst,
            Some(_) | None => Some(found),
        };
    }
    let paths: Vec<&str> = list(route, "/spec/rules")
        .iter()
        .flat_map(|rule| list(rule, "/matches"))
        .map(|one| text(one, "/path/value"))
        .filter(|path| !path.is_empty())
        .collect();
    let path = match paths[..] {
        [] => "/".to_owned(),
        [only] => only.to_owned(),
        [first, ..] => format!("{first} (+{})", paths.len() - 1),
    };
    let hosts = joined(list(route, "/spec/hostnames"));
    Some(Route { hosts, path, authentication: "None".to_owned(), ..named(route, worst) })
}

fn joined(hosts: &[Value]) -> String {
    let hosts: Vec<&str> = hosts.iter().filter_map(Value::as_str).collect();
    if hosts.is_empty() { "*".to_owned() } else { hosts.join(",") }
}

/// What a route has whatever its kind.
fn named(route: &Value, ready: Option<Condition<'_>>) -> Route {
    Route {
        kind: text(route, "/kind").to_owned(),
        namespace: text(route, "/metadata/namespace").to_owned(),
        name: text(route, "/metadata/name").to_owned(),
        hosts: String::new(),
        path: String::new(),
        versions: String::new(),
        authentication: String::new(),
        ready: ready.map_or("Unknown", |condition| condition.status).to_owned(),
        reason: ready.map_or("Pending", |condition| condition.reason).to_owned(),
    }
}

impl Route {
    fn document(&self) -> Value {
        json!({
            "kind": self.kind, "namespace": self.namespace, "name": self.name, "hosts": self.hosts, "path": self.path,
            "versions": self.versions, "authentication": self.authentication, "ready": self.ready, "reason": self.reason,
        })
    }
}

fn screen(routes: &[Route], namespace: Option<&str>, style: Style) -> String {
    if routes.is_empty() {
        return match namespace {
            Some(namespace) => format!("no route in {namespace}; `kubectl doorward routes -A` lists those of all namespaces\n"),
            None => "no route yet; `kubectl apply -f examples/kubernetes/quickstart.yaml` makes one\n".to_owned(),
        };
    }
    let rows: Vec<Vec<Cell>> = routes
        .iter()
        .map(|route| {
            let name = format!("{}/{}", route.kind.to_lowercase(), route.name);
            let mut row = if namespace.is_none() { vec![Cell::plain(&route.namespace)] } else { Vec::new() };
            let cells = [&name, &route.hosts, &route.path, &route.versions, &route.authentication];
            row.extend(cells.into_iter().map(|text| Cell::plain(text)));
            row.extend([Cell::status(&route.ready), Cell::plain(&route.reason)]);
            row
        })
        .collect();
    let head = ["NAMESPACE", "NAME", "HOSTS", "PATH", "VERSIONS", "AUTH", "READY", "REASON"];
    table(head.get(usize::from(namespace.is_some())..).unwrap_or(&head), &rows, style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(kind: &str, status: &str, reason: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason, "message": ""})
    }

    fn cluster() -> Vec<Route> {
        let orders = json!({
            "kind": "ApiRoute", "metadata": {"name": "orders", "namespace": "shop"},
            "spec": {"path": "/orders", "hostnames": ["ignored.example.com"]},
            "status": {
                "hosts": "api.example.com", "versions": "2.1.0, 1.4.2 Deprecated", "authentication": "ApiKey",
                "conditions": [ready("Ready", "True", "Serving")],
            },
        });
        let new = json!({"kind": "ApiRoute", "metadata": {"name": "chat", "namespace": "ai"}, "spec": {"path": "/chat"}});
        let parent = |controller: &str, resolved: &str| {
            let conditions = [ready("Accepted", "True", "Accepted"), ready("ResolvedRefs", resolved, "BackendNotFound")];
            json!({"controllerName": controller, "conditions": conditions})
        };
        let http = json!({
            "kind": "HTTPRoute", "metadata": {"name": "legacy", "namespace": "shop"},
            "spec": {"hostnames": ["a.example.com", "b.example.com"], "rules": [
                {"matches": [{"path": {"value": "/old"}}, {"path": {"value": "/older"}}]}, {},
            ]},
            "status": {"parents": [parent("other.dev/c", "True"), parent("doorward.dev/gateway-controller", "False")]},
        });
        let mut partly = parent("doorward.dev/gateway-controller", "True");
        if let Some(conditions) = partly["conditions"].as_array_mut() {
            conditions.push(ready("PartiallyInvalid", "True", "UnsupportedValue"));
        }
        let half =
            json!({"kind": "HTTPRoute", "metadata": {"name": "half", "namespace": "shop"}, "status": {"parents": [partly]}});
        let foreign = json!({"kind": "HTTPRoute", "metadata": {"name": "x", "namespace": "shop"}, "status": {"parents": [parent("other.dev/c", "True")]}});
        routes(&[orders, new], &[http, foreign, half])
    }

    #[test]
    fn routes_are_listed_with_what_matters() {
        let expected = "\
NAMESPACE   NAME               HOSTS                         PATH        VERSIONS                  AUTH     READY     REASON
ai          apiroute/chat      *                             /chat       -                         -        Unknown   Pending
shop        apiroute/orders    api.example.com               /orders     2.1.0, 1.4.2 Deprecated   ApiKey   True      Serving
shop        httproute/half     *                             /           -                         None     False     UnsupportedValue
shop        httproute/legacy   a.example.com,b.example.com   /old (+1)   -                         None     False     BackendNotFound
";
        assert_eq!(screen(&cluster(), None, Style::Plain), expected);
        let text = screen(&cluster(), Some("shop"), Style::Plain);
        assert!(text.starts_with("NAME "), "{text}");
    }

    #[test]
    fn documents_say_the_same() {
        let documents: Vec<Value> = cluster().iter().map(Route::document).collect();
        assert_eq!(documents[2]["reason"], "UnsupportedValue");
        assert_eq!(documents[3]["reason"], "BackendNotFound");
        assert_eq!(documents[1]["versions"], "2.1.0, 1.4.2 Deprecated");
    }

    #[test]
    fn none_says_what_to_type() {
        assert!(screen(&[], Some("shop"), Style::Plain).contains("routes -A"));
        assert!(screen(&[], None, Style::Plain).contains("kubectl apply"));
    }
}
