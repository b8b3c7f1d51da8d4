use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::warn;

use super::ControllerError;
use crate::sources::{Backoff, describe};
use crate::telemetry::metrics::Metrics;

/// A loop that ran this long without an error starts with short waits again.
const HEALTHY: Duration = Duration::from_mins(1);

/// Runs a loop for ever: when it ends with an error, it is started again after a while.
pub async fn keep<F>(name: &'static str, mut run: impl FnMut() -> F)
where
    F: Future<Output = Result<(), ControllerError>>,
{
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
    loop {
        let started = Instant::now();
        if let Err(error) = run().await {
            warn!(controller = name, "{}", describe(&error));
        }
        if started.elapsed() > HEALTHY {
            backoff.reset();
        }
        sleep(backoff.wait()).await;
    }
}

/// Counts and times one reconciliation.
pub(super) async fn timed<T>(
    metrics: &Metrics,
    controller: &'static str,
    reconcile: impl Future<Output = Result<T, ControllerError>>,
) -> Result<T, ControllerError> {
    let started = Instant::now();
    let result = reconcile.await;
    metrics.count_reconcile(controller, result.is_ok(), started.elapsed());
    result
}
