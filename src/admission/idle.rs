//! When nobody has used an HTTP/2 connection for long. hyper bounds that for HTTP/1.1 alone; its pings on HTTP/2 only find peers
//! that are gone, and a peer that answers them would hold its slot for ever.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How many requests a connection has under way.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(watch::Sender<usize>);

/// A request under way, until it is dropped.
pub(super) struct Request(InFlight);

impl InFlight {
    pub(super) fn begin(&self) -> Request {
        self.0.send_modify(|requests| *requests += 1);
        Request(self.clone())
    }

    /// Waits until there has been no request for as long as `limit`.
    pub(super) async fn idle_for(&self, limit: Duration) {
        let mut requests = self.0.subscribe();
        loop {
            // The sender lives as long as `self`.
            let _ = requests.wait_for(|requests| *requests == 0).await;
            if timeout(limit, requests.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.0.send_modify(|requests| *requests -= 1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_begins_when_the_last_request_ends() {
        let (in_flight, begun) = (InFlight::default(), Instant::now());
        let (first, second) = (in_flight.begin(), in_flight.begin());
        let ends = async {
            sleep(Duration::from_secs(7)).await;
            drop(first);
            sleep(Duration::from_secs(7)).await;
            drop(second);
            sleep(Duration::from_secs(4)).await;
            drop(in_flight.begin());
        };
        tokio::join!(ends, in_flight.idle_for(Duration::from_secs(5)));
        assert_eq!(begun.elapsed(), Duration::from_secs(7 + 7 + 4 + 5));
    }
}
