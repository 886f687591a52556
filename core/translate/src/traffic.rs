//! How requests and answers are shaped.

use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath};
use crds::v1alpha1 as written;
use ir::{HeaderChanges, PathRewrite, Traffic};

use crate::parse;
use crate::report::Report;

/// The shaping of a route; what is wrong closes the route.
pub(crate) fn translate(written: Option<&written::Traffic>, at: &FieldPath, report: &mut Report) -> Option<Traffic> {
    let Some(written) = written else { return Some(untouched()) };
    let timeout_ms = written.timeout.as_ref().map(|text| report.need(&at.field("timeout"), parse::duration(text)));
    let headers = written.headers.as_ref();
    let both = at.field("headers");
    let request = changes(headers.and_then(|headers| headers.request.as_ref()), &both.field("request"), report);
    let response = changes(headers.and_then(|headers| headers.response.as_ref()), &both.field("response"), report);
    let rewriting = at.field("rewrite");
    let hostname = written
        .rewrite
        .as_ref()
        .and_then(|rewrite| rewrite.hostname.as_ref())
        .map(|text| report.need(&rewriting.field("hostname"), parse::exact_host(text)));
    let path = written.rewrite.as_ref().and_then(|rewrite| rewrite.path.as_ref()).map(|path| {
        let rewritten = rewrite(path, &rewriting.field("path"), report);
        closing(rewritten, report)
    });
    let (request_headers, response_headers) = (closing(request, report)?, closing(response, report)?);
    Some(Traffic {
        timeout_ms: required(timeout_ms)?,
        whole_ms: None,
        request_headers,
        response_headers,
        rewrite_path: required(path)?,
        rewrite_hostname: required(hostname)?,
        forward_credential: written.forward_credential.unwrap_or(false),
    })
}

pub(crate) fn untouched() -> Traffic {
    Traffic {
        timeout_ms: None,
        whole_ms: None,
        request_headers: HeaderChanges::default(),
        response_headers: HeaderChanges::default(),
        rewrite_path: None,
        rewrite_hostname: None,
        forward_credential: false,
    }
}

/// What is not written is absent; what is written and wrong is missing.
fn required<T>(field: Option<Option<T>>) -> Option<Option<T>> {
    match field {
        None => Some(None),
        Some(Some(value)) => Some(Some(value)),
        Some(None) => None,
    }
}

fn closing<T>(value: Result<T, Arc<Fault>>, report: &mut Report) -> Option<T> {
    value.map_err(|fault| report.close_for(&fault)).ok()
}

/// Changes to header fields.
pub(crate) fn changes(
    written: Option<&written::HeaderChanges>,
    at: &FieldPath,
    report: &mut Report,
) -> Result<HeaderChanges, Arc<Fault>> {
    let Some(written) = written else { return Ok(HeaderChanges::default()) };
    let set = fields(written.set.as_ref(), &at.field("set"), report);
    let add = fields(written.add.as_ref(), &at.field("add"), report);
    let mut remove = Ok(Vec::new());
    for (index, text) in written.remove.iter().flatten().enumerate() {
        match parse::header_name(text).and_then(changeable) {
            Ok(name) => {
                remove = remove.map(|mut names| {
                    names.push(name);
                    names
                })
            }
            Err(cause) => remove = Err(report.error(&at.field("remove").index(index), cause)),
        }
    }
    Ok(HeaderChanges { set: set?, add: add?, remove: remove? })
}

/// Header fields: name, in lower case, and value.
pub(crate) type Fields = Vec<(Arc<str>, Arc<str>)>;

/// Header fields that a manifest gives.
pub(crate) fn fields(written: Option<&Vec<written::Header>>, at: &FieldPath, report: &mut Report) -> Result<Fields, Arc<Fault>> {
    let mut fields = Vec::new();
    let mut wrong = None;
    for (index, header) in written.into_iter().flatten().enumerate() {
        let name = parse::header_name(&header.name)
            .and_then(changeable)
            .map_err(|cause| report.error(&at.index(index).field("name"), cause));
        let value = parse::header_value(&header.value).map_err(|cause| report.error(&at.index(index).field("value"), cause));
        match (name, value) {
            (Ok(name), Ok(value)) => fields.push((name, value)),
            (Err(fault), _) | (_, Err(fault)) => wrong = Some(fault),
        }
    }
    wrong.map_or(Ok(fields), Err)
}

/// Fields that frame messages or speak for the gateway are its own.
fn changeable(name: Arc<str>) -> Result<Arc<str>, FaultCause> {
    const OWN: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    if OWN.contains(&&*name) || name.starts_with("doorward-") {
        let message = format!("`{name}` is set by the gateway alone");
        return Err(FaultCause::RuleViolated { message: message.into() });
    }
    Ok(name)
}

/// What replaces a path.
pub(crate) fn rewrite(written: &written::PathRewrite, at: &FieldPath, report: &mut Report) -> Result<PathRewrite, Arc<Fault>> {
    let (text, field) = match written.kind {
        written::PathRewriteType::ReplaceFullPath => (&written.replace_full_path, "replaceFullPath"),
        written::PathRewriteType::ReplacePrefixMatch => (&written.replace_prefix_match, "replacePrefixMatch"),
    };
    let Some(text) = text else {
        return Err(report.error(at, FaultCause::FieldMissing { field: field.into() }));
    };
    let path = parse::path(text).map_err(|cause| report.error(&at.field(field), cause))?;
    Ok(match written.kind {
        written::PathRewriteType::ReplaceFullPath => PathRewrite::Full(path),
        written::PathRewriteType::ReplacePrefixMatch => PathRewrite::Prefix(path),
    })
}
