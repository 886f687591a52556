//! `model.*`: the unified AI API has no such model or operation.

use std::sync::Arc;

use serde::Serialize;

use crate::{Action, Entry, Fixer, Listed, ObjectName, Retry, Status, Tell};

/// Why no model took the request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Model {
    /// The body has no `model`, or one that is no text.
    Missing {
        /// Models that this caller may use.
        available: Vec<Arc<str>>,
    },
    /// No model of this name serves this caller.
    NotFound {
        /// What was asked for; bounded in length.
        requested: String,
        /// Models that this caller may use.
        available: Vec<Arc<str>>,
    },
    /// The path below the route is not an operation of the unified API.
    OperationUnknown {
        /// The route.
        route: ObjectName,
        /// The operations that are served.
        served: &'static [&'static str],
    },
}

impl Model {
    pub(crate) fn tell(&self, tell: Tell<'_>) {
        let entry = |code, status, title| Entry {
            code,
            status: Status::new(status),
            by: Fixer::Caller,
            action: Action::FixRequest,
            retry: Retry::Never,
            title,
        };
        match self {
            Self::Missing { available } => tell(
                entry("model.missing", 400, "The request names no model"),
                [
                    format_args!("The body needs a `model`; this caller may use {}.", Listed(available)),
                    format_args!("Set `model` to one of {}.", Listed(available)),
                    format_args!(""),
                ],
            ),
            Self::NotFound { requested, available } => tell(
                entry("model.not_found", 404, "There is no such model"),
                [
                    format_args!("There is no model {requested}; this caller may use {}.", Listed(available)),
                    format_args!("Set `model` to one of {}; GET models lists them.", Listed(available)),
                    format_args!("See `spec.versions[].backend.models` of the ApiRoute."),
                ],
            ),
            Self::OperationUnknown { route, served } => tell(
                entry("model.operation_unknown", 404, "The AI API has no such operation"),
                [
                    format_args!("Below {route} are served: {}.", Listed(served)),
                    format_args!("Call one of {}.", Listed(served)),
                    format_args!(""),
                ],
            ),
        }
    }
}
