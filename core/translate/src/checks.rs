//! Addresses and limits, which routes and keys share.

use std::sync::Arc;

use cause::{FaultCause, FieldPath};
use crds::v1alpha1 as written;
use ipnet::IpNet;

use crate::parse;
use crate::report::Report;

/// Where a check's `mode` stands.
pub(crate) const fn enforcement(mode: Option<written::Enforcement>) -> ir::Enforcement {
    match mode {
        None | Some(written::Enforcement::Enforce) => ir::Enforcement::Enforce,
        Some(written::Enforcement::Shadow) => ir::Enforcement::Shadow,
    }
}

/// Allow and deny lists; an entry that is wrong closes the object.
pub(crate) fn addresses(written: Option<&written::Addresses>, at: &FieldPath, report: &mut Report) -> ir::Addresses {
    let Some(written) = written else { return ir::Addresses::default() };
    let mut list = |networks: Option<&Vec<String>>, name: &str| {
        let at = at.field(name);
        let mut parsed: Vec<IpNet> = Vec::new();
        for (index, text) in networks.into_iter().flatten().enumerate() {
            parsed.extend(report.need(&at.index(index), parse::network(text)));
        }
        parsed.sort_unstable();
        parsed.dedup();
        parsed
    };
    let allow = list(written.allow.as_ref(), "allow");
    let deny = list(written.deny.as_ref(), "deny");
    for (index, network) in allow.iter().enumerate() {
        if let Some(denied) = deny.iter().find(|denied| denied.contains(network)) {
            let reason = format!("`deny` holds {denied}, so no address of `allow` {network} is admitted");
            let place = position(written.allow.as_ref(), *network).unwrap_or(index);
            report.warn(&at.field("allow").index(place), FaultCause::NoEffect { reason: reason.into() });
        }
    }
    ir::Addresses { allow, deny, enforcement: enforcement(written.mode) }
}

/// Where in the manifest a network stands.
fn position(texts: Option<&Vec<String>>, network: IpNet) -> Option<usize> {
    texts?.iter().position(|text| parse::network(text).is_ok_and(|parsed| parsed == network))
}

/// Named limits; one that is wrong closes the object.
pub(crate) fn limits(written: Option<&Vec<written::Limit>>, at: &FieldPath, report: &mut Report) -> Vec<ir::Limit> {
    let mut limits = Vec::new();
    for (index, limit) in written.into_iter().flatten().enumerate() {
        let at = at.index(index);
        let window_ms = report.need(&at.field("window"), parse::duration(&limit.window));
        let requests = report.need(&at.field("requests"), positive(limit.requests));
        let burst = match limit.burst {
            Some(burst) => report.need(&at.field("burst"), positive(burst)),
            None => requests,
        };
        if let (Some(window_ms), Some(requests), Some(burst)) = (window_ms, requests, burst) {
            limits.push(ir::Limit {
                name: limit.name.as_str().into(),
                per: dimensions(limit.per.as_deref().unwrap_or_default()),
                requests,
                window_ms,
                burst,
                enforcement: enforcement(limit.mode),
            });
        }
    }
    limits
}

fn positive(count: i64) -> Result<u64, FaultCause> {
    u64::try_from(count)
        .ok()
        .filter(|&count| count > 0)
        .ok_or_else(|| FaultCause::OutOfBounds { bound: "must be at least 1".into() })
}

fn dimensions(written: &[written::Dimension]) -> Vec<ir::Dimension> {
    let one = |dimension: &written::Dimension| match dimension {
        written::Dimension::Principal => ir::Dimension::Principal,
        written::Dimension::Team => ir::Dimension::Team,
        written::Dimension::ClientAddress => ir::Dimension::ClientAddress,
        written::Dimension::Version => ir::Dimension::Version,
    };
    let mut dimensions: Vec<_> = written.iter().map(one).collect();
    dimensions.sort_unstable();
    dimensions.dedup();
    dimensions
}

/// Texts behind shared pointers, in their order.
pub(crate) fn shared(texts: Option<&Vec<String>>) -> Vec<Arc<str>> {
    texts.into_iter().flatten().map(|text| text.as_str().into()).collect()
}
