//! The task that writes last good versions down, on the operator that leads.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::cycle::Pass;
use crate::last_good::Keeper;

/// The wait after something failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How long all that is due may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps what is written down true, for as long as it is polled.
pub(super) async fn run(mut shared: Shared, mut passes: watch::Receiver<Option<Arc<Pass>>>) {
    let mut keeper = Keeper::new(shared.client.clone(), &shared.options.namespace, shared.owner.clone());
    let mut again: Option<Instant> = None;
    loop {
        tokio::select! {
            changed = passes.changed() => if changed.is_err() { return },
            changed = shared.leading.changed() => if changed.is_err() { return },
            () = sleep_until(again) => {}
        }
        again = None;
        if !*shared.leading.borrow_and_update() {
            keeper.forget();
            continue;
        }
        let Some(pass) = passes.borrow_and_update().clone() else { continue };
        match tokio::time::timeout(PATIENCE, keeper.write(&pass.kept)).await {
            Ok(Ok(lost)) => shared.figures.last_good(pass.kept.len(), lost),
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "last good versions are not written down");
                again = Some(Instant::now() + PAUSE);
            }
            Err(_) => again = Some(Instant::now() + PAUSE),
        }
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
