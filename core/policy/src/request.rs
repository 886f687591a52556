//! A request as rules see it.

use std::net::IpAddr;

use cause::ObjectName;
use http::HeaderMap;
use jiff::Timestamp;

use crate::principal::Principal;

/// What rules may look at: borrowed, nothing is prepared that no rule asks for.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The path in its one normal form, less a segment that names the version: what the upstream's
    /// path is made of.
    pub path: &'a str,
    /// The host, in lower case, without port.
    pub host: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The query, without `?`.
    pub query: &'a str,
    /// Bytes of body; `None` where only its end will tell.
    pub size: Option<u64>,
    /// The client's address.
    pub client: IpAddr,
    /// Who calls.
    pub principal: &'a Principal,
    /// The route.
    pub route: &'a ObjectName,
    /// The version that serves, such as `2.1.0`.
    pub version: &'a str,
    /// The time of the request.
    pub now: Timestamp,
}
