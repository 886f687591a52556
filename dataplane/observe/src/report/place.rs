//! Where in the manifests a piece of evidence comes from.

use cause::{FieldPath, ObjectRef};
use serde::{Deserialize, Serialize};

use super::Telling;
use crate::printable;

/// Finds a field of an object in the reader's files; nothing where the reader has none.
pub type Find<'a> = &'a (dyn Fn(&ObjectRef, &FieldPath) -> Option<InFile> + Sync);

/// The [`Find`] of a reader that has no files.
#[must_use]
pub const fn nowhere(_: &ObjectRef, _: &FieldPath) -> Option<InFile> {
    None
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFile {
    /// The file, as the reader named it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A field of an object, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The object, such as `ApiRoute shop/orders`.
    pub object: String,
    /// The field, such as `spec.limits[0]`; empty for the object as a whole.
    pub field: String,
    /// Its place in the reader's files.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub file: Option<InFile>,
}

impl At {
    /// The place for people, beside evidence about `near`: as short as it is clear. Empty where the line says it already.
    pub(super) fn shown(&self, near: Option<&str>) -> String {
        if let Some(InFile { file, line, .. }) = &self.file {
            return format!("{}:{line}", printable::escaped(file));
        }
        match (near == Some(self.object.as_str()), self.field.is_empty()) {
            (_, true) => String::new(),
            (true, false) => self.field.clone(),
            (false, false) => format!("{} {}", self.object, self.field),
        }
    }
}

impl Telling<'_> {
    /// The place of a field.
    pub(super) fn at(&self, object: &ObjectRef, field: &FieldPath) -> At {
        At { object: object.to_string(), field: field.to_string(), file: (self.reader.find)(object, field) }
    }

    /// The object of the route.
    pub(super) fn object(&self) -> Option<ObjectRef> {
        let names = &self.evidence.located.as_ref()?.names;
        Some(ObjectRef::new(names.kind, names.route.clone()))
    }

    /// A field of the route's object.
    pub(super) fn of_route(&self, field: &FieldPath) -> Option<At> {
        Some(self.at(&self.object()?, field))
    }

    /// Where the cause is mended; of a list of rules, at the one that decided.
    pub(super) fn mended_at(&self) -> Option<(ObjectRef, FieldPath)> {
        let (_, denial) = self.refused?;
        let (object, field) = denial.mended_at()?;
        let cause::Denial::Access(access) = denial else { return Some((object, field)) };
        let index = access.rule().and_then(|(_, name)| self.rules().iter().position(|report| report.rule == *name));
        Some(match index {
            Some(index) if field == FieldPath::of(RULES) => (object, field.index(index)),
            Some(_) | None => (object, field),
        })
    }
}

/// Where the rules of a route stand.
pub(super) const RULES: &str = "spec.authorization.rules";
