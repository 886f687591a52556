//! What findings do to traffic: the sentence behind `effect` in a report.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, Listed, ObjectRef, Severity};
use ir::{Part, RouteId, RouteKind, Snapshot};
use manifest::Finding;

/// What a snapshot does not serve, by the objects and by the faults that are to blame.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// What is closed as a whole.
    objects: BTreeMap<ObjectRef, String>,
    /// What is closed in part: the fault, and which parts.
    parts: Vec<(Arc<Fault>, Vec<String>)>,
}

impl Effects {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut effects = Self::default();
        for route in snapshot.routes.values() {
            match (&route.serve, route.id.kind) {
                (Part::Broken(fault), RouteKind::ApiRoute) => match served_by(snapshot, fault) {
                    Some(other) => {
                        let text = format!("{} is not served until this is mended; {other} takes its calls", route.id);
                        effects.objects.insert(route.id.object(), text);
                    }
                    None => effects.close(route.id.object(), &route.id, fault),
                },
                (Part::Broken(fault), RouteKind::HttpRoute | RouteKind::Ingress) => effects.close_part(&route.id, fault),
                (Part::Ready(serve), _) => {
                    for version in &serve.versions {
                        let Part::Broken(fault) = &version.backend else { continue };
                        if serve.versions.len() == 1 {
                            effects.close_part(&route.id, fault);
                        } else {
                            effects.close_part(format_args!("version {} of {}", version.version, route.id), fault);
                        }
                    }
                }
            }
        }
        for (id, model) in &snapshot.models {
            if let Part::Broken(fault) = model {
                effects.close(ObjectRef::new("AiModel", id.0.clone()), format_args!("the model {id}"), fault);
            }
        }
        for key in snapshot.keys.values().filter(|key| key.hash.is_none()) {
            let text = format!("the key {} is unknown to the gateway until this is mended; nothing else is affected", key.id);
            effects.objects.insert(ObjectRef::new("ApiKey", key.id.0.clone()), text);
        }
        effects
    }

    fn close(&mut self, object: ObjectRef, what: impl std::fmt::Display, fault: &Fault) {
        self.objects.insert(object, sentence(&[what.to_string()], fault));
    }

    fn close_part(&mut self, what: impl std::fmt::Display, fault: &Arc<Fault>) {
        // Rules of one object stand side by side.
        match self.parts.last_mut().filter(|(known, _)| known == fault) {
            Some((_, parts)) => parts.push(what.to_string()),
            None => self.parts.push((Arc::clone(fault), vec![what.to_string()])),
        }
    }

    /// What an error does; nothing is said of what only warns, or leaves everything served.
    pub(crate) fn tell(&self, finding: &Finding) -> Option<String> {
        let fault = &finding.fault;
        if fault.severity != Severity::Error {
            return None;
        }
        let whole = fault.object.as_ref().and_then(|object| self.objects.get(object));
        let parts = || self.parts.iter().find(|(closed, _)| **closed == *fault);
        whole.cloned().or_else(|| parts().map(|(closed, parts)| sentence(parts, closed)))
    }
}

/// The route that serves what one in conflict with it claims.
fn served_by<'a>(snapshot: &Snapshot, fault: &'a Fault) -> Option<&'a ObjectRef> {
    let FaultCause::Conflict { other: Some(other), .. } = &fault.cause else { return None };
    let route = snapshot.routes.get(&RouteId::api(other.name.clone()))?;
    (!route.gives_way()).then_some(other)
}

fn sentence(parts: &[String], fault: &Fault) -> String {
    let (status, code) = (fault.status().as_u16(), fault.code());
    let answer = if parts.len() == 1 { "answers" } else { "answer" };
    format!("{} {answer} {status} {code} until this is mended; nothing else is affected", Listed(parts))
}
