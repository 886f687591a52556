//! `limit.*`: more calls than a limit admits.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::{Action, Entry, Fixer, ObjectRef, Retry, Status, Tell};

/// Why a limit refuses.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Limit {
    /// A named limit of requests is used up.
    Requests {
        /// The object that holds the limit.
        holder: ObjectRef,
        /// The limit's name.
        limit: Arc<str>,
        /// Requests a window.
        requests: u64,
        /// How many of them may come at once.
        burst: u32,
        /// The window, in seconds.
        window_seconds: u64,
        /// When one more call is admitted.
        retry_at: Timestamp,
        /// Whole seconds until then, at least 1.
        retry_after_seconds: u32,
    },
    /// The gateway keeps no more counters.
    StoreFull {
        /// Counters that are kept.
        capacity: usize,
    },
}

impl Limit {
    pub(crate) fn tell(&self, tell: Tell<'_>) {
        match self {
            Self::Requests { holder, limit, requests, burst, window_seconds, retry_at, retry_after_seconds } => tell(
                Entry {
                    code: "limit.requests",
                    status: Status::new(429),
                    by: Fixer::Caller,
                    action: Action::Wait,
                    retry: Retry::Later,
                    title: "Too many requests",
                },
                [
                    format_args!(
                        "The limit {limit} admits {requests} {} in {window_seconds} s{}{}, used up until {retry_at}.",
                        if *requests == 1 { "request" } else { "requests" },
                        if u64::from(*burst) < *requests { ", at once no more than " } else { "" },
                        if u64::from(*burst) < *requests { burst.to_string() } else { String::new() }
                    ),
                    format_args!("Send the request again in {retry_after_seconds} s; spread calls over the window."),
                    format_args!("The limit {limit} is in `spec.limits` of {holder}."),
                ],
            ),
            Self::StoreFull { capacity } => tell(
                Entry {
                    code: "limit.store_full",
                    status: Status::new(503),
                    by: Fixer::Platform,
                    action: Action::Wait,
                    retry: Retry::Later,
                    title: "The gateway cannot count more callers",
                },
                [
                    format_args!("The gateway has no room to count another caller, so the call is refused."),
                    format_args!("Send the request again in a moment."),
                    format_args!(
                        "All {capacity} counters are in use; limits with `per: [ClientAddress]` under attack fill them."
                    ),
                ],
            ),
        }
    }
}
