use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

/// Waiting times between attempts: doubled up to a limit, each shortened by up to a half at random, so that
/// replicas do not come back in step.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    waited: Option<Instant>,
}

impl Backoff {
    /// Starts with `first` and doubles up to `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first, waited: None }
    }

    /// How long to wait now.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.longest);
        self.waited = Some(Instant::now());
        jitter(wait)
    }

    /// Starts again with the first time.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.wait())
    }
}

impl kube::runtime::utils::Backoff for Backoff {
    /// A watch calls this with everything it receives, also with the announcement of a list that then fails.
    /// So only things that go well for a while count.
    fn reset(&mut self) {
        if self.waited.is_some_and(|waited| waited.elapsed() > self.longest * 2) {
            Backoff::reset(self);
        }
    }
}

/// Between half of `duration` and all of it.
#[must_use]
pub fn jitter(duration: Duration) -> Duration {
    let half = duration / 2;
    half + spread(half)
}

/// Between nothing and `duration`.
#[must_use]
pub fn spread(duration: Duration) -> Duration {
    // Every `RandomState` has new keys, which is all the randomness that spreading out needs.
    let random = RandomState::new().build_hasher().finish() % 1024;
    duration * u32::try_from(random).unwrap_or_default() / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(3));
        for full in [1, 2, 3, 3] {
            let wait = backoff.wait();
            assert!(
                wait >= Duration::from_millis(full * 500) && wait <= Duration::from_secs(full),
                "{wait:?}"
            );
        }
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_secs(1));
    }
}
