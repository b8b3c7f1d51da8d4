//! Keeps a `NetworkAttachmentDefinition` for each `SpiderMultusConfig`: renders, applies, repairs, removes, and
//! says on the network what became of it.
//!
//! [`known`] takes in what two watches tell and [`plan`] says from that alone what is to be done for a network;
//! [`act`] does it. The work of each network stands for itself: some at a time, none twice at once, and one that
//! fails, or is undone by somebody again and again, waits longer each time ([`queue`]). Who a definition belongs to
//! is said in [`observed::Definition`].

mod act;
mod known;
mod observed;
mod plan;
mod queue;
mod table;
#[cfg(test)]
mod tests;
mod verdict;

use std::time::Duration;

use futures::StreamExt;
use futures::stream::{BoxStream, FuturesUnordered, select};
use kube::Api;
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::supervise::timed;
use super::{ControllerError, Leader};
use crate::api::{AttachmentDefinition, Kind};
use crate::catalog::ObjectKey;
use crate::sources::cluster::is_absent;
use crate::sources::{Backoff, describe};

use act::Done;
use known::Known;
use queue::Queue;

/// Networks that are worked on at a time.
const CONCURRENCY: usize = 8;
/// Objects of one page of a list. They come whole, with managed fields, of which next to nothing is kept.
const PAGE: u32 = 100;

/// What a watch says.
enum Seen {
    Network(watcher::Result<watcher::Event<DynamicObject>>),
    Definition(watcher::Result<watcher::Event<DynamicObject>>),
}

/// What the loop remembers.
#[derive(Default)]
struct Work {
    known: Known,
    queue: Queue,
}

/// Follows networks and definitions until an error.
pub(super) async fn run(leader: &Leader) -> Result<(), ControllerError> {
    let networks =
        events(Api::all_with(leader.client.clone(), &Kind::MultusConfig.resource())).map(Seen::Network);
    let definitions =
        events(Api::all_with(leader.client.clone(), &AttachmentDefinition::resource())).map(Seen::Definition);
    let mut events = select(networks, definitions);
    let mut work = Work::default();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < CONCURRENCY
            && let Some(plan) = work.next(Instant::now())
        {
            running.push(async move {
                let key = plan.key.clone();
                (key, timed(&leader.metrics, "networks", act::carry_out(leader, plan)).await)
            });
        }
        let due = work.queue.wake().filter(|_| running.len() < CONCURRENCY);
        let wake = async {
            match due {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(seen) = events.next() => work.note(seen)?,
            Some((key, done)) = running.next() => work.finish(&key, done)?,
            () = wake => {}
        }
    }
}

/// The longest wait is also how late an installed kind is noticed.
fn events(api: Api<DynamicObject>) -> BoxStream<'static, watcher::Result<watcher::Event<DynamicObject>>> {
    let backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
    watcher(api, watcher::Config::default().page_size(PAGE)).backoff(backoff).boxed()
}

impl Work {
    /// An error means that the watches are to be started anew.
    fn note(&mut self, seen: Seen) -> Result<(), ControllerError> {
        let affected = match seen {
            Seen::Network(Ok(event)) => self.known.note_network(event),
            Seen::Definition(Ok(event)) => self.known.note_definition(event),
            Seen::Definition(Err(error)) if is_absent(&error) => {
                if !self.known.lacks_definitions() {
                    warn!(
                        controller = "networks",
                        "the cluster has no kind NetworkAttachmentDefinition; networks are rendered when it has"
                    );
                }
                self.known.note_no_definitions()
            }
            Seen::Network(Err(error)) | Seen::Definition(Err(error)) if was_removed(&error) => {
                return Err(ControllerError::watch("networks and their definitions", error));
            }
            Seen::Network(Err(error)) | Seen::Definition(Err(error)) => {
                warn!(controller = "networks", "watch failed: {}", describe(&error));
                return Ok(());
            }
        };
        for key in affected {
            self.queue.add(key);
        }
        Ok(())
    }

    /// The next network for which there is something to do.
    fn next(&mut self, now: Instant) -> Option<plan::Plan> {
        if !self.known.is_complete() {
            return None;
        }
        loop {
            let key = self.queue.take(now)?;
            let plan = self.known.plan(&key);
            if plan.is_needed() {
                return Some(plan);
            }
            self.queue.done(&key);
        }
    }

    fn finish(
        &mut self,
        key: &ObjectKey,
        done: Result<Done, ControllerError>,
    ) -> Result<(), ControllerError> {
        self.queue.done(key);
        match done {
            Ok(Done { applied, reported, repaired }) => {
                if repaired {
                    self.queue.slow_down(key, Instant::now());
                }
                // Our own writes are known at once; the watches say the same a moment later.
                let applied = applied.map(|object| Seen::Definition(Ok(watcher::Event::Apply(object))));
                let reported = reported.map(|object| Seen::Network(Ok(watcher::Event::Apply(object))));
                applied.into_iter().chain(reported).try_for_each(|seen| self.note(seen))
            }
            Err(error) => {
                info!(controller = "networks", network = %key, "tried again later: {}", describe(&error));
                self.queue.slow_down(key, Instant::now());
                self.queue.add(key.clone());
                Ok(())
            }
        }
    }
}

/// Whether the kind went away under a watch. That watch would wait for its return without ever listing again, and
/// what is there then is not what was there before.
fn was_removed(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 404)
}
