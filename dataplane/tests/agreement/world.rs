//! Random small worlds, as the documents that a user would write.

use jiff::{SignedDuration, Timestamp};
use policy::key_text::{ENTROPY, Environment, KeyText};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::random::Random;

/// Namespaces of routes and keys.
pub(crate) const NAMESPACES: [&str; 3] = ["default", "shop", "bank"];
/// Hosts that routes name.
pub(crate) const HOSTS: [&str; 4] = ["api.example.com", "*.example.com", "*.eu.example.com", "shop.example.com"];
/// Paths that routes have.
pub(crate) const PATHS: [&str; 6] = ["/", "/orders", "/orders/items", "/carts", "/v2", "/orders/v1"];
/// Roles of keys and rules.
pub(crate) const ROLES: [&str; 3] = ["reader", "writer", "admin"];
/// Where versions are and what names them.
pub(crate) const VERSIONS: [&str; 5] = ["1.0.0", "1.4.2", "2.0.0", "2.1.0", "3.0.1"];
/// Header fields that keys are sent in.
pub(crate) const KEY_HEADERS: [&str; 2] = ["X-Api-Key", "X-Other-Key"];
/// Networks of address lists.
const NETWORKS: [&str; 9] = [
    "127.0.0.0/8",
    "127.0.0.1",
    "10.0.0.0/8",
    "10.66.0.0/16",
    "10.66.7.0/25",
    "192.168.1.4/30",
    "0.0.0.0/0",
    "2001:db8::/32",
    "2001:db8:1::/49",
];
/// Expressions of rules; the model knows each of them by its text.
const EXPRESSIONS: [&str; 9] = [
    r#"request.method == "GET""#,
    r#"request.path.startsWith("/orders")"#,
    r#"principal.team == "shop""#,
    r#"principal.kind == "Anonymous""#,
    r#""admin" in principal.roles"#,
    r#"request.headers["x-flag"] == "on""#,
    r#"request.query["mode"] == "fast""#,
    r#"client.address == "127.0.0.1""#,
    r#"route.version == "2.1.0""#,
];

/// A mark on objects that the generator broke on purpose.
pub(crate) const BROKEN: &str = "agreement/broken";

/// What is written, and what callers hold.
pub(crate) struct World {
    /// The objects.
    pub(crate) documents: Vec<Value>,
    /// Texts of keys.
    pub(crate) keys: Vec<String>,
    /// The time at its beginning.
    pub(crate) began: Timestamp,
}

impl World {
    /// The objects as one text.
    pub(crate) fn text(&self) -> String {
        self.documents.iter().map(|document| format!("---\n{document}\n")).collect()
    }

    /// The objects of a kind.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.documents.iter().filter(move |document| document["kind"] == kind)
    }

    /// Whether calls depend on those before.
    pub(crate) fn has_limits(&self) -> bool {
        self.documents.iter().any(|document| !document["spec"]["limits"].is_null())
    }
}

/// A world that begins at this time.
pub(crate) fn world(random: &mut Random, began: Timestamp) -> World {
    let mut world = World { documents: Vec::new(), keys: Vec::new(), began };
    for namespace in NAMESPACES {
        let labels = json!({"tier": random.pick(&["partner", "inner"])});
        world.documents.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}));
    }
    if random.chance(60) {
        let forwarded = json!({"source": "Forwarded", "forwarded": {"hops": 1 + random.below(2)}});
        let spec = json!({"clientAddress": forwarded});
        world.documents.push(json!({
            "apiVersion": "doorward.dev/v1alpha1", "kind": "GatewayConfig", "metadata": {"name": "settings"}, "spec": spec
        }));
    }
    let limited = random.chance(25);
    let routes = 1 + random.below(4);
    for number in 0..routes {
        let route = route(random, &format!("r{number}"), limited);
        world.documents.push(route);
    }
    for number in 0..1 + random.below(5) {
        key(random, &mut world, &format!("k{number}"), limited);
    }
    world
}

