//! Standard kinds that Doorward reads beside its own.

pub use gateway_api::apis::standard::gatewayclasses::GatewayClass;
pub use gateway_api::apis::standard::gateways::Gateway;
pub use gateway_api::apis::standard::httproutes::HttpRoute;
pub use gateway_api::apis::standard::referencegrants::ReferenceGrant;
pub use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service};
pub use k8s_openapi::api::discovery::v1::EndpointSlice;
pub use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
