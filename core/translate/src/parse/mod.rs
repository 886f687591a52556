//! The syntaxes of text fields (`format: x-...` in the schemas): each function gives the value, or
//! the fault with what was probably meant. No function reads anything but its text.

mod amounts;
mod places;
mod url;
mod versions;

pub use amounts::{duration, lifetime, quantity, share, timeout};
pub use places::{escaped_path, exact_host, header_name, header_value, host, network, path, pattern, readable_header};
pub(crate) use url::vouching_host;
pub use url::{Url, issuer, url, vouching_url};
pub use versions::{requirement, timestamp, version};

use cause::{FaultCause, Syntax};

/// The fault of a text, with a suggestion that is checked to be of the syntax.
fn malformed<T>(syntax: Syntax, suggestion: Option<String>, check: impl Fn(&str) -> Result<T, FaultCause>) -> FaultCause {
    let suggestion = suggestion.filter(|text| check(text).is_ok()).map(Into::into);
    FaultCause::Malformed { syntax, suggestion }
}

/// The fault of a text without a suggestion.
const fn plain(syntax: Syntax) -> FaultCause {
    FaultCause::Malformed { syntax, suggestion: None }
}

#[cfg(test)]
mod tests;
