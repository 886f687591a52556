//! One timer that outlives many deadlines.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::body::Upload;

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

/// How long the head of an answer may take, from the last part of the request that passed.
pub(crate) struct Patience {
    allowed: Duration,
    deadline: Instant,
    upload: Option<Rc<Upload>>,
}

impl Patience {
    pub(crate) fn from_now(allowed: Duration, upload: Option<Rc<Upload>>) -> Self {
        Self { allowed, deadline: Instant::now() + allowed, upload }
    }

    /// Ready when it is used up.
    pub(crate) fn poll_over(&mut self, watch: &mut Watch, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(watch.poll_passed(cx, self.deadline));
            let moved_at = self.upload.as_ref().and_then(|upload| upload.moved_at());
            match moved_at.map(|moved_at| moved_at + self.allowed) {
                Some(later) if later > self.deadline => self.deadline = later,
                Some(_) | None => return Poll::Ready(()),
            }
        }
    }
}
