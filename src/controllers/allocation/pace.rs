use std::time::Duration;

use crate::ipam::Limits;

/// Pools written for the pods of one round. Who waits for the next one shares its writes with those who come meanwhile.
const ROUND: usize = 128;
/// Where more pools than that are needed: how many times as long as going round takes pods wait for each other.
const COMPANY: u32 = 2;
/// The longest that they do.
const LONGEST: Duration = Duration::from_secs(10);

/// How fast pools are written, and what that means for the next round.
#[derive(Default)]
pub(super) struct Pace {
    /// What one pool took of the last round.
    a_write: Duration,
}

impl Pace {
    /// A round of as many pools took this long.
    pub(super) fn took(&mut self, pools: usize, time: Duration) {
        self.a_write = time / u32::try_from(pools).unwrap_or(u32::MAX).max(1);
    }

    /// What the next round may write, if all that wait need as many pools. It is in vain that pods wait for company
    /// when no others come.
    pub(super) fn limits(&self, pools: usize, others_come: bool) -> Limits {
        let pools = u32::try_from(pools).unwrap_or(u32::MAX);
        let going_round = self.a_write.saturating_mul(pools);
        let patience = if others_come { going_round.saturating_mul(COMPANY) } else { Duration::ZERO };
        Limits { most: ROUND, patience: patience.min(LONGEST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_wait_for_others_twice_as_long_as_all_pools_take_and_only_while_others_come() {
        let mut pace = Pace::default();
        assert_eq!(pace.limits(1_000, true).patience, Duration::ZERO, "nothing is known yet");
        pace.took(100, Duration::from_millis(400));
        assert_eq!(pace.limits(1_000, true).patience, Duration::from_secs(8));
        assert_eq!(pace.limits(1_000, false).patience, Duration::ZERO);
        assert_eq!(pace.limits(100_000, true).patience, Duration::from_secs(10));
        pace.took(0, Duration::from_secs(1));
        assert_eq!(pace.limits(1, true).patience, Duration::from_secs(2));
    }
}
