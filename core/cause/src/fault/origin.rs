//! Where a fault comes from: what has to change for it to go.

use super::FaultCause;

/// What has to change for a fault to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultOrigin {
    /// The object's own text, whatever other objects say.
    Text,
    /// Something that the object names: another object, or the name.
    Reference,
    /// This object or one that claims the same.
    Rivals,
}

impl FaultCause {
    /// Where the fault comes from.
    #[must_use]
    pub const fn origin(&self) -> FaultOrigin {
        match self {
            Self::ReferenceNotFound(_)
            | Self::ReferenceNotPermitted { .. }
            | Self::ReferenceBroken { .. }
            | Self::BackendNotFound(_)
            | Self::KindNotServed { .. }
            | Self::PortNotFound { .. }
            | Self::SecretNotFound(_)
            | Self::SecretKeyMissing { .. }
            | Self::SecretInvalid { .. }
            | Self::SecretNotOwned { .. }
            | Self::CertificateInvalid { .. } => FaultOrigin::Reference,
            Self::Conflict { .. }
            | Self::KeyDuplicate
            | Self::ListenerNotAllowed { .. }
            | Self::ObjectDuplicate { .. }
            | Self::ServingLastGood => FaultOrigin::Rivals,
            Self::Yaml { .. }
            | Self::PathUnusable { .. }
            | Self::KindMissing
            | Self::KindUnknown { .. }
            | Self::KindForeign { .. }
            | Self::FieldUnknown { .. }
            | Self::FieldMissing { .. }
            | Self::FieldDuplicate { .. }
            | Self::FieldIgnored { .. }
            | Self::TypeWrong { .. }
            | Self::BooleanAmbiguous { .. }
            | Self::ValueUnknown { .. }
            | Self::OutOfBounds { .. }
            | Self::Malformed { .. }
            | Self::RuleViolated { .. }
            | Self::PatternMismatch { .. }
            | Self::ItemDuplicate { .. }
            | Self::KeySetInvalid { .. }
            | Self::ExpressionInvalid { .. }
            | Self::RuleNeverMatches { .. }
            | Self::VersionDuplicate { .. }
            | Self::NoEffect { .. }
            | Self::NotHere { .. }
            | Self::RouteBroken => FaultOrigin::Text,
        }
    }
}
