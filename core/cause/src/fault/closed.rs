//! A fault as the cause of a refused request: what the caller of a closed route is told, and what its owner is.

use super::{Fault, Row};
use crate::{Action, Entry, Retry, Tell};

impl Fault {
    /// The row that the caller of a closed route gets: never a value of the manifest.
    pub(crate) fn tell_caller(&self, tell: Tell<'_>) {
        self.cause.tell(&mut |row, message, remedy| {
            let object = self.object.as_ref().map(|object| format!("{object} ")).unwrap_or_default();
            let remedy = remedy.to_string();
            let gap = if remedy.is_empty() { "" } else { " " };
            tell(
                self.entry(&row),
                [
                    format_args!("The API is closed because its configuration is not valid; nothing is wrong with the request."),
                    format_args!("Report the decision id to the API's owner."),
                    format_args!("{object}{}: {message}.{gap}{remedy}", self.field),
                ],
            );
        });
    }

    /// The row that the owner of a closed route gets: the fault itself, and what to write where.
    pub(crate) fn tell_owner(&self, tell: Tell<'_>) {
        let object = self.object.as_ref().map_or_else(|| "the manifests".to_owned(), ToString::to_string);
        let place = if self.field.0.is_empty() { object } else { format!("`{}` of {object}", self.field) };
        self.cause.tell(&mut |row, message, remedy| {
            let remedy = remedy.to_string();
            let remedy = if remedy.is_empty() { format!("Change {place}.") } else { format!("In {place}: {remedy}") };
            let detail = format_args!("The API is closed by a fault in {place}: {message}.");
            tell(self.entry(&row), [detail, format_args!("{remedy}"), format_args!("")]);
        });
    }

    fn entry(&self, row: &Row) -> Entry {
        Entry {
            code: row.code,
            status: self.status(),
            by: row.by,
            action: Action::FixManifest,
            retry: Retry::Never,
            title: row.title,
        }
    }
}
