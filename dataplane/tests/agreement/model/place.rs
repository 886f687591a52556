//! Where a request goes: route and version.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use serde_json::Value;

use super::{Refusal, Seen, texts};
use crate::request::Asked;
use crate::world::{BROKEN, World};

/// The route and version of a request.
pub(super) struct Place<'a> {
    pub(super) route: &'a Value,
    pub(super) version: &'a Value,
}

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Reads a request.
pub(super) fn see<'a>(world: &World, asked: &'a Asked, now: Timestamp) -> Result<Seen<'a>, Refusal> {
    if !METHODS.contains(&&*asked.method) {
        return Err("nobody serves the method");
    }
    let mut fields: Vec<_> = asked.fields.iter().map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    let forwarded: Vec<String> =
        fields.iter().filter(|(name, _)| name == "x-forwarded-for").map(|(_, value)| value.clone()).collect();
    let nominated: Vec<String> = fields
        .iter()
        .filter(|(name, _)| name == "connection")
        .flat_map(|(_, value)| value.split(',').map(|name| name.trim().to_lowercase()).collect::<Vec<_>>())
        .collect();
    fields.retain(|(name, _)| !nominated.contains(name) && name != "connection" && name != "x-forwarded-for");
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = pairs.map(|(name, value)| (form(name), form(value))).collect();
    let hosts: Vec<&String> = fields.iter().filter(|(name, _)| name == "host").map(|(_, value)| value).collect();
    let [host] = hosts.as_slice() else { return Err("there is not one host") };
    let host = host_name(host)?;
    Ok(Seen { asked, host, segments: segments(path)?, query, client: client(world, &forwarded), fields, now })
}

fn host_name(text: &str) -> Result<String, Refusal> {
    let name = text.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(text, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
    if name.contains("..") || name.contains('@') { Err("the host is none") } else { Ok(name) }
}

/// A text of a query as forms are read.
fn form(text: &str) -> String {
    let octets = unescape(&text.replace('+', " ")).unwrap_or_default();
    String::from_utf8_lossy(&octets).into_owned()
}

/// The octets that a text with escapes stands for.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut pieces = text.split('%');
    let mut octets = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        octets.push(u8::from_str_radix(piece.get(..2)?, 16).ok()?);
        octets.extend(piece.get(2..)?.bytes());
    }
    Some(octets)
}

/// Decoded segments without dots; what two servers could read differently is refused.
fn segments(path: &str) -> Result<Vec<String>, Refusal> {
    if !path.starts_with('/') {
        return Err("the path is not whole");
    }
    let mut segments = Vec::new();
    let mut is_open = false;
    for segment in path.split('/').skip(1) {
        let octets = unescape(segment).ok_or("the path has a broken escape")?;
        let text = String::from_utf8(octets).map_err(|_| "the path is not UTF-8")?;
        if text.contains(['/', '\\']) || text.chars().any(char::is_control) {
            return Err("the path has an octet that it may not have");
        }
        if text.starts_with(".;") || text.contains("..;") {
            return Err("the path has a parameter on dots");
        }
        is_open = matches!(&*text, "" | "." | "..");
        match &*text {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(text),
        }
    }
    if is_open && !segments.is_empty() {
        segments.push(String::new());
    }
    Ok(segments)
}

/// Who is behind the trusted proxies.
fn client(world: &World, lines: &[String]) -> IpAddr {
    let peer = IpAddr::from(Ipv4Addr::LOCALHOST);
    let Some(config) = world.of_kind("GatewayConfig").next() else { return peer };
    let hops = config["spec"]["clientAddress"]["forwarded"]["hops"].as_u64().unwrap();
    let all = lines.join(",");
    let entry = all.rsplit(',').nth(usize::try_from(hops).unwrap() - 1);
    entry.and_then(|text| text.trim().parse::<IpAddr>().ok()).map_or(peer, |address| address.to_canonical())
}

