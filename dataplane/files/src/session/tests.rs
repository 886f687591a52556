//! Real folders over time: what is served after each change, and what is said of it.

use std::fs;

use tempfile::TempDir;

use super::*;

const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: doorward}\n\
    spec: {gatewayClassName: doorward, listeners: [{name: http, port: 80, protocol: HTTP}]}\n";

/// A route of one version; its spec is the fourth line of its document, `more` stands on the sixth.
fn route(name: &str, path: &str, backend: &str, more: &str) -> String {
    format!(
        "---\napiVersion: doorward.dev/v1alpha1\nkind: ApiRoute\nmetadata: {{name: {name}}}\nspec:\n  path: {path}\n  {more}\n  \
         authentication: {{mode: Anonymous}}\n  versions: [{{version: 1.0.0, backend: {backend}}}]\n"
    )
}

fn open(name: &str, path: &str) -> String {
    route(name, path, "{response: {status: 200}}", "")
}

fn service(name: &str, namespace: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{type: ExternalName, externalName: localhost, \
         ports: [{{port: 80}}]}}\n"
    )
}

/// `name /path` of each route, with the code of what closes it or its version.
fn served(snapshot: &Snapshot) -> Vec<String> {
    let line = |route: &Arc<ir::Route>| {
        let path = route.matches.first().map(|one| format!("{:?}", one.path)).unwrap_or_default();
        let path = path.split('"').nth(1).unwrap_or_default().to_owned();
        let closed = route.serve.as_result().map_err(|fault| fault.code()).and_then(|serve| {
            serve.versions.iter().try_for_each(|version| version.backend.as_result().map(|_| ()).map_err(|fault| fault.code()))
        });
        format!("{} {path}{}", route.id.name.name, closed.err().map(|code| format!(" {code}")).unwrap_or_default())
    };
    snapshot.routes.values().map(line).collect()
}

/// `file:line code` of each finding.
fn found(folder: &TempDir, report: &Report) -> Vec<String> {
    let root = format!("{}/", folder.path().display());
    let line = |finding: &manifest::Finding| {
        let line = finding.place.map_or_else(String::new, |place| format!(":{}", place.line));
        format!("{}{line} {}", finding.file().replace(&root, ""), finding.fault.code())
    };
    report.findings().iter().map(line).collect()
}

/// Files as name and text (none: removed), the routes that are served then, and what is found.
type Step<'a> = (&'a [(&'a str, Option<&'a str>)], &'a [&'a str], &'a [&'a str]);

