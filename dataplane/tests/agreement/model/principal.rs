//! Who calls, and what that one may do.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Refusal, Seen, addresses, enforced, texts};
use crate::world::{BROKEN, World};

/// Who calls; without a key it is nobody in particular.
pub(super) struct Principal<'a> {
    /// The ApiKey.
    pub(super) key: Option<&'a Value>,
}

impl<'a> Principal<'a> {
    pub(super) fn name(&self) -> String {
        self.key.map_or_else(String::new, |key| format!("{} {}", key["metadata"], key["spec"]["consumer"]))
    }

    pub(super) fn team(&self) -> &'a str {
        self.key.and_then(|key| key["metadata"]["namespace"].as_str()).unwrap_or_default()
    }

    fn roles(&self) -> Vec<&'a str> {
        self.key.map(|key| texts(&key["spec"]["roles"])).unwrap_or_default()
    }
}

/// Finds out who calls.
pub(super) fn identify<'a>(world: &'a World, spec: &Value, seen: &Seen<'_>) -> Result<Principal<'a>, Refusal> {
    let mode = spec["authentication"]["mode"].as_str().unwrap_or("Required");
    let nobody = Principal { key: None };
    if mode == "Anonymous" {
        return Ok(nobody);
    }
    match proven(world, spec, seen) {
        Ok(Some(key)) => Ok(Principal { key: Some(key) }),
        Ok(None) if mode == "Required" => Err("there is no credential"),
        Ok(None) => Ok(nobody),
        Err(_) if mode == "Shadow" => Ok(nobody),
        Err(refusal) => Err(refusal),
    }
}

/// The one key that the request carries where the route looks.
fn proven<'a>(world: &'a World, spec: &Value, seen: &Seen<'_>) -> Result<Option<&'a Value>, Refusal> {
    let mut good: Vec<&Value> = Vec::new();
    let mut carried = false;
    for method in spec["authentication"]["methods"].as_array().into_iter().flatten() {
        let place = &method["apiKey"];
        let (values, is_bearer) = match (place["header"].as_str(), place["query"].as_str()) {
            (Some(name), _) => (seen.field(name), false),
            (None, Some(name)) => (seen.parameter(name), false),
            (None, None) => (seen.field("Authorization"), true),
        };
        let text = match values.as_slice() {
            [] => continue,
            [one] => *one,
            [_, _, ..] => return Err("one place holds two credentials"),
        };
        let text = match text.split_once(' ') {
            _ if !is_bearer => text,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
            None if text.eq_ignore_ascii_case("bearer") => "",
            Some(_) | None => {
                // Another scheme is a credential that is not taken.
                carried = true;
                continue;
            }
        };
        carried = true;
        good.extend(holder(world, text).filter(|key| is_valid(key, seen)));
    }
    match good.as_slice() {
        [] if carried => Err("no credential is good"),
        [] => Ok(None),
        [first, rest @ ..] if rest.iter().all(|other| other["metadata"] == first["metadata"]) => Ok(Some(first)),
        [..] => Err("the credentials are two principals'"),
    }
}

/// The ApiKey whose Secret has this text.
fn holder<'a>(world: &'a World, text: &str) -> Option<&'a Value> {
    let hash: String = Sha256::digest(text.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect();
    let mut secrets = world.of_kind("Secret");
    let secret = secrets.find(|secret| secret["stringData"]["key"] == text || secret["stringData"]["sha256"] == hash)?;
    world.of_kind("ApiKey").find(|key| {
        key["spec"]["secretRef"]["name"] == secret["metadata"]["name"]
            && key["metadata"]["namespace"] == secret["metadata"]["namespace"]
            && key["metadata"]["annotations"][BROKEN].is_null()
    })
}

