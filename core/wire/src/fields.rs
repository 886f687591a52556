//! Fields that a client may not send past the entry: what the gateway says itself, what intermediaries
//! say about clients, and what concerns one connection only (RFC 9110 section 7.6.1).
//!
//! Runs before credentials are read, so that a nominated credential counts as absent.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

use crate::octets;

/// What was taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stripped {
    /// Field lines whose name holds `_`: to many servers another spelling of `-`.
    pub underscored: usize,
    /// The client asked to upgrade to WebSocket; `Connection` and `Upgrade` are gone all the same.
    pub websocket: bool,
}

/// Names removed wherever they occur; what is not a prefix of a family.
const FIXED: [&str; 14] = [
    "connection",
    "upgrade",
    "transfer-encoding",
    "forwarded",
    "keep-alive",
    "proxy-connection",
    "x-real-ip",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "http2-settings",
    "x-original-url",
    "x-rewrite-url",
    "x-forwarded",
];
const FAMILIES: [&str; 3] = ["doorward-", "x-forwarded-", "x-envoy-"];
/// Never removed because `Connection` nominates them.
static NEVER_NOMINATED: [HeaderName; 3] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING];
/// Meaningless or dangerous behind a body.
static NOT_IN_TRAILERS: [HeaderName; 6] = [CONTENT_LENGTH, HOST, AUTHORIZATION, PROXY_AUTHORIZATION, TE, TRAILER];

/// What one field name asks for.
enum Fate {
    Keep,
    /// The place in [`FIXED`].
    Fixed(usize),
    Family,
    Underscored,
}

