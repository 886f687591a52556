//! What a field that a kind does not have was most likely meant to be.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Listed;

/// What to write instead of an unknown field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldMeant {
    /// A field beside it that is called nearly the same.
    Nearest(Arc<str>),
    /// The places of this kind that do have such a field, as paths.
    Elsewhere(Vec<Arc<str>>),
    /// No such field is anywhere: the ones that may stand here.
    OneOf(Vec<Arc<str>>),
}

impl FieldMeant {
    /// The field beside it, where one was meant.
    #[must_use]
    pub const fn nearest(&self) -> Option<&Arc<str>> {
        match self {
            Self::Nearest(name) => Some(name),
            Self::Elsewhere(_) | Self::OneOf(_) => None,
        }
    }

    /// What to do with the field.
    pub(super) fn remedy(&self, field: &str) -> impl fmt::Display {
        fmt::from_fn(move |f| match self {
            Self::Nearest(name) => write!(f, "Did you mean `{name}`?"),
            Self::Elsewhere(places) => write!(f, "Move `{field}` to where it belongs: {}.", Listed(places)),
            Self::OneOf(names) if names.is_empty() => write!(f, "Remove `{field}`."),
            Self::OneOf(names) => write!(f, "Remove `{field}`, or write one of {}.", Listed(names)),
        })
    }
}
