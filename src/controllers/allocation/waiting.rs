use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};
use tokio::time::Instant;
use tracing::warn;

use crate::allocator::PodFacts;
use crate::reason::Reason;
use crate::sources::{Backoff, describe};

/// A pod that got nothing is tried again at the latest after this.
const RETRY: Duration = Duration::from_secs(10);
/// Pods that come within this time of each other are a stream.
const STREAM: Duration = Duration::from_millis(250);
/// Between two looks while all that wait are waiting for others.
const PAUSE: Duration = Duration::from_millis(100);
/// A pod whose endpoint could not be written is tried again at the earliest after half of this.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// Pods that need addresses, from when they are seen bound until their endpoint is written.
#[derive(Default)]
pub(super) struct Waiting {
    pods: HashMap<Arc<str>, Wait>,
    /// How many pods have waited so far.
    came: u64,
    /// When the last one came.
    last: Option<Instant>,
    /// Nobody is due before this.
    paused: Option<Instant>,
}

struct Wait {
    /// Those that came first are served first.
    number: u64,
    since: Instant,
    stage: Stage,
    /// What was last said about it in an Event.
    told: Option<String>,
    /// How long it waits after its endpoint could not be written.
    backoff: Backoff,
}

/// How far a pod is.
enum Stage {
    /// To be planned, not before this, or when something changes.
    Due(Instant),
    /// To be planned, not before this, whatever changes.
    Paused(Instant),
    /// Its records are written, its endpoint is not.
    Delivering,
    /// Its endpoint is written; the watch has not shown it yet.
    Delivered,
}

impl Waiting {
    /// A pod needs addresses. One that is known keeps its place.
    pub(super) fn add(&mut self, uid: &Arc<str>) {
        let (now, number) = (Instant::now(), self.came);
        self.pods.entry(uid.clone()).or_insert_with(|| {
            (self.came, self.last) = (self.came + 1, Some(now));
            let backoff = Backoff::new(FIRST_BACKOFF, RETRY);
            Wait { number, since: now, stage: Stage::Due(now), told: None, backoff }
        });
    }

    pub(super) fn remove(&mut self, uid: &str) {
        self.pods.remove(uid);
    }

    pub(super) fn len(&self) -> usize {
        self.pods.values().filter(|wait| !matches!(wait.stage, Stage::Delivered)).count()
    }

    /// Something changed that may let refused pods succeed.
    pub(super) fn hurry(&mut self) {
        let now = Instant::now();
        for wait in self.pods.values_mut() {
            if matches!(wait.stage, Stage::Due(_)) {
                wait.stage = Stage::Due(now);
            }
        }
    }

    /// Pods to plan now, in the order in which they came.
    pub(super) fn due(&self) -> Vec<Arc<str>> {
        let now = Instant::now();
        if self.paused.is_some_and(|until| until > now) {
            return Vec::new();
        }
        let is_due = |wait: &Wait| wait.stage.due().is_some_and(|time| time <= now);
        let mut due: Vec<_> = self.pods.iter().filter(|(_, wait)| is_due(wait)).collect();
        due.sort_unstable_by_key(|(_, wait)| wait.number);
        due.into_iter().map(|(uid, _)| uid.clone()).collect()
    }

    /// How long a pod has waited.
    pub(super) fn waited(&self, uid: &str) -> Duration {
        self.pods.get(uid).map(|wait| wait.since.elapsed()).unwrap_or_default()
    }

    /// When the next pod is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.pods.values().filter_map(|wait| wait.stage.due());
        due.min().map(|due| self.paused.map_or(due, |paused| due.max(paused)))
    }

    /// Nobody is due for a moment.
    pub(super) fn pause(&mut self) {
        self.paused = Some(Instant::now() + PAUSE);
    }

    /// Whether pods are coming one after the other.
    pub(super) fn still_come(&self) -> bool {
        self.last.is_some_and(|last| last.elapsed() < STREAM)
    }

    /// Plan it again at this time, or when something changes.
    pub(super) fn again(&mut self, uid: &str, time: Instant) {
        self.at(uid, Stage::Due(time));
    }

    /// Its endpoint could not be written: plan it again, later each time.
    pub(super) fn undelivered(&mut self, uid: &str) {
        if let Some(wait) = self.pods.get_mut(uid) {
            wait.stage = Stage::Paused(Instant::now() + wait.backoff.wait());
        }
    }

    /// Plan it again when something changes, or after a while.
    pub(super) fn later(&mut self, uid: &str) {
        self.again(uid, Instant::now() + RETRY);
    }

    /// Its records are written.
    pub(super) fn delivering(&mut self, uid: &str) {
        self.at(uid, Stage::Delivering);
    }

    /// Its endpoint is written; how long that took from when the pod was seen bound.
    pub(super) fn delivered(&mut self, uid: &str) -> Option<Duration> {
        self.at(uid, Stage::Delivered);
        self.pods.get(uid).map(|wait| wait.since.elapsed())
    }

    /// It got nothing; returns whether that was not said before.
    pub(super) fn refused(&mut self, uid: &str, why: &str) -> bool {
        self.later(uid);
        let Some(wait) = self.pods.get_mut(uid) else { return false };
        let news = wait.told.as_deref() != Some(why);
        wait.told = Some(why.to_owned());
        news
    }

    fn at(&mut self, uid: &str, stage: Stage) {
        if let Some(wait) = self.pods.get_mut(uid) {
            wait.stage = stage;
        }
    }
}

