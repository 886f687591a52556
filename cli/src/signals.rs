//! Being told to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Ends at the next Ctrl-C or SIGTERM.
pub(crate) async fn asked_to_stop() {
    // Where a signal cannot be listened for, its default does: the process ends.
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        (Err(_), _) | (_, Err(_)) => std::future::pending().await,
    }
}
