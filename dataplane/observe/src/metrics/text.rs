//! Metrics as Prometheus reads them.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering::Relaxed;

use jiff::Timestamp;

use super::histogram::{BOUNDS, Summed};
use super::names::Names;
use super::{Count, Counts, Metrics};

/// The series of one metric: labels, written, and value.
type Series = Vec<(String, String)>;

impl Metrics {
    /// All series, in the text format 0.0.4.
    #[must_use]
    pub fn text(&self, now: Timestamp) -> String {
        let mut text = String::with_capacity(8192);
        self.calls(&mut text);
        self.traffic(&mut text);
        self.gateway(&mut text, now);
        text
    }

    fn calls(&self, text: &mut String) {
        let mut requests = Series::new();
        for (protocol, name) in ["1.0", "1.1", "2"].iter().enumerate() {
            for (class, label) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().enumerate() {
                let of =
                    |counts: &Counts| counts.requests.get(protocol).and_then(|classes| classes.get(class)).map_or(0, Count::get);
                let labels = labels(&[("protocol", name), ("status_class", label)]);
                requests.push((labels, self.sum(of).to_string()));
            }
        }
        family(text, "doorward_requests_total", "counter", "Finished calls.", &requests);
        let refused = by_name(&self.codes, "code", |index| self.sum(|counts| counts.refused.get(index).map_or(0, Count::get)));
        family(text, "doorward_refused_total", "counter", "Refused calls, by the code of the cause.", &refused);
        let shadow = by_name(&self.codes, "code", |index| self.sum(|counts| counts.shadow.get(index).map_or(0, Count::get)));
        let help = "Calls that checks in Shadow mode would have refused, by the code of the cause.";
        family(text, "doorward_shadow_refused_total", "counter", help, &shadow);
        let help = "From the complete head of a request to the last byte of its answer.";
        let durations = self.workers.iter().map(|counts| &counts.duration);
        histogram(text, "doorward_request_duration_seconds", help, durations.collect::<Summed>());
        let help = "From sending a request upstream to the head of the answer.";
        let durations = self.workers.iter().map(|counts| &counts.upstream);
        histogram(text, "doorward_upstream_duration_seconds", help, durations.collect::<Summed>());
        let of = |index: usize, direction: usize| {
            self.sum(|counts| counts.tokens.get(index).and_then(|pair| pair.get(direction)).map_or(0, Count::get))
        };
        let mut tokens = Series::new();
        for (direction, name) in ["input", "output"].iter().enumerate() {
            for (index, model) in self.models.iter().chain([(super::MODELS, "other")]) {
                let value = of(index, direction);
                if value > 0 {
                    tokens.push((labels(&[("model", model), ("direction", name)]), value.to_string()));
                }
            }
        }
        tokens.sort();
        family(text, "doorward_tokens_total", "counter", "Tokens that models read and wrote.", &tokens);
    }

    fn traffic(&self, text: &mut String) {
        let open = self.workers();
        let single = |text: &mut String, name, kind, help, value: u64| {
            family(text, name, kind, help, &[(String::new(), value.to_string())]);
        };
        let requests = open.iter().map(|worker| worker.requests).sum();
        single(text, "doorward_requests_in_flight", "gauge", "Calls in progress.", requests);
        let connections = open.iter().map(|worker| worker.connections).sum();
        single(text, "doorward_connections_open", "gauge", "Open connections of clients.", connections);
        let accepted = self.sum(|counts| counts.opened.get());
        single(text, "doorward_connections_total", "counter", "Accepted connections of clients.", accepted);
        let bytes = |direction, of: &dyn Fn(&Counts) -> u64| (labels(&[("direction", direction)]), self.sum(of).to_string());
        let series = [bytes("in", &|counts| counts.bytes_in.get()), bytes("out", &|counts| counts.bytes_out.get())];
        family(text, "doorward_body_bytes_total", "counter", "Bytes of bodies, from and to clients.", &series);
    }

