//! What the names of an expression stand for in one request.

use std::sync::atomic::{AtomicU32, Ordering};

use cel::common::types::{CelBool, CelInt, CelString, CelTimestamp};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use super::values::{LazyMap, Pattern, Source, texts};
use crate::request::RequestView;

/// The name that every turn of a loop asks for; the checker puts it there.
pub(super) const STEP: &str = "@step";
/// What the names of compiled patterns begin with; a number follows.
pub(super) const PATTERN: &str = "@pattern";

/// Answers the names of one evaluation.
pub(super) struct Names<'v> {
    /// The request; `None` while an expression is compiled, when no variable has a value.
    view: Option<&'v RequestView<'v>>,
    patterns: &'v [Pattern],
    /// What one turn of a loop costs.
    weight: u32,
    budget: AtomicU32,
}

impl<'v> Names<'v> {
    pub(super) const fn new(view: Option<&'v RequestView<'v>>, patterns: &'v [Pattern], weight: u32, budget: u32) -> Self {
        Self { view, patterns, weight, budget: AtomicU32::new(budget) }
    }

    /// Takes the cost of one turn from the budget; `None` where it is used up.
    fn step(&self) -> Option<()> {
        let taken = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(self.weight));
        taken.ok().map(|_| ())
    }
}

impl VariableResolver for Names<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if name == STEP {
            return self.step().map(|()| CowVal::owned(CelBool::from(true)));
        }
        if let Some(number) = name.strip_prefix(PATTERN) {
            let pattern: &dyn Val = self.patterns.get(number.parse::<usize>().ok()?)?;
            return Some(CowVal::Borrowed(pattern));
        }
        let view = self.view?;
        let principal = view.principal;
        let text = |text: &'b str| CowVal::owned(CelString::from(text));
        Some(match name {
            "request.method" => text(view.method),
            "request.path" => text(view.path),
            "request.host" => text(view.host),
            "request.scheme" => text(view.scheme),
            "request.headers" => CowVal::owned(LazyMap::new(Source::Headers(view.headers))),
            "request.headerValues" => CowVal::owned(LazyMap::new(Source::HeaderValues(view.headers))),
            "request.queryValues" => CowVal::owned(LazyMap::new(Source::QueryValues(view.query))),
            "request.query" => CowVal::owned(LazyMap::new(Source::Query(view.query))),
            "request.size" => {
                let size = view.size.map_or(-1, |size| i64::try_from(size).unwrap_or(i64::MAX));
                CowVal::owned(CelInt::from(size))
            }
            "principal.kind" => text(principal.kind.as_str()),
            "principal.name" => text(&principal.name),
            "principal.team" => text(principal.team.as_deref().unwrap_or_default()),
            "principal.roles" => CowVal::owned(texts(&principal.roles)),
            "principal.scopes" => CowVal::owned(texts(&principal.scopes)),
            "principal.claims" => CowVal::owned(LazyMap::new(Source::Claims(&principal.claims))),
            "principal.key" => {
                CowVal::owned(CelString::from(principal.key.as_ref().map(ToString::to_string).unwrap_or_default()))
            }
            "client.address" => CowVal::owned(CelString::from(view.client.to_string())),
            "route.namespace" => text(&view.route.namespace),
            "route.name" => text(&view.route.name),
            "route.version" => text(view.version),
            "now" => CowVal::owned(time(view.now)?),
            _ => return None,
        })
    }
}

fn time(now: jiff::Timestamp) -> Option<CelTimestamp> {
    // jiff counts nanoseconds before the epoch downwards, chrono upwards from the second before.
    let nanosecond = now.as_nanosecond();
    let second = i64::try_from(nanosecond.div_euclid(1_000_000_000)).ok()?;
    let rest = u32::try_from(nanosecond.rem_euclid(1_000_000_000)).ok()?;
    Some(CelTimestamp::from(chrono::DateTime::from_timestamp(second, rest)?.fixed_offset()))
}
