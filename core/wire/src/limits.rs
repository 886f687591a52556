//! What one listener accepts at most.

use cause::Framing;

/// The scheme that a listener serves: what an absolute form must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    /// The name in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The bounds of a request's head and the methods that are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most field lines, those of trailers included.
    pub fields: usize,
    /// Most bytes of field lines with their CR LF, those of trailers included.
    pub fields_bytes: usize,
    /// Most bytes of target.
    pub target_bytes: usize,
    /// The methods that are served, case-sensitive. CONNECT is never served, listed or not.
    pub methods: Vec<String>,
    /// What the listener speaks.
    pub scheme: Scheme,
}

impl Default for Limits {
    fn default() -> Self {
        let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
        Self {
            fields: 100,
            fields_bytes: 32 * 1024,
            target_bytes: 8 * 1024,
            methods: methods.map(str::to_owned).to_vec(),
            scheme: Scheme::Http,
        }
    }
}

impl Limits {
    pub(crate) fn check_method(&self, method: &[u8]) -> Result<(), Framing> {
        // A tunnel cannot be inspected, so no configuration opens one.
        if method != b"CONNECT" && self.methods.iter().any(|served| served.as_bytes() == method) {
            return Ok(());
        }
        Err(Framing::Method { served: self.methods.iter().filter(|name| *name != "CONNECT").cloned().collect() })
    }

    pub(crate) fn check_target_length(&self, bytes: usize) -> Result<(), Framing> {
        if bytes > self.target_bytes { Err(self.target_too_long()) } else { Ok(()) }
    }

    pub(crate) const fn target_too_long(&self) -> Framing {
        Framing::TargetTooLong { limit: self.target_bytes }
    }

    pub(crate) fn check_fields(&self, lines: usize, bytes: usize) -> Result<(), Framing> {
        if bytes > self.fields_bytes {
            return Err(self.fields_too_large());
        }
        if lines > self.fields {
            return Err(Framing::TooManyFields { limit: self.fields });
        }
        Ok(())
    }

    pub(crate) const fn fields_too_large(&self) -> Framing {
        Framing::FieldsTooLarge { limit: self.fields_bytes }
    }
}