/// How well an alternative of a route fits; more is better.
type Rank = (usize, usize, usize, usize, usize);

/// The route and the version. A segment that names the version is taken off: no rule and no upstream
/// sees it, so no other route may claim what is left.
pub(super) fn locate<'a>(world: &'a World, seen: &mut Seen<'_>) -> Result<Place<'a>, Refusal> {
    let place = find_place(world, seen)?;
    let own = own_path(place.route).len();
    let version_in_path = named_version(&place.route["spec"], seen)?.is_some_and(|(_, by)| by == "Path");
    if version_in_path {
        seen.segments.remove(own);
        if best_route(world, seen).is_none_or(|other| other["metadata"] != place.route["metadata"]) {
            return Err("another route has the path without the version");
        }
    }
    Ok(place)
}

fn best_route<'a>(world: &'a World, seen: &Seen<'_>) -> Option<&'a Value> {
    let mut best: Option<(Rank, &Value)> = None;
    let mut routes: Vec<&Value> = world.of_kind("ApiRoute").collect();
    routes.sort_by_key(|route| (route["metadata"]["namespace"].to_string(), route["metadata"]["name"].to_string()));
    for route in routes {
        for (host, alternative) in claims(route) {
            if let Some(rank) = rank(route, host, alternative, seen)
                && best.is_none_or(|(known, _)| rank > known)
            {
                best = Some((rank, route));
            }
        }
    }
    best.map(|(_, route)| route)
}

fn find_place<'a>(world: &'a World, seen: &Seen<'_>) -> Result<Place<'a>, Refusal> {
    let route = best_route(world, seen).ok_or("no route takes the request")?;
    if !route["metadata"]["annotations"][BROKEN].is_null() {
        return Err("the route is broken");
    }
    if world.of_kind("ApiRoute").any(|other| other["metadata"] != route["metadata"] && conflict(route, other)) {
        return Err("the route is in conflict with another");
    }
    let version = version(&route["spec"], seen)?;
    if version["backend"]["response"].is_null() {
        return Err("the version is broken");
    }
    Ok(Place { route, version })
}

/// Each host with each alternative.
fn claims(route: &Value) -> Vec<(&str, &Value)> {
    let spec = &route["spec"];
    let mut hosts = texts(&spec["hostnames"]);
    if hosts.is_empty() {
        hosts.push("");
    }
    let any = &Value::Null;
    let alternatives = spec["matches"].as_array().map_or(vec![any], |matches| matches.iter().collect());
    hosts.iter().flat_map(|host| alternatives.iter().map(|alternative| (*host, *alternative))).collect()
}

fn own_path(route: &Value) -> Vec<&str> {
    route["spec"]["path"].as_str().unwrap_or("/").split('/').filter(|segment| !segment.is_empty()).collect()
}

fn conflict(one: &Value, other: &Value) -> bool {
    let same =
        |(host, first): &(&str, &Value)| claims(other).iter().any(|(its, second)| its == host && normal(first) == normal(second));
    own_path(one) == own_path(other) && claims(one).iter().any(same)
}

/// An alternative whose lists have one order.
fn normal(alternative: &Value) -> (Vec<&str>, String, String) {
    let mut methods = texts(&alternative["methods"]);
    methods.sort_unstable();
    (methods, alternative["headers"].to_string(), alternative["queryParams"].to_string())
}

