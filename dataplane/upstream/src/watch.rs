//! One timer that outlives many deadlines.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer kept armed at some time before the deadline that matters. Deadlines mostly move
/// forward, and then the timer is not touched: it fires early at most once a period, and is moved
/// then. A connection in use thus costs no timer operation per request.
#[derive(Default)]
pub(crate) struct Watch {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Watch {
    /// Ready once `deadline` has passed.
    pub(crate) fn poll_passed(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}
