//! Several limits on one call: all are evaluated, the most restrictive decides.

use std::sync::atomic::AtomicU64;

use ir::Enforcement;

use super::{Reading, RequestLimit};

/// One limit and the count that this call falls under.
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    /// The limit.
    pub limit: &'a RequestLimit,
    /// Its state.
    pub state: &'a AtomicU64,
}

/// What all limits together say. Indices are places in the list of counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combined {
    /// No enforced limit applies.
    Unlimited,
    /// Admitted and counted everywhere; this limit has the fewest calls left.
    Admitted {
        /// The limit.
        decisive: usize,
        /// What it says.
        reading: Reading,
    },
    /// Refused and counted nowhere; this limit takes longest until it admits a call.
    Refused {
        /// The limit.
        decisive: usize,
        /// What it says.
        reading: Reading,
    },
}

/// Takes one call from all limits, or from none: what one refuses costs nothing in the others.
/// Shadow limits count what is admitted and decide nothing. `each` hears the reading of every
/// limit; where it hears one twice, the later holds. Allocates nothing.
pub fn take_all(counters: &[Counter<'_>], now: u64, mut each: impl FnMut(usize, Reading)) -> Combined {
    if let [_] = counters {
        // There are no others that it could take a call from in vain.
        return survey(counters, |counter| counter.limit.gcra.take(counter.state, now), &mut each);
    }
    // Looking first keeps a limit that will refuse from taking calls of the others, even for the
    // moment until they are given back.
    let looked = look(counters, now, &mut each);
    if let Combined::Refused { .. } = looked {
        return looked;
    }
    let mut taken = 0_usize;
    let mut refused = false;
    for counter in counters {
        let admitted = counter.limit.gcra.take(counter.state, now).admitted;
        if !admitted && counter.limit.enforcement == Enforcement::Enforce {
            refused = true;
            break;
        }
        taken += 1;
    }
    if !refused {
        return looked;
    }
    // Another call was faster. A shadow limit that admitted nothing has nothing to give back.
    for counter in counters.iter().take(taken) {
        if counter.limit.enforcement == Enforcement::Enforce {
            counter.limit.gcra.refund(counter.state);
        }
    }
    match survey(counters, |counter| counter.limit.gcra.peek(counter.state, now), &mut each) {
        // It was given back in between; the call is refused all the same, and may come again.
        Combined::Admitted { decisive, reading } => {
            Combined::Refused { decisive, reading: Reading { admitted: false, retry_after: 1, ..reading } }
        }
        said @ (Combined::Refused { .. } | Combined::Unlimited) => said,
    }
}

/// What [`take_all`] would say now; takes nothing.
pub fn look(counters: &[Counter<'_>], now: u64, mut each: impl FnMut(usize, Reading)) -> Combined {
    survey(counters, |counter| counter.limit.gcra.peek(counter.state, now), &mut each)
}

fn survey(counters: &[Counter<'_>], read: impl Fn(&Counter<'_>) -> Reading, each: &mut impl FnMut(usize, Reading)) -> Combined {
    let mut decisive: Option<(usize, Reading)> = None;
    for (index, counter) in counters.iter().enumerate() {
        let reading = read(counter);
        each(index, reading);
        let enforced = counter.limit.enforcement == Enforcement::Enforce;
        if enforced && decisive.is_none_or(|(_, known)| is_stricter(&reading, &known)) {
            decisive = Some((index, reading));
        }
    }
    match decisive {
        None => Combined::Unlimited,
        Some((decisive, reading)) if reading.admitted => Combined::Admitted { decisive, reading },
        Some((decisive, reading)) => Combined::Refused { decisive, reading },
    }
}

fn is_stricter(one: &Reading, other: &Reading) -> bool {
    match (one.admitted, other.admitted) {
        (false, true) => true,
        (true, false) => false,
        (false, false) => one.retry_after > other.retry_after,
        (true, true) => (one.remaining, other.reset_after) < (other.remaining, one.reset_after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ir::Limit;
    use std::sync::atomic::Ordering;

    fn limit(name: &str, requests: u64, window_ms: u64, enforcement: Enforcement) -> RequestLimit {
        RequestLimit::compile(&Limit { name: name.into(), per: Vec::new(), requests, window_ms, burst: requests, enforcement })
    }

    /// Calls at one moment; each must say who decides and whether it is admitted.
    fn check(limits: &[RequestLimit], expected: &[(&str, bool)]) {
        let states: Vec<_> = limits.iter().map(|_| AtomicU64::new(0)).collect();
        let counters: Vec<_> = limits.iter().zip(&states).map(|(limit, state)| Counter { limit, state }).collect();
        for (call, (name, admitted)) in expected.iter().enumerate() {
            let mut heard = 0;
            let said = match take_all(&counters, 77, |_, _| heard += 1) {
                Combined::Unlimited => ("", true),
                Combined::Admitted { decisive, .. } => (&*limits[decisive].name, true),
                Combined::Refused { decisive, .. } => (&*limits[decisive].name, false),
            };
            assert_eq!(said, (*name, *admitted), "call {call}");
            assert_eq!(heard, limits.len());
        }
    }

    #[test]
    fn the_most_restrictive_limit_decides() {
        use Enforcement::{Enforce, Shadow};
        let (few, many) = (limit("few", 2, 1000, Enforce), limit("many", 3, 60_000, Enforce));
        check(&[many.clone(), few.clone()], &[("few", true), ("few", true), ("few", false)]);
        let tie = limit("tie", 2, 60_000, Enforce);
        check(&[few.clone(), tie], &[("tie", true), ("tie", true), ("tie", false)]);
        let shadow = limit("shadow", 1, 60_000, Shadow);
        check(&[shadow.clone(), few], &[("few", true), ("few", true), ("few", false)]);
        check(&[shadow], &[("", true), ("", true)]);
        check(&[], &[("", true)]);
    }

    #[test]
    fn a_refused_call_costs_nothing() {
        let limits = [limit("wide", 9, 9000, Enforcement::Enforce), limit("tight", 1, 1000, Enforcement::Enforce)];
        let states = [AtomicU64::new(0), AtomicU64::new(0)];
        let counters = [0, 1].map(|index| Counter { limit: &limits[index], state: &states[index] });
        for _ in 0..5 {
            take_all(&counters, 1_000, |_, _| {});
        }
        assert_eq!(limits[0].gcra.peek(&states[0], 1_000).remaining, 7);
    }

    #[test]
    fn several_limits_stay_exact_under_concurrency() {
        let limits = [limit("wide", 900, 3_600_000, Enforcement::Enforce), limit("tight", 300, 3_600_000, Enforcement::Enforce)];
        let states = [AtomicU64::new(0), AtomicU64::new(0)];
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let counters = [0, 1].map(|index| Counter { limit: &limits[index], state: &states[index] });
                        (0..400).filter(|_| matches!(take_all(&counters, 5, |_, _| {}), Combined::Admitted { .. })).count()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(admitted, 300);
        // Every call that `tight` refused was given back to `wide`.
        let full = limits[0].gcra.peek(&states[0], 5);
        assert_eq!(full.remaining, 900 - 300 - 1);
        assert!(states[1].load(Ordering::Relaxed) > 0);
    }
}
