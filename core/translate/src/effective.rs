//! What holds for the calls of an ApiRoute, and where each rule comes from.

use crds::v1alpha1 as written;
use ir::{ClientAddress, Reach};

use crate::settings::Governing;

/// Most characters of one value.
const LONGEST: usize = 1_000;

/// What status shows of an ApiRoute beside conditions, parents and effective policy.
pub(crate) fn columns(spec: &written::ApiRouteSpec) -> written::ApiRouteStatus {
    let hosts = spec.hostnames.as_ref().map_or_else(|| "*".to_owned(), |hosts| hosts.join(", "));
    let mut versions: Vec<(Option<semver::Version>, String)> = spec.versions.iter().map(version).collect();
    versions.sort_by(|a, b| b.0.cmp(&a.0));
    let versions: Vec<String> = versions.into_iter().map(|(_, text)| text).collect();
    written::ApiRouteStatus {
        hosts: Some(bounded(hosts)),
        versions: Some(bounded(versions.join(", "))),
        authentication: Some(bounded(authentication(&spec.authentication))),
        ..written::ApiRouteStatus::default()
    }
}

fn version(one: &written::RouteVersion) -> (Option<semver::Version>, String) {
    let stage = match one.stage {
        None | Some(written::Stage::Published) => "",
        Some(written::Stage::Draft) => " (Draft)",
        Some(written::Stage::Deprecated) => " (Deprecated)",
        Some(written::Stage::Retired) => " (Retired)",
    };
    (one.version.parse().ok(), format!("{}{stage}", one.version))
}

fn authentication(written: &written::Authentication) -> String {
    let mode = match written.mode {
        None | Some(written::AuthenticationMode::Required) => "Required",
        Some(written::AuthenticationMode::Optional) => "Optional",
        Some(written::AuthenticationMode::Anonymous) => return "Anonymous".to_owned(),
        Some(written::AuthenticationMode::Shadow) => "Shadow",
    };
    let methods: Vec<String> = written.methods.iter().flatten().map(method).collect();
    format!("{mode}: {}", methods.join(", "))
}

fn method(method: &written::Method) -> String {
    let provider = |token: &written::TokenMethod| token.provider_ref.name.clone();
    match (&method.api_key, &method.jwt, &method.introspection) {
        (Some(key), _, _) => match (&key.header, &key.query) {
            (Some(header), _) => format!("apiKey in {header}"),
            (None, Some(query)) => format!("apiKey in ?{query}"),
            (None, None) => "apiKey as bearer".to_owned(),
        },
        (None, Some(token), _) => format!("jwt of {}", provider(token)),
        (None, None, Some(token)) => format!("introspection at {}", provider(token)),
        (None, None, None) => "none".to_owned(),
    }
}

/// Every rule that holds for a route at a Gateway.
pub(crate) fn rules(spec: &written::ApiRouteSpec, governing: &Governing) -> Vec<written::EffectiveRule> {
    let mut rules = of_route(spec);
    let timeout = spec.traffic.as_ref().and_then(|traffic| traffic.timeout.as_deref());
    for (name, value) in of_gateway(governing) {
        if let ("timeouts.response", Some(timeout)) = (name, timeout) {
            rules.push(rule(name, timeout.to_owned(), FROM_ROUTE));
            continue;
        }
        let from = match &governing.name {
            Some(config) if governing.config.given.contains(name) => format!("GatewayConfig {config}"),
            Some(_) | None => DEFAULT.to_owned(),
        };
        rules.push(rule(name, value, &from));
    }
    rules
}

const FROM_ROUTE: &str = "ApiRoute";
const DEFAULT: &str = "Default";

fn rule(name: &str, value: String, from: &str) -> written::EffectiveRule {
    written::EffectiveRule { name: name.to_owned(), value: bounded(value), from: from.to_owned() }
}

