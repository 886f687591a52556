//! `payload.*`: the body is not acceptable.

use serde::Serialize;

use crate::{Action, Entry, Fixer, Retry, Status, Tell};

/// Why the body is refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Payload {
    /// More bytes than may be buffered.
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// The body must be a JSON object and is not.
    NotJson {
        /// Byte offset of the first error, where one was found.
        offset: usize,
    },
    /// JSON nested deeper than the limit.
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// The content type is not one that this operation takes.
    MediaType {
        /// The media type that is taken.
        accepted: &'static str,
    },
    /// The body is compressed where it must be read.
    Encoded,
    /// One JSON member was sent twice.
    DuplicateMember {
        /// The member.
        member: &'static str,
    },
}

impl Payload {
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
            Self::TooLarge { limit } => tell(
                entry("payload.too_large", 413, "The body is too large"),
                [
                    format_args!("At most {limit} bytes of body are accepted."),
                    format_args!("Send at most {limit} bytes."),
                    format_args!("See `spec.validation.maxBodyBytes`, where the route has one."),
                ],
            ),
            Self::NotJson { offset } => tell(
                entry("payload.not_json", 400, "The body is not a JSON object"),
                [
                    format_args!("The body stops being a JSON object at byte {offset}."),
                    format_args!("Send one JSON object (RFC 8259)."),
                    format_args!(""),
                ],
            ),
            Self::TooDeep { limit } => tell(
                entry("payload.too_deep", 400, "The body is nested too deeply"),
                [
                    format_args!("At most {limit} levels of nesting are accepted."),
                    format_args!("Flatten the body to at most {limit} levels."),
                    format_args!(""),
                ],
            ),
            Self::MediaType { accepted } => tell(
                entry("payload.media_type", 415, "The media type is not accepted"),
                [
                    format_args!("This operation takes {accepted}."),
                    format_args!("Send Content-Type: {accepted}."),
                    format_args!(""),
                ],
            ),
            Self::Encoded => tell(
                entry("payload.encoded", 415, "A compressed body is not accepted here"),
                [
                    format_args!("This operation reads the body and takes it without Content-Encoding."),
                    format_args!("Send the body uncompressed."),
                    format_args!(""),
                ],
            ),
            Self::DuplicateMember { member } => tell(
                entry("payload.duplicate_member", 400, "A member of the body was sent twice"),
                [
                    format_args!("The member `{member}` appears twice; readers disagree on which counts."),
                    format_args!("Send `{member}` once."),
                    format_args!(""),
                ],
            ),
        }
    }
}
