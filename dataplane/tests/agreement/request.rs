//! Random requests that are aimed at a world.

use dataplane::Described;
use serde_json::Value;

use crate::random::Random;
use crate::world::{KEY_HEADERS, PATHS, World, key_text};

/// A request, in the order of its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The method.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// The fields, `Host` among them.
    pub(crate) fields: Vec<(String, String)>,
    /// The body; empty is none.
    pub(crate) body: String,
}

impl Asked {
    /// The request in words.
    pub(crate) fn described(&self) -> Described {
        Described {
            method: self.method.clone(),
            target: self.target.clone(),
            headers: self.fields.clone(),
            body: (!self.body.is_empty()).then(|| self.body.clone().into_bytes()),
            from: std::net::Ipv4Addr::LOCALHOST.into(),
            at: None,
        }
    }

    /// The request in bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

/// A request that may well be meant for one of the routes.
pub(crate) fn asked(random: &mut Random, world: &World) -> Asked {
    let routes: Vec<&Value> = world.of_kind("ApiRoute").collect();
    let route = *random.pick(&routes);
    let method = random.pick(&["GET", "GET", "GET", "HEAD", "GET", "POST", "POST", "DELETE", "OPTIONS"]);
    let mut method = (*method).to_owned();
    if random.chance(2) {
        method = (*random.pick(&["get", "PURGE", "TRACE"])).to_owned();
    }
    let mut fields = vec![("Host".to_owned(), host(random, route))];
    let mut query = Vec::new();
    let mut path = path(random, route);
    version(random, route, (&mut path, &mut query, &mut fields));
    credentials(random, world, (&mut query, &mut fields));
    if random.chance(30) {
        fields.push(("X-Flag".to_owned(), (*random.pick(&["on", "on", "off"])).to_owned()));
    }
    if random.chance(30) {
        query.push(format!("mode={}", random.pick(&["fast", "slow", "%66ast"])));
    }
    if random.chance(60) {
        fields.push(("X-Forwarded-For".to_owned(), forwarded(random)));
    }
    if random.chance(2) {
        fields.push(("Connection".to_owned(), (*random.pick(&["x-api-key", "keep-alive, X-Flag", "keep-alive"])).to_owned()));
    }
    if random.chance(1) {
        fields.push(("Host".to_owned(), "api.example.com".to_owned()));
    }
    let body = if method == "POST" && random.chance(50) {
        (*random.pick(&["a", "abcd", "abcde", "{}"])).to_owned()
    } else {
        String::new()
    };
    let target = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
    Asked { method, target, fields, body }
}

fn host(random: &mut Random, route: &Value) -> String {
    let named = route["spec"]["hostnames"].as_array().map(|names| random.pick(names).as_str().unwrap().to_owned());
    let named = named.unwrap_or_else(|| "other.test".to_owned());
    let name = match named.strip_prefix("*.") {
        Some(suffix) => format!("{}.{suffix}", random.pick(&["a", "api", "a.b", "eu"])),
        None => named,
    };
    match random.below(20) {
        0 => "nowhere.test".to_owned(),
        1 => name.to_uppercase(),
        2 => format!("{name}:8080"),
        3 => format!("{name}."),
        4 => (*random.pick(&["example.com", "notexample.com", "eu.example.com", "10.0.0.1", "[::1]", "a..b", "x@y"])).to_owned(),
        _ => name,
    }
}

fn path(random: &mut Random, route: &Value) -> String {
    let own = route["spec"]["path"].as_str().unwrap_or("/").trim_end_matches('/').to_owned();
    let own = if random.chance(10) { random.pick(&PATHS).trim_end_matches('/').to_owned() } else { own };
    match random.below(24) {
        0 => format!("{own}/../{}", random.pick(&["orders", "carts", ""])),
        1 => format!("{own}//items"),
        2 => format!("/.{own}/./x"),
        3 => own.to_uppercase() + "/",
        4 => format!("{own}x/"),
        5 => own.replace('o', "%6F") + "/",
        6 => format!("{own}/%2e%2e/carts"),
        7 => format!("{own}{}", random.pick(&["/a%2Fb", "/a%5cb", "/a\\b", "/..;/a", "/%00", "/%ff", "/%4", "/.;x"])),
        8 => format!("{own}/a;b=c/{}", random.pick(&["%c3%a9", "~x", "%7Ex", "a|b", "a%20b"])),
        9 | 10 if !own.is_empty() => own,
        11 | 12 => format!("{own}/items/"),
        13 | 14 => format!("{own}/items"),
        _ => format!("{own}/"),
    }
}

type Places<'a> = (&'a mut String, &'a mut Vec<String>, &'a mut Vec<(String, String)>);

