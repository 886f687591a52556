//! Looking up what objects refer to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cause::{BrokenReference, FaultCause, ObjectName, ObjectRef, nearest};
use crds::standard::{EndpointSlice, Gateway};

use crate::grants::Grants;
use crate::manifests::{Context, Manifests, Objects, Written};
use crate::ownership;

/// Everything that one object's translation may look at.
#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) manifests: &'a Manifests,
    pub(crate) context: &'a Context,
    pub(crate) grants: Grants<'a>,
    /// The Gateways of our classes.
    pub(crate) gateways: BTreeMap<&'a ObjectName, &'a Written<Gateway>>,
    namespaces: BTreeMap<&'a str, Option<&'a BTreeMap<String, String>>>,
    /// By namespace and Service.
    slices: BTreeMap<&'a str, BTreeMap<&'a str, Vec<Slice<'a>>>>,
    asked: RefCell<BTreeSet<ObjectRef>>,
}

/// The kinds of which a reader need keep only what is referred to.
const KEPT_WHERE_ASKED: [&str; 3] = ["Service", "Secret", "ConfigMap"];

/// An EndpointSlice with its name.
pub(crate) type Slice<'a> = (&'a ObjectName, &'a EndpointSlice);

/// The label of an EndpointSlice that names its Service.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What a reference names.
#[derive(Debug)]
pub(crate) enum Found<'a, T> {
    /// An object.
    Here(&'a Arc<T>),
    /// One that is said to exist elsewhere; its content is not known.
    Assumed,
}

impl<'a> World<'a> {
    pub(crate) fn new(manifests: &'a Manifests, context: &'a Context) -> Self {
        let mut namespaces = BTreeMap::new();
        let routes = manifests.http_routes.keys().chain(manifests.ingresses.keys());
        // Names are sorted, so most are of the namespace of the one before.
        let mut last = None;
        for name in manifests.api_keys.keys().chain(manifests.api_routes.keys()).chain(routes) {
            if last.replace(&*name.namespace) != Some(&*name.namespace) {
                namespaces.insert(&*name.namespace, None);
            }
        }
        for (name, written) in &manifests.namespaces {
            namespaces.insert(&*name.name, written.value().and_then(|object| object.metadata.labels.as_ref()));
        }
        let mut slices: BTreeMap<_, BTreeMap<_, Vec<_>>> = BTreeMap::new();
        for (name, written) in &manifests.endpoint_slices {
            let Some(slice) = written.value() else { continue };
            if let Some(service) = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_NAME)) {
                slices.entry(&*name.namespace).or_default().entry(service.as_str()).or_default().push((name, &**slice));
            }
        }
        let grants = Grants::new(manifests);
        let gateways = ownership::gateways(manifests, context);
        Self { manifests, context, grants, gateways, namespaces, slices, asked: RefCell::default() }
    }

    /// The EndpointSlices of a Service.
    pub(crate) fn slices_of(&self, service: &ObjectName) -> &[Slice<'a>] {
        self.slices.get(&*service.namespace).and_then(|services| services.get(&*service.name)).map_or(&[], Vec::as_slice)
    }

    /// The object that a reference names.
    pub(crate) fn find<T>(&self, objects: &'a Objects<T>, kind: &str, name: &ObjectName) -> Result<Found<'a, T>, Missing> {
        if KEPT_WHERE_ASKED.contains(&kind) {
            self.asked.borrow_mut().insert(ObjectRef::new(kind, name.clone()));
        }
        match objects.get(name) {
            Some(written) => written.value().map(Found::Here).ok_or(Missing::Broken),
            None if self.context.assumes(kind, name) => Ok(Found::Assumed),
            None => Err(Missing::Absent(nearest_object(objects, name))),
        }
    }

    /// Begins another record of what is looked up, and gives the one so far.
    pub(crate) fn swap_asked(&self, asked: BTreeSet<ObjectRef>) -> BTreeSet<ObjectRef> {
        self.asked.replace(asked)
    }

    /// Records what was looked up before.
    pub(crate) fn ask<'b>(&self, asked: impl Iterator<Item = &'b ObjectRef>) {
        let mut record = self.asked.borrow_mut();
        for one in asked {
            if !record.contains(one) {
                record.insert(one.clone());
            }
        }
    }

    /// The namespaces that are known, by whatever object.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        self.namespaces.keys().copied()
    }

    /// The Services, Secrets and ConfigMaps that were looked up, whether they are there or not.
    pub(crate) fn into_asked(self) -> BTreeSet<ObjectRef> {
        self.asked.into_inner()
    }

    /// The namespaces whose labels have all that are asked for.
    pub(crate) fn namespaces_where(&self, matches: impl Fn(Labels<'_>) -> bool) -> BTreeSet<Arc<str>> {
        self.namespaces
            .iter()
            .filter(|(name, labels)| matches(Labels { namespace: name, labels: **labels }))
            .map(|(name, _)| Arc::from(*name))
            .collect()
    }
}

/// Why a reference names nothing that can be used.
#[derive(Debug)]
pub(crate) enum Missing {
    /// The object is itself broken.
    Broken,
    /// There is no such object; perhaps this one was meant.
    Absent(Option<Arc<str>>),
}

impl Missing {
    /// As the fault of whoever refers.
    pub(crate) fn into_cause(self, target: ObjectRef) -> FaultCause {
        self.into_cause_as(target, FaultCause::ReferenceNotFound)
    }

    /// As [`Missing::into_cause`], where an absent object has a cause of its own.
    pub(crate) fn into_cause_as(self, target: ObjectRef, absent: fn(BrokenReference) -> FaultCause) -> FaultCause {
        match self {
            Self::Broken => FaultCause::ReferenceBroken { target },
            Self::Absent(nearest) => absent(BrokenReference { target, nearest }),
        }
    }
}

/// The nearest name in the same namespace, else the same name in another one.
fn nearest_object<T>(objects: &Objects<T>, wanted: &ObjectName) -> Option<Arc<str>> {
    let beside = objects.keys().filter(|name| name.namespace == wanted.namespace).map(|name| &*name.name);
    nearest(&wanted.name, beside)
        .or_else(|| objects.keys().find(|name| name.name == wanted.name).map(|name| name.to_string().into()))
}

/// The labels of a namespace, with the one that Kubernetes gives to each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    namespace: &'a str,
    labels: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Labels<'a> {
    /// The value of a label.
    pub(crate) fn get(&self, label: &str) -> Option<&'a str> {
        if label == "kubernetes.io/metadata.name" {
            return Some(self.namespace);
        }
        self.labels.and_then(|labels| labels.get(label)).map(String::as_str)
    }

    /// Whether all of these labels have these values.
    pub(crate) fn have(&self, wanted: &BTreeMap<String, String>) -> bool {
        wanted.iter().all(|(label, value)| self.get(label) == Some(value))
    }
}

/// A reference's target: the namespace that it names, or the referring object's own.
pub(crate) fn target(name: &str, namespace: Option<&String>, own: &ObjectName) -> ObjectName {
    ObjectName {
        namespace: namespace.map_or_else(|| Arc::clone(&own.namespace), |namespace| namespace.as_str().into()),
        name: name.into(),
    }
}
