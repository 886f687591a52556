//! Versions: which one a request names, and what its stage adds.

use super::*;
use ir::Part;
use std::sync::Arc;

fn version(text: &str, stage: Stage) -> ir::Version {
    ir::Version {
        version: Version::parse(text).unwrap(),
        stage,
        deprecated_at: (stage == Stage::Deprecated).then(|| "2026-09-01T00:00:00Z".parse().unwrap()),
        sunset_at: (stage != Stage::Published).then(|| "2027-03-01T00:00:00Z".parse().unwrap()),
        backend: Part::Ready(ir::Backend::Response(ir::FixedResponse { status: 200, headers: Vec::new(), body: "".into() })),
    }
}

fn compiled(select: &[VersionSource], default: Option<&str>, versions: &[ir::Version]) -> Versions {
    let default = default.map(|text| Requirement::parse(text).unwrap().to_range());
    let versioning = Versioning { select: select.to_vec(), default };
    Versions::compile(&ObjectName::new("shop", "orders"), "/orders", &versioning, versions)
}

const USUAL: [(&str, Stage); 6] = [
    ("4.0.0", Stage::Draft),
    ("3.0.0-rc.1", Stage::Published),
    ("2.1.0", Stage::Published),
    ("2.0.5", Stage::Published),
    ("1.4.2", Stage::Deprecated),
    ("0.9.0", Stage::Retired),
];

fn all_sources() -> Vec<VersionSource> {
    vec![
        VersionSource::Path,
        VersionSource::Header("api-version".into()),
        VersionSource::Query("version".into()),
        VersionSource::MediaType("version".into()),
    ]
}

fn told(versions: &[(&str, Stage)], result: Result<Selected, cause::Version>) -> String {
    match result {
        Ok(selected) => format!("{} {:?} {}", versions[selected.index].0, selected.chosen, selected.segment),
        Err(cause) => cause::Denial::Version(cause).entry().code.to_owned(),
    }
}

#[test]
fn the_first_source_that_names_a_version_decides() {
    fn check(path: &str, headers: &[(&str, &str)], query: &str, expected: &str) {
        let versions = USUAL.map(|(text, stage)| version(text, stage));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let result = compiled(&all_sources(), None, &versions).select(VersionRequest { path, headers: &map, query });
        assert_eq!(told(&USUAL, result), expected, "{path} {headers:?} {query}");
    }
    check("", &[], "", "2.1.0 Default 0");
    check("/items", &[], "", "2.1.0 Default 0");
    check("/v2/items", &[], "", "2.1.0 Path 3");
    check("/v2.0", &[], "", "2.0.5 Path 5");
    check("/v2.0.5/", &[], "", "2.0.5 Path 7");
    check("/v1/items", &[("api-version", "2")], "version=2", "1.4.2 Path 3");
    check("/v2beta", &[], "", "2.1.0 Default 0");
    check("/value/v1", &[], "", "2.1.0 Default 0");
    check("/V1", &[], "", "2.1.0 Default 0");
    check("/v7", &[], "", "version.unknown");
    check("/v0", &[], "", "version.retired");
    check("", &[("api-version", "1")], "version=2", "1.4.2 Header 0");
    check("", &[("api-version", "^2.0")], "", "2.1.0 Header 0");
    check("", &[("api-version", "latest")], "", "version.malformed");
    check("", &[("api-version", "")], "", "version.malformed");
    check("", &[("api-version", "\u{e9}")], "", "version.malformed");
    check("", &[("api-version", "1"), ("api-version", "2")], "", "version.malformed");
    check("", &[("api-version", "1"), ("api-version", "1")], "", "version.malformed");
    check("", &[], "version=1%2E4", "1.4.2 Query 0");
    check("", &[], "version=1&version=2", "version.malformed");
    check("", &[("accept", "text/html, application/json; q=1; Version=\"1\"")], "", "1.4.2 MediaType 0");
    check("", &[("content-type", "application/json;version=2.0")], "", "2.0.5 MediaType 0");
    check("", &[("accept", "application/json;version=1"), ("content-type", "a/b;version=2")], "", "1.4.2 MediaType 0");
    check("", &[("accept", "application/json;version=x")], "", "version.malformed");
}

