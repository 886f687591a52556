//! What manifests mean, said again as simply as possible: over the documents themselves, one
//! object and one request at a time, with nothing of what the gateway is made of.

mod place;
mod principal;

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

use crate::request::Asked;
use crate::world::World;
use place::Place;
use principal::Principal;

/// Why the model refuses.
pub(crate) type Refusal = &'static str;

/// What was admitted of one world so far, for its limits.
#[derive(Default)]
pub(crate) struct Ledger {
    admitted: BTreeMap<String, Vec<Timestamp>>,
}

/// A request with what can be read of it without any manifest.
pub(crate) struct Seen<'a> {
    pub(crate) asked: &'a Asked,
    pub(crate) host: String,
    /// Decoded segments between slashes, and whether a slash ends them.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    /// In lower case, without those that a proxy would take off.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) client: IpAddr,
    pub(crate) now: Timestamp,
}

impl Seen<'_> {
    /// All values of a field.
    pub(crate) fn field(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(found, _)| *found == name.to_lowercase()).map(|(_, value)| &**value).collect()
    }

    /// All values of a query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(found, _)| found == name).map(|(_, value)| &**value).collect()
    }
}

/// Whether the world's manifests refuse the request, and why. `Ok` holds what it would count under.
pub(crate) fn judge(world: &World, ledger: &Ledger, asked: &Asked, now: Timestamp) -> Result<Vec<String>, Refusal> {
    let mut seen = place::see(world, asked, now)?;
    let Place { route, version } = place::locate(world, &mut seen)?;
    let spec = &route["spec"];
    addresses(&spec["addresses"], seen.client)?;
    let principal = principal::identify(world, spec, &seen)?;
    principal::authorize(world, route, version, &principal, &seen)?;
    if let Some(limit) = spec["validation"]["maxBodyBytes"].as_str() {
        let most = if limit == "1Ki" { 1024 } else { limit.parse().unwrap() };
        if asked.body.len() > most {
            return Err("the body is too large");
        }
    }
    meter(ledger, route, version, &principal, &seen)
}

impl Ledger {
    /// Counts a call that was admitted.
    pub(crate) fn count(&mut self, counters: Vec<String>, now: Timestamp) {
        for counter in counters {
            self.admitted.entry(counter).or_default().push(now);
        }
    }
}

/// Whether a check refuses at all.
fn enforced(check: &Value) -> bool {
    check["mode"] != "Shadow"
}

/// The texts of a list; none where there is no list.
fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn addresses(lists: &Value, client: IpAddr) -> Result<(), Refusal> {
    if lists.is_null() || !enforced(lists) {
        return Ok(());
    }
    if texts(&lists["deny"]).iter().any(|network| holds(network, client)) {
        return Err("the address is denied");
    }
    let allow = texts(&lists["allow"]);
    if !allow.is_empty() && !allow.iter().any(|network| holds(network, client)) {
        return Err("the address is not allowed");
    }
    Ok(())
}

/// Bit by bit from the left.
fn holds(network: &str, client: IpAddr) -> bool {
    let (address, bits) = network.split_once('/').map_or((network, None), |(address, bits)| (address, bits.parse().ok()));
    let (network, client) = (octets(address.parse().unwrap()), octets(client));
    let bits: usize = bits.unwrap_or(network.len() * 8);
    let bit = |octets: &[u8], place: usize| octets[place / 8] >> (7 - place % 8) & 1;
    network.len() == client.len() && (0..bits).all(|place| bit(&network, place) == bit(&client, place))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// More than `burst` calls, and one more for each interval, may not be admitted from any call on.
fn meter(
    ledger: &Ledger,
    route: &Value,
    version: &Value,
    principal: &Principal<'_>,
    seen: &Seen<'_>,
) -> Result<Vec<String>, Refusal> {
    let mut counters = Vec::new();
    let holders = [Some(route), principal.key];
    for holder in holders.into_iter().flatten() {
        for limit in holder["spec"]["limits"].as_array().into_iter().flatten() {
            let mut counter = format!("{} {} {}", holder["kind"], holder["metadata"], limit["name"]);
            for dimension in texts(&limit["per"]) {
                counter += &match dimension {
                    "Principal" => format!(" {}", principal.name()),
                    "Team" => format!(" {}", principal.team()),
                    "ClientAddress" => format!(" {}", seen.client),
                    _ => format!(" {}", version["version"]),
                };
            }
            let admitted = ledger.admitted.get(&counter).map_or(&[][..], Vec::as_slice);
            if enforced(limit) && !has_room(limit, admitted, seen.now) {
                return Err("a limit is used up");
            }
            counters.push(counter);
        }
    }
    Ok(counters)
}

fn has_room(limit: &Value, admitted: &[Timestamp], now: Timestamp) -> bool {
    let window = match limit["window"].as_str().unwrap() {
        "500ms" => 500,
        "10s" => 10_000,
        _ => 60_000,
    };
    let requests = limit["requests"].as_i64().unwrap();
    let burst = limit["burst"].as_i64().unwrap_or(requests);
    admitted.iter().enumerate().all(|(first, began)| {
        let calls = i64::try_from(admitted.len() - first).unwrap() + 1;
        let elapsed = now.as_millisecond() - began.as_millisecond();
        calls <= burst + elapsed * requests / window
    })
}
