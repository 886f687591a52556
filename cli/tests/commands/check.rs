//! `doorward check` and what is typed wrongly.

use crate::program::{Folder, doorward};

const ROUTE: &str = "\
apiVersion: doorward.dev/v1alpha1
kind: ApiRoute
metadata: {name: orders, namespace: shop}
spec:
  path: /orders
  authentication: {mode: Anonymous}
  versions:
    - version: 1.0.0
      backend: {response: {body: hello}}
";

#[test]
fn exit_codes_and_summaries() {
    let check = |text: &str, exit: i32, holds: &[&str]| {
        let folder = Folder::new(&[("api.yaml", text)]);
        let ran = doorward(&["check", folder.path()], "");
        assert_eq!((ran.exit, ran.err.as_str()), (exit, ""), "{ran:?}");
        for text in holds {
            assert!(ran.out.contains(text), "{text}: {}", ran.out);
        }
        assert!(ran.out.ends_with(&format!(" exit {exit}\n")), "{}", ran.out);
        // The same by standard input.
        assert_eq!(doorward(&["check", "-"], text).exit, exit, "{text}");
        // Quiet leaves the errors.
        let quiet = doorward(&["check", "-q", folder.path()], "");
        assert_eq!(quiet.out.is_empty(), exit == 0, "{quiet:?}");
    };
    check(ROUTE, 0, &["0 errors, 0 warnings in 1 object (1 file)"]);
    let unknown = ROUTE.replace("  path:", "  pth: /x\n  path:");
    check(
        &unknown,
        1,
        &["error[config.unknown_field]: `pth`", "api.yaml:5:3   ApiRoute shop/orders", "Remove `pth`", "1 error,"],
    );
    check("a: [", 1, &["error[config.yaml]"]);
    check("kind: Pod\napiVersion: v1\nmetadata: {name: a}\n", 0, &["1 notice"]);
}

#[test]
fn forms_for_scripts() {
    let broken = ROUTE.replace("/orders\n", "orders\n");
    let ran = doorward(&["check", "-o", "json", "-"], &broken);
    assert_eq!(ran.exit, 1);
    let fault = &ran.json()["faults"][0];
    assert_eq!(
        (&fault["severity"], &fault["line"], &fault["field"]),
        (&"Error".into(), &5.into(), &"spec.path".into()),
        "{fault}"
    );
    assert_eq!(ran.json()["summary"]["errors"], 1);
    let ran = doorward(&["check", "-o", "sarif", "-"], &broken);
    assert_eq!((ran.exit, &ran.json()["version"]), (1, &"2.1.0".into()));
    assert_eq!(ran.json()["runs"][0]["results"][0]["level"], "error");
}

#[test]
fn what_the_cluster_has_is_assumed_and_time_is_given() {
    let service = ROUTE.replace("{response: {body: hello}}", "{services: [{name: orders, port: 80}]}");
    let check = |arguments: &[&str], exit: i32| {
        let ran = doorward(&[&["check", "-"], arguments].concat(), &service);
        assert_eq!(ran.exit, exit, "{arguments:?}: {ran:?}");
    };
    check(&[], 1);
    check(&["--assume", "Service"], 0);
    check(&["--assume", "service/shop/orders"], 0);
    check(&["--assume", "Service/invoices", "--assume", "Secret"], 1);
    check(&["--assume", "Pod"], 2);
    let key = doorward(&["key", "new", "a", "--expires-in", "1d"], "").out;
    let expired = |at: &str| doorward(&["check", "-", "--at", at], &key).out.contains("expired");
    assert!(expired("2199-01-01T00:00:00Z") && !expired("2020-01-01T00:00:00Z"));
}

#[test]
fn wrong_usage_names_what_was_expected() {
    let check = |arguments: &[&str], exit: i32, holds: &str| {
        let ran = doorward(arguments, "");
        assert_eq!(ran.exit, exit, "{ran:?}");
        assert!(ran.err.contains(holds) && !ran.err.contains("hush"), "{holds}: {ran:?}");
    };
    check(&["check"], 2, "<PATH>");
    check(&["check", "-", "--at", "noon"], 2, "--at");
    check(&["run", "-", "--management", "9090"], 2, "did you mean `127.0.0.1:9090`?");
    check(&["run", "-", "--workers", "0"], 2, "--workers");
    check(&["explain", "-f", "x.yaml"], 2, "--request");
    check(&["explain", "--request", "orders"], 2, "such as 'POST /orders'");
    check(&["explain", "-f", "missing.yaml", "--request", "/orders"], 2, "`missing.yaml`");
    check(&["explain", "--request", "/a", "-H", "A: b", "-H", "Authorization hush"], 2, "header field 2 of 2");
    check(&["explain", "--decision", "short", "--management", "127.0.0.1:1"], 2, "Doorward-Decision");
    check(&["explain", "--request", "/a", "--management", "127.0.0.1:1"], 3, "no gateway answers at 127.0.0.1:1");
    check(&["status", "--management", "127.0.0.1:1"], 3, "doorward run PATH");
    check(&["statu"], 2, "status");
    let ran = doorward(&["check", "missing"], "");
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.out.contains("error[config.path]"), "{ran:?}");
}

#[test]
fn version_help_and_completions() {
    let check = |arguments: &[&str], begins: &str| {
        let ran = doorward(arguments, "");
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert!(ran.out.starts_with(begins), "{}", ran.out);
    };
    check(&["--version"], "doorward 0.");
    check(&["--help"], "Examples:\n  doorward run ./manifests");
    check(&["run", "--help"], "Examples:\n  doorward run ./manifests");
    check(&["completion", "bash"], "_doorward() {");
    check(&["completion", "fish"], "# Print an optspec");
    check(&["completion", "zsh"], "#compdef doorward");
}