    fn gateway(&self, text: &mut String, now: Timestamp) {
        let dropped = |kind, value: u64| (labels(&[("kind", kind)]), value.to_string());
        let series = [
            dropped("record", self.records_dropped.load(Relaxed)),
            dropped("span", self.spans_dropped.load(Relaxed)),
            dropped("line", self.lines_failed.load(Relaxed)),
        ];
        let help =
            "What no reader will see: records that came too fast, spans that no collector took, lines that were not written.";
        family(text, "doorward_dropped_total", "counter", help, &series);
        let single = |value: String| [(String::new(), value)];
        let generation = self.configuration.generation.load(Relaxed);
        let help = "The generation of the configuration in use.";
        family(text, "doorward_configuration_generation", "gauge", help, &single(generation.to_string()));
        let loaded_at = self.configuration.loaded_at_second.load(Relaxed);
        let age = if loaded_at == 0 { 0 } else { now.as_second().saturating_sub(loaded_at).max(0) };
        let help = "Since when that configuration is in use.";
        family(text, "doorward_configuration_age_seconds", "gauge", help, &single(age.to_string()));
        let severities = ["Error", "Warning", "Notice"].into_iter().zip(&self.configuration.faults);
        let faults: Series =
            severities.map(|(severity, count)| (labels(&[("severity", severity)]), count.load(Relaxed).to_string())).collect();
        family(text, "doorward_configuration_faults", "gauge", "Faults in the manifests.", &faults);
        let build = [(labels(&[("version", &self.version)]), "1".to_owned())];
        family(text, "doorward_build_info", "gauge", "The version of Doorward.", &build);
        let started = single(self.started_at.as_second().to_string());
        family(text, "process_start_time_seconds", "gauge", "When the process began, since the epoch.", &started);
    }

    fn sum(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        self.workers.iter().map(|counts| of(counts)).sum()
    }
}

/// A series for each name that counted anything, in the order of the names.
fn by_name<const N: usize>(names: &Names<N>, label: &str, of: impl Fn(usize) -> u64) -> Series {
    let sorted: BTreeMap<&str, u64> = names.iter().map(|(index, name)| (name, of(index))).chain([("other", of(N))]).collect();
    let counted = sorted.into_iter().filter(|(_, value)| *value > 0);
    counted.map(|(name, value)| (labels(&[(label, name)]), value.to_string())).collect()
}

fn family(text: &mut String, name: &str, kind: &str, help: &str, series: &[(String, String)]) {
    head(text, name, kind, help);
    for (labels, value) in series {
        line(text, name, labels, value);
    }
}