fn check(steps: &[Step<'_>]) {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("0.yaml"), GATEWAY).unwrap();
    let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    let context = Context::of_files(now, Vec::new());
    let mut session = Session::new(Input::new(vec![folder.path().to_owned()]), context);
    for (number, (files, routes, findings)) in steps.iter().enumerate() {
        for (name, text) in *files {
            let path = folder.path().join(name);
            text.map_or_else(|| fs::remove_file(&path), |text| fs::write(&path, text)).unwrap();
        }
        let outcome = session.reload(now);
        assert_eq!(served(&outcome.snapshot), *routes, "step {number}: {}", outcome.report.to_text(manifest::Colour::Never));
        assert_eq!(found(&folder, &outcome.report), *findings, "step {number}");
        let again = session.reload(now);
        assert!(!again.changed, "step {number}: nothing changed");
        assert_eq!(found(&folder, &again.report), *findings, "step {number}, again");
    }
}

#[test]
fn objects_come_and_go_with_their_text() {
    let (a, b) = (open("a", "/a"), open("b", "/b"));
    let torn = format!("{a}---\nb: [\n");
    check(&[
        (&[("f.yaml", Some(&a)), ("g.yaml", Some(&b))], &["a /a", "b /b"], &[]),
        (&[("f.yaml", Some(&[a.as_str(), &b].concat())), ("g.yaml", None)], &["a /a", "b /b"], &[]),
        // A file that no longer parses keeps every object that it held.
        (&[("f.yaml", Some(&torn))], &["a /a", "b /b"], &["f.yaml config.serving_last_good", "f.yaml:12 config.yaml"]),
        (&[("f.yaml", Some(&a))], &["a /a"], &[]),
        (&[("f.yaml", None)], &[], &[]),
    ]);
}

#[test]
fn a_broken_update_keeps_the_last_good_version() {
    let good = open("a", "/a");
    let misspelt = good.replace("path:", "paht:");
    let bad_network = route("a", "/moved", "{response: {status: 200}}", "addresses: {deny: [10.0.0.1/8]}");
    let dangling = route("a", "/moved", "{services: [{name: gone, port: 80}]}", "");
    let mended = open("a", "/mended");
    for (broken, findings) in [
        (&misspelt, ["f.yaml:3 config.serving_last_good", "f.yaml:6 config.unknown_field"]),
        (&bad_network, ["f.yaml:3 config.serving_last_good", "f.yaml:7 config.malformed"]),
        (&dangling, ["f.yaml:3 config.serving_last_good", "f.yaml:9 config.backend_not_found"]),
    ] {
        check(&[
            (&[("f.yaml", Some(&good))], &["a /a"], &[]),
            (&[("f.yaml", Some(broken))], &["a /a"], &findings),
            (&[("f.yaml", Some(&mended))], &["a /mended"], &[]),
        ]);
    }
    // One fault after the other: what never served is not what is kept.
    check(&[
        (&[("f.yaml", Some(&good))], &["a /a"], &[]),
        (&[("f.yaml", Some(&dangling))], &["a /a"], &["f.yaml:3 config.serving_last_good", "f.yaml:9 config.backend_not_found"]),
        (&[("f.yaml", Some(&misspelt))], &["a /a"], &["f.yaml:3 config.serving_last_good", "f.yaml:6 config.unknown_field"]),
        (&[("f.yaml", Some(&mended))], &["a /mended"], &[]),
    ]);
    // What was never good is closed.
    check(&[(&[("f.yaml", Some(&bad_network))], &["a /moved config.malformed"], &["f.yaml:7 config.malformed"])]);
}

#[test]
fn a_wrong_field_hides_no_other_fault() {
    let more = "authorization: {rules: [{name: a, when: '1 +'}]}\n  addresses: {deny: [10.0.0.1/8]}\n  frobnicate: true";
    let many = route("a", "/a", "{services: [{name: gone, port: 80}]}", more);
    let all = [
        "f.yaml:7 config.expression_invalid",
        "f.yaml:8 config.malformed",
        "f.yaml:9 config.unknown_field",
        "f.yaml:11 config.backend_not_found",
    ];
    let mended = open("a", "/mended");
    check(&[
        (&[("f.yaml", Some(&many))], &["a /a config.unknown_field"], &all),
        (&[("f.yaml", Some(&mended))], &["a /mended"], &[]),
        // So too where an earlier version serves.
        (&[("f.yaml", Some(&many))], &["a /mended"], &[&["f.yaml:3 config.serving_last_good"][..], &all].concat()),
    ]);
    // A member of the wrong type takes nothing but itself.
    let typed = many.replace("frobnicate: true", "limits: [{name: l, window: 0s, requests: many}]");
    let all = all.map(|line| line.replace("unknown_field", "malformed"));
    let mut expected: Vec<&str> = all.iter().map(String::as_str).collect();
    expected.insert(3, "f.yaml:9 config.wrong_type");
    check(&[(&[("f.yaml", Some(&typed))], &["a /a config.malformed"], &expected)]);
    // So does a number where a version is asked for.
    let number = route("a", "/a", "{response: {}}", "authorization: {rules: [{name: a, when: '1 +'}]}").replace("1.0.0", "1.0");
    let both = ["f.yaml:7 config.expression_invalid", "f.yaml:9 config.malformed"];
    check(&[(&[("f.yaml", Some(&number))], &["a /a config.malformed"], &both)]);
    // What is missing only because it is misspelt is told once.
    let misspelt = open("a", "/a").replace("{mode: Anonymous}", "{methds: [{apiKey: {bearer: {}}}]}");
    check(&[(&[("f.yaml", Some(&misspelt))], &["a /a config.unknown_field"], &["f.yaml:8 config.unknown_field"])]);
}

#[test]
fn an_earlier_version_lives_in_the_world_as_it_is() {
    let own = route("a", "/a", "{services: [{name: own, port: 80}]}", "");
    let edited = route("a", "/moved", "{services: [{name: own, port: 80}]}", "");
    let service_own = service("own", "default");
    // The Service is gone: neither version can serve, so the newer one is closed.
    check(&[
        (&[("f.yaml", Some(&own)), ("s.yaml", Some(&service_own))], &["a /a"], &[]),
        (&[("s.yaml", None)], &["a /a config.backend_not_found"], &["f.yaml:9 config.backend_not_found"]),
        (&[("f.yaml", Some(&edited))], &["a /moved config.backend_not_found"], &["f.yaml:9 config.backend_not_found"]),
        (&[("s.yaml", Some(&service_own))], &["a /moved"], &[]),
    ]);
    // A withdrawn grant is withdrawn from the earlier version too.
    let other = route("a", "/a", "{services: [{name: far, namespace: other, port: 80}]}", "");
    let broken = other.replace("path: /a", "path: /moved").replace("\n  \n", "\n  addresses: {deny: [10.0.0.1/8]}\n");
    let grant = "apiVersion: gateway.networking.k8s.io/v1\nkind: ReferenceGrant\nmetadata: {name: g, namespace: other}\n\
        spec: {from: [{group: doorward.dev, kind: ApiRoute, namespace: default}], to: [{group: \"\", kind: Service}]}\n";
    let far = service("far", "other");
    check(&[
        (&[("f.yaml", Some(&other)), ("g.yaml", Some(grant)), ("s.yaml", Some(&far))], &["a /a"], &[]),
        (&[("f.yaml", Some(&broken))], &["a /a"], &["f.yaml:3 config.serving_last_good", "f.yaml:7 config.malformed"]),
        (
            &[("g.yaml", None)],
            &["a /moved config.malformed"],
            &["f.yaml:7 config.malformed", "f.yaml:9 config.reference_not_permitted"],
        ),
        (&[("g.yaml", Some(grant))], &["a /a"], &["f.yaml:3 config.serving_last_good", "f.yaml:7 config.malformed"]),
    ]);
}

#[test]
fn an_update_that_takes_anothers_place_changes_neither() {
    let (a, b) = (open("a", "/a"), open("b", "/b"));
    let thief = open("a", "/b");
    check(&[
        (&[("f.yaml", Some(&a)), ("g.yaml", Some(&b))], &["a /a", "b /b"], &[]),
        (&[("f.yaml", Some(&thief))], &["a /a", "b /b"], &["f.yaml:3 config.serving_last_good", "f.yaml:6 config.conflict"]),
    ]);
}

#[test]
fn a_newcomer_gives_way_to_what_serves() {
    let (orders, baskets, moved) = (open("orders", "/o"), open("baskets", "/o"), open("baskets", "/b"));
    check(&[
        (&[("f.yaml", Some(&orders))], &["orders /o"], &[]),
        // The name that comes first is the newcomer's.
        (&[("g.yaml", Some(&baskets))], &["baskets /o config.conflict", "orders /o"], &["g.yaml:6 config.conflict"]),
        (&[("g.yaml", Some(&moved))], &["baskets /b", "orders /o"], &[]),
        (&[("g.yaml", None)], &["orders /o"], &[]),
        (&[("g.yaml", Some(&baskets))], &["baskets /o config.conflict", "orders /o"], &["g.yaml:6 config.conflict"]),
        // What served is gone, so nothing is in the way any more.
        (&[("f.yaml", None)], &["baskets /o"], &[]),
        (&[("f.yaml", Some(&orders))], &["baskets /o", "orders /o config.conflict"], &["f.yaml:6 config.conflict"]),
    ]);
    // At a start nothing tells which is meant, whatever else is wrong with one of them.
    let both = ["baskets /o config.conflict", "orders /o config.conflict"];
    check(&[
        (
            &[("f.yaml", Some(&orders)), ("g.yaml", Some(&baskets))],
            &both,
            &["f.yaml:6 config.conflict", "g.yaml:6 config.conflict"],
        ),
        (&[("g.yaml", Some(&moved))], &["baskets /b", "orders /o"], &[]),
    ]);
    let dangling = route("orders", "/o", "{services: [{name: gone, port: 80}]}", "");
    let three = ["f.yaml:6 config.conflict", "f.yaml:9 config.backend_not_found", "g.yaml:6 config.conflict"];
    check(&[(&[("f.yaml", Some(&dangling)), ("g.yaml", Some(&baskets))], &both, &three)]);
    // What serves keeps its place while its backend is away.
    let (own, far) = (route("orders", "/o", "{services: [{name: far, port: 80}]}", ""), service("far", "default"));
    check(&[
        (&[("f.yaml", Some(&own)), ("s.yaml", Some(&far))], &["orders /o"], &[]),
        (
            &[("g.yaml", Some(&baskets)), ("s.yaml", None)],
            &["baskets /o config.conflict", "orders /o config.backend_not_found"],
            &["f.yaml:9 config.backend_not_found", "g.yaml:6 config.conflict"],
        ),
        (&[("s.yaml", Some(&far))], &["baskets /o config.conflict", "orders /o"], &["g.yaml:6 config.conflict"]),
    ]);
}

#[test]
fn the_older_of_two_dated_objects_serves() {
    let dated = |name: &str, at: &str| {
        open(name, "/o").replace(&format!("{{name: {name}}}"), &format!("{{name: {name}, creationTimestamp: \"{at}\"}}"))
    };
    let (older, younger) = (dated("orders", "2026-01-01T00:00:00Z"), dated("baskets", "2026-02-01T00:00:00Z"));
    let served = ["baskets /o config.conflict", "orders /o"];
    check(&[(&[("f.yaml", Some(&older)), ("g.yaml", Some(&younger))], &served, &["g.yaml:6 config.conflict"])]);
    check(&[
        (&[("g.yaml", Some(&younger))], &["baskets /o"], &[]),
        (&[("f.yaml", Some(&older))], &served, &["g.yaml:6 config.conflict"]),
    ]);
    // One date alone tells nothing of the other's age.
    let undated = open("orders", "/o");
    let both = ["baskets /o config.conflict", "orders /o config.conflict"];
    let found = ["f.yaml:6 config.conflict", "g.yaml:6 config.conflict"];
    check(&[(&[("f.yaml", Some(&undated)), ("g.yaml", Some(&younger))], &both, &found)]);
}

#[test]
fn a_broken_certificate_leaves_the_last_good_one() {
    let gateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: tls}\n\
        spec: {gatewayClassName: doorward, listeners: [{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}}]}\n";
    let pair = rcgen::generate_simple_self_signed(vec!["api.example.com".to_owned()]).unwrap();
    let secret = |certificate: &str| {
        let indented = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: c}}\ntype: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
            indented(certificate),
            indented(&pair.signing_key.serialize_pem()),
        )
    };
    let (good, broken) = (secret(&pair.cert.pem()), secret("no certificate"));
    let folder = TempDir::new().unwrap();
    let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    let context = Context::of_files(now, Vec::new());
    let mut session = Session::new(Input::new(vec![folder.path().to_owned()]), context);
    fs::write(folder.path().join("g.yaml"), gateway).unwrap();
    let mut reload = |text: &str| {
        fs::write(folder.path().join("s.yaml"), text).unwrap();
        let outcome = session.reload(now);
        (outcome.snapshot.certificates.clone(), found(&folder, &outcome.report))
    };
    let (first, findings) = reload(&good);
    assert_eq!((first.len(), findings), (1, Vec::new()));
    let (second, findings) = reload(&broken);
    assert_eq!(second, first);
    assert_eq!(findings, ["g.yaml:4 config.certificate_invalid", "s.yaml:2 config.serving_last_good"]);
}