fn bounded(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// What the route says itself, and the defaults that nothing but a route changes.
fn of_route(spec: &written::ApiRouteSpec) -> Vec<written::EffectiveRule> {
    let mut rules = vec![rule("authentication", authentication(&spec.authentication), FROM_ROUTE)];
    match &spec.consumers {
        Some(consumers) => rules.push(rule("consumers", consumers_of(consumers), FROM_ROUTE)),
        None => rules.push(rule("consumers", "Same".to_owned(), DEFAULT)),
    }
    if let Some(authorization) = &spec.authorization {
        let names: Vec<String> = authorization.rules.iter().map(authorization_rule).collect();
        rules.push(rule("authorization", names.join(", "), FROM_ROUTE));
    }
    if let Some(addresses) = &spec.addresses {
        let list =
            |name: &str, networks: Option<&Vec<String>>| networks.map(|networks| format!("{name} {}", networks.join(", ")));
        let lists = [list("deny", addresses.deny.as_ref()), list("allow", addresses.allow.as_ref())];
        let lists: Vec<String> = lists.into_iter().flatten().collect();
        rules.push(rule("addresses", format!("{}{}", lists.join("; "), mode(addresses.mode)), FROM_ROUTE));
    }
    if let Some(bytes) = spec.validation.as_ref().and_then(|validation| validation.max_body_bytes.as_ref()) {
        rules.push(rule("validation.maxBodyBytes", bytes.clone(), FROM_ROUTE));
    }
    for limit in spec.limits.iter().flatten() {
        rules.push(rule(&format!("limits.{}", limit.name), limit_of(limit), FROM_ROUTE));
    }
    rules
}

fn consumers_of(consumers: &written::Consumers) -> String {
    let from = match consumers.from {
        written::ConsumersFrom::Same => "Same".to_owned(),
        written::ConsumersFrom::All => "All".to_owned(),
        written::ConsumersFrom::Selector => {
            let labels = consumers.selector.iter().flat_map(|selector| &selector.match_labels);
            let labels: Vec<String> = labels.map(|(label, value)| format!("{label}={value}")).collect();
            format!("namespaces with {}", labels.join(", "))
        }
    };
    format!("{from}{}", mode(consumers.mode))
}

fn authorization_rule(rule: &written::AuthorizationRule) -> String {
    let effect = match rule.effect {
        None | Some(written::Effect::Allow) => "Allow",
        Some(written::Effect::Deny) => "Deny",
    };
    format!("{effect} {}{}", rule.name, mode(rule.mode))
}

fn limit_of(limit: &written::Limit) -> String {
    let dimension = |dimension: &written::Dimension| match dimension {
        written::Dimension::Principal => "Principal",
        written::Dimension::Team => "Team",
        written::Dimension::ClientAddress => "ClientAddress",
        written::Dimension::Version => "Version",
    };
    let per: Vec<&str> = limit.per.iter().flatten().map(dimension).collect();
    let per = if per.is_empty() { String::new() } else { format!(" per {}", per.join(" and ")) };
    let burst = limit.burst.unwrap_or(limit.requests);
    format!("{} requests in {}{per}, {burst} at once{}", limit.requests, limit.window, mode(limit.mode))
}

const fn mode(enforcement: Option<written::Enforcement>) -> &'static str {
    match enforcement {
        None | Some(written::Enforcement::Enforce) => "",
        Some(written::Enforcement::Shadow) => " (Shadow)",
    }
}

/// What a Gateway's data planes do for every route.
fn of_gateway(governing: &Governing) -> [(&'static str, String); 6] {
    let settings = &governing.config.settings;
    let client = match &settings.client_address {
        ClientAddress::Peer => "Peer".to_owned(),
        ClientAddress::ProxyProtocol => "ProxyProtocol".to_owned(),
        ClientAddress::Forwarded { hops, header } => format!("Forwarded, hop {hops} of {header}"),
    };
    let private = match settings.reach {
        Reach::Anywhere | Reach::Private => "Allow",
        Reach::Public => "Deny",
    };
    [
        ("clientAddress", client),
        ("disclosure", format!("{:?}", settings.disclosure)),
        ("timeouts.connect", time(settings.timeouts.connect_ms)),
        ("timeouts.response", time(settings.timeouts.response_ms)),
        ("timeouts.stream", time(settings.timeouts.stream_ms)),
        ("upstreams.privateAddresses", private.to_owned()),
    ]
}

fn time(milliseconds: u64) -> String {
    if milliseconds.is_multiple_of(1_000) { format!("{}s", milliseconds / 1_000) } else { format!("{milliseconds}ms") }
}
