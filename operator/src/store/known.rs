//! What is known of objects beside what they say.

use std::sync::Arc;

use serde_json::Value;

use crate::watch::Marks;

/// What is known of an object beside what it says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Which version it is.
    pub marks: Marks,
    /// The status, where that is ours.
    pub status: StatusText,
}

impl Known {
    /// Whether both are the same version with the same status.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.marks == other.marks && self.status == other.status
    }
}

/// A status as JSON: there are thousands, each is looked at once in a while, and as a tree it takes ten times the room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusText(Option<Arc<str>>);

impl StatusText {
    /// The text of a status; none of `Null`.
    #[must_use]
    pub fn of(status: &Value) -> Self {
        Self((!status.is_null()).then(|| status.to_string().into()))
    }

    /// The status; `Null` where there is none.
    #[must_use]
    pub fn value(&self) -> Value {
        self.0.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}
