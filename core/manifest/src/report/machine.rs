//! Findings for scripts. No form has a snippet.

use std::collections::BTreeSet;

use cause::Severity;
use serde_json::{Value, json};

use super::Report;
use crate::document::Finding;

pub(super) fn json(report: &Report) -> Value {
    let summary = report.summary();
    json!({
        "summary": {
            "errors": summary.errors,
            "warnings": summary.warnings,
            "notices": summary.notices,
            "objects": summary.objects,
            "files": summary.files,
        },
        "faults": report.findings.iter().map(fault).collect::<Vec<_>>(),
    })
}

fn fault(finding: &Finding) -> Value {
    let fault = &finding.fault;
    json!({
        "severity": fault.severity,
        "code": fault.code(),
        "file": &**finding.file(),
        "line": finding.place.map(|place| place.line),
        "column": finding.place.map(|place| place.column),
        "field": fault.field.to_string(),
        "object": fault.object.as_ref().map(ToString::to_string),
        "message": fault.message(),
        "remedy": fault.remedy(),
        "effect": finding.effect.as_deref(),
    })
}

pub(super) fn sarif(report: &Report, docs: &str, version: &str) -> Value {
    let codes: BTreeSet<&str> = report.findings.iter().map(|finding| finding.fault.code()).collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({"id": code, "helpUri": cause::documentation(docs, code)})).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "doorward", "version": version, "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": report.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let fault = &finding.fault;
    let level = match fault.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "note",
    };
    let text = [fault.message(), fault.remedy()].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(". ");
    let mut location = json!({"physicalLocation": {"artifactLocation": {"uri": uri(finding.file())}}});
    if let Some(place) = finding.place {
        let end = finding.source.place(crate::place::Span::new(place.span.end, place.span.end));
        location["physicalLocation"]["region"] =
            json!({"startLine": place.line, "startColumn": place.column, "endLine": end.line, "endColumn": end.column});
    }
    if let Some(object) = &fault.object {
        let name = format!("{object} {}", fault.field);
        location["logicalLocations"] = json!([{"fullyQualifiedName": name.trim_end()}]);
    }
    json!({"ruleId": fault.code(), "level": level, "message": {"text": text}, "locations": [location]})
}

/// A file's name as a URI reference (RFC 3986).
fn uri(name: &str) -> String {
    let mut uri = String::with_capacity(name.len());
    // Viewers compare it with the paths of a repository, which never begin so.
    for byte in name.trim_start_matches("./").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
