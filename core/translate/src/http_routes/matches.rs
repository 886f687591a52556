//! Which requests a rule takes.

use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath};
use gateway_api::apis::standard::httproutes as api;
use ir::{Match, PathMatch, ValueMatch, ValuePattern};

use crate::parse;
use crate::report::Report;

/// What a rule without matches takes.
pub(super) fn everything() -> Match {
    Match::of(PathMatch::Prefix("/".into()))
}

/// The matches that can be told, and the first fault of those that cannot.
pub(super) fn translate(
    written: Option<&[api::HttpRouteRulesMatches]>,
    at: &FieldPath,
    report: &mut Report,
) -> (Vec<Match>, Option<Arc<Fault>>) {
    let Some(written) = written.filter(|written| !written.is_empty()) else { return (vec![everything()], None) };
    let mut matches = Vec::new();
    let mut closing = None;
    for (index, written) in written.iter().enumerate() {
        match one(written, &at.index(index), report) {
            Ok(one) => matches.push(one),
            Err(fault) => drop(closing.get_or_insert(fault)),
        }
    }
    (matches, closing)
}

fn one(written: &api::HttpRouteRulesMatches, at: &FieldPath, report: &mut Report) -> Result<Match, Arc<Fault>> {
    let path = written.path.as_ref().map_or_else(
        || Ok(PathMatch::Prefix("/".into())),
        |written| path(written).map_err(|cause| report.error(&at.field("path").field("value"), cause)),
    );
    let headers: Vec<Condition<'_>> = written.headers.iter().flatten().map(Condition::of_header).collect();
    let headers = values(&headers, parse::header_name, &at.field("headers"), report);
    let query: Vec<Condition<'_>> = written.query_params.iter().flatten().map(Condition::of_parameter).collect();
    let query = values(&query, |name| Ok(name.into()), &at.field("queryParams"), report);
    let methods = written.method.iter().map(|method| method_name(method).into()).collect();
    Ok(Match { methods, headers: headers?, query: query?, ..Match::of(path?) })
}

fn path(written: &api::HttpRouteRulesMatchesPath) -> Result<PathMatch, FaultCause> {
    let text = written.value.as_deref().unwrap_or("/");
    Ok(match written.r#type {
        Some(api::HttpRouteRulesMatchesPathType::Exact) => PathMatch::Exact(parse::escaped_path(text)?),
        Some(api::HttpRouteRulesMatchesPathType::RegularExpression) => PathMatch::Regex(parse::pattern(text)?),
        None | Some(api::HttpRouteRulesMatchesPathType::PathPrefix) => prefix(text)?,
    })
}

/// Whole segments: a slash at the end means nothing.
pub(crate) fn prefix(text: &str) -> Result<PathMatch, FaultCause> {
    let path = parse::escaped_path(text)?;
    let whole = path.trim_end_matches('/');
    Ok(PathMatch::Prefix(if whole.is_empty() { "/".into() } else { whole.into() }))
}

/// A condition on a header field or a parameter.
struct Condition<'a> {
    name: &'a str,
    value: &'a str,
    is_pattern: bool,
}

impl<'a> Condition<'a> {
    fn of_header(written: &'a api::HttpRouteRulesMatchesHeaders) -> Self {
        let is_pattern = written.r#type == Some(api::HttpRouteRulesMatchesHeadersType::RegularExpression);
        Self { name: &written.name, value: &written.value, is_pattern }
    }

    fn of_parameter(written: &'a api::HttpRouteRulesMatchesQueryParams) -> Self {
        let is_pattern = written.r#type == Some(api::HttpRouteRulesMatchesQueryParamsType::RegularExpression);
        Self { name: &written.name, value: &written.value, is_pattern }
    }
}

/// The conditions, sorted: their order has no meaning. Of several with one name the first counts.
fn values(
    written: &[Condition<'_>],
    name: impl Fn(&str) -> Result<Arc<str>, FaultCause>,
    at: &FieldPath,
    report: &mut Report,
) -> Result<Vec<ValueMatch>, Arc<Fault>> {
    let mut values: Vec<ValueMatch> = Vec::new();
    let mut closing = None;
    for (index, condition) in written.iter().enumerate() {
        let at = at.index(index);
        let name = name(condition.name).map_err(|cause| report.error(&at.field("name"), cause));
        let value = if condition.is_pattern {
            parse::pattern(condition.value).map(ValuePattern::Regex).map_err(|cause| report.error(&at.field("value"), cause))
        } else {
            Ok(ValuePattern::Exact(condition.value.into()))
        };
        match (name, value) {
            (Ok(name), Ok(_)) if values.iter().any(|known| known.name == name) => {
                let reason = format!("an earlier condition names `{name}` too, and the first one counts").into();
                report.warn(&at.field("name"), FaultCause::NoEffect { reason });
            }
            (Ok(name), Ok(value)) => values.push(ValueMatch { name, value }),
            (Err(fault), _) | (_, Err(fault)) => drop(closing.get_or_insert(fault)),
        }
    }
    values.sort_unstable();
    closing.map_or(Ok(values), Err)
}

const fn method_name(method: &api::HttpRouteRulesMatchesMethod) -> &'static str {
    match method {
        api::HttpRouteRulesMatchesMethod::Get => "GET",
        api::HttpRouteRulesMatchesMethod::Head => "HEAD",
        api::HttpRouteRulesMatchesMethod::Post => "POST",
        api::HttpRouteRulesMatchesMethod::Put => "PUT",
        api::HttpRouteRulesMatchesMethod::Delete => "DELETE",
        api::HttpRouteRulesMatchesMethod::Connect => "CONNECT",
        api::HttpRouteRulesMatchesMethod::Options => "OPTIONS",
        api::HttpRouteRulesMatchesMethod::Trace => "TRACE",
        api::HttpRouteRulesMatchesMethod::Patch => "PATCH",
    }
}