fn version(random: &mut Random, route: &Value, (path, query, fields): Places<'_>) {
    if random.chance(55) {
        return;
    }
    let versions = route["spec"]["versions"].as_array().unwrap();
    let full = random.pick(versions)["version"].as_str().unwrap();
    let parts: Vec<&str> = full.split('.').collect();
    let named = match random.below(12) {
        0 => "9".to_owned(),
        1 => (*random.pick(&["banana", "v2beta", "2.x", "value", "02"])).to_owned(),
        2..=4 => full.to_owned(),
        5..=7 => parts[..2].join("."),
        8 => format!("v{full}"),
        _ => parts[0].to_owned(),
    };
    let own = route["spec"]["path"].as_str().unwrap_or("/").trim_end_matches('/');
    match random.below(5) {
        0 | 1 => *path = format!("{own}/v{}{}", named.trim_start_matches('v'), random.pick(&["", "/", "/items"])),
        2 => fields.push(("Api-Version".to_owned(), named.clone())),
        3 => query.push(format!("version={named}")),
        _ => fields.push(("Accept".to_owned(), format!("text/html, application/json; version={named}"))),
    }
    if random.chance(4) {
        fields.push(("Api-Version".to_owned(), named));
    }
}

fn credentials(random: &mut Random, world: &World, (query, fields): (&mut Vec<String>, &mut Vec<(String, String)>)) {
    let count = match random.below(20) {
        0..=2 => 0,
        3 => 2,
        _ => 1,
    };
    for _ in 0..count {
        let mut text = random.pick(&world.keys).clone();
        match random.below(24) {
            0 => text = key_text(random),
            1 => text.truncate(text.len() - 1),
            2 => text = text.replace(['a', 'e', 'i'], "Q"),
            3 => text = (*random.pick(&["", "short", "dw_", "with blank inside it"])).to_owned(),
            _ => {}
        }
        match random.below(6) {
            0 | 1 => fields.push((KEY_HEADERS[0].to_owned(), text)),
            2 => fields.push((KEY_HEADERS[1].to_lowercase(), text)),
            3 => fields
                .push(("Authorization".to_owned(), format!("{} {text}", random.pick(&["Bearer", "Bearer", "bearer", "Basic"])))),
            4 => query.push(format!("key={}", text.replace(' ', "+"))),
            _ => {
                // Wherever the route looks, one of them fits.
                fields.push((KEY_HEADERS[0].to_owned(), text.clone()));
                fields.push((KEY_HEADERS[1].to_owned(), text.clone()));
                fields.push(("Authorization".to_owned(), format!("Bearer {text}")));
                query.push(format!("key={}", text.replace(' ', "+")));
            }
        }
    }
}

fn forwarded(random: &mut Random) -> String {
    let address = |random: &mut Random| {
        *random.pick(&[
            "10.1.2.3",
            "10.66.7.9",
            "10.66.7.200",
            "192.168.1.6",
            "203.0.113.9",
            "2001:db8:1:2::3",
            "2001:db8:1:ffff::1",
            "::ffff:10.66.0.1",
            "127.0.0.1",
            "unknown",
        ])
    };
    let (first, second) = (address(random), address(random));
    if random.chance(50) { first.to_owned() } else { format!("{first}, {second}") }
}
