//! Where traces go by the variables of OpenTelemetry, when no GatewayConfig says it.

use std::sync::Arc;

use ir::{Snapshot, Traces};

/// The path that exporters of traces add to the endpoint of all signals.
const PATH: &str = "/v1/traces";
const ALL: u32 = 1_000_000;

/// What the variables say.
///
/// # Errors
/// The variable that asks for something that this gateway cannot do, and what it can.
pub(super) fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Traces>, String> {
    let given = |name: &str| variable(name).filter(|value| !value.is_empty());
    let is = |name: &str, value: &str| given(name).is_some_and(|given| given.eq_ignore_ascii_case(value));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    let of_traces = given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let endpoint = match (&of_traces, given("OTEL_EXPORTER_OTLP_ENDPOINT")) {
        (Some(endpoint), _) => endpoint
            .trim_end_matches('/')
            .strip_suffix(PATH)
            .ok_or_else(|| format!("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must end with {PATH}: spans are sent nowhere else"))?
            .to_owned(),
        (None, Some(endpoint)) => endpoint.trim_end_matches('/').to_owned(),
        (None, None) => return Ok(None),
    };
    translate::parse::url(&endpoint).map_err(|_| "the OTLP endpoint is no URL with http or https".to_owned())?;
    let protocol = given("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or_else(|| given("OTEL_EXPORTER_OTLP_PROTOCOL"));
    if protocol.is_some_and(|protocol| protocol != "http/protobuf") {
        return Err("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf: no other is spoken".to_owned());
    }
    Ok(Some(Traces { endpoint: endpoint.into(), sample_ppm: sampled(&given)? }))
}

/// The share of traces that are kept, in millionths.
fn sampled(given: &impl Fn(&str) -> Option<String>) -> Result<u32, String> {
    let sampler = given("OTEL_TRACES_SAMPLER").unwrap_or_else(|| "parentbased_always_on".to_owned());
    match sampler.strip_prefix("parentbased_").unwrap_or(&sampler) {
        "always_on" => Ok(ALL),
        "always_off" => Ok(0),
        "traceidratio" => translate::parse::share(given("OTEL_TRACES_SAMPLER_ARG").as_deref().unwrap_or("1"))
            .map_err(|_| "OTEL_TRACES_SAMPLER_ARG must be a share from 0 to 1".to_owned()),
        _ => Err("OTEL_TRACES_SAMPLER must be always_on, always_off or traceidratio, with or without parentbased_".to_owned()),
    }
}

/// The snapshot with these traces, unless its manifests say where they go.
pub(super) fn with(snapshot: Arc<Snapshot>, traces: Option<&Traces>) -> Arc<Snapshot> {
    match traces {
        Some(traces) if snapshot.settings.traces.is_none() => {
            let mut snapshot = (*snapshot).clone();
            snapshot.settings.traces = Some(traces.clone());
            Arc::new(snapshot)
        }
        Some(_) | None => snapshot,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_opentelemetry_are_read() {
        let check = |variables: &[(&str, &str)], expected: Result<Option<(&str, u32)>, &str>| {
            let found =
                from_variables(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()));
            match (&found, expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found.as_ref().map(|traces| (&*traces.endpoint, traces.sample_ppm)), expected, "{variables:?}");
                }
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (_, _) => panic!("{variables:?}: {found:?}"),
            }
        };
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4318/");
        let of_traces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let (sampler, share) = ("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG");
        check(&[], Ok(None));
        check(&[all], Ok(Some(("http://otel:4318", 1_000_000))));
        check(&[all, (of_traces, "https://t/x/v1/traces")], Ok(Some(("https://t/x", 1_000_000))));
        check(&[(of_traces, "https://t/x")], Err("must end with /v1/traces"));
        check(&[all, (sampler, "parentbased_traceidratio"), (share, "0.25")], Ok(Some(("http://otel:4318", 250_000))));
        check(&[all, (sampler, "always_off")], Ok(Some(("http://otel:4318", 0))));
        check(&[all, (sampler, "traceidratio"), (share, "2")], Err("0 to 1"));
        check(&[all, (sampler, "jaeger_remote")], Err("OTEL_TRACES_SAMPLER must"));
        check(&[all, ("OTEL_SDK_DISABLED", "TRUE")], Ok(None));
        check(&[all, ("OTEL_TRACES_EXPORTER", "none")], Ok(None));
        check(&[all, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], Err("http/protobuf"));
        check(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "otel:4318")], Err("no URL"));
    }

    #[test]
    fn manifests_come_before_variables() {
        let traces = |endpoint: &str| Traces { endpoint: endpoint.into(), sample_ppm: 1 };
        let mut written = Snapshot::default();
        let bare = Arc::new(written.clone());
        assert_eq!(with(Arc::clone(&bare), Some(&traces("http://b"))).settings.traces, Some(traces("http://b")));
        assert!(Arc::ptr_eq(&with(Arc::clone(&bare), None), &bare));
        written.settings.traces = Some(traces("http://a"));
        assert_eq!(with(Arc::new(written), Some(&traces("http://b"))).settings.traces, Some(traces("http://a")));
    }
}
