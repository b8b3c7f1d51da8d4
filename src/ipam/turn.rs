use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::plan::BatchPlan;

/// How much is written at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Pools for the pods of one round.
    pub most: usize,
    /// Where the pods need more than that: how long those of the same pools, all together, wait for more of them to
    /// come.
    pub patience: Duration,
}

/// Pods that need the same pools: the writes for one of them are the writes for all.
#[derive(Default)]
struct Group {
    /// Places of the pods in the plan, the earliest first.
    pods: Vec<usize>,
    /// How long they have waited, all together.
    waited: Duration,
}

impl BatchPlan {
    /// Which pods have their turn; in the order of the intents. `waited` says for how long each has waited, `written`
    /// which pools are written anyway.
    ///
    /// Pods that need the same pools go together. Those go first who have waited longest, all together, for each write
    /// they need: many that share pools come before few, and as waiting counts, nobody waits for ever. Who needs only
    /// pools that are written anyway, or for others, goes too, and so does whoever is first, however many pools that
    /// takes. A pod goes with all its pools or not at all.
    #[must_use]
    pub fn turn(&self, waited: &[Duration], written: &BTreeSet<&str>, limits: Limits) -> Vec<bool> {
        let groups = self.groups(waited);
        let mut in_order: Vec<(&BTreeSet<&str>, &Group)> = groups.iter().collect();
        in_order.sort_by(|a, b| by_waiting_for_a_write(*b, *a).then_with(|| a.1.pods.cmp(&b.1.pods)));
        let (mut touched, mut spent) = (written.clone(), 0);
        let Limits { most, patience } = limits;
        // With room for all, nobody waits for company.
        let patience = if self.changes.len() > most { patience } else { Duration::ZERO };
        for (pools, _) in in_order.iter().filter(|(_, group)| group.waited >= patience) {
            let more = pools.difference(&touched).count();
            if spent == 0 || spent + more <= most {
                touched.extend(pools.iter());
                spent += more;
            }
        }
        let mut turn = vec![false; self.outcomes.len()];
        for (_, group) in in_order.iter().filter(|(pools, _)| pools.is_subset(&touched)) {
            for &pod in &group.pods {
                turn[pod] = true;
            }
        }
        turn
    }

    /// The pods of the plan, by the pools that are written for them.
    fn groups(&self, waited: &[Duration]) -> BTreeMap<BTreeSet<&str>, Group> {
        let mut pools = vec![BTreeSet::new(); self.outcomes.len()];
        for (pool, changes) in &self.changes {
            for change in changes {
                pools[change.intent].insert(&**pool);
            }
        }
        let mut groups: BTreeMap<BTreeSet<&str>, Group> = BTreeMap::new();
        for (pod, pools) in pools.into_iter().enumerate() {
            let group = groups.entry(pools).or_default();
            group.pods.push(pod);
            group.waited += waited.get(pod).copied().unwrap_or_default();
        }
        groups
    }
}

/// Compares how long two groups have waited for each write that they need.
fn by_waiting_for_a_write(
    (pools, group): (&BTreeSet<&str>, &Group),
    (other_pools, other): (&BTreeSet<&str>, &Group),
) -> Ordering {
    let writes = |pools: &BTreeSet<&str>| pools.len().max(1) as u128;
    (group.waited.as_micros() * writes(other_pools)).cmp(&(other.waited.as_micros() * writes(pools)))
}
