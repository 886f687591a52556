//! Which Gateways are ours, and which GatewayConfig holds for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use cause::{FaultCause, FieldPath, ObjectName, ObjectRef};
use crds::standard::{Gateway, GatewayClass};

use crate::manifests::{CONTROLLER, Cluster, Context, Manifests, Written};

/// The kind that `parametersRef` may name.
const CONFIG: &str = "GatewayConfig";

/// The Gateways whose class is ours. Those of other classes are nobody's business here.
pub(crate) fn gateways<'a>(manifests: &'a Manifests, context: &Context) -> BTreeMap<&'a ObjectName, &'a Written<Gateway>> {
    let is_ours = |written: &Written<Gateway>| {
        let class = match written {
            Written::Good(gateway) | Written::LastGood(gateway, _) => Some(gateway.spec.gateway_class_name.as_str()),
            Written::Broken(_, tree) => tree.pointer("/spec/gatewayClassName").and_then(serde_json::Value::as_str),
        };
        let is_assumed = || class.is_some_and(|name| context.assumes("GatewayClass", &ObjectName::new("", name)));
        match class.and_then(|name| class_named(manifests, name)) {
            Some(class) => is_class_ours(class),
            // Files need not say what a class is; in a cluster nobody's Gateways wait for one.
            None => context.is_standalone() || is_assumed(),
        }
    };
    manifests.gateways.iter().filter(|(_, written)| is_ours(written)).collect()
}

/// Whether Gateways of a class are ours.
pub(crate) fn is_class_ours(class: &GatewayClass) -> bool {
    class.spec.controller_name == CONTROLLER
}

pub(crate) fn class_named<'a>(manifests: &'a Manifests, name: &str) -> Option<&'a Arc<GatewayClass>> {
    manifests.gateway_classes.get(&ObjectName::new("", name)).and_then(Written::value)
}

/// The GatewayConfig that a Gateway names, else the one that its class names: with whose field that
/// is, or why it cannot be.
pub(crate) fn config_of(
    manifests: &Manifests,
    context: &Context,
    (name, gateway): (&ObjectName, &Gateway),
) -> Option<Result<ObjectName, (FieldPath, FaultCause)>> {
    let own = gateway.spec.infrastructure.as_ref().and_then(|infrastructure| infrastructure.parameters_ref.as_ref());
    if let Some(reference) = own {
        let at = FieldPath::of("spec.infrastructure.parametersRef");
        let target = ObjectName::new(Arc::clone(&name.namespace), reference.name.as_str());
        return Some(checked(manifests, (&reference.group, &reference.kind), target, at));
    }
    let class = class_named(manifests, &gateway.spec.gateway_class_name)?;
    let at = FieldPath::of("spec.gatewayClassName");
    config_of_class(manifests, context, class).map(|found| found.map_err(|(_, cause)| (at, cause)))
}

/// The GatewayConfig that a class names.
pub(crate) fn config_of_class(
    manifests: &Manifests,
    context: &Context,
    class: &GatewayClass,
) -> Option<Result<ObjectName, (FieldPath, FaultCause)>> {
    let reference = class.spec.parameters_ref.as_ref()?;
    let release = || context.cluster.as_ref().map_or("default", |cluster: &Cluster| &*cluster.default_gateway.namespace);
    let namespace = reference.namespace.as_deref().unwrap_or_else(release);
    let target = ObjectName::new(namespace, reference.name.as_str());
    Some(checked(manifests, (&reference.group, &reference.kind), target, FieldPath::of("spec.parametersRef")))
}

fn checked(
    manifests: &Manifests,
    (group, kind): (&str, &str),
    target: ObjectName,
    at: FieldPath,
) -> Result<ObjectName, (FieldPath, FaultCause)> {
    if group != crds::GROUP || kind != CONFIG {
        let what = format!("parameters are read from a {CONFIG} of {}, not from a {kind}", crds::GROUP);
        return Err((at, FaultCause::NotHere { what: what.into() }));
    }
    if manifests.gateway_configs.contains_key(&target) {
        return Ok(target);
    }
    let beside = manifests.gateway_configs.keys().filter(|name| name.namespace == target.namespace).map(|name| &*name.name);
    let nearest = cause::nearest(&target.name, beside);
    let reference = cause::BrokenReference { target: ObjectRef::new(CONFIG, target), nearest };
    Err((at, FaultCause::ReferenceNotFound(reference)))
}