/// Removes from a request's head all that a client may not say. Addresses in `X-Forwarded-For` and
/// `Forwarded` have to be read before. `TE` stays as `trailers`.
///
/// One pass; allocates only if a field of a family, with `_`, or nominated is there.
pub fn strip_at_entry(headers: &mut HeaderMap) -> Stripped {
    let mut doomed = Doomed::default();
    let (mut offers_websocket, mut nominates_upgrade) = (false, false);
    let mut te = None;
    let present: &HeaderMap = headers;
    for (name, value) in present {
        doomed.judge(name);
        if name == CONNECTION {
            nominates_upgrade |= doomed.nominate(value, present);
        } else if name == UPGRADE {
            offers_websocket |= octets::members(value.as_bytes()).any(|member| member.eq_ignore_ascii_case(b"websocket"));
        } else if name == TE {
            te = Some(te.map_or_else(|| accepted_transfer(value), |_| Transfer::Mixed));
        }
    }
    match te {
        None | Some(Transfer::Trailers) => {}
        Some(Transfer::Mixed) if wants_trailers(headers) => {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        Some(Transfer::Mixed) => {
            headers.remove(TE);
        }
    }
    let underscored = doomed.remove_from(headers);
    Stripped { underscored, websocket: offers_websocket && nominates_upgrade }
}

/// Removes from trailers all that [`strip_at_entry`] removes, and what belongs into a head only.
pub fn strip_trailers(trailers: &mut HeaderMap) -> Stripped {
    for name in &NOT_IN_TRAILERS {
        trailers.remove(name);
    }
    Stripped { websocket: false, ..strip_at_entry(trailers) }
}

/// What has to go, found while the map is only read.
#[derive(Default)]
struct Doomed {
    /// Bit n: the name n of [`FIXED`].
    fixed: u16,
    names: Vec<HeaderName>,
    underscored: usize,
}

impl Doomed {
    fn judge(&mut self, name: &HeaderName) {
        match fate(name) {
            Fate::Keep => {}
            Fate::Fixed(place) => self.fixed |= 1 << place,
            Fate::Family => self.names.push(name.clone()),
            Fate::Underscored => {
                self.underscored += 1;
                self.names.push(name.clone());
            }
        }
    }

    /// Marks the fields that a `Connection` nominates; whether `upgrade` is among them.
    fn nominate(&mut self, connection: &HeaderValue, headers: &HeaderMap) -> bool {
        let mut nominates_upgrade = false;
        for member in octets::members(connection.as_bytes()) {
            if member.eq_ignore_ascii_case(b"upgrade") {
                nominates_upgrade = true;
            } else if !member.eq_ignore_ascii_case(b"close") && !member.eq_ignore_ascii_case(b"keep-alive") {
                let nominated = HeaderName::from_bytes(member).ok().filter(|name| headers.contains_key(name));
                self.names.extend(nominated.filter(|name| !NEVER_NOMINATED.contains(name)));
            }
        }
        nominates_upgrade
    }

    /// Removes it; how many field lines had `_` in their name.
    fn remove_from(self, headers: &mut HeaderMap) -> usize {
        for (place, name) in FIXED.into_iter().enumerate() {
            if self.fixed & (1 << place) != 0 {
                headers.remove(name);
            }
        }
        for name in self.names {
            headers.remove(name);
        }
        self.underscored
    }
}

fn fate(name: &HeaderName) -> Fate {
    let text = name.as_str();
    if memchr::memchr(b'_', text.as_bytes()).is_some() {
        return Fate::Underscored;
    }
    if FAMILIES.iter().any(|family| text.starts_with(family)) {
        return Fate::Family;
    }
    // Most fields are none of these by their length alone.
    FIXED.iter().position(|fixed| *fixed == text).map_or(Fate::Keep, Fate::Fixed)
}

/// What the lines of `TE` say.
#[derive(Clone, Copy)]
enum Transfer {
    /// One line, `trailers`.
    Trailers,
    /// Anything else.
    Mixed,
}

fn accepted_transfer(te: &HeaderValue) -> Transfer {
    if te.as_bytes().eq_ignore_ascii_case(b"trailers") { Transfer::Trailers } else { Transfer::Mixed }
}

fn wants_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .flat_map(|line| octets::members(line.as_bytes()))
        .any(|member| member.eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())).collect()
    }

    /// Of `lines`, `kept` are left.
    fn check(lines: &[(&str, &str)], kept: &[(&str, &str)], expected: Stripped) {
        let mut headers = map(lines);
        assert_eq!(strip_at_entry(&mut headers), expected, "{lines:?}");
        assert_eq!(headers, map(kept), "{lines:?}");
        assert_eq!(strip_at_entry(&mut headers), Stripped::default(), "nothing is left to strip: {lines:?}");
    }

    #[test]
    fn clean_requests_stay_as_they_are() {
        let clean = [
            ("host", "a"),
            ("accept", "*/*"),
            ("content-type", "text/plain"),
            ("content-length", "3"),
            ("x-api-key", "k"),
            ("authorization", "b"),
            ("x-request-id", "7"),
            ("te", "trailers"),
            ("forwarding", "x"),
            ("doorwards", "x"),
            ("x-real-ip-2", "x"),
            ("cookie", "a=b"),
            ("cookie", "c=d"),
        ];
        check(&clean, &clean, Stripped::default());
    }

    #[test]
    fn what_only_intermediaries_may_say_is_removed() {
        for name in [
            "Doorward-Principal",
            "DOORWARD-ROLES",
            "doorward-decision",
            "doorward-anything",
            "X-Forwarded-For",
            "x-forwarded-host",
            "X-Forwarded-Anything",
            "Forwarded",
            "X-Real-IP",
            "X-Envoy-Original-Path",
            "X-HTTP-Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
            "Proxy-Connection",
            "Keep-Alive",
            "Transfer-Encoding",
            "Connection",
            "Upgrade",
        ] {
            check(
                &[("host", "a"), (name, "1"), ("x-api-key", "k"), (name, "2")],
                &[("host", "a"), ("x-api-key", "k")],
                Stripped::default(),
            );
        }
        for name in ["X_Forwarded_For", "x-forwarded_for", "Doorward_Principal", "Content_Length", "_", "x_api_key"] {
            check(&[("host", "a"), (name, "1"), (name, "2")], &[("host", "a")], Stripped { underscored: 2, websocket: false });
        }
    }

    #[test]
    fn nominated_fields_are_removed_and_framing_never() {
        check(
            &[
                ("connection", "close, X-User"),
                ("x-user", "root"),
                ("connection", "x-api-key ,, Te"),
                ("x-api-key", "k"),
                ("te", "trailers"),
                ("accept", "a"),
            ],
            &[("accept", "a")],
            Stripped::default(),
        );
        check(
            &[
                ("connection", "host, content-length, keep-alive, absent, a b"),
                ("host", "a"),
                ("content-length", "3"),
                ("keep-alive", "timeout=5"),
            ],
            &[("host", "a"), ("content-length", "3")],
            Stripped::default(),
        );
    }

    #[test]
    fn of_te_only_trailers_stays() {
        for (lines, kept) in [
            (&[("te", "trailers")][..], &[("te", "trailers")][..]),
            (&[("te", "gzip")], &[]),
            (&[("te", "gzip, Trailers")], &[("te", "trailers")]),
            (&[("te", "gzip"), ("te", "trailers")], &[("te", "trailers")]),
            (&[("te", "")], &[]),
        ] {
            check(lines, kept, Stripped::default());
        }
    }

    #[test]
    fn only_nominated_websocket_upgrades_are_upgrades() {
        for (connection, upgrade, websocket) in [
            ("Upgrade", "websocket", true),
            ("keep-alive, upgrade", "h2c, WebSocket", true),
            ("upgrade", "h2c", false),
            ("close", "websocket", false),
            ("upgrade", "websockets", false),
        ] {
            let lines = [("connection", connection), ("upgrade", upgrade), ("http2-settings", "x")];
            check(&lines, &[], Stripped { underscored: 0, websocket });
        }
    }

    #[test]
    fn trailers_hold_no_framing_and_no_credentials() {
        let mut trailers = map(&[
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("host", "b"),
            ("authorization", "b"),
            ("doorward-principal", "p"),
            ("x_y", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("grpc-status", "0"),
        ]);
        assert_eq!(strip_trailers(&mut trailers), Stripped { underscored: 1, websocket: false });
        assert_eq!(trailers, map(&[("grpc-status", "0")]));
    }
}