#[test]
fn stages_decide_who_serves() {
    fn check(named: Option<&str>, default: Option<&str>, versions: &[(&str, Stage)], expected: &str) {
        let list: Vec<_> = versions.iter().map(|(text, stage)| version(text, *stage)).collect();
        let mut headers = HeaderMap::new();
        if let Some(named) = named {
            headers.insert("api-version", HeaderValue::from_str(named).unwrap());
        }
        let result = compiled(&all_sources(), default, &list).select(VersionRequest { path: "", headers: &headers, query: "" });
        let said = told(versions, result);
        assert_eq!(said.split(' ').next(), Some(expected), "{named:?} {default:?} {versions:?}");
    }
    check(Some("4"), None, &USUAL, "version.unknown");
    check(Some("4.0.0"), None, &USUAL, "4.0.0");
    check(Some("3"), None, &USUAL, "version.unknown");
    check(Some("3.0.0-rc.1"), None, &USUAL, "3.0.0-rc.1");
    check(Some("0.9.0"), None, &USUAL, "version.retired");
    check(None, Some("1"), &USUAL, "1.4.2");
    check(None, Some("2.0"), &USUAL, "2.0.5");
    check(None, Some("0"), &USUAL, "version.retired");
    check(None, Some("4.0.0"), &USUAL, "version.no_default");
    check(None, Some("8"), &USUAL, "version.no_default");
    check(None, None, &[("1.0.0", Stage::Deprecated), ("2.0.0", Stage::Draft)], "1.0.0");
    check(None, None, &[("2.0.0", Stage::Draft)], "version.no_default");
    check(None, None, &[("1.0.0", Stage::Retired), ("2.0.0", Stage::Draft)], "version.retired");
    check(None, None, &[("3.0.0-rc.1", Stage::Published)], "3.0.0-rc.1");
    check(Some("2"), None, &[("2.0.0", Stage::Published), ("2.1.0", Stage::Retired)], "2.0.0");
    check(Some("2"), None, &[("2.0.0", Stage::Deprecated), ("2.1.0", Stage::Published)], "2.1.0");
}

#[test]
fn refusals_list_what_exists_and_name_the_successor() {
    let versions = USUAL.map(|(text, stage)| version(text, stage));
    let compiled = compiled(&all_sources(), None, &versions);
    let select = |path| compiled.select(VersionRequest { path, headers: &HeaderMap::new(), query: "" });
    let Err(cause::Version::Unknown { requested, available, retired, .. }) = select("/v7") else { panic!("unknown") };
    assert_eq!(requested, "v7");
    assert_eq!(available, ["3.0.0-rc.1", "2.1.0", "2.0.5", "1.4.2"].map(Arc::from));
    assert_eq!(retired, ["0.9.0"].map(Arc::from));
    let Err(cause::Version::Retired { successor, version, .. }) = select("/v0.9") else { panic!("retired") };
    assert_eq!((&*version, successor.as_deref()), ("0.9.0", Some("2.1.0")));
}

#[test]
fn endings_are_told_in_fields() {
    fn check(select: &[VersionSource], index: usize, expected: &[(&str, &str)]) {
        let versions = USUAL.map(|(text, stage)| version(text, stage));
        let compiled = compiled(select, None, &versions);
        let told: Vec<_> = compiled.headers(index).iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(told, expected);
    }
    let (deprecation, sunset) = (("deprecation", "@1788220800"), ("sunset", "Mon, 01 Mar 2027 00:00:00 GMT"));
    let link = |target| ("link", target);
    check(&all_sources(), 4, &[deprecation, sunset, link("</orders/v2.1.0>; rel=\"successor-version\"")]);
    check(&all_sources()[1..], 4, &[deprecation, sunset, link("</orders?version=2.1.0>; rel=\"successor-version\"")]);
    check(&[], 4, &[deprecation, sunset, link("</orders>; rel=\"successor-version\"")]);
    check(&all_sources(), 2, &[]);
    check(&all_sources(), 99, &[]);
}
