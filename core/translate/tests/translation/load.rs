//! YAML text to manifests, without the checks that a real reader makes, and translations to YAML.

use std::sync::Arc;

use crate::told;
use cause::{Fault, FaultCause, FieldPath, ObjectName, ObjectRef, Severity};
use ir::{RouteId, Snapshot};
use serde_json::{Map, Value, json};
use translate::{Assumption, Cluster, Context, Kind, Manifests, Objects, Translation, VisitBeside, Written};

/// Noon of the first day of 2026.
pub(crate) fn context() -> Context {
    Context::of_files("2026-01-01T12:00:00Z".parse().unwrap(), Vec::new())
}

pub(crate) fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// Manifests from documents. A document of kind `Context` changes how they are translated.
pub(crate) fn manifests(documents: &[Value]) -> (Manifests, Context) {
    let mut context = context();
    let mut loading = Loading(documents.iter().collect());
    loading.0.retain(|document| {
        let is_context = document["kind"] == "Context";
        if is_context {
            read_context(document, &mut context);
        }
        !is_context
    });
    let mut all = Manifests::default();
    all.each_beside(&Manifests::default(), &mut loading);
    assert!(loading.0.is_empty(), "kinds that nobody reads: {:?}", loading.0);
    (all, context)
}

/// `cluster: true` is a cluster whose default Gateway is `doorward-system/doorward`.
fn read_context(document: &Value, context: &mut Context) {
    if document["cluster"].as_bool() == Some(true) {
        let default_gateway = ObjectName::new("doorward-system", "doorward");
        context.cluster = Some(Cluster { default_gateway, gateway_api: document["gatewayApi"].as_str().map(Arc::from) });
    }
    context.assume = document["assume"].as_array().into_iter().flatten().map(assumption).collect();
}

/// Documents that are of no kind yet.
struct Loading<'a>(Vec<&'a Value>);

impl VisitBeside for Loading<'_> {
    fn visit<T: Kind>(&mut self, objects: &mut Objects<T>, _: &Objects<T>) {
        let (mine, others) = self.0.iter().partition(|document| document["kind"] == T::KIND);
        self.0 = others;
        let mine: Vec<&Value> = mine;
        mine.into_iter().for_each(|document| add(objects, document));
    }
}

fn assumption(value: &Value) -> Assumption {
    let text = value.as_str().unwrap();
    match text.split_once('/') {
        Some((kind, name)) => Assumption { kind: kind.into(), name: Some(name.into()), but: None },
        None => Assumption::all_of(text),
    }
}

/// What the reader of a document with annotation `test: LastGood`, `test: Broken` or `test: BrokenRule` found.
fn add<T: Kind>(objects: &mut Objects<T>, document: &Value) {
    let metadata = &document["metadata"];
    let kind = document["kind"].as_str().unwrap();
    let namespace = match kind {
        "Namespace" | "GatewayClass" | "IngressClass" => "",
        _ => metadata["namespace"].as_str().unwrap_or("default"),
    };
    let name = ObjectName::new(namespace, metadata["name"].as_str().unwrap_or_default());
    let found = |reason: &str| {
        let cause = FaultCause::TypeWrong { expected: "another shape".into(), found: reason.into() };
        vec![Fault::error(ObjectRef::new(kind, name.clone()), FieldPath::of("spec"), cause)]
    };
    let written = match (serde_json::from_value::<T>(document.clone()), metadata["annotations"]["test"].as_str()) {
        (Ok(_), Some("Broken")) => Written::Broken(found("this one"), Arc::new(document.clone())),
        (Ok(_), Some("BrokenRule")) => {
            let cause = FaultCause::NotHere { what: "`retry` of a rule is not served here".into() };
            let at = FieldPath::of("spec.rules").index(0).field("retry");
            Written::Broken(vec![Fault::error(ObjectRef::new(kind, name.clone()), at, cause)], Arc::new(document.clone()))
        }
        (Ok(value), Some("LastGood")) => Written::LastGood(Arc::new(value), found("a later one")),
        (Ok(value), _) => Written::Good(Arc::new(value)),
        (Err(error), _) => {
            // Field names of serde are bounded by the document's own.
            Written::Broken(found(&error.to_string()), Arc::new(document.clone()))
        }
    };
    objects.insert(name, written);
}

/// One line of a fault: `Error config.malformed ApiRoute shop/orders spec.path`.
pub(crate) fn line(fault: &Fault) -> String {
    let severity = match fault.severity {
        Severity::Error => "Error",
        Severity::Warning => "Warning",
        Severity::Notice => "Notice",
    };
    let object = fault.object.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{severity} {} {object} {}", fault.code(), fault.field)
}

/// The translation as YAML: faults in full, the snapshot keyed by names. Of a cluster, what status
/// says and what each Gateway gets stands in the snapshot's place.
pub(crate) fn rendered(translation: &Translation, context: &Context) -> String {
    let faults: Vec<Value> = translation
        .faults
        .iter()
        .map(|fault| json!({"fault": line(fault), "message": fault.message(), "remedy": fault.remedy()}))
        .collect();
    let mut value = if context.is_standalone() {
        json!({"faults": faults, "snapshot": snapshot(&translation.snapshot)})
    } else {
        let gateways: Map<String, Value> = translation
            .settings
            .keys()
            .map(|name| (name.to_string(), told::projected(&translation.for_gateway(name)).into()))
            .collect();
        json!({"faults": faults, "standings": told::standings(translation), "gateways": gateways})
    };
    shorten(&mut value);
    serde_saphyr::to_string(&value).unwrap()
}

fn snapshot(snapshot: &Snapshot) -> Value {
    let Snapshot { listeners, certificates, routes, keys, providers, models, services, settings } = snapshot;
    json!({
        "listeners": keyed(listeners),
        "certificates": keyed(certificates),
        "routes": keyed(routes),
        "keys": keyed(keys),
        "providers": keyed(providers),
        "models": keyed(models),
        "services": keyed(services),
        "settings": settings,
    })
}

fn keyed<'a, K: std::fmt::Display + 'a, V: serde::Serialize + 'a>(map: impl IntoIterator<Item = (&'a K, &'a V)>) -> Value {
    Value::Object(map.into_iter().map(|(key, value)| (key.to_string(), serde_json::to_value(value).unwrap())).collect())
}

/// Hashes as hexadecimal, names and faults on one line, nothing for what is absent.
fn shorten(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            if let Some(line) = one_line(members) {
                *value = Value::String(line);
                return;
            }
            for (name, member) in members.iter_mut() {
                if let (Value::Array(bytes), "hash") = (&*member, name.as_str()) {
                    let digits = bytes.iter().filter_map(Value::as_u64).map(|byte| format!("{byte:02x}"));
                    *member = Value::String(digits.collect());
                } else {
                    shorten(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn one_line(members: &Map<String, Value>) -> Option<String> {
    if let (Some(namespace), Some(name), 2) = (members.get("namespace"), members.get("name"), members.len()) {
        return Some(format!("{}/{}", namespace.as_str()?, name.as_str()?));
    }
    if let Ok(route) = serde_json::from_value::<RouteId>(Value::Object(members.clone()))
        && members.len() == 3
    {
        return Some(route.to_string());
    }
    let fault = serde_json::from_value::<Fault>(Value::Object(members.clone())).ok()?;
    Some(line(&fault))
}
