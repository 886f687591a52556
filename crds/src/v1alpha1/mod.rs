//! The kinds of `doorward.dev/v1alpha1`.

mod ai_model;
mod api_key;
mod api_route;
mod backend;
mod checks;
mod deployment;
mod gateway_config;
mod identity_provider;
mod refs;
mod status;
mod traffic;

pub use ai_model::{AiModel, AiModelSpec, Credential, Dialect, ModelEndpoint, ModelService};
pub use api_key::{ApiKey, ApiKeySpec, Issue, Rotation, SecretName};
pub use api_route::{
    ApiRoute, ApiRouteSpec, RouteMatch, RouteVersion, Stage, ValueMatch, ValueMatchType, VersionSource, Versioning,
};
pub use backend::{BackendTls, CaKind, CaRef, FixedResponse, ModelsBackend, Redirect, RedirectScheme, RouteBackend, ServiceRef};
pub use checks::{
    Addresses, ApiKeyMethod, Authentication, AuthenticationMode, Authorization, AuthorizationRule, BearerSource, Consumers,
    ConsumersFrom, Dimension, Effect, Enforcement, LabelSelector, Limit, Method, TokenMethod, Validation,
};
pub use deployment::{
    Autoscaling, Deployment, ExternalTraffic, NetworkPolicy, ResourceAmounts, Resources, Service, ServiceType, TaintEffect,
    Toleration, TolerationOperator,
};
pub use gateway_config::{
    AccessLog, ClientAddress, ClientAddressSource, Disclosure, Docs, Forwarded, GatewayConfig, GatewayConfigSpec,
    PrivateAddresses, Telemetry, Timeouts, Traces, Upstreams,
};
pub use identity_provider::{Algorithm, ClaimPaths, IdentityProvider, IdentityProviderSpec, Introspection, Jwks};
pub use refs::{NameRef, ParentRef, SecretKeyRef};
pub use status::{
    AiModelStatus, ApiKeyStatus, ApiRouteStatus, EarlierText, EffectivePolicy, EffectiveRule, GatewayConfigStatus,
    IdentityProviderStatus, RouteParent, StatusParentRef,
};
pub use traffic::{Header, HeaderChanges, Headers, PathRewrite, PathRewriteType, Rewrite, Traffic};
