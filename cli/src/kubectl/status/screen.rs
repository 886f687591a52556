//! The status for people.

use jiff::Timestamp;
use observe::printable::{Style, Tone, WIDTH, escaped, span, wrapped};

use super::super::table::{Cell, table};
use super::{GatewayLine, Operator, Overview, ReplicaLine, Rollout};

/// Listeners whose routes a row counts; the others are in the document.
const COUNTED: usize = 3;

impl Overview {
    /// For people.
    pub(super) fn text(&self, style: Style, now: Timestamp) -> String {
        let mut text = String::new();
        for operator in self.operators.iter().flatten() {
            text.push_str(&operator_line(operator));
        }
        if !self.gateways.is_empty() {
            text.push('\n');
            let rows: Vec<_> = self.gateways.iter().map(gateway_row).collect();
            text.push_str(&table(&["GATEWAY", "CLASS", "ADDRESS", "ROUTES", "PROGRAMMED", "REASON", "READY"], &rows, style));
        }
        if !self.replicas.is_empty() {
            text.push('\n');
            let rows: Vec<_> = self.replicas.iter().map(|line| replica_row(line, now)).collect();
            text.push_str(&table(&["REPLICA", "READY", "VERSION", "GENERATION", "LOADED", "RESTARTS"], &rows, style));
        }
        text.push('\n');
        for note in &self.notes {
            for line in wrapped(&format!("note: {}", escaped(note)), WIDTH) {
                text.push_str(&format!("{}\n", style.paint(Tone::Notable, &line)));
            }
        }
        text.push_str(&self.attention(style, now));
        text
    }

    fn attention(&self, style: Style, now: Timestamp) -> String {
        let count = self.problems.len();
        if count == 0 {
            let text =
                if self.notes.is_empty() { "nothing needs attention" } else { "nothing of what was looked at needs attention" };
            return format!("{}\n", style.paint(Tone::Good, text));
        }
        let head = if count == 1 { "1 thing needs attention:".to_owned() } else { format!("{count} things need attention:") };
        let mut text = format!("{}\n", style.paint(Tone::Strong, &head));
        for problem in &self.problems {
            let since = ago(&problem.since, now).map(|ago| format!(" for {ago}")).unwrap_or_default();
            let reason = style.paint(Tone::Bad, &problem.reason).into_owned();
            text.push_str(&format!("  {}: {reason}{since}\n", escaped(&problem.object)));
            for line in wrapped(&escaped(&problem.message), WIDTH - 4).iter().filter(|line| !line.is_empty()) {
                text.push_str(&format!("    {line}\n"));
            }
            text.push_str(&format!("    {}\n", style.paint(Tone::Quiet, &format!("next: {}", escaped(&problem.next)))));
        }
        text
    }
}

fn operator_line(operator: &Operator) -> String {
    let Operator { name, image, rollout: Rollout { ready, wanted, .. }, leader } = operator;
    let led = if leader.is_empty() { "no leader".to_owned() } else { format!("led by {}", escaped(leader)) };
    format!("operator {} ({}): {ready} of {wanted} ready, {led}\n", escaped(name), escaped(image))
}

fn gateway_row(gateway: &GatewayLine) -> Vec<Cell> {
    let count = format!("{}/{}", gateway.ready, gateway.replicas);
    let tone = if gateway.ready > 0 && gateway.ready == gateway.replicas { Tone::Good } else { Tone::Bad };
    vec![
        Cell::plain(&gateway.name),
        Cell::plain(&gateway.class),
        Cell::plain(&gateway.addresses.join(",")),
        Cell::plain(&routes(&gateway.listeners)),
        Cell::status(&gateway.programmed),
        Cell::plain(&gateway.reason),
        Cell::toned(&count, tone),
    ]
}

/// How many routes each listener takes; named where there are several.
fn routes(listeners: &[(String, i64)]) -> String {
    if let [(_, routes)] = listeners {
        return routes.to_string();
    }
    let more = if listeners.len() > COUNTED { format!(" (+{})", listeners.len() - COUNTED) } else { String::new() };
    let counted: Vec<String> = listeners.iter().take(COUNTED).map(|(name, routes)| format!("{name}:{routes}")).collect();
    counted.join(" ") + &more
}

fn replica_row(line: &ReplicaLine, now: Timestamp) -> Vec<Cell> {
    let replica = &line.replica;
    let name = format!("{}/{}", replica.namespace, replica.name);
    let (version, generation, loaded) = match &line.said {
        Ok(status) => (
            status.version.clone(),
            status.generation.to_string(),
            ago(&status.loaded_at.to_string(), now).map(|ago| format!("{ago} ago")).unwrap_or_default(),
        ),
        Err(why) => (String::new(), String::new(), why.clone()),
    };
    vec![
        Cell::plain(&name),
        Cell::status(if replica.is_ready { "True" } else { "False" }),
        Cell::plain(&version),
        Cell::plain(&generation),
        Cell::plain(&loaded),
        Cell::plain(&replica.restarts.to_string()),
    ]
}

/// The time since a moment; nothing for one that is not told or not real.
fn ago(since: &str, now: Timestamp) -> Option<String> {
    let since: Timestamp = since.parse().ok()?;
    let seconds = u64::try_from(now.as_second() - since.as_second()).unwrap_or(0);
    (since.as_second() > 0).then(|| span(seconds))
}
