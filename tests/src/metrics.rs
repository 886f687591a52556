//! The page of metrics, from what the programs say of them.

use std::fmt::Write as _;

use jiff::Timestamp;
use observe::metrics::Metrics;
use operator::health::Figures;

/// Where the page lies, from the top of the checkout.
pub const PAGE: &str = "docs/guides/metrics.md";

const BEGIN: &str = "\
# Metrics

Data planes and operators tell Prometheus how they are at `/metrics` (text format 0.0.4). `doorward run` and data planes listen for
it at the management address, operators at port 9091 (`metrics`) of their Service; `serviceMonitor.enabled=true` has the chart make a PodMonitor
and a ServiceMonitor. This page is made from what the programs say: `cargo xtask gen`.

The number of series is bounded. No route, key or caller is a label, whatever the manifests hold: that is what the access log, the
look-back (`doorward explain --decision`) and traces are for. Codes of causes, models (128, then `other`), kinds and Gateways are.

Three questions, as Prometheus asks them:

```promql
# Who is refused, and why: each code has a page in docs/causes.
sum by (code) (rate(doorward_refused_total[5m])) > 0
# Would a rule in Shadow mode refuse anybody?
increase(doorward_shadow_refused_total[1d]) > 0
# Does a data plane refuse a part of what it was sent, or not hear of it?
max by (gateway) (doorward_operator_gateway_replicas{state=~\"refusing|behind\"}) > 0
```
";

/// The page as the programs are now.
#[must_use]
pub fn page() -> String {
    let (of_data_planes, _shards) = Metrics::new("", Timestamp::UNIX_EPOCH, 1);
    let mut page = BEGIN.to_owned();
    for (whose, text) in [
        ("Of data planes and `doorward run`", of_data_planes.text(Timestamp::UNIX_EPOCH)),
        ("Of operators", Figures::default().to_text()),
    ] {
        let _ = write!(page, "\n## {whose}\n\n| name | kind | meaning |\n|---|---|---|\n");
        let mut help = "";
        for line in text.lines() {
            if let Some(told) = line.strip_prefix("# HELP ") {
                help = told.split_once(' ').map_or("", |(_, help)| help);
            } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|told| told.split_once(' ')) {
                let _ = writeln!(page, "| `{name}` | {kind} | {help} |");
            }
        }
    }
    page
}