fn route(random: &mut Random, name: &str, limited: bool) -> Value {
    let mut spec = Map::new();
    if random.chance(60) {
        spec.insert("hostnames".into(), json!(random.some(&HOSTS)));
    }
    if random.chance(90) {
        spec.insert("path".into(), json!(random.pick(&PATHS)));
    }
    if random.chance(25) {
        let matches: Vec<Value> = (0..1 + random.below(2)).map(|_| alternative(random)).collect();
        spec.insert("matches".into(), json!(matches));
    }
    versions(random, &mut spec);
    spec.insert("authentication".into(), authentication(random));
    let has_keys = spec["authentication"]["mode"] != "Anonymous";
    if has_keys && random.chance(75) {
        let mut consumers = json!({"from": random.pick(&["Same", "All", "All", "All", "Selector"])});
        if consumers["from"] == "Selector" {
            consumers["selector"] = json!({"matchLabels": {"tier": "partner"}});
        }
        mode(random, &mut consumers);
        spec.insert("consumers".into(), consumers);
    }
    if random.chance(45) {
        let rules: Vec<Value> = (0..1 + random.below(3)).map(|number| rule(random, number)).collect();
        spec.insert("authorization".into(), json!({"rules": rules}));
    }
    if random.chance(30) {
        spec.insert("addresses".into(), addresses(random));
    }
    if random.chance(25) {
        spec.insert("validation".into(), json!({"maxBodyBytes": random.pick(&["4", "1Ki"])}));
    }
    if limited && random.chance(70) {
        spec.insert("limits".into(), limits(random));
    }
    let namespace = *random.pick(&NAMESPACES);
    let mut route = object("ApiRoute", namespace, name, Value::Object(spec));
    if random.chance(6) {
        break_route(random, &mut route);
    }
    route
}

