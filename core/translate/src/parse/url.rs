//! URLs of backends and of those who vouch for tokens.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use cause::{FaultCause, Syntax};
use http::Uri;
use ir::Scheme;

use super::places::{is_host_name, path};
use super::{malformed, plain};

/// An absolute http or https URL without userinfo, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Plain or TLS.
    pub scheme: Scheme,
    /// Host name in lower case, or address without brackets.
    pub host: Arc<str>,
    /// Port.
    pub port: u16,
    /// Path without a trailing slash; empty for none.
    pub path: Arc<str>,
}

impl Url {
    /// Whether the host is this machine by name or address.
    fn is_loopback(&self) -> bool {
        &*self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = match self.scheme {
            Scheme::Http => ("http", 80),
            Scheme::Https => ("https", 443),
        };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]", self.host)?;
        } else {
            write!(f, "{scheme}://{}", self.host)?;
        }
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

/// An absolute http or https URL.
///
/// # Errors
/// Any other text; userinfo, query and fragment.
pub fn url(text: &str) -> Result<Url, FaultCause> {
    split(text, false)
        .ok_or_else(|| malformed(Syntax::Url, meant_url(text), |meant| split(meant, false).ok_or(plain(Syntax::Url))))
}

/// A URL that vouches for tokens, which may have a query: https, or http on loopback when
/// `standalone`. The text is kept as it is.
///
/// # Errors
/// Any other text; userinfo and fragment.
pub fn vouching_url(text: &str, standalone: bool) -> Result<Arc<str>, FaultCause> {
    vouched(text, standalone, true)
}

/// The host of a URL that vouches for tokens; `None` of any other text.
pub(crate) fn vouching_host(text: &str) -> Option<Arc<str>> {
    split(text, true).map(|url| url.host)
}

/// As [`vouching_url`], without a query: OIDC discovery appends to it.
///
/// # Errors
/// Any other text.
pub fn issuer(text: &str, standalone: bool) -> Result<Arc<str>, FaultCause> {
    vouched(text, standalone, false)
}

fn vouched(text: &str, standalone: bool, query: bool) -> Result<Arc<str>, FaultCause> {
    let check = |text: &str| {
        split(text, query)
            .filter(|url| url.scheme == Scheme::Https || (standalone && url.is_loopback()))
            .map(|_| Arc::from(text))
            .ok_or(plain(Syntax::HttpsUrl))
    };
    check(text).map_err(|_| {
        let meant = text.trim();
        let meant = match meant.split_once("://") {
            Some((_, rest)) => format!("https://{rest}"),
            None => format!("https://{meant}"),
        };
        malformed(Syntax::HttpsUrl, Some(meant), check)
    })
}

fn split(text: &str, query: bool) -> Option<Url> {
    // `Uri` drops a fragment silently.
    if text.contains('#') || text.contains(char::is_whitespace) {
        return None;
    }
    let uri: Uri = text.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let authority = uri.authority()?;
    let behind = authority.as_str();
    if behind.contains('@') || behind.ends_with(':') || (uri.query().is_some() && !query) {
        return None;
    }
    let host = host_of(authority.host())?;
    let port = match behind.strip_prefix(authority.host())?.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|&port: &u16| port > 0)?,
        None => match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        },
    };
    let path = path(uri.path()).ok()?;
    Some(Url { scheme, host, port, path: if &*path == "/" { "".into() } else { path } })
}

fn host_of(host: &str) -> Option<Arc<str>> {
    if let Some(inside) = host.strip_prefix('[') {
        let address: Ipv6Addr = inside.strip_suffix(']')?.parse().ok()?;
        return Some(address.to_string().into());
    }
    let host = host.to_ascii_lowercase();
    let address = host.parse::<std::net::Ipv4Addr>().is_ok();
    // A Service's name in a cluster may end with a dot, and a name may hold `_` nowhere here.
    (address || is_host_name(host.trim_end_matches('.'))).then(|| host.into())
}

fn meant_url(text: &str) -> Option<String> {
    let text = text.trim();
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => ("http", rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("https", rest),
        Some(_) => return None,
        None => ("https", text.trim_start_matches('/')),
    };
    let rest = rest.split(['?', '#']).next()?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(format!("{scheme}://{authority}{path}"))
}
