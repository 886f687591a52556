//! AiModels, and which of them a route serves.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::v1alpha1 as written;
use ir::{Dialect, Model, ModelEndpoint, ModelId, Part, Secret, ServiceId};

use crate::backends::{self, Gathered, Selected, assumed};
use crate::grants::{Referrer, Target};
use crate::manifests::{Manifests, Written};
use crate::parse;
use crate::rehearsal::Rehearsal;
use crate::report::{Report, closing_fault};
use crate::secrets::{Text, secret_text};
use crate::world::{Missing, World, target};

const KIND: &str = "AiModel";
/// Providers that need no endpoint: id, API base, wire form.
const CATALOGUE: [(&str, &str, Dialect); 1] = [("openai", "https://api.openai.com/v1", Dialect::OpenAi)];

/// The API's base at a Service that says nothing.
const BASE: &str = "/v1";

/// Every AiModel, or why it cannot be used.
pub(crate) fn translate(world: &World<'_>, gathered: &mut Gathered) -> BTreeMap<ModelId, Part<Arc<Model>>> {
    let mut models = BTreeMap::new();
    for (name, written) in &world.manifests.ai_models {
        let model = match written {
            Written::Broken(found, tree) => {
                if let Some(rehearsal) = Rehearsal::<written::AiModel>::new(tree, found) {
                    let mut report = Report::new(KIND, name);
                    let _closed = self::model(world, name, &rehearsal.object.spec, &mut report, gathered);
                    rehearsal.finish(report, &mut gathered.faults);
                }
                Part::Broken(closing_fault(KIND, name, found))
            }
            Written::Good(object) | Written::LastGood(object, _) => {
                let mut report = Report::new(KIND, name);
                let model = model(world, name, &object.spec, &mut report, gathered);
                report.finish(&mut gathered.faults);
                model.map_or_else(Part::Broken, |model| Part::Ready(Arc::new(model)))
            }
        };
        models.insert(ModelId(name.clone()), model);
    }
    models
}

fn model(
    world: &World<'_>,
    name: &ObjectName,
    spec: &written::AiModelSpec,
    report: &mut Report,
    gathered: &mut Gathered,
) -> Result<Model, Arc<Fault>> {
    let written = spec.endpoint.as_ref();
    let known = CATALOGUE.iter().find(|(id, ..)| *id == spec.provider);
    let at = FieldPath::of("spec.endpoint");
    let endpoint = match written.and_then(|endpoint| endpoint.service.as_ref()) {
        Some(service) => self::service(world, service, (name, &at.field("service")), report, gathered),
        None => url(world, name, spec, report).map(ModelEndpoint::Url),
    };
    let credential = spec.credential.as_ref().map(|credential| secret(world, name, &credential.secret_ref, report)).transpose();
    let dialect = match written.and_then(|endpoint| endpoint.dialect) {
        Some(written::Dialect::OpenAi) => Dialect::OpenAi,
        None => known.map_or(Dialect::OpenAi, |(.., dialect)| *dialect),
    };
    Ok(Model {
        id: ModelId(name.clone()),
        provider: spec.provider.as_str().into(),
        model: spec.model.as_str().into(),
        endpoint: endpoint?,
        dialect,
        credential: credential?,
    })
}

/// The URL that is given, or the one that the catalogue knows.
fn url(
    world: &World<'_>,
    name: &ObjectName,
    spec: &written::AiModelSpec,
    report: &mut Report,
) -> Result<ir::UrlBackend, Arc<Fault>> {
    let at = FieldPath::of("spec");
    let place = at.field("endpoint");
    let endpoint = spec.endpoint.as_ref();
    let known = CATALOGUE.iter().find(|(id, ..)| *id == spec.provider).map(|(_, url, _)| *url);
    match endpoint.and_then(|endpoint| endpoint.url.as_deref()).or(known) {
        Some(text) => {
            let tls = endpoint.and_then(|endpoint| endpoint.tls.as_ref());
            backends::url(world, text, tls, (name, &place), report)
        }
        None if spec.provider == "Custom" => {
            // As the rule of the kind says it, so that whoever reads both is told once.
            let message = "`provider: Custom` needs `endpoint.url` or `endpoint.service`".into();
            Err(report.error(&at, FaultCause::RuleViolated { message }))
        }
        None => {
            let allowed: Vec<Arc<str>> = CATALOGUE.iter().map(|(id, ..)| Arc::from(*id)).chain([Arc::from("Custom")]).collect();
            let nearest = cause::nearest(&spec.provider, allowed.iter().map(|id| &**id));
            Err(report.error(&at.field("provider"), FaultCause::ValueUnknown { allowed, nearest }))
        }
    }
}

