//! Ingresses as clients meet them.

use crate::standard::{World, gateway};

fn ingress(name: &str, spec: &str) -> String {
    format!(
        "
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: shop}}
spec: {spec}
"
    )
}

fn path(path: &str, kind: &str, backend: usize) -> String {
    format!("{{path: '{path}', pathType: {kind}, backend: {{service: {{name: backend-{backend}, port: {{name: web}}}}}}}}")
}

fn rule(host: &str, paths: &[String]) -> String {
    format!("{{host: '{host}', http: {{paths: [{}]}}}}", paths.join(", "))
}

#[tokio::test]
async fn paths_and_hosts_are_matched_as_kubernetes_says() {
    let rules = [
        rule(
            "foo.bar.com",
            &[
                path("/foo", "Exact", 0),
                path("/aaa/bbb/", "Prefix", 1),
                path("/aaa", "Prefix", 2),
                path("/own", "ImplementationSpecific", 0),
            ],
        ),
        rule("*.foo.com", &[path("/", "Prefix", 1)]),
    ];
    let default = "{service: {name: backend-2, port: {number: 80}}}";
    let all = ingress("all", &format!("{{defaultBackend: {default}, rules: [{}]}}", rules.join(", ")));
    let mut world = World::open(&[gateway("{name: http, protocol: HTTP, port: 80}"), all].concat()).await;
    for (request, backend) in [
        ("GET foo.bar.com/foo", 0),
        ("GET foo.bar.com/foo/", 2),
        ("GET foo.bar.com/aaa/bbb", 1),
        ("GET foo.bar.com/aaa/bbb/ccc", 1),
        ("GET foo.bar.com/aaa/bbbxyz", 2),
        ("GET foo.bar.com/own/ccc", 0),
        ("GET bar.foo.com/", 1),
        // A wildcard stands for one label, and for no less.
        ("GET baz.bar.foo.com/", 2),
        ("GET foo.com/", 2),
        ("GET elsewhere.test/", 2),
    ] {
        world.ask(request, &[]).await.expect(200);
        assert_eq!(world.heard(), vec![backend], "{request}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_broken_path_is_closed_alone_and_a_foreign_class_is_not_served() {
    let missing = "{path: /missing, pathType: Prefix, backend: {service: {name: nothing, port: {number: 80}}}}".to_owned();
    let resource =
        "{path: /bucket, pathType: Prefix, backend: {resource: {apiGroup: example.com, kind: Bucket, name: b}}}".to_owned();
    let all = ingress("all", &format!("{{rules: [{}]}}", rule("a.test", &[path("/", "Prefix", 0), missing, resource])));
    let foreign =
        ingress("foreign", &format!("{{ingressClassName: other, rules: [{}]}}", rule("b.test", &[path("/", "Prefix", 0)])));
    let class = "
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: other}
spec: {controller: example.com/other}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: ours, annotations: {ingressclass.kubernetes.io/is-default-class: 'true'}}
spec: {controller: doorward.dev/ingress-controller}
";
    let world = World::open(&[&gateway("{name: http, protocol: HTTP, port: 80}")[..], &all, &foreign, class].concat()).await;
    for (request, status, code) in [
        ("GET a.test/", 200, ""),
        ("GET a.test/missing", 503, "config.backend_not_found"),
        ("GET a.test/bucket", 503, "config.kind_not_served"),
        ("GET b.test/", 404, "route.host_unknown"),
    ] {
        let answer = world.ask(request, &[]).await;
        assert_eq!((answer.status(), answer.code()), (status, code), "{request}");
    }
    world.close().await;
}

#[tokio::test]
async fn a_host_that_a_wildcard_does_not_take_is_unknown() {
    let one = ingress("one", &format!("{{rules: [{}]}}", rule("*.w.test", &[path("/x", "Prefix", 0), path("/y", "Exact", 1)])));
    let world = World::open(&[gateway("{name: http, protocol: HTTP, port: 80}"), one].concat()).await;
    for (request, status, code) in [
        ("GET a.w.test/x", 200, ""),
        ("GET a.w.test/z", 404, "route.not_found"),
        ("GET a.b.w.test/x", 404, "route.host_unknown"),
        ("GET a.b.w.test/y", 404, "route.host_unknown"),
        ("GET a.b.w.test/z", 404, "route.host_unknown"),
        ("GET w.test/x", 404, "route.host_unknown"),
    ] {
        let answer = world.ask(request, &[]).await;
        assert_eq!((answer.status(), answer.code()), (status, code), "{request}");
    }
    world.close().await;
}

#[tokio::test]
async fn classes_of_others_are_not_served_though_no_manifest_tells_whose_they_are() {
    let of = |name: &str, class: &str| {
        ingress(name, &format!("{{{class}rules: [{}]}}", rule(&format!("{name}.test"), &[path("/", "Prefix", 0)])))
    };
    let all = [of("none", ""), of("own", "ingressClassName: doorward, "), of("nginx", "ingressClassName: nginx, ")].concat();
    let annotated = of("old", "").replace("{name: old", "{name: old, annotations: {kubernetes.io/ingress.class: nginx}");
    let world = World::open(&[&gateway("{name: http, protocol: HTTP, port: 80}")[..], &all, &annotated].concat()).await;
    for (request, status) in [("none", 200), ("own", 200), ("nginx", 404), ("old", 404)] {
        assert_eq!(world.ask(&format!("GET {request}.test/"), &[]).await.status(), status, "{request}");
    }
    world.close().await;
}