impl Stage {
    fn due(&self) -> Option<Instant> {
        match self {
            Self::Due(time) | Self::Paused(time) => Some(*time),
            Self::Delivering | Self::Delivered => None,
        }
    }
}

/// Says on the pod why it got no addresses. An Event that cannot be written is no reason to stop: the pod waits on.
pub(super) async fn tell(recorder: &Recorder, pod: &PodFacts, reason: Reason, line: &str) {
    let event = Event {
        type_: EventType::Warning,
        reason: reason.code().to_owned(),
        note: Some(line.to_owned()),
        action: "Allocate".to_owned(),
        secondary: None,
    };
    let reference = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(pod.namespace.clone()),
        name: Some(pod.name.clone()),
        uid: Some(pod.uid.to_string()),
        ..ObjectReference::default()
    };
    if let Err(error) = recorder.publish(&event, &reference).await {
        let (namespace, pod) = (&pod.namespace, &pod.name);
        warn!(namespace, pod, "failed to write an Event: {}", describe(&error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(uids: &[&str]) -> Waiting {
        let mut waiting = Waiting::default();
        for uid in uids {
            waiting.add(&Arc::from(*uid));
        }
        waiting
    }

    fn due(waiting: &Waiting) -> Vec<String> {
        waiting.due().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn those_that_came_first_are_served_first_and_keep_their_place() {
        let mut waiting = waiting(&["z", "a", "m"]);
        waiting.add(&Arc::from("a"));
        assert_eq!(due(&waiting), ["z", "a", "m"]);
        waiting.remove("z");
        assert_eq!(due(&waiting), ["a", "m"]);
    }

    #[test]
    fn a_refused_pod_waits_for_a_change_and_is_told_about_once() {
        let mut waiting = waiting(&["a"]);
        assert!(waiting.refused("a", "rail 3 is full"));
        assert_eq!(due(&waiting), Vec::<String>::new());
        assert!(waiting.next_due().is_some_and(|due| due > Instant::now()));
        waiting.hurry();
        assert_eq!(due(&waiting), ["a"]);
        assert!(!waiting.refused("a", "rail 3 is full"));
        assert!(waiting.refused("a", "rail 4 is full"));
        assert!(!waiting.refused("gone", "rail 4 is full"));
    }

    #[test]
    fn while_those_that_wait_wait_for_others_nobody_is_due() {
        let mut waiting = waiting(&["a"]);
        assert!(waiting.still_come());
        waiting.pause();
        assert_eq!(due(&waiting), Vec::<String>::new());
        assert!(waiting.next_due().is_some_and(|due| due > Instant::now()));
        waiting.remove("a");
        assert_eq!(waiting.next_due(), None);
    }

    #[test]
    fn a_pod_on_its_way_is_not_planned_again_unless_that_failed() {
        let mut waiting = waiting(&["a"]);
        waiting.delivering("a");
        waiting.hurry();
        assert_eq!((due(&waiting), waiting.next_due(), waiting.len()), (Vec::new(), None, 1));
        waiting.again("a", Instant::now());
        assert_eq!(due(&waiting), ["a"]);
        assert!(waiting.delivered("a").is_some());
        assert_eq!((due(&waiting), waiting.len()), (Vec::new(), 0));
        assert_eq!(waiting.delivered("gone"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_whose_endpoint_cannot_be_written_is_tried_less_and_less_whatever_changes() {
        let mut waiting = waiting(&["a"]);
        let mut waits = Vec::new();
        for _ in 0..10 {
            waiting.undelivered("a");
            waiting.hurry();
            assert_eq!(due(&waiting), Vec::<String>::new());
            let wait = waiting.next_due().unwrap() - Instant::now();
            tokio::time::advance(wait).await;
            assert_eq!(due(&waiting), ["a"]);
            waits.push(wait);
        }
        assert!(waits[0] <= FIRST_BACKOFF && waits[9] >= RETRY / 2 && waits[9] <= RETRY, "{waits:?}");
    }
}