#[test]
fn there_are_counts_and_an_input() {
    let input =
        Input { paths: vec!["-".into()], stdin: [GATEWAY, &open("a", "/a"), &open("b", "/b")].concat().into_bytes().into() };
    let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    let mut session = Session::new(input, Context::of_files(now, Vec::new()));
    assert!(session.input().has_stdin());
    let outcome = session.reload(now);
    assert_eq!((outcome.counts.to_string().as_str(), outcome.counts.files), ("1 Gateway, 2 ApiRoutes", 1));
    assert!(outcome.changed);
    assert_eq!(outcome.report.summary().errors, 0);
}

#[test]
fn errors_say_what_they_do() {
    let check = |text: &str, expected: &[&str]| {
        let input = Input { paths: vec!["-".into()], stdin: [GATEWAY, text].concat().into_bytes().into() };
        let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
        let report = Session::new(input, Context::of_files(now, Vec::new())).reload(now).report;
        let told: Vec<&str> = report.findings().iter().map(|finding| finding.effect.as_deref().unwrap_or_default()).collect();
        assert_eq!(told, expected, "{text}");
    };
    let until = "until this is mended; nothing else is affected";
    let ghost = "{services: [{name: ghost, port: 80}]}";
    let closed = |what: &str, code: &str| format!("{what} answers 503 {code} {until}");
    check(&route("a", "/a", "{response: {status: 200}}", "paht: /b"), &[&closed("default/a", "config.unknown_field")]);
    check(&route("a", "/a", ghost, ""), &[&closed("default/a", "config.backend_not_found")]);
    let versions = format!("{{response: {{}}}}}}, {{version: 2.0.0, backend: {ghost}");
    check(&route("a", "/a", &versions, ""), &[&closed("version 2.0.0 of default/a", "config.backend_not_found")]);
    let key = "---\napiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {name: k}\nspec: {secretRef: {name: ghost}}\n";
    check(key, &[&format!("the key default/k is unknown to the gateway {until}")]);
    let model = "---\napiVersion: doorward.dev/v1alpha1\nkind: AiModel\nmetadata: {name: m}\nspec: {provider: openai, model: x, \
        credential: {secretRef: {name: ghost, key: k}}}\n";
    check(model, &[&closed("the model default/m", "config.secret_not_found")]);
    let rules = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: h}\nspec: {parentRefs: [{name: doorward}], \
        rules: [{backendRefs: [{name: ghost, port: 80}]}]}\n";
    check(rules, &[&format!("HTTPRoute default/h rule 0 answers 500 config.backend_not_found {until}")]);
    let dated = |name: &str, year: u16| {
        open(name, "/a")
            .replace(&format!("{{name: {name}"), &format!("{{name: {name}, creationTimestamp: {year}-01-01T00:00:00Z"))
    };
    let younger = "default/a is not served until this is mended; ApiRoute default/b takes its calls";
    check(&[dated("a", 2026), dated("b", 2025)].concat(), &[younger]);
    let undated = ["default/a", "default/b"].map(|name| closed(name, "config.conflict"));
    check(&[open("a", "/a"), open("b", "/a")].concat(), &undated.each_ref().map(String::as_str));
    check("---\nkind: x\n", &[""]);
    check(&route("a", "/a", "{response: {}}", "hostnames: [A.example.com]"), &[]);
}

