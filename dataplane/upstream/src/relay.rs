//! A waker that keeps quiet while its task is already at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Stands between a connection and the task that drives it.
///
/// hyper's halves of a connection wake each other, for they usually live in two tasks. Here they
/// live in one, and each such wake would have that task polled once more for nothing. Wakes that
/// come while the task is at the connection are noted instead of passed on.
pub(crate) struct Relay {
    shared: Arc<Shared>,
    waker: Waker,
}

#[derive(Default)]
struct Shared {
    task: AtomicWaker,
    at_work: AtomicBool,
    noted: AtomicBool,
}

impl Relay {
    pub(crate) fn new() -> Self {
        let shared = Arc::new(Shared::default());
        Self { waker: Waker::from(Arc::clone(&shared)), shared }
    }

    /// Runs `step` for the task of `cx` until it is ready, or pending with nothing noted meanwhile.
    pub(crate) fn poll<T>(&self, cx: &mut Context<'_>, mut step: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let shared = &self.shared;
        shared.task.register(cx.waker());
        shared.at_work.store(true, Ordering::Relaxed);
        let mut outcome = Poll::Pending;
        for _ in 0..ROUNDS {
            shared.noted.store(false, Ordering::Relaxed);
            outcome = step(&mut Context::from_waker(&self.waker));
            if outcome.is_ready() || !shared.noted.load(Ordering::Relaxed) {
                break;
            }
        }
        shared.at_work.store(false, Ordering::Relaxed);
        if outcome.is_pending() && shared.noted.load(Ordering::Relaxed) {
            // It asks for its turn again and again: others come first.
            cx.waker().wake_by_ref();
        }
        outcome
    }

    /// Whoever used the connection is not to be woken any more.
    pub(crate) fn forget(&self) {
        drop(self.shared.task.take());
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.at_work.load(Ordering::Relaxed) {
            self.noted.store(true, Ordering::Relaxed);
        } else {
            self.task.wake();
        }
    }
}

/// How often a connection is polled in one turn of its task.
const ROUNDS: usize = 3;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Polls a step that wakes itself `wakes` times: how often it ran and its task was woken.
    fn check(wakes: usize, ready: bool) -> (usize, usize) {
        let (relay, count) = (Relay::new(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let mut runs = 0;
        let outcome = relay.poll(&mut Context::from_waker(&waker), |cx| {
            runs += 1;
            if runs <= wakes {
                cx.waker().wake_by_ref();
            }
            if ready { Poll::Ready(()) } else { Poll::Pending }
        });
        assert_eq!(outcome.is_ready(), ready);
        (runs, count.0.load(Ordering::Relaxed))
    }

    #[test]
    fn no_wake_is_lost_and_none_is_passed_on_in_vain() {
        for (wakes, ready, expected) in
            [(0, false, (1, 0)), (1, false, (2, 0)), (2, false, (3, 0)), (9, false, (3, 1)), (1, true, (1, 0))]
        {
            assert_eq!(check(wakes, ready), expected, "{wakes} {ready}");
        }
    }

    #[test]
    fn a_wake_from_outside_reaches_the_task_that_polled_last() {
        let (relay, first, second) = (Relay::new(), Arc::new(Count::default()), Arc::new(Count::default()));
        for count in [&first, &second] {
            let waker = Waker::from(Arc::clone(count));
            assert!(relay.poll(&mut Context::from_waker(&waker), |_| Poll::<()>::Pending).is_pending());
        }
        relay.waker.wake_by_ref();
        assert_eq!((first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed)), (0, 1));
        let waker = Waker::from(Arc::clone(&first));
        assert!(relay.poll(&mut Context::from_waker(&waker), |_| Poll::<()>::Pending).is_pending());
        relay.forget();
        relay.waker.wake_by_ref();
        assert_eq!(first.0.load(Ordering::Relaxed), 0);
    }
}
