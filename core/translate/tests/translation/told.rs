//! What status says and what each Gateway gets, one line each.

use ir::Snapshot;
use translate::{ParentStanding, Standing, Translation, Verdict};

/// Every standing.
pub(crate) fn standings(translation: &Translation) -> Vec<String> {
    let all = &translation.standings;
    let mut lines = Vec::new();
    for (name, class) in &all.gateway_classes {
        let version = class.supported_version.as_ref().map(|version| verdict("SupportedVersion", version)).unwrap_or_default();
        lines.push(format!("GatewayClass {name}: {} {version}", verdict("Accepted", &class.accepted)));
    }
    for (name, gateway) in &all.gateways {
        let config = gateway.config.as_ref().map(|config| format!(", config {config}")).unwrap_or_default();
        lines.push(format!("Gateway {name}: {}{config}", verdict("Accepted", &gateway.accepted)));
        for listener in &gateway.listeners {
            let kinds: Vec<&str> = listener.supported_kinds.iter().map(|(_, kind)| *kind).collect();
            lines.push(format!(
                "Gateway {name} {}: {} {} {} {}, kinds {kinds:?}, {} attached",
                listener.name,
                verdict("Accepted", &listener.accepted),
                verdict("ResolvedRefs", &listener.resolved_refs),
                verdict("Conflicted", &listener.conflicted),
                verdict("Programmable", &listener.programmable),
                listener.attached_routes,
            ));
        }
    }
    for (name, route) in &all.api_routes {
        let status = &route.status;
        let told = [&status.hosts, &status.versions, &status.authentication].map(|text| text.as_deref().unwrap_or("-"));
        lines.push(format!("ApiRoute {name}: {}, {}", standing(&route.standing), told.join(" | ")));
        lines.extend(route.parents.iter().map(|parent| format!("ApiRoute {name} at {}", self::parent(parent))));
        for effective in &status.effective {
            let rules: Vec<String> =
                effective.rules.iter().map(|rule| format!("{}={} ({})", rule.name, rule.value, rule.from)).collect();
            lines.push(format!("ApiRoute {name} at {} {:?}: {}", effective.gateway, effective.listeners, rules.join("; ")));
        }
    }
    for (name, parents) in &all.http_routes {
        lines.extend(parents.iter().map(|parent| format!("HTTPRoute {name} at {}", self::parent(parent))));
    }
    for (name, said) in &all.ingresses {
        lines.push(format!("Ingress {name}: {}", verdict("Accepted", said)));
    }
    for (name, key) in &all.api_keys {
        let status = &key.status;
        let state = status.state.as_deref().unwrap_or("-");
        lines.push(format!("ApiKey {name}: {}, {state}", standing(&key.standing)));
    }
    for (name, model) in &all.ai_models {
        let endpoint = model.status.endpoint.as_deref().unwrap_or("-");
        lines.push(format!("AiModel {name}: {}, {endpoint}", standing(&model.standing)));
    }
    for (name, provider) in &all.identity_providers {
        let keys = provider.status.keys.as_deref().unwrap_or("-");
        lines.push(format!("IdentityProvider {name}: {}, {keys}", standing(&provider.standing)));
    }
    for (name, config) in &all.gateway_configs {
        let gateways = config.status.gateways.as_deref().unwrap_or("-");
        lines.push(format!("GatewayConfig {name}: {}, {gateways}", standing(&config.standing)));
    }
    lines.extend(translation.next_change.iter().map(|instant| format!("next change {instant}")));
    lines
}

fn standing(standing: &Standing) -> String {
    let stalled = standing.stalled.as_ref().map(|stalled| verdict(" Stalled", stalled)).unwrap_or_default();
    format!("{} {}{stalled}", verdict("Accepted", &standing.accepted), verdict("ResolvedRefs", &standing.resolved_refs))
}

fn parent(parent: &ParentStanding) -> String {
    let section = parent.section.as_ref().map(|section| format!(" section {section}")).unwrap_or_default();
    let (accepted, resolved) = (verdict("Accepted", &parent.accepted), verdict("ResolvedRefs", &parent.resolved_refs));
    let partly = parent.partially_invalid.as_ref().map(|partly| format!(" {}", verdict("PartiallyInvalid", partly)));
    let partly = partly.unwrap_or_default();
    format!("{}{section}: {accepted} {resolved}{partly}, listeners {:?}", parent.gateway, parent.listeners)
}

fn verdict(kind: &str, verdict: &Verdict) -> String {
    let message = if verdict.message.is_empty() { String::new() } else { format!(" <{}>", verdict.message) };
    format!("{kind}={}({}{message})", verdict.holds, verdict.reason)
}

/// What a Gateway gets, by name alone.
pub(crate) fn projected(snapshot: &Snapshot) -> Vec<String> {
    let disclosure = format!("settings: disclosure {:?}, reach {:?}", snapshot.settings.disclosure, snapshot.settings.reach);
    let listeners = snapshot.listeners.values().map(|listener| format!("listener {} at {}", listener.id.name, listener.port));
    let routes = snapshot.routes.iter().map(|(id, route)| {
        let listeners: Vec<String> = route.listeners.iter().map(ToString::to_string).collect();
        format!("route {id} on {}", listeners.join(", "))
    });
    let names = |kind: &'static str, names: Vec<String>| names.into_iter().map(move |name| format!("{kind} {name}"));
    let text = |id: &dyn std::fmt::Display| id.to_string();
    [disclosure]
        .into_iter()
        .chain(listeners)
        .chain(names("certificate", snapshot.certificates.keys().map(|id| text(id)).collect()))
        .chain(routes)
        .chain(names("key", snapshot.keys.keys().map(|id| text(id)).collect()))
        .chain(names("provider", snapshot.providers.keys().map(|id| text(id)).collect()))
        .chain(names("model", snapshot.models.keys().map(|id| text(id)).collect()))
        .chain(names("service", snapshot.services.keys().map(|id| text(id)).collect()))
        .collect()
}