#[test]
fn what_a_schema_and_translation_both_find_is_told_once() {
    let check = |text: &str, expected: &[&str]| {
        let input = Input { paths: vec!["-".into()], stdin: text.as_bytes().to_vec().into() };
        let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
        let report = Session::new(input, Context::of_files(now, Vec::new())).reload(now).report;
        let line = |finding: &manifest::Finding| format!("{} {}", finding.fault.field, finding.fault.code());
        assert_eq!(report.findings().iter().map(line).collect::<Vec<_>>(), expected, "{text}");
    };
    let twice = "{response: {}}}, {version: 1.0.0, backend: {response: {}}";
    check(&route("a", "/a", twice, ""), &["spec.versions[1] config.duplicate_item"]);
    let key = "apiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {name: k}\nspec:\n  secretRef: {name: s}\n";
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: 0123456789abcdefg}\n";
    let rotated = format!("{key}  rotation: {{every: 90d}}\n{secret}");
    check(&rotated, &["spec config.rule_violated"]);
    // Both members of a union, one of them wrong: two mistakes.
    let both = route("a", "/a", "{url: 'ftp://x', response: {}}", "");
    check(&both, &["spec.versions[0].backend config.rule_violated", "spec.versions[0].backend.url config.malformed"]);
    // A rule that reads what is refused itself has nothing to say.
    let mode = open("a", "/a").replace("Anonymous", "Anonymus");
    check(&mode, &["spec.authentication.mode config.unknown_value"]);
    let model = "apiVersion: doorward.dev/v1alpha1\nkind: AiModel\nmetadata: {name: m}\nspec: {provider: Custom, model: x}\n";
    check(model, &["spec config.rule_violated"]);
    let broken = format!("{key}  roels: [a]\n  expiresAt: soon\n{secret}");
    check(&broken, &["spec config.unknown_field", "spec.expiresAt config.malformed"]);
}

