//! The three places of an object of one kind.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Key, Objects, read};
use cause::ObjectName;

/// Where objects of one kind are.
pub(super) struct Slots<'a, T> {
    /// What translation reads.
    pub(super) served: &'a mut Objects<T>,
    /// The newest versions in whose place an earlier one is served.
    pub(super) refused: &'a mut Objects<T>,
    /// The newest versions that were good.
    pub(super) proven: &'a mut Objects<T>,
}

/// Does something with the [`Slots`] of a kind; `None` for kinds that translation does not read
/// as whole objects.
macro_rules! with_slots {
    ($store:expr, $kind:expr, |$slots:ident| $body:expr) => {
        with_slots!(@kinds $store, $kind, $slots, $body,
            ApiRoute api_routes, ApiKey api_keys, AiModel ai_models, IdentityProvider identity_providers,
            GatewayConfig gateway_configs, GatewayClass gateway_classes, Gateway gateways, ReferenceGrant reference_grants, Service services,
            EndpointSlice endpoint_slices, Namespace namespaces, Secret secrets, ConfigMap config_maps,
            HttpRoute http_routes, Ingress ingresses, IngressClass ingress_classes)
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
pub(super) use with_slots;

impl<T: DeserializeOwned + PartialEq> Slots<'_, T> {
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
        self.proven.remove(name);
        self.served.remove(name).is_some()
    }
}