fn object(kind: &str, namespace: &str, name: &str, spec: Value) -> Value {
    let metadata = json!({"name": name, "namespace": namespace});
    json!({"apiVersion": "doorward.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

fn mark(object: &mut Value) {
    object["metadata"]["annotations"] = json!({BROKEN: "true"});
}

/// Something that a user gets wrong; the route has to be closed for it.
fn break_route(random: &mut Random, route: &mut Value) {
    let spec = &mut route["spec"];
    match random.below(5) {
        0 => spec["addresses"] = json!({"allow": ["127.0.0.1/8"]}),
        1 => spec["authorization"] = json!({"rules": [{"name": "typo", "when": r#"principal.nme == "x""#}]}),
        2 => spec["authentication"]["mode"] = json!("Requird"),
        3 => {
            let again = spec["versions"][0].clone();
            spec["versions"].as_array_mut().unwrap().push(again);
        }
        _ => drop(spec.as_object_mut().unwrap().remove("authentication")),
    }
    mark(route);
}

fn alternative(random: &mut Random) -> Value {
    let mut alternative = Map::new();
    if random.chance(50) {
        alternative.insert("methods".into(), json!(random.some(&["GET", "POST", "DELETE"])));
    }
    if random.chance(40) {
        alternative.insert("headers".into(), json!([{"name": "X-Flag", "value": random.pick(&["on", "off"])}]));
    }
    if alternative.is_empty() || random.chance(30) {
        alternative.insert("queryParams".into(), json!([{"name": "mode", "value": random.pick(&["fast", "slow"])}]));
    }
    Value::Object(alternative)
}

fn versions(random: &mut Random, spec: &mut Map<String, Value>) {
    let mut versions = Vec::new();
    for version in random.some(&VERSIONS) {
        let stage =
            *random.pick(&["Published", "Published", "Published", "Published", "Published", "Deprecated", "Draft", "Retired"]);
        let backend = if random.chance(4) {
            json!({"services": [{"name": "gone", "port": 80}]})
        } else {
            json!({"response": {"status": 200, "body": "ok"}})
        };
        let mut version = json!({"version": version, "backend": backend});
        if stage != "Published" || random.chance(20) {
            version["stage"] = json!(stage);
        }
        versions.push(version);
    }
    if random.chance(40) {
        let mut versioning = json!({"select": random.some(&["Path", "Header", "Query", "MediaType"])});
        if random.chance(40) {
            let first = versions.iter().find(|version| version["stage"] != "Draft");
            if let Some(version) = first.and_then(|version| version["version"].as_str()) {
                versioning["default"] = json!(version.split('.').next());
            }
        }
        spec.insert("versioning".into(), versioning);
    }
    spec.insert("versions".into(), json!(versions));
}

fn authentication(random: &mut Random) -> Value {
    let mode = *random.pick(&["Required", "Required", "Required", "Optional", "Anonymous", "Shadow", ""]);
    if mode == "Anonymous" {
        return json!({"mode": mode});
    }
    let places = [
        json!({"apiKey": {"header": KEY_HEADERS[0]}}),
        json!({"apiKey": {"header": KEY_HEADERS[1]}}),
        json!({"apiKey": {"bearer": {}}}),
        json!({"apiKey": {"query": "key"}}),
    ];
    let mut authentication = json!({"methods": random.some(&places)});
    if !mode.is_empty() {
        authentication["mode"] = json!(mode);
    }
    authentication
}

/// Sometimes a mode: mostly what is the default.
fn mode(random: &mut Random, of: &mut Value) {
    if random.chance(20) {
        of["mode"] = json!(random.pick(&["Enforce", "Shadow"]));
    }
}

fn rule(random: &mut Random, number: usize) -> Value {
    let mut rule = json!({"name": format!("rule-{number}")});
    if random.chance(40) {
        rule["effect"] = json!(random.pick(&["Allow", "Deny", "Deny"]));
    }
    if random.chance(35) {
        rule["methods"] = json!(random.some(&["GET", "HEAD", "POST", "DELETE"]));
    }
    if random.chance(35) {
        rule["roles"] = json!(random.some(&ROLES));
    }
    if random.chance(8) {
        rule["scopes"] = json!(["orders.write"]);
    }
    if random.chance(50) {
        rule["when"] = json!(random.pick(&EXPRESSIONS));
    }
    mode(random, &mut rule);
    rule
}

fn addresses(random: &mut Random) -> Value {
    let mut addresses = json!({});
    if random.chance(70) {
        addresses["allow"] = json!(random.some(&NETWORKS));
    }
    if addresses["allow"].is_null() || random.chance(30) {
        addresses["deny"] = json!([random.pick(&NETWORKS)]);
    }
    mode(random, &mut addresses);
    addresses
}

fn limits(random: &mut Random) -> Value {
    let mut limits = Vec::new();
    for number in 0..1 + random.below(2) {
        let mut limit = json!({
            "name": format!("limit-{number}"),
            "requests": 1 + random.below(8),
            "window": random.pick(&["10s", "1m", "500ms"]),
        });
        if random.chance(40) {
            limit["burst"] = json!(1 + random.below(4));
        }
        if random.chance(60) {
            limit["per"] = json!(random.some(&["Principal", "Team", "ClientAddress", "Version"]));
        }
        mode(random, &mut limit);
        limits.push(limit);
    }
    json!(limits)
}

fn key(random: &mut Random, world: &mut World, name: &str, limited: bool) {
    let text = key_text(random);
    let namespace = *random.pick(&NAMESPACES);
    let mut spec = json!({"secretRef": {"name": name}, "consumer": format!("app-{name}")});
    if random.chance(70) {
        spec["roles"] = json!(random.some(&ROLES));
    }
    let hour = |hours: i64| (world.began + SignedDuration::from_hours(hours)).to_string();
    if random.chance(15) {
        spec["expiresAt"] = json!(hour(*random.pick(&[-1, 0, 1])));
    } else if random.chance(12) {
        spec["notBefore"] = json!(hour(*random.pick(&[-1, 0, 1])));
    }
    if random.chance(8) {
        spec["suspended"] = json!(random.chance(80));
    }
    if random.chance(15) {
        let number = random.below(3);
        let named = world.of_kind("ApiRoute").nth(number).map(|route| route["metadata"].clone());
        let named = named.unwrap_or_else(|| json!({"name": "r0", "namespace": "shop"}));
        spec["routes"] = json!([{"name": named["name"], "namespace": named["namespace"]}]);
    }
    if random.chance(15) {
        spec["addresses"] = addresses(random);
    }
    if limited && random.chance(30) {
        spec["limits"] = limits(random);
    }
    let mut key = object("ApiKey", namespace, name, spec);
    let mut has_secret = true;
    if random.chance(6) {
        match random.below(3) {
            0 => has_secret = false,
            1 => key["spec"]["expiresAt"] = json!("soon"),
            _ => key["spec"]["addresses"] = json!({"allow": ["10.1.2.3/8"]}),
        }
        mark(&mut key);
    }
    if has_secret {
        let held = if random.chance(30) {
            let hash: String = Sha256::digest(text.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect();
            json!({"sha256": hash})
        } else {
            json!({"key": text})
        };
        let metadata = json!({"name": name, "namespace": namespace});
        world.documents.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": held}));
    }
    world.documents.push(key);
    world.keys.push(text);
}

/// The text of a key: ours, or another gateway's.
pub(crate) fn key_text(random: &mut Random) -> String {
    if random.chance(20) {
        return format!("foreign-{:016x}", random.next());
    }
    let mut entropy = [0; ENTROPY];
    for octets in entropy.chunks_mut(8) {
        octets.copy_from_slice(&random.next().to_le_bytes()[..octets.len()]);
    }
    KeyText::generate(&Environment::parse("test").unwrap(), &mut entropy).expose().to_owned()
}