#[test]
fn a_refused_text_of_a_key_suspends_it_all_the_same() {
    let folder = TempDir::new().unwrap();
    let now: Timestamp = "2026-07-01T00:00:00Z".parse().unwrap();
    let mut session = Session::new(Input::new(vec![folder.path().to_owned()]), Context::of_files(now, Vec::new()));
    let mut check = |spec: &str, suspended: bool, state: &str| {
        let text = format!(
            "apiVersion: doorward.dev/v1alpha1\nkind: ApiKey\nmetadata: {{name: app}}\nspec:\n  secretRef: {{name: app}}\n{spec}\
             ---\napiVersion: v1\nkind: Secret\nmetadata: {{name: app}}\nstringData: {{key: 0123456789abcdefghij}}\n"
        );
        fs::write(folder.path().join("key.yaml"), text).unwrap();
        let outcome = session.reload(now);
        let key = outcome.snapshot.keys.values().next().unwrap();
        let is_kept = found(&folder, &outcome.report).iter().any(|line| line.ends_with("config.serving_last_good"));
        let found = if key.hash.is_none() {
            "closed"
        } else if is_kept {
            "kept"
        } else {
            "good"
        };
        assert_eq!((key.suspended, found), (suspended, state), "{spec}");
        assert!(!session.reload(now).changed, "{spec}");
    };
    check("", false, "good");
    check("  suspended: true\n  addresses: {deny: [10.0.0.1/8]}\n", true, "kept");
    check("  suspended: true\n  sespended: true\n", true, "kept");
    check("  sespended: true\n", false, "kept");
    check("", false, "good");
}