fn rank(route: &Value, host: &str, alternative: &Value, seen: &Seen<'_>) -> Option<Rank> {
    let host = match host.strip_prefix('*') {
        None if host.is_empty() => 0,
        None if host == seen.host => usize::MAX,
        Some(suffix) if seen.host.ends_with(suffix) => suffix.len(),
        None | Some(_) => return None,
    };
    let own = own_path(route);
    let takes_path = own.len() <= seen.segments.len() && own.iter().zip(&seen.segments).all(|(one, other)| one == other);
    let methods = texts(&alternative["methods"]);
    let takes_method = methods.is_empty() || methods.contains(&&*seen.asked.method);
    let conditions = |list: &str| alternative[list].as_array().cloned().unwrap_or_default();
    let (headers, query) = (conditions("headers"), conditions("queryParams"));
    let takes_headers = headers.iter().all(|condition| {
        let values = seen.field(condition["name"].as_str().unwrap());
        !values.is_empty() && values.join(",") == condition["value"]
    });
    let takes_query = query.iter().all(|condition| {
        let values = seen.parameter(condition["name"].as_str().unwrap());
        values.first().is_some_and(|value| condition["value"] == *value)
    });
    let takes = takes_path && takes_method && takes_headers && takes_query;
    takes.then_some((host, own.len(), usize::from(!methods.is_empty()), headers.len(), query.len()))
}

/// Numbers of a version: one to three.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let text = text.trim();
    let parts: Vec<&str> = text.strip_prefix('v').unwrap_or(text).split('.').collect();
    let number = |part: &&str| {
        let plain = !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
        (plain && (part.len() == 1 || !part.starts_with('0'))).then(|| part.parse().ok()).flatten()
    };
    (parts.len() <= 3).then(|| parts.iter().map(number).collect()).flatten()
}

fn version<'a>(spec: &'a Value, seen: &Seen<'_>) -> Result<&'a Value, Refusal> {
    let versions = spec["versions"].as_array().unwrap();
    let mut newest: Vec<(Vec<u64>, &str, &Value)> = versions
        .iter()
        .map(|one| (numbers(one["version"].as_str().unwrap()).unwrap(), one["stage"].as_str().unwrap_or("Published"), one))
        .collect();
    newest.sort_by(|one, other| other.0.cmp(&one.0));
    let find = |stages: &[&str], wanted: &[u64]| {
        newest.iter().find(|(numbers, stage, _)| stages.contains(stage) && numbers.starts_with(wanted)).map(|(_, _, one)| *one)
    };
    let served = ["Published", "Deprecated"];
    let Some((named, _)) = named_version(spec, seen)? else {
        let default = spec["versioning"]["default"].as_str().map(|text| numbers(text).unwrap());
        let found = match default {
            Some(wanted) => find(&served, &wanted),
            None => find(&["Published"], &[]).or_else(|| find(&["Deprecated"], &[])),
        };
        return found.ok_or("there is no default version");
    };
    let draft = if named.len() == 3 { find(&["Draft"], &named) } else { None };
    find(&served, &named).or(draft).ok_or("there is no such version")
}

/// What version the request names, and the first place that names one.
fn named_version<'a>(spec: &'a Value, seen: &Seen<'_>) -> Result<Option<(Vec<u64>, &'a str)>, Refusal> {
    let several = spec["versions"].as_array().is_some_and(|versions| versions.len() > 1);
    let mut select = texts(&spec["versioning"]["select"]);
    if several && select.is_empty() {
        select = vec!["Path", "Header", "Query", "MediaType"];
    }
    let depth = spec["path"].as_str().unwrap_or("/").split('/').filter(|segment| !segment.is_empty()).count();
    for place in select {
        let values: Vec<String> = match place {
            "Path" => {
                let segment = seen.segments.get(depth).filter(|segment| segment.starts_with('v'));
                segment.filter(|segment| numbers(segment).is_some()).cloned().into_iter().collect()
            }
            "Header" => seen.field("Api-Version").into_iter().map(str::to_owned).collect(),
            "Query" => seen.parameter("version").into_iter().map(str::to_owned).collect(),
            _ => {
                seen.field("Accept").iter().filter_map(|field| Some(field.split_once("version=")?.1.to_owned())).take(1).collect()
            }
        };
        match values.as_slice() {
            [] => {}
            [one] => return numbers(one).map(|named| Some((named, place))).ok_or("the version is none"),
            [_, _, ..] => return Err("two versions are named"),
        }
    }
    Ok(None)
}
