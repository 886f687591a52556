//! What is compiled after a change is what is compiled of the same from scratch.

use std::sync::Arc;

use http::{HeaderMap, Method};
use serde_json::json;
use translate::{Context, Manifests, Written, translate};

use super::super::router::Offer;
use super::super::{Placement, Port, PortProtocol, Runtime, compile, compile_after};
use super::*;

/// Manifests that change step by step, by numbers that stand for anything.
struct World {
    manifests: Manifests,
    random: u64,
}

impl World {
    fn number(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    /// One object comes, changes or goes.
    fn step(&mut self) {
        let number = self.number(12);
        let name = |kind: &str| cause::ObjectName::new("shop", format!("{kind}-{number}"));
        match self.number(10) {
            0..=4 => {
                let route = self.route(number);
                self.manifests.api_routes.insert(name("route"), route);
            }
            5 => drop(self.manifests.api_routes.remove(&name("route"))),
            6 => {
                let address = format!("10.0.0.{}", 1 + self.number(3));
                let service = json!({"metadata": {"name": "s"}, "spec": {"externalName": address}});
                let service = Written::Good(Arc::new(serde_json::from_value(service).unwrap()));
                self.manifests.services.insert(cause::ObjectName::new("shop", format!("service-{}", number % 3)), service);
            }
            7 => drop(self.manifests.services.remove(&cause::ObjectName::new("shop", format!("service-{}", number % 3)))),
            8 => {
                let model = json!({"metadata": {"name": "m"}, "spec": {"provider": "Custom", "model": format!("m{number}"),
                    "endpoint": {"dialect": "OpenAi", "service": {"name": format!("service-{}", number % 3), "port": 80}}}});
                let model = Written::Good(Arc::new(serde_json::from_value(model).unwrap()));
                self.manifests.ai_models.insert(cause::ObjectName::new("shop", format!("model-{}", number % 2)), model);
            }
            _ => {
                let provider = json!({"metadata": {"name": "p"}, "spec": {"issuer": "https://id.example.com",
                    "audiences": [format!("a{number}")], "algorithms": ["ES256"]}});
                let provider = Written::Good(Arc::new(serde_json::from_value(provider).unwrap()));
                self.manifests.identity_providers.insert(cause::ObjectName::new("shop", "corp"), provider);
            }
        }
    }

    fn route<T: serde::de::DeserializeOwned>(&mut self, number: u64) -> Written<T> {
        let backend = match self.number(4) {
            0 => json!({"services": [{"name": format!("service-{}", self.number(3)), "port": 80}]}),
            1 => json!({"models": {"names": [format!("model-{}", self.number(2))]}}),
            2 => json!({"url": format!("http://127.0.0.{}:81", 1 + self.number(3))}),
            _ => json!({"response": {"body": format!("{}", self.number(9))}}),
        };
        let authentication = match self.number(2) {
            0 => json!({"mode": "Anonymous"}),
            _ => json!({"mode": "Required", "methods": [{"jwt": {"providerRef": {"name": "corp"}}}]}),
        };
        let hosts = match self.number(3) {
            0 => json!(["a.example.com"]),
            1 => json!(["*.example.com", "a.example.com"]),
            _ => json!([]),
        };
        let created = format!("2026-01-0{}T00:00:00Z", 1 + self.number(9));
        let route = json!({
            "metadata": {"name": format!("route-{number}"), "namespace": "shop", "creationTimestamp": created},
            "spec": {"hostnames": hosts, "path": format!("/{}", number % 5), "authentication": authentication,
                "versions": [{"version": "1.0.0", "backend": backend}]},
        });
        Written::Good(Arc::new(serde_json::from_value(route).unwrap()))
    }
}

/// A runtime as text, without the numbers that every target has for itself.
fn text(runtime: &Runtime) -> String {
    let ids = regex::Regex::new(r"Target \{ id: \d+").unwrap();
    let mut routes: Vec<String> = runtime.parts.slots.iter().map(|route| format!("{route:?}")).collect();
    routes.sort();
    let routes = format!("{routes:#?} {:?}", runtime.parts.closed);
    ids.replace_all(&routes, "Target").into_owned()
}

/// Which route takes each request.
fn taken(runtime: &Runtime) -> Vec<Option<RouteId>> {
    let port = Port { protocol: PortProtocol::Http, number: 8080 };
    let (method, headers) = (Method::GET, HeaderMap::new());
    let requests = ["a.example.com", "b.example.com"].into_iter().flat_map(|host| (0..5).map(move |path| (host, path)));
    let taker = |(host, path): (&str, u64)| {
        let path = format!("/{path}/x");
        let hit = runtime.ports.listener(port, host)?.router.find(&Offer {
            host,
            path: &path,
            query: "",
            method: &method,
            headers: &headers,
        });
        Some(runtime.parts.slots.get(hit.ok()?.route)?.id.clone())
    };
    requests.map(taker).collect()
}

#[test]
fn a_changed_runtime_is_what_is_compiled_from_scratch() {
    let state = State::new(None);
    let placement = Placement::default();
    let mut world = World { manifests: Manifests::default(), random: 7 };
    let (mut before, mut served, mut kept): (Option<Runtime>, usize, usize) = (None, 0, 0);
    for step in 0..300 {
        world.step();
        let snapshot = translate(&world.manifests, &Context::of_files(jiff::Timestamp::UNIX_EPOCH, Vec::new())).snapshot;
        let snapshot = match &before {
            // As whoever sends differences shares what is the same.
            Some(before) => {
                let mut shared = before.parts.written.clone();
                shared.apply(ir::Delta::between(&before.parts.written, &snapshot));
                shared
            }
            None => snapshot,
        };
        let changed = compile_after(before.as_ref(), &snapshot, (&placement, &state), 1);
        let scratch = compile(&snapshot, &placement, &state, 1);
        assert_eq!(text(&changed), text(&scratch), "step {step}");
        assert_eq!(taken(&changed), taken(&scratch), "step {step}");
        served += taken(&changed).iter().flatten().count();
        if let Some(before) = &before {
            let known = |id: &RouteId| before.parts.slots.get(before.parts.slots.number(id)?);
            let is_kept = |route: &&Arc<Route>| known(&route.id).is_some_and(|before| Arc::ptr_eq(before, route));
            kept += changed.parts.slots.iter().filter(is_kept).count();
        }
        before = Some(changed);
    }
    assert!(served > 300 && kept > 1000, "{served} {kept}");
}
