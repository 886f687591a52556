//! HTTPRoutes as clients meet them: what Gateway API says of matching, precedence, filters, backends that cannot
//! be used and listeners, asked of a running gateway.

use crate::standard::{Rules, World, gateway, http_route};

/// What a request comes to.
enum To {
    /// The backend of this number.
    Backend(usize),
    /// A refusal with this status and code.
    Refused(u16, &'static str),
}

use To::{Backend, Refused};

const NOT_MATCHED: To = Refused(404, "route.not_matched");
const NOT_FOUND: To = Refused(404, "route.not_found");

/// Asks `GET host/path` (or another method in front), with fields such as `version: one`.
async fn check(world: &mut World, request: &str, fields: &[&str], expected: To) {
    let answer = world.ask(request, fields).await;
    match expected {
        Backend(number) => {
            answer.expect(200);
            assert_eq!(world.heard(), vec![number], "{request} {fields:?}");
        }
        Refused(status, code) => {
            assert_eq!((answer.status(), answer.code()), (status, code), "{request} {fields:?}: {}", answer.text());
            assert_eq!(world.heard(), Vec::<usize>::new(), "{request} {fields:?}");
        }
    }
}

/// A host for each kind of condition.
fn hosts() -> String {
    let matching = Rules::new()
        .to(0, "{path: {type: PathPrefix, value: /}}, {headers: [{name: version, value: one}]}")
        .to(1, "{path: {type: PathPrefix, value: /v2}}, {headers: [{name: version, value: two}]}");
    let exact = Rules::new().to(0, "{path: {type: Exact, value: /one}}").to(1, "{path: {type: Exact, value: /two%2Bthree/}}");
    let order = Rules::new()
        .to(0, "{path: {type: Exact, value: /match}}")
        .to(1, "{path: {type: Exact, value: /match/exact}}")
        .to(2, "{path: {type: PathPrefix, value: /match/}}")
        .to(0, "{path: {type: PathPrefix, value: /match/prefix/}}")
        .to(1, "{path: {type: PathPrefix, value: /match/prefix/one}}")
        .to(2, "{path: {type: RegularExpression, value: '/re/[0-9]+'}}");
    let headers = Rules::new()
        .to(0, "{headers: [{name: Version, value: one}]}")
        .to(1, "{headers: [{name: version, value: two}]}")
        .to(0, "{headers: [{name: version, value: two}, {name: color, value: orange}]}")
        .to(2, "{headers: [{name: color, type: RegularExpression, value: 'r.d'}]}");
    let query = Rules::new()
        .to(0, "{queryParams: [{name: animal, value: whale}]}")
        .to(1, "{queryParams: [{name: animal, value: dolphin}]}")
        .to(2, "{queryParams: [{name: animal, value: dolphin}, {name: color, value: blue}]}, {queryParams: [{name: ANIMAL, value: Whale}]}")
        .to(1, "{headers: [{name: version, value: one}], queryParams: [{name: animal, value: whale}]}")
        .to(0, "{path: {value: /path5}}")
        .to(2, "{headers: [{name: version, value: four}]}");
    let method = Rules::new()
        .to(0, "{method: POST}")
        .to(1, "{method: GET}")
        .to(0, "{path: {value: /path1}, method: GET}")
        .to(2, "{path: {value: /path4}, headers: [{name: version, value: three}], method: DELETE}")
        .to(2, "{headers: [{name: version, value: four}]}");
    [
        gateway("{name: http, protocol: HTTP, port: 80}"),
        http_route("matching", "hostnames: [matching.test]", &matching),
        http_route("exact", "hostnames: [exact.test]", &exact),
        http_route("order", "hostnames: [order.test]", &order),
        http_route("headers", "hostnames: [headers.test]", &headers),
        http_route("query", "hostnames: [query.test]", &query),
        http_route("method", "hostnames: [method.test]", &method),
    ]
    .concat()
}

#[tokio::test]
async fn matches_have_gateway_apis_precedence() {
    let mut world = World::open(&hosts()).await;
    for (request, fields, expected) in [
        ("GET matching.test/", &[][..], Backend(0)),
        ("GET matching.test/", &["X-Echo-Set-Header: "], Backend(0)),
        ("GET matching.test/", &["version: one"], Backend(0)),
        ("GET matching.test/", &["version: two"], Backend(1)),
        ("GET matching.test/v2", &[], Backend(1)),
        ("GET matching.test/v2/", &[], Backend(1)),
        ("GET matching.test/v2/example", &[], Backend(1)),
        ("GET matching.test/v2example", &[], Backend(0)),
        ("GET matching.test/foo/v2/example", &[], Backend(0)),
        ("GET MATCHING.test:1234/v2", &[], Backend(1)),
        ("GET exact.test/one", &[], Backend(0)),
        ("GET exact.test/one/", &[], NOT_FOUND),
        ("GET exact.test/One", &[], NOT_FOUND),
        ("GET exact.test/one/example", &[], NOT_FOUND),
        ("GET exact.test/two%2bthree/", &[], Backend(1)),
        ("GET exact.test/two%2bthree", &[], NOT_FOUND),
        ("GET order.test/match", &[], Backend(0)),
        ("GET order.test/match/exact", &[], Backend(1)),
        ("GET order.test/match/any", &[], Backend(2)),
        ("GET order.test/match/prefix/any", &[], Backend(0)),
        ("GET order.test/match/prefix/one/any", &[], Backend(1)),
        ("GET order.test/re/12", &[], Backend(2)),
        ("GET order.test/re/12a", &[], NOT_FOUND),
        ("GET headers.test/", &["Version: one"], Backend(0)),
        ("GET headers.test/", &["VERSION: two"], Backend(1)),
        ("GET headers.test/", &["version: two", "color: orange"], Backend(0)),
        ("GET headers.test/", &["version: two", "color: blue"], Backend(1)),
        ("GET headers.test/", &["color: red"], Backend(2)),
        ("GET headers.test/", &["color: redder"], NOT_MATCHED),
        ("GET headers.test/", &["color: orange"], NOT_MATCHED),
        ("GET query.test/?animal=whale&other=irrelevant", &[], Backend(0)),
        ("GET query.test/?animal=dolphin&color=yellow", &[], Backend(1)),
        ("GET query.test/?animal=dolphin&color=blue", &[], Backend(2)),
        ("GET query.test/?ANIMAL=Whale", &[], Backend(2)),
        ("GET query.test/?animal=whale", &["version: one"], Backend(1)),
        ("GET query.test/path5?animal=dolphin", &[], Backend(0)),
        ("GET query.test/?animal=dolphin", &["version: four"], Backend(2)),
        ("GET query.test/?animal=whaledolphin", &[], NOT_MATCHED),
        ("POST method.test/", &[], Backend(0)),
        ("GET method.test/", &[], Backend(1)),
        ("GET method.test/path1", &[], Backend(0)),
        ("DELETE method.test/path4", &["version: three"], Backend(2)),
        ("DELETE method.test/path4", &[], NOT_MATCHED),
        ("POST method.test/", &["version: four"], Backend(0)),
        ("PATCH method.test/", &["version: four"], Backend(2)),
        ("GET unknown.test/", &[], Refused(404, "route.host_unknown")),
    ] {
        check(&mut world, request, fields, expected).await;
    }
    world.close().await;
}

#[tokio::test]
async fn of_routes_that_match_alike_the_oldest_serves() {
    let created = |time: &str| format!(", creationTimestamp: '{time}'");
    let route = |name: &str, more: &str, backend: usize| {
        let rules = Rules::new().to(backend, "{path: {value: /}}").to(0, "{path: {value: /}}");
        http_route(&format!("{name}, namespace: shop{more}"), "", &rules)
    };
    let gateway = gateway("{name: http, protocol: HTTP, port: 80}");
    let by_name = [gateway.clone(), route("b", "", 1), route("a", "", 2)].concat();
    let by_age =
        [gateway.clone(), route("a", &created("2026-02-02T00:00:00Z"), 1), route("z", &created("2025-02-02T00:00:00Z"), 2)];
    let checked = crate::shop::route("guarded", "/", "{response: {body: ours}}", "");
    let mut world = World::open(&by_name).await;
    check(&mut world, "GET a.test/x", &[], Backend(2)).await;
    world.apply(&by_age.concat()).await;
    check(&mut world, "GET a.test/x", &[], Backend(2)).await;
    // A kind without checks takes nothing from one that has them.
    world
        .apply(
            &[by_age.concat(), checked.replace("path: /\n", "parentRefs: [{name: doorward, namespace: shop}]\n  path: /\n")]
                .concat(),
        )
        .await;
    assert_eq!(world.ask("GET a.test/x", &[]).await.expect(200), "ours");
    world.close().await;
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_with_500() {
    let rules = Rules::new()
        .raw("matches: [{path: {value: /omitted}}]")
        .raw("matches: [{path: {value: /empty}}], backendRefs: []")
        .raw("matches: [{path: {value: /zero}}], backendRefs: [{name: backend-0, port: 80, weight: 0}]")
        .raw("matches: [{path: {value: /missing}}], backendRefs: [{name: nothing, port: 80}]")
        .raw("matches: [{path: {value: /kind}}], backendRefs: [{group: example.com, kind: Bucket, name: b}]")
        .raw("matches: [{path: {value: /foreign}}], backendRefs: [{name: far, namespace: other, port: 80}]")
        .raw("matches: [{path: {value: /idle}}], backendRefs: [{name: idle, port: 80}]")
        .raw("matches: [{path: {value: /extension}}], filters: [{type: ExtensionRef, extensionRef: {group: example.com, kind: Guard, name: g}}], backendRefs: [{name: backend-0, port: 80}]")
        .raw("matches: [{path: {value: /mirror}}], filters: [{type: RequestMirror, requestMirror: {backendRef: {name: backend-1, port: 80}}}], backendRefs: [{name: backend-0, port: 80}]")
        .raw("matches: [{path: {value: /unknown}}], filters: [{type: Authenticate}], backendRefs: [{name: backend-0, port: 80}]")
        .to(0, "{path: {value: /}}");
    let services = "
---
apiVersion: v1
kind: Service
metadata: {name: far, namespace: other}
spec: {type: ExternalName, externalName: 127.0.0.1}
---
apiVersion: v1
kind: Service
metadata: {name: idle, namespace: shop}
spec: {ports: [{port: 80}]}
";
    let gateway = gateway("{name: http, protocol: HTTP, port: 80}");
    let sound: Rules = rules.without("Authenticate");
    let mut world = World::open(&[&gateway, services, &http_route("closed", "", &sound)].concat()).await;
    for (path, status, code) in [
        ("/omitted", 500, "config.missing_field"),
        ("/empty", 500, "config.missing_field"),
        ("/zero", 500, "config.no_effect"),
        ("/missing", 500, "config.backend_not_found"),
        ("/kind", 500, "config.kind_not_served"),
        ("/foreign", 500, "config.reference_not_permitted"),
        ("/idle", 503, "upstream.no_endpoints"),
        ("/extension", 500, "config.kind_not_served"),
        ("/mirror", 500, "config.not_here"),
    ] {
        check(&mut world, &format!("GET a.test{path}"), &[], Refused(status, code)).await;
    }
    check(&mut world, "GET a.test/sound", &[], Backend(0)).await;
    world.close().await;

    // What no schema knows closes all rules: nothing tells what the others would do without it.
    let mut world = World::open(&[&gateway, services, &http_route("closed", "", &rules)].concat()).await;
    check(&mut world, "GET a.test/unknown", &[], Refused(500, "config.unknown_value")).await;
    check(&mut world, "GET a.test/sound", &[], Refused(500, "config.unknown_value")).await;
    world.close().await;
}

#[tokio::test]
async fn shares_are_kept_by_backends_that_cannot_be_used() {
    let share = "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Backend, value: second}]}}, {type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: Answered-By, value: second}]}}]";
    let rules = Rules::new().raw(&format!(
        "filters: [{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: Backend, value: any}}]}}}}], \
         backendRefs: [{{name: backend-0, port: 80, weight: 30}}, {{name: backend-1, port: 80, weight: 20, {share}}}, {{name: gone, port: 80, weight: 50}}]"
    ));
    let mut world =
        World::open(&[gateway("{name: http, protocol: HTTP, port: 80}"), http_route("shares", "", &rules)].concat()).await;
    let mut counts = [0, 0, 0];
    for _ in 0..300 {
        let answer = world.ask("GET a.test/", &[]).await;
        match answer.status() {
            200 => {
                let number = world.heard()[0];
                counts[number] += 1;
                let (field, tag) = if number == 1 { ("backend: second", Some("second")) } else { ("backend: any", None) };
                assert!(answer.text().lines().any(|line| line == field), "{}", answer.text());
                assert_eq!(answer.field("answered-by"), tag);
            }
            500 => {
                assert_eq!(answer.code(), "config.backend_not_found");
                counts[2] += 1;
            }
            other => panic!("{other}"),
        }
    }
    // Six standard deviations either way.
    for (count, share) in counts.into_iter().zip([90, 60, 150]) {
        assert!((share - 50..=share + 50).contains(&count), "{counts:?}");
    }
    world.close().await;
}

#[tokio::test]
async fn filters_shape_requests_and_answers() {
    let headers = "requestHeaderModifier: {set: [{name: X-Header-Set, value: set-overwrites}], add: [{name: X-Header-Add, value: added}, {name: X-Header-Append, value: two}], remove: [X-Header-Remove]}";
    let rewrite = |path: &str, rewrite: &str| {
        format!(
            "matches: [{{path: {{value: {path}}}}}], filters: [{{type: URLRewrite, urlRewrite: {rewrite}}}, {{type: RequestHeaderModifier, {headers}}}], backendRefs: [{{name: backend-0, port: 80}}]"
        )
    };
    let rules = Rules::new()
        .raw(&rewrite("/prefix/one", "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /one}}"))
        .raw(&rewrite("/strip", "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}"))
        .raw(&rewrite("/empty", "{path: {type: ReplacePrefixMatch, replacePrefixMatch: ''}}"))
        .raw(&rewrite("/full", "{hostname: inner.example.org, path: {type: ReplaceFullPath, replaceFullPath: /one/}}"))
        .raw("matches: [{path: {value: /slow}}], timeouts: {request: 100ms, backendRequest: 50ms}, backendRefs: [{name: stalled, port: 80}]")
        .raw("matches: [{path: {value: /answers}}], filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: Content-Length-Of, value: none}], add: [{name: X-Added, value: a}]}}], backendRefs: [{name: backend-0, port: 80}]");
    let stalled = crate::standard::stalled().await;
    let manifests = [
        gateway("{name: http, protocol: HTTP, port: 80}"),
        crate::standard::service("stalled", stalled.address()),
        http_route("shaped", "", &rules),
    ];
    let mut world = World::open(&manifests.concat()).await;
    let sent = ["X-Header-Set: client", "X-Header-Append: one", "X-Header-Remove: gone"];
    for (path, target, host) in [
        ("/prefix/one/two?a=b", "/one/two?a=b", "a.test"),
        ("/prefix/one", "/one", "a.test"),
        ("/strip/three", "/three", "a.test"),
        ("/strip", "/", "a.test"),
        ("/strip/", "/", "a.test"),
        ("/empty/bar", "/bar", "a.test"),
        ("/empty", "/", "a.test"),
        ("/full/anything?c=d", "/one/?c=d", "inner.example.org"),
    ] {
        let text = world.ask(&format!("GET a.test{path}"), &sent).await.expect(200);
        assert!(text.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{path}: {text}");
        for line in [
            &format!("host: {host}"),
            "x-header-set: set-overwrites",
            "x-header-add: added",
            "x-header-append: one",
            "x-header-append: two",
        ] {
            assert!(text.lines().any(|found| found == line), "{path} {line}: {text}");
        }
        assert!(!text.contains("x-header-remove"), "{path}: {text}");
    }
    world.heard();
    let answer = world.ask("GET a.test/answers", &[]).await;
    assert_eq!((answer.field("content-length-of"), answer.field("x-added")), (Some("none"), Some("a")));
    world.heard();
    check(&mut world, "GET a.test/slow", &[], Refused(504, "upstream.timeout")).await;
    world.close().await;
}

#[tokio::test]
async fn redirects_name_what_they_change() {
    let redirect = |path: &str, redirect: &str| {
        format!("matches: [{{path: {{value: {path}}}}}], filters: [{{type: RequestRedirect, requestRedirect: {redirect}}}]")
    };
    let rules = Rules::new()
        .raw(&redirect("/host", "{hostname: example.org}"))
        .raw(&redirect("/status", "{hostname: example.org, statusCode: 301}"))
        .raw(&redirect("/scheme", "{scheme: https}"))
        .raw(&redirect("/port", "{hostname: example.org, port: 8083}"))
        .raw(&redirect("/port-80", "{hostname: example.org, port: 80}"))
        .raw(&redirect("/both", "{scheme: https, hostname: example.org, port: 8443}"))
        .raw(&redirect("/prefix", "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}"))
        .raw(&redirect("/root", "{path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}"))
        .raw(&redirect("/full", "{path: {type: ReplaceFullPath, replaceFullPath: /whole}}"))
        .raw(&redirect("/see-other", "{hostname: example.org, statusCode: 303}"))
        .raw(&redirect("/temporary", "{hostname: example.org, statusCode: 307}"))
        .raw(&redirect("/permanent", "{hostname: example.org, statusCode: 308}"));
    let world = World::open(&[gateway("{name: http, protocol: HTTP, port: 80}"), http_route("moved", "", &rules)].concat()).await;
    for (path, status, location) in [
        ("/host/x?a=b", 302, "http://example.org/host/x?a=b"),
        ("/status", 301, "http://example.org/status"),
        ("/scheme", 302, "https://a.test/scheme"),
        ("/port", 302, "http://example.org:8083/port"),
        ("/port-80", 302, "http://example.org/port-80"),
        ("/both", 302, "https://example.org:8443/both"),
        ("/prefix/lemon", 302, "http://a.test/new/lemon"),
        ("/root", 302, "http://a.test/"),
        ("/full/path", 302, "http://a.test/whole"),
        ("/see-other", 303, "http://example.org/see-other"),
        ("/temporary", 307, "http://example.org/temporary"),
        ("/permanent", 308, "http://example.org/permanent"),
    ] {
        let answer = world.ask(&format!("GET a.test{path}"), &[]).await;
        assert_eq!((answer.status(), answer.field("location")), (status, Some(location)), "{path}");
    }
    world.close().await;
}

#[tokio::test]
async fn each_host_is_served_by_its_most_specific_listener_alone() {
    let listeners = "{name: empty, protocol: HTTP, port: 80}, {name: wild, protocol: HTTP, port: 80, hostname: '*.example.com'}, \
                     {name: foo, protocol: HTTP, port: 80, hostname: '*.foo.example.com'}, {name: abc, protocol: HTTP, port: 80, hostname: abc.foo.example.com}";
    let on = |name: &str, backend| {
        let rules = Rules::new().to(backend, &format!("{{path: {{value: /{name}}}}}"));
        http_route(name, &format!("parentRefs: [{{name: doorward, sectionName: {name}}}]"), &rules)
    };
    let narrowed = Rules::new().to(2, "{path: {value: /narrowed}}");
    let manifests = [
        gateway(listeners),
        on("empty", 0),
        on("wild", 1),
        on("foo", 2),
        on("abc", 0),
        http_route("narrowed", "hostnames: [elsewhere.test, '*.bar.example.com', one.example.com]", &narrowed),
    ];
    let mut world = World::open(&manifests.concat()).await;
    let paths = ["empty", "wild", "foo", "abc"];
    for (host, own, backend) in [
        ("bar.com", "empty", 0),
        ("bar.example.com", "wild", 1),
        ("bar.foo.example.com", "foo", 2),
        ("deep.bar.foo.example.com", "foo", 2),
        ("abc.foo.example.com", "abc", 0),
    ] {
        for path in paths {
            let expected = if path == own { Backend(backend) } else { NOT_FOUND };
            check(&mut world, &format!("GET {host}/{path}"), &[], expected).await;
        }
    }
    for (host, expected) in [
        ("elsewhere.test", Backend(2)),
        ("one.example.com", Backend(2)),
        ("a.bar.example.com", Backend(2)),
        ("two.example.com", NOT_FOUND),
        ("other.test", NOT_FOUND),
    ] {
        check(&mut world, &format!("GET {host}/narrowed"), &[], expected).await;
    }
    world.close().await;
}

#[tokio::test]
async fn a_route_is_on_the_listeners_that_it_asks_for_and_that_admit_it() {
    let listeners = "{name: own, protocol: HTTP, port: 80, hostname: own.test}, \
                     {name: all, protocol: HTTP, port: 80, hostname: all.test, allowedRoutes: {namespaces: {from: All}}}, \
                     {name: apis, protocol: HTTP, port: 80, hostname: apis.test, allowedRoutes: {kinds: [{group: doorward.dev, kind: ApiRoute}]}}, \
                     {name: other, protocol: HTTP, port: 81, hostname: other.test}";
    let rules = Rules::new().raw("backendRefs: [{name: backend-0, namespace: shop, port: 80}]");
    let grant = "
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: g, namespace: shop}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: far}], to: [{group: '', kind: Service}]}
";
    let parents = "parentRefs: [{name: doorward, namespace: shop}]";
    let by_port = "hostnames: [own.test, other.test], parentRefs: [{name: doorward, port: 81}]";
    let everywhere = http_route("everywhere, namespace: far", parents, &rules);
    let of_port = http_route("port", by_port, &Rules::new().to(1, "{path: {value: /port}}"));
    let mut world = World::open(&[&gateway(listeners), grant, &everywhere, &of_port].concat()).await;
    for (request, expected) in [
        ("GET all.test/", Backend(0)),
        ("GET own.test/", Refused(404, "route.host_unknown")),
        ("GET apis.test/", Refused(404, "route.host_unknown")),
        ("GET other.test/port", Backend(1)),
        ("GET own.test/port", Refused(404, "route.host_unknown")),
    ] {
        check(&mut world, request, &[], expected).await;
    }
    // Without the grant the backend is closed, and the route stays where it is.
    world.apply(&[&gateway(listeners)[..], &everywhere].concat()).await;
    check(&mut world, "GET all.test/", &[], Refused(500, "config.reference_not_permitted")).await;
    world.close().await;
}
