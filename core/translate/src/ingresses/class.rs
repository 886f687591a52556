//! Whose an Ingress is.

use crds::standard::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::manifests::Written;
use crate::world::World;
use cause::ObjectName;

/// The controller that IngressClasses of ours name.
pub const CONTROLLER: &str = "doorward.dev/ingress-controller";
/// The annotation of an Ingress that names its class, from before there was a field for it.
const CLASS: &str = "kubernetes.io/ingress.class";
/// The annotation of an IngressClass that holds for Ingresses without a class.
const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";

/// Whether an Ingress is ours to serve. Files need not say what a class is; in a cluster nobody's
/// Ingresses wait for one.
pub(super) fn is_ours(world: &World<'_>, written: &Written<Ingress>) -> bool {
    let class = match written {
        Written::Good(object) | Written::LastGood(object, _) => {
            let named = object.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
            named.or_else(|| annotation(&object.metadata, CLASS))
        }
        Written::Broken(_, tree) => {
            let text = |value: &'_ Value| value.as_str().map(ToOwned::to_owned);
            let annotated = || tree.get("metadata")?.get("annotations")?.get(CLASS).and_then(text);
            let named = tree.pointer("/spec/ingressClassName").and_then(text).or_else(annotated);
            return is_class_ours(world, named.as_deref());
        }
    };
    is_class_ours(world, class)
}

fn is_class_ours(world: &World<'_>, name: Option<&str>) -> bool {
    let classes = &world.manifests.ingress_classes;
    let is_ours = |class: &IngressClass| class.spec.as_ref().is_some_and(|spec| spec.controller.as_deref() == Some(CONTROLLER));
    match name.filter(|name| !name.is_empty()) {
        Some(name) => match classes.get(&ObjectName::new("", name)) {
            Some(written) => written.value().is_some_and(|class| is_ours(class)),
            None => world.context.is_standalone(),
        },
        None if classes.is_empty() => world.context.is_standalone(),
        None => {
            let mut defaults = classes.values().filter_map(Written::value).filter(|class| is_default(class)).peekable();
            defaults.peek().is_some() && defaults.all(|class| is_ours(class))
        }
    }
}

fn is_default(class: &IngressClass) -> bool {
    annotation(&class.metadata, DEFAULT) == Some("true")
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}
