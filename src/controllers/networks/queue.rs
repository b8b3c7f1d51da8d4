//! Whose turn it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::catalog::ObjectKey;
use crate::sources::Backoff;

/// After this long without trouble a network starts with short waits again.
const QUIET: Duration = Duration::from_mins(1);

/// Networks that are to be looked at, are being worked on, or have to wait.
#[derive(Default)]
pub(super) struct Queue {
    due: BTreeSet<ObjectKey>,
    busy: BTreeSet<ObjectKey>,
    waits: BTreeMap<ObjectKey, Wait>,
}

struct Wait {
    backoff: Backoff,
    until: Instant,
}

impl Queue {
    /// The network is to be looked at.
    pub(super) fn add(&mut self, key: ObjectKey) {
        self.due.insert(key);
    }

    /// A network that nobody works on; from here to [`Self::done`] it is not given out again.
    pub(super) fn take(&mut self, now: Instant) -> Option<ObjectKey> {
        let ready = |key: &&ObjectKey| {
            !self.busy.contains(*key) && self.waits.get(*key).is_none_or(|wait| wait.until <= now)
        };
        let key = self.due.iter().find(ready)?.clone();
        self.due.remove(&key);
        self.busy.insert(key.clone());
        Some(key)
    }

    /// The work that was taken is over.
    pub(super) fn done(&mut self, key: &ObjectKey) {
        self.busy.remove(key);
    }

    /// The network's next turn comes later; the more often this is said, the later.
    pub(super) fn slow_down(&mut self, key: &ObjectKey, now: Instant) {
        self.waits.retain(|_, wait| wait.until + QUIET > now);
        let fresh = || Wait {
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(30)),
            until: now,
        };
        let wait = self.waits.entry(key.clone()).or_insert_with(fresh);
        wait.until = now + wait.backoff.wait();
    }

    /// When the first network that is due has waited long enough.
    pub(super) fn wake(&self) -> Option<Instant> {
        let waiting = |key: &ObjectKey| self.due.contains(key) && !self.busy.contains(key);
        self.waits.iter().filter(|(key, _)| waiting(key)).map(|(_, wait)| wait.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey { namespace: "rails".into(), name: name.into() }
    }

    #[test]
    fn nobody_is_worked_on_twice_at_once_and_nobody_is_forgotten() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(key("a"));
        queue.add(key("a"));
        assert_eq!(queue.take(now), Some(key("a")));
        queue.add(key("a"));
        assert_eq!(queue.take(now), None);
        queue.done(&key("a"));
        assert_eq!(queue.take(now), Some(key("a")));
        queue.done(&key("a"));
        assert_eq!((queue.take(now), queue.wake()), (None, None));
    }

    #[test]
    fn trouble_makes_one_wait_longer_each_time_and_not_the_others() {
        let (mut queue, mut now) = (Queue::default(), Instant::now());
        for longest in [200, 400, 800] {
            queue.slow_down(&key("a"), now);
            queue.add(key("a"));
            queue.add(key("b"));
            assert_eq!(queue.take(now), Some(key("b")));
            queue.done(&key("b"));
            let wake = queue.wake().unwrap();
            let waited = wake - now;
            assert!(waited >= Duration::from_millis(longest / 2) && waited <= Duration::from_millis(longest));
            now = wake;
            assert_eq!(queue.take(now), Some(key("a")));
            queue.done(&key("a"));
        }
        now += QUIET * 2;
        queue.slow_down(&key("a"), now);
        queue.add(key("a"));
        assert!(queue.wake().unwrap() - now <= Duration::from_millis(200));
    }
}