/// A Service of the model's namespace.
fn service(
    world: &World<'_>,
    written: &written::ModelService,
    (own, at): (&ObjectName, &FieldPath),
    report: &mut Report,
    gathered: &mut Gathered,
) -> Result<ModelEndpoint, Arc<Fault>> {
    let path = match &written.path {
        None => Ok(BASE.into()),
        Some(text) => parse::path(text).map(|path| Arc::from(path.trim_end_matches('/'))),
    };
    let path = path.map_err(|cause| report.error(&at.field("path"), cause));
    let bound = || FaultCause::OutOfBounds { bound: "must be from 1 to 65535".into() };
    let port = u16::try_from(written.port).ok().filter(|port| *port > 0).ok_or_else(bound);
    let resolved = port.and_then(|port| {
        let service = ServiceId { name: target(&written.name, None, own), port };
        gathered.services.resolve(world, &service, &mut gathered.faults).map(|()| service)
    });
    let service = resolved.map_err(|cause| {
        let is_port = matches!(cause, FaultCause::PortNotFound { .. } | FaultCause::OutOfBounds { .. });
        report.error(&at.field(if is_port { "port" } else { "name" }), cause)
    });
    Ok(ModelEndpoint::Service { service: service?, path: path? })
}

/// The gateway's credential, which must be fit for a header field.
fn secret(
    world: &World<'_>,
    own: &ObjectName,
    reference: &written::SecretKeyRef,
    report: &mut Report,
) -> Result<Secret, Arc<Fault>> {
    let at = FieldPath::of("spec.credential.secretRef");
    let name = target(&reference.name, None, own);
    match secret_text(world, &name, &reference.key) {
        Ok(Text::Known(text)) => {
            let text = text.trim_end_matches(['\r', '\n']);
            if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Ok(Secret::new(text));
            }
            let reason = format!("`{}` is not one line of printable characters", reference.key).into();
            Err(report.error(&at, FaultCause::SecretInvalid { target: ObjectRef::new("Secret", name), reason }))
        }
        Ok(Text::Assumed) => Err(Arc::new(report.unreported(&at, assumed("Secret", &name)))),
        Err(cause) => Err(report.error(&at, cause)),
    }
}

/// Models that routes name and that are not in the manifests.
#[derive(Debug, Default)]
pub(crate) struct Models {
    missing: BTreeMap<ModelId, Part<Arc<Model>>>,
}

impl Models {
    /// The models of a backend, sorted. A missing one closes only itself; one that may not be
    /// referred to closes the backend.
    pub(crate) fn select(
        &mut self,
        world: &World<'_>,
        written: &written::ModelsBackend,
        (own, at): (&ObjectName, &FieldPath),
        report: &mut Report,
    ) -> Selected {
        let mut selected = Vec::new();
        let mut closing = None;
        for (index, text) in written.names.iter().flatten().enumerate() {
            let at = at.field("names").index(index);
            let name = match text.split_once('/') {
                Some((namespace, name)) => ObjectName::new(namespace, name),
                None => target(text, None, own),
            };
            if let Err(cause) = world.grants.check(Referrer::ApiRoute, own, Target::AiModel, &name) {
                closing = Some(report.error(&at, cause));
                continue;
            }
            let id = ModelId(name.clone());
            let reference = ObjectRef::new(KIND, name.clone());
            match world.find(&world.manifests.ai_models, KIND, &name) {
                Ok(crate::world::Found::Here(_)) => {}
                Ok(crate::world::Found::Assumed) => {
                    let fault = report.unreported(&at, assumed(KIND, &name));
                    self.missing.insert(id.clone(), Part::Broken(Arc::new(fault)));
                }
                Err(Missing::Broken) => {
                    report.error(&at, FaultCause::ReferenceBroken { target: reference });
                }
                Err(missing @ Missing::Absent(_)) => {
                    let fault = report.error(&at, missing.into_cause(reference));
                    self.missing.entry(id.clone()).or_insert(Part::Broken(fault));
                }
            }
            selected.push(id);
        }
        if let Some(selector) = &written.selector {
            let before = selected.len();
            selected.extend(labelled(world.manifests, own, selector));
            if selected.len() == before {
                let reason = "no AiModel of this namespace has these labels".into();
                report.warn(&at.field("selector"), FaultCause::NoEffect { reason });
            }
        }
        selected.sort_unstable();
        selected.dedup();
        closing.map_or(Ok(selected), Err)
    }

    /// Those that were found missing.
    pub(crate) fn into_missing(self) -> BTreeMap<ModelId, Part<Arc<Model>>> {
        self.missing
    }

    /// Adds some that were found missing before.
    pub(crate) fn add(&mut self, missing: &BTreeMap<ModelId, Part<Arc<Model>>>) {
        for (id, model) in missing {
            self.missing.entry(id.clone()).or_insert_with(|| model.clone());
        }
    }

    /// Adds them to the others.
    pub(crate) fn finish(self, models: &mut BTreeMap<ModelId, Part<Arc<Model>>>) {
        for (id, model) in self.missing {
            models.entry(id).or_insert(model);
        }
    }
}

fn labelled<'a>(
    manifests: &'a Manifests,
    own: &'a ObjectName,
    selector: &'a written::LabelSelector,
) -> impl Iterator<Item = ModelId> + 'a {
    manifests.ai_models.iter().filter_map(move |(name, written)| {
        let labels = written.value()?.metadata.labels.as_ref()?;
        let all = selector.match_labels.iter().all(|(label, value)| labels.get(label) == Some(value));
        (name.namespace == own.namespace && all).then(|| ModelId(name.clone()))
    })
}