fn histogram(text: &mut String, name: &str, help: &str, sum: Summed) {
    head(text, name, "histogram", help);
    let bounds = BOUNDS.iter().map(|(_, label)| *label).chain(["+Inf"]);
    let mut total = 0;
    let bucket = format!("{name}_bucket");
    for (bound, count) in bounds.zip(sum.buckets) {
        total += count;
        line(text, &bucket, &labels(&[("le", bound)]), total);
    }
    let (seconds, rest) = (sum.nanoseconds / 1_000_000_000, sum.nanoseconds % 1_000_000_000);
    line(text, &format!("{name}_sum"), "", format_args!("{seconds}.{rest:09}"));
    line(text, &format!("{name}_count"), "", total);
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    // Writing into a String cannot fail.
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = writeln!(text, "{name}{labels} {value}");
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let mut text = String::from("{");
    for (index, (name, value)) in pairs.iter().enumerate() {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{name}=\"{value}\"");
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cause::Severity;

    use super::*;
    use crate::evidence::{Record, Usage};
    use crate::metrics::Shard;
    use crate::samples;

    #[test]
    fn series_are_written_as_prometheus_reads_them() {
        let (metrics, shards) = Metrics::new("1.2.3", Timestamp::from_second(1000).unwrap(), 2);
        let [first, second] = <[_; 2]>::try_from(shards).unwrap();
        let count = |shard: &Shard, record: &Record| shard.finished(&record.evidence, &record.outcome);
        count(&first, &samples::refused("/a"));
        count(&second, &samples::refused("/a"));
        let mut served = samples::served("/b");
        served.evidence.received.protocol = http::Version::HTTP_2;
        served.evidence.model = Some("a\"b\\c\nd".into());
        served.outcome.usage = Some(Usage { input: 11, output: 22, estimated: false });
        served.outcome.duration = Duration::from_millis(70_000);
        count(&second, &served);
        let kept = first.connection();
        drop(second.connection());
        second.request_begun();
        let faults = [Severity::Error, Severity::Notice, Severity::Notice];
        metrics.configured(7, Timestamp::from_second(1100).unwrap(), faults.into_iter());
        metrics.records_dropped.fetch_add(3, Relaxed);
        let text = metrics.text(Timestamp::from_second(1160).unwrap());
        let values: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0")).collect();
        assert_eq!(
            values,
            [
                r#"doorward_requests_total{protocol="1.1",status_class="4xx"} 2"#,
                r#"doorward_requests_total{protocol="2",status_class="2xx"} 1"#,
                r#"doorward_refused_total{code="access.role_missing"} 2"#,
                r#"doorward_shadow_refused_total{code="access.rule_denied"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="0.0025"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="0.005"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="0.01"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="0.025"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="0.05"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="0.1"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="0.25"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="0.5"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="1"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="2.5"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="5"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="10"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="60"} 2"#,
                r#"doorward_request_duration_seconds_bucket{le="+Inf"} 3"#,
                "doorward_request_duration_seconds_sum 70.002468000",
                "doorward_request_duration_seconds_count 3",
                r#"doorward_upstream_duration_seconds_bucket{le="0.001"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="0.0025"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="0.005"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="0.01"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="0.025"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="0.05"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="0.1"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="0.25"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="0.5"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="1"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="2.5"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="5"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="10"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="60"} 1"#,
                r#"doorward_upstream_duration_seconds_bucket{le="+Inf"} 1"#,
                "doorward_upstream_duration_seconds_sum 0.000900000",
                "doorward_upstream_duration_seconds_count 1",
                r#"doorward_tokens_total{model="a\"b\\c\nd",direction="input"} 11"#,
                r#"doorward_tokens_total{model="a\"b\\c\nd",direction="output"} 22"#,
                "doorward_requests_in_flight 1",
                "doorward_connections_open 1",
                "doorward_connections_total 2",
                r#"doorward_body_bytes_total{direction="in"} 64"#,
                r#"doorward_body_bytes_total{direction="out"} 1536"#,
                r#"doorward_dropped_total{kind="record"} 3"#,
                "doorward_configuration_generation 7",
                "doorward_configuration_age_seconds 60",
                r#"doorward_configuration_faults{severity="Error"} 1"#,
                r#"doorward_configuration_faults{severity="Notice"} 2"#,
                r#"doorward_build_info{version="1.2.3"} 1"#,
                "process_start_time_seconds 1000",
            ]
        );
        let types = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
        assert_eq!(types, text.lines().filter(|line| line.starts_with("# HELP ")).count());
        drop(kept);
        assert_eq!(metrics.workers().iter().map(|worker| worker.connections).sum::<u64>(), 0);
    }

    #[test]
    fn series_are_bounded() {
        let (metrics, mut shards) = Metrics::new("1", Timestamp::UNIX_EPOCH, 1);
        let shard = shards.pop().unwrap();
        let mut record = samples::served("/b");
        record.outcome.usage = Some(Usage { input: 1, output: 0, estimated: false });
        for index in 0..1000 {
            record.evidence.model = Some(format!("m{index}").into());
            record.evidence.located = Some(samples::located(cause::ObjectName::new("a", format!("r{index}"))));
            record.outcome.status = index;
            shard.finished(&record.evidence, &record.outcome);
        }
        let text = metrics.text(Timestamp::UNIX_EPOCH);
        let series = text.lines().filter(|line| !line.starts_with('#')).count();
        assert!(series < 250, "{series}");
        let other = 1000 - super::super::MODELS;
        assert!(text.contains(&format!("doorward_tokens_total{{model=\"other\",direction=\"input\"}} {other}\n")), "{text}");
    }
}
