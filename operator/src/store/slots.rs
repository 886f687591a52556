//! The three places of an object of one kind.

use cause::ObjectName;
use crds::standard::{
    ConfigMap, EndpointSlice, Gateway, GatewayClass, HttpRoute, Ingress, IngressClass, Namespace, ReferenceGrant, Secret, Service,
};
use crds::v1alpha1::{AiModel, ApiKey, ApiRoute, GatewayConfig, IdentityProvider};
use serde_json::Value;
use translate::LastGood;

use super::{Key, Objects, read};

/// Where objects of one kind are.
pub(super) struct Slots<'a, T> {
    /// What translation reads.
    pub(super) served: &'a mut Objects<T>,
    /// The newest versions in whose place an earlier one is served.
    pub(super) refused: &'a mut Objects<T>,
    /// The newest versions that were good.
    pub(super) proven: &'a mut LastGood<ObjectName, T>,
}

/// Gives the kinds that translation reads as whole objects, each with its field of manifests, to another macro.
macro_rules! with_kinds {
    ($macro:ident!($($before:tt)*)) => {
        $macro! { $($before)*
            ApiRoute api_routes, ApiKey api_keys, AiModel ai_models, IdentityProvider identity_providers,
            GatewayConfig gateway_configs, GatewayClass gateway_classes, Gateway gateways, ReferenceGrant reference_grants, Service services,
            EndpointSlice endpoint_slices, Namespace namespaces, Secret secrets, ConfigMap config_maps,
            HttpRoute http_routes, Ingress ingresses, IngressClass ingress_classes }
    };
}

macro_rules! proven {
    ($($name:ident $field:ident),*) => {
        /// The newest good versions of objects of each kind.
        #[derive(Debug, Default)]
        pub(super) struct Proven {
            $(pub(super) $field: LastGood<ObjectName, $name>,)*
        }
    };
}
with_kinds!(proven!());

/// Does something with the [`Slots`] of a kind; `None` for kinds that translation does not read
/// as whole objects.
macro_rules! with_slots {
    ($store:expr, $kind:expr, |$slots:ident| $body:expr) => {
        crate::store::slots::with_kinds!(with_slots!(@kinds $store, $kind, $slots, $body,))
    };
    (@kinds $store:expr, $kind:expr, $slots:ident, $body:expr, $($name:ident $field:ident),*) => {
        match $kind {
            $(crate::kinds::Kind::$name => {
                let mut $slots = crate::store::slots::Slots {
                    served: &mut $store.manifests.$field,
                    refused: &mut $store.refused.$field,
                    proven: &mut $store.proven.$field,
                };
                Some($body)
            })*
            crate::kinds::Kind::Pod => None,
        }
    };
}
pub(super) use {with_kinds, with_slots};

impl<T: translate::Kind> Slots<'_, T> {
    /// Takes in the newest version; whether that is another one.
    pub(super) fn put(&mut self, key: &Key, value: Value) -> bool {
        let written = read(key, value, self.served.get(&key.name));
        let newest = self.refused.get(&key.name).or_else(|| self.served.get(&key.name));
        if newest == Some(&written) {
            return false;
        }
        self.refused.remove(&key.name);
        self.served.insert(key.name.clone(), written);
        true
    }

    /// Another object of the same name: its earlier versions are not this one's.
    pub(super) fn forget(&mut self, name: &ObjectName) {
        self.remove(name);
    }

    pub(super) fn remove(&mut self, name: &ObjectName) -> bool {
        self.refused.remove(name);
        self.proven.forget(name);
        self.served.remove(name).is_some()
    }
}
