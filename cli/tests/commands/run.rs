//! `doorward run`, from start to stop.

use crate::program::{Folder, Running, call, doorward};

const ANYWHERE: &str = "127.0.0.1:0";

fn route(demo: &str, rule: &str) -> String {
    format!(
        "apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {{name: orders, namespace: shop}}
spec:
  path: /orders
  authentication: {{mode: Required, methods: [{{apiKey: {{header: X-Api-Key}}}}]}}
  authorization: {{rules: [{{name: rule, {rule}}}]}}
  versions: [{{version: 2.0.0, backend: {{url: 'http://{demo}/v2'}}}}]
"
    )
}

fn start(paths: &[&str], more: &[&str]) -> Running {
    let flags = ["--http", ANYWHERE, "--management", ANYWHERE, "--metrics", ANYWHERE, "--workers", "2"];
    Running::start(&[&["run"], paths, &flags[..], more].concat())
}

#[test]
fn a_gateway_serves_reloads_tells_and_stops() {
    let mut demo = Running::start(&["demo", ANYWHERE]);
    let upstream = demo.address("demo");
    let made = doorward(&["key", "new", "app", "--namespace", "shop", "-q"], "");
    let field = format!("X-Api-Key: {}\r\n", made.err.trim());
    let folder = Folder::new(&[("api.yaml", &route(&upstream, "methods: [GET]")), ("keys.yaml", &made.out)]);

    let mut gateway = start(&[folder.path()], &[]);
    assert!(gateway.line("serving").contains("(1 ApiRoute, 1 ApiKey)"));
    let traffic = gateway.address("traffic");
    let management = gateway.address("management");
    let metrics = gateway.address("metrics");
    assert!(call(&metrics, "GET /readyz", "").starts_with("HTTP/1.1 200 "));
    let answer = call(&traffic, "GET /orders/7", &field);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""doorward-principal":"app""#), "{answer}");

    let refused = call(&traffic, "DELETE /orders/7", &field);
    assert!(refused.starts_with("HTTP/1.1 403 "), "{refused}");
    let decision = refused.lines().find_map(|line| line.strip_prefix("doorward-decision: ")).unwrap();
    let told = doorward(&["explain", "--decision", decision, "--management", &management], "");
    assert!(told.exit == 1 && told.out.starts_with("DELETE /orders/7 was refused: 403"), "{told:?}");
    let unknown = doorward(&["explain", "--decision", "0000000000000000", "--management", &management], "");
    assert!(unknown.exit == 1 && unknown.err.contains("only recent calls"), "{unknown:?}");
    let asked = doorward(&["explain", "--request", "/orders", "--management", &management, "-o", "json"], "");
    assert_eq!((asked.exit, &asked.json()["code"]), (1, &"credential.missing".into()), "{asked:?}");

    folder.write("api.yaml", &route(&upstream, "methods: [GET, DELETE]"));
    assert_eq!(gateway.line("reloaded"), "  reloaded: changed ApiRoute shop/orders; 0 errors, 0 warnings\n");
    assert!(call(&traffic, "DELETE /orders/7", &field).starts_with("HTTP/1.1 200 "));
    folder.write("api.yaml", &route(&upstream, "methds: [GET]"));
    assert_eq!(gateway.line("reloaded"), "  reloaded: nothing that serves changed; 1 error, 1 warning\n");
    gateway.line("error[config.unknown_field]: `methds`");
    assert!(call(&traffic, "DELETE /orders/7", &field).starts_with("HTTP/1.1 200 "));
    let status = doorward(&["status", "--management", &management], "");
    assert!(status.exit == 0 && status.out.contains("1 object needs attention:"), "{status:?}");

    let (exit, log) = gateway.stop();
    assert_eq!(exit, 0);
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4, "{log}");
    // Each worker hands over its calls by itself.
    let refused = lines.iter().find(|line| line["decision"] == decision).unwrap();
    assert_eq!(refused["http.response.status_code"], 403, "{log}");
    assert!(!log.contains(made.err.trim()), "{log}");
    assert_eq!(demo.stop().0, 0);
}

#[test]
fn a_broken_object_never_stops_the_start() {
    let folder = Folder::new(&[("api.yaml", &route("127.0.0.1:1", "methds: [GET]")), ("torn.yaml", "a: [")]);
    let mut gateway = start(&[folder.path()], &["--demo=127.0.0.1:0", "--no-watch"]);
    gateway.line("error[config.unknown_field]");
    gateway.line("2 errors");
    gateway.line("changes are not watched");
    let traffic = gateway.address("traffic");
    let demo = gateway.address("demo");
    let answer = call(&traffic, "GET /orders", "");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("config."), "{answer}");
    assert!(call(&demo, "GET /echo", "").contains(r#""path":"/echo""#));
    assert_eq!(gateway.stop().0, 0);
}

#[test]
fn what_cannot_start_says_what_to_type() {
    let empty = Folder::new(&[("torn.yaml", "a: [")]);
    let taken = std::net::TcpListener::bind(ANYWHERE).unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let route = Folder::new(&[("api.yaml", &route("127.0.0.1:1", "methods: [GET]"))]);
    let free = ["--http", ANYWHERE, "--management", ANYWHERE, "--metrics", ANYWHERE];
    let check = |arguments: &[&str], holds: &[&str]| {
        let ran = doorward(&[&["run"], arguments].concat(), "");
        assert_eq!((ran.exit, ran.out.as_str()), (1, ""), "{ran:?}");
        for text in holds {
            assert!(ran.err.contains(text), "{text}: {}", ran.err);
        }
    };
    check(&[&[empty.path()], &free[..]].concat(), &["error[config.yaml]", "nothing can be served", "next: doorward check"]);
    check(&[&["missing"], &free[..]].concat(), &["error[config.path]", "next: doorward check missing"]);
    let with = |flag: &str| {
        let mut flags = free.to_vec();
        let at = flags.iter().position(|known| *known == flag).unwrap();
        flags[at + 1] = &taken;
        check(&[&[route.path()], &flags[..]].concat(), &[&taken, "another process has it", &format!("`{flag} 127.0.0.1:0`")]);
    };
    with("--http");
    with("--management");
    with("--metrics");
}