fn is_valid(key: &Value, seen: &Seen<'_>) -> bool {
    let time = |field: &str| key["spec"][field].as_str().map(|text| text.parse::<jiff::Timestamp>().unwrap());
    key["spec"]["suspended"] != true
        && time("expiresAt").is_none_or(|end| seen.now < end)
        && time("notBefore").is_none_or(|begin| seen.now >= begin)
}

/// What the principal may do.
pub(super) fn authorize(
    world: &World,
    route: &Value,
    version: &Value,
    principal: &Principal<'_>,
    seen: &Seen<'_>,
) -> Result<(), Refusal> {
    let spec = &route["spec"];
    if let Some(key) = principal.key {
        let consumers = &spec["consumers"];
        if !admits(world, consumers, route, principal.team()) && enforced(consumers) {
            return Err("the key's namespace is not admitted");
        }
        let place = |of: &Value| (of["name"].clone(), of["namespace"].clone());
        let routes = key["spec"]["routes"].as_array();
        if routes.is_some_and(|routes| !routes.iter().any(|one| place(one) == place(&route["metadata"]))) {
            return Err("the key is not for the route");
        }
        addresses(&key["spec"]["addresses"], seen.client)?;
    }
    let (mut allows, mut allowed, mut denied) = (false, false, false);
    for rule in spec["authorization"]["rules"].as_array().into_iter().flatten().filter(|rule| enforced(rule)) {
        let matches = fits(rule, principal, seen) && holds(rule, route, version, principal, seen)?;
        let is_deny = rule["effect"] == "Deny";
        allows |= !is_deny;
        allowed |= !is_deny && matches;
        denied |= is_deny && matches;
    }
    if denied {
        return Err("a rule denies it");
    }
    if allows && !allowed { Err("no rule allows it") } else { Ok(()) }
}

fn admits(world: &World, consumers: &Value, route: &Value, team: &str) -> bool {
    let own = route["metadata"]["namespace"] == team;
    match consumers["from"].as_str() {
        None | Some("Same") => own,
        Some("All") => true,
        Some(_) => {
            let mut namespaces = world.of_kind("Namespace");
            own || namespaces.any(|one| one["metadata"]["name"] == team && one["metadata"]["labels"]["tier"] == "partner")
        }
    }
}

/// Method, roles and scopes of a rule.
fn fits(rule: &Value, principal: &Principal<'_>, seen: &Seen<'_>) -> bool {
    let (methods, roles) = (texts(&rule["methods"]), texts(&rule["roles"]));
    let method = &*seen.asked.method;
    let takes_method = methods.is_empty() || methods.contains(&method) || (method == "HEAD" && methods.contains(&"GET"));
    let takes_roles = roles.is_empty() || roles.iter().any(|role| principal.roles().contains(role));
    // Keys have no scopes.
    takes_method && takes_roles && rule["scopes"].is_null()
}

/// The expression of a rule, each known by its text.
fn holds(rule: &Value, route: &Value, version: &Value, principal: &Principal<'_>, seen: &Seen<'_>) -> Result<bool, Refusal> {
    let Some(expression) = rule["when"].as_str() else { return Ok(true) };
    let subject = expression.split([' ', '[', '(']).next().unwrap();
    Ok(match subject {
        "request.method" => seen.asked.method == "GET",
        "request.path.startsWith" => seen.segments.first().is_some_and(|first| first.starts_with("orders")),
        "principal.team" => principal.team() == "shop",
        "principal.kind" => principal.key.is_none(),
        "\"admin\"" => principal.roles().contains(&"admin"),
        "request.headers" => match seen.field("X-Flag").as_slice() {
            [] => return Err("a rule has an error"),
            values => values.join(", ") == "on",
        },
        "request.query" => match seen.parameter("mode").first() {
            None => return Err("a rule has an error"),
            Some(value) => *value == "fast",
        },
        "client.address" => seen.client.to_string() == "127.0.0.1",
        "route.version" => version["version"] == "2.1.0",
        other => panic!("the model does not know `{other}` of {}", route["metadata"]),
    })
}
