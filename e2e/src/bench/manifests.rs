//! The routes that are measured: their names, their texts, their requests.

use serde_json::{Value, json};

use crate::http::Request;

/// Namespaces that they are spread over.
pub(super) const NAMESPACES: usize = 50;
/// What marks these namespaces.
pub(super) const LABEL: &str = "bench=routes";

/// One ApiRoute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    space: usize,
    name: String,
}

impl Route {
    /// One of the many that are there all the time.
    pub(super) fn standing(number: usize) -> Self {
        Self { space: number % NAMESPACES, name: format!("api-{number}") }
    }

    /// One that comes and goes; `run` tells it from those of other runs.
    pub(super) fn passing(run: u32, number: usize) -> Self {
        Self { space: number % NAMESPACES, name: format!("new-{run}-{number}") }
    }

    /// `namespace/name`.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", namespace(self.space), self.name)
    }

    /// A call that it answers.
    pub(super) fn call(&self) -> Request {
        Request::get(&host(self.space), &format!("/{}/x", self.name))
    }

    /// What is sent to make it.
    pub(super) fn create(&self) -> Request {
        self.request("POST", "", "application/json", &self.manifest())
    }

    /// What is sent to change it: the limit of how many may call.
    pub(super) fn update(&self) -> Request {
        let limits = json!([{"name": "all", "per": ["ClientAddress"], "requests": 200_000, "window": "1m"}]);
        self.request("PATCH", &format!("/{}", self.name), "application/merge-patch+json", &json!({"spec": {"limits": limits}}))
    }

    /// What is sent to end it.
    pub(super) fn delete(&self) -> Request {
        self.request("DELETE", &format!("/{}", self.name), "application/json", &json!({}))
    }

    fn request(&self, method: &str, tail: &str, content: &str, body: &Value) -> Request {
        let path = format!("/apis/doorward.dev/v1alpha1/namespaces/{}/apiroutes{tail}", namespace(self.space));
        Request::get("127.0.0.1", &path).with("content-type", content).sending(method, &body.to_string())
    }

    fn manifest(&self) -> Value {
        json!({
            "apiVersion": "doorward.dev/v1alpha1",
            "kind": "ApiRoute",
            "metadata": {"name": self.name, "namespace": namespace(self.space)},
            "spec": {
                "hostnames": [host(self.space)],
                "path": format!("/{}", self.name),
                "authentication": {"mode": "Anonymous"},
                "authorization": {"rules": [
                    {"name": "readers", "methods": ["GET", "HEAD"]},
                    {"name": "writers", "methods": ["POST", "PUT"]},
                ]},
                "limits": [{"name": "all", "per": ["ClientAddress"], "requests": 100_000, "window": "1m"}],
                "traffic": {"timeout": "15s", "rewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/echo"}}},
                "versions": [{"version": "1.0.0", "backend": {"services": [{"name": "echo", "port": 80}]}}],
                "catalog": {"title": format!("Api {}", self.name), "owner": {"team": namespace(self.space)}},
            },
        })
    }
}

/// The namespaces, each with a Service `echo` that leads to the same pods.
pub(super) fn surroundings(pods: &[String]) -> String {
    let (label, value) = LABEL.split_once('=').unwrap_or((LABEL, ""));
    let endpoints: Vec<Value> =
        pods.iter().map(|address| json!({"addresses": [address], "conditions": {"ready": true}})).collect();
    let mut text = String::new();
    for space in (0..NAMESPACES).map(namespace) {
        for object in [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space, "labels": {label: value}}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "echo", "namespace": space},
                   "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}),
            json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                   "metadata": {"name": "echo-1", "namespace": space, "labels": {"kubernetes.io/service-name": "echo"}},
                   "ports": [{"name": "http", "port": 8080}], "endpoints": endpoints}),
        ] {
            text.push_str(&format!("---\n{object}\n"));
        }
    }
    text
}

fn namespace(space: usize) -> String {
    format!("bench-{space:02}")
}

fn host(space: usize) -> String {
    format!("{}.example.com", namespace(space))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_routes_fill_all_namespaces_and_no_passing_one_is_among_them() {
        let keys: Vec<String> = (0..2 * NAMESPACES).map(|number| Route::standing(number).key()).collect();
        assert_eq!((keys[7].as_str(), keys[57].as_str()), ("bench-07/api-7", "bench-07/api-57"));
        assert!(!keys.contains(&Route::passing(1, 7).key()));
        assert_ne!(Route::passing(1, 7), Route::passing(2, 7));
    }
}
