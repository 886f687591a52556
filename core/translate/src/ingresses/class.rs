//! Whose an Ingress is.

use crds::standard::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::manifests::Written;
use crate::world::World;
use cause::ObjectName;

/// The controller that IngressClasses of ours name.
pub const CONTROLLER: &str = "doorward.dev/ingress-controller";
/// The class that the chart makes.
const OWN: &str = "doorward";
/// The annotation of an Ingress that names its class, from before there was a field for it.
const CLASS: &str = "kubernetes.io/ingress.class";
/// The annotation of an IngressClass that holds for Ingresses without a class.
const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";

/// Whose an Ingress is.
pub(super) enum Owner {
    /// Ours to serve.
    Us,
    /// Somebody else's: of this class, or of the default one.
    Other(Option<String>),
}

/// Whether an Ingress is ours to serve.
pub(super) fn is_ours(world: &World<'_>, written: &Written<Ingress>) -> bool {
    matches!(owner(world, written), Owner::Us)
}

/// Whose an Ingress is. Files need not say what a class is: without an IngressClass the one that the chart makes is ours, and
/// so is whatever names none; in a cluster nobody's Ingresses wait for one.
pub(super) fn owner(world: &World<'_>, written: &Written<Ingress>) -> Owner {
    let class = match written {
        Written::Good(object) | Written::LastGood(object, _) => {
            let named = object.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
            named.or_else(|| annotation(&object.metadata, CLASS)).map(ToOwned::to_owned)
        }
        Written::Broken(_, tree) => {
            let text = |value: &'_ Value| value.as_str().map(ToOwned::to_owned);
            let annotated = || tree.get("metadata")?.get("annotations")?.get(CLASS).and_then(text);
            tree.pointer("/spec/ingressClassName").and_then(text).or_else(annotated)
        }
    };
    let class = class.filter(|name| !name.is_empty());
    if is_class_ours(world, class.as_deref()) { Owner::Us } else { Owner::Other(class) }
}

fn is_class_ours(world: &World<'_>, name: Option<&str>) -> bool {
    let classes = &world.manifests.ingress_classes;
    let is_ours = |class: &IngressClass| class.spec.as_ref().is_some_and(|spec| spec.controller.as_deref() == Some(CONTROLLER));
    match name {
        Some(name) => match classes.get(&ObjectName::new("", name)) {
            Some(written) => written.value().is_some_and(|class| is_ours(class)),
            None => world.context.is_standalone() && name == OWN,
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
