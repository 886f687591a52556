//! Text that no log, status or snapshot may show.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A credential of the gateway itself, such as a provider's key. It prints as `[redacted]`, and
/// serialises so too wherever people read the form: JSON, YAML, logs. Forms that only programs read
/// (`is_human_readable() == false`) carry the text from the operator to its data planes.
/// [`Secret::expose`] is the only other way to it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = if serializer.is_human_readable() { "[redacted]" } else { &self.0 };
        serializer.serialize_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_read_the_text() {
        let secret = Secret::new("sk-1234");
        assert_eq!(format!("{secret:?}"), "[redacted]");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"[redacted]\"");
        let mut bytes = Vec::new();
        ciborium::into_writer(&secret, &mut bytes).unwrap();
        let read: Secret = ciborium::from_reader(&*bytes).unwrap();
        assert_eq!(read.expose(), "sk-1234");
    }
}
