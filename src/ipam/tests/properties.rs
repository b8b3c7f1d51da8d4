//! The plan beside a model that tries every way to serve the pods, in universes small enough for that.

use std::collections::{BTreeSet, HashSet};

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;

const POOLS: [&str; 3] = ["a", "b", "c"];

/// Three pools of up to three addresses; records and reserved addresses in them; pods of up to three rails.
#[derive(Clone, Debug)]
struct Universe {
    sizes: [u8; 3],
    in_use: Vec<(usize, u8)>,
    reserved: Vec<(usize, u8)>,
    quarantined: Vec<(usize, u8)>,
    /// For each pod, for each rail, the pools that it names.
    pods: Vec<Vec<Vec<&'static str>>>,
}

fn universe() -> impl Strategy<Value = Universe> {
    let places = || proptest::collection::vec((0usize..3, 1u8..5), 0..3);
    let rail = subsequence(POOLS.to_vec(), 1..=3).prop_shuffle();
    let pods = proptest::collection::vec(proptest::collection::vec(rail, 1..4), 1..5);
    ([1u8..4, 1u8..4, 1u8..4], places(), places(), places(), pods).prop_map(
        |(sizes, in_use, reserved, quarantined, pods)| Universe {
            sizes,
            in_use,
            reserved,
            quarantined,
            pods,
        },
    )
}

fn address(pool: usize, host: u8) -> String {
    format!("172.16.{pool}.{host}")
}

impl Universe {
    fn cluster(&self) -> Cluster {
        self.cluster_without(&[])
    }

    /// The cluster with `excludeIPs`.
    fn cluster_without(&self, excluded: &[(usize, u8)]) -> Cluster {
        let mut cluster = Cluster::default();
        for (number, (name, size)) in POOLS.iter().zip(self.sizes).enumerate() {
            let mut pool = small(u8::try_from(number).unwrap(), 1, size);
            let of_pool = excluded.iter().filter(|(pool, _)| *pool == number);
            pool["excludeIPs"] = of_pool.map(|(pool, host)| json!(address(*pool, *host))).collect();
            cluster = cluster.pool(name, pool);
        }
        for (pool, host) in &self.in_use {
            let record = Record::new("x/y".into(), "other".into(), "net1".into());
            cluster.ledgers.set(POOLS[*pool], address(*pool, *host).parse().unwrap(), record);
        }
        for (pool, host) in &self.quarantined {
            cluster = cluster.quarantined(POOLS[*pool], &[&address(*pool, *host)]);
        }
        let reserved: Vec<String> = self.reserved.iter().map(|(pool, host)| address(*pool, *host)).collect();
        cluster.reserved(&reserved.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn intents(&self) -> Vec<Intent> {
        let intent = |(number, rails): (usize, &Vec<Vec<&str>>)| {
            rails.iter().fold(pod(&format!("p{number}")), |intent, pools| intent.rail(pools))
        };
        self.pods.iter().enumerate().map(intent).collect()
    }

    /// The same pods with an IPv6 address on each rail as well.
    fn dual_intents(&self) -> Vec<Intent> {
        let intent = |(number, rails): (usize, &Vec<Vec<&str>>)| {
            rails.iter().fold(pod(&format!("p{number}")), |intent, pools| intent.dual_rail(pools, &["six"]))
        };
        self.pods.iter().enumerate().map(intent).collect()
    }

    /// How many addresses each pool can still hand out.
    fn free(&self) -> [usize; 3] {
        let gone: HashSet<(usize, u8)> = self.in_use.iter().chain(&self.reserved).copied().collect();
        [0, 1, 2].map(|pool| (1..=self.sizes[pool]).filter(|host| !gone.contains(&(pool, *host))).count())
    }
}

/// Whether all demands can be met at once: every way is tried.
fn fits(free: [usize; 3], demands: &[&Vec<&str>]) -> bool {
    let Some((first, rest)) = demands.split_first() else { return true };
    first.iter().any(|name| {
        let pool = POOLS.iter().position(|known| known == name).unwrap();
        let mut left = free;
        left[pool] > 0 && {
            left[pool] -= 1;
            fits(left, rest)
        }
    })
}

/// Which pods are served when earlier ones come first.
fn model(universe: &Universe) -> Vec<bool> {
    let mut served: Vec<&Vec<&str>> = Vec::new();
    let mut outcome = Vec::new();
    for pod in &universe.pods {
        let before = served.len();
        served.extend(pod);
        let fit = fits(universe.free(), &served);
        if !fit {
            served.truncate(before);
        }
        outcome.push(fit);
    }
    outcome
}

fn served(plan: &BatchPlan) -> Vec<bool> {
    plan.outcomes.iter().map(|outcome| matches!(outcome, Outcome::Planned(_))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_pods_that_fit_are_served_and_no_address_is_given_twice(universe in universe()) {
        let (cluster, intents) = (universe.cluster(), universe.intents());
        let (plan, pools) = (cluster.plan(&intents), cluster.pools());
        prop_assert_eq!(served(&plan), model(&universe));
        let mut given = BTreeSet::new();
        for (pool, changes) in &plan.changes {
            let Some(Ok(pool)) = pools.get(pool) else { panic!() };
            for change in changes {
                prop_assert!(pool.allocatable.contains(change.address));
                prop_assert!(!cluster.reserved.contains(change.address));
                let record = cluster.ledgers.record(&Held { pool: pool.name.clone(), address: change.address });
                prop_assert_eq!(record, None);
                prop_assert!(given.insert(change.address), "{} twice", change.address);
            }
        }
        // Every rail of a served pod has one address, of a pool that the rail names; others have none.
        for (number, outcome) in plan.outcomes.iter().enumerate() {
            let records: Vec<&Change> = plan.changes.values().flatten().filter(|c| c.intent == number).collect();
            let Outcome::Planned(allocation) = outcome else {
                prop_assert!(records.is_empty());
                continue;
            };
            prop_assert_eq!(records.len(), universe.pods[number].len());
            for (detail, names) in allocation.details.iter().zip(&universe.pods[number]) {
                prop_assert!(names.contains(&detail.ipv4_pool.as_deref().unwrap()));
            }
        }
        prop_assert_eq!(&cluster.plan(&intents), &plan);
    }

    #[test]
    fn a_quarantined_address_is_given_only_when_the_pool_has_no_other(universe in universe()) {
        let cluster = universe.cluster();
        let plan = cluster.plan(&universe.intents());
        let pools = cluster.pools();
        for (name, changes) in &plan.changes {
            let Some(Ok(pool)) = pools.get(name) else { panic!() };
            let quarantined = cluster.quarantine.get(&**name).cloned().unwrap_or_default();
            let given: BTreeSet<Address> = changes.iter().map(|change| change.address).collect();
            if given.is_disjoint(&quarantined) {
                continue;
            }
            let fresh = pool.allocatable.ranges().iter().flat_map(|range| {
                (range.first().value()..=range.last().value()).filter_map(|v| Address::new(range.family(), v))
            });
            let held = |address: &Address| {
                cluster.ledgers.record(&Held { pool: name.clone(), address: *address }).is_some()
            };
            let left: Vec<Address> =
                fresh.filter(|a| !given.contains(a) && !quarantined.contains(a) && !held(a)).collect();
            prop_assert_eq!(left, vec![]);
        }
    }

    #[test]
    fn pods_that_fit_together_fit_in_any_order(universe in universe(), seed in any::<u64>()) {
        let demands: Vec<&Vec<&str>> = universe.pods.iter().flatten().collect();
        prop_assume!(fits(universe.free(), &demands));
        let mut intents = universe.intents();
        let count = intents.len();
        intents.rotate_left(usize::try_from(seed % count as u64).unwrap());
        if seed % 2 == 0 {
            intents.reverse();
        }
        prop_assert_eq!(served(&universe.cluster().plan(&intents)), vec![true; count]);
    }

    #[test]
    fn planning_again_after_the_commit_changes_nothing(universe in universe()) {
        let mut cluster = universe.cluster();
        let intents = universe.intents();
        let first = cluster.commit(&intents);
        let planned: Vec<(Intent, Outcome)> = intents
            .into_iter()
            .zip(first.outcomes)
            .filter(|(_, outcome)| matches!(outcome, Outcome::Planned(_)))
            .collect();
        let (intents, outcomes): (Vec<_>, Vec<_>) = planned.into_iter().unzip();
        let again = cluster.plan(&intents);
        prop_assert_eq!(again.changes.len(), 0);
        prop_assert_eq!(again.outcomes, outcomes);
    }

    #[test]
    fn releasing_what_was_planned_restores_the_records(universe in universe()) {
        let mut cluster = universe.cluster();
        let before: BTreeMap<String, Ledger> = written(&cluster);
        let plan = cluster.commit(&universe.intents());
        for (pool, changes) in &plan.changes {
            for change in changes {
                prop_assert!(cluster.ledgers.release(pool, change.address).is_some());
            }
        }
        prop_assert_eq!(written(&cluster), before);
        for intent in universe.intents() {
            prop_assert!(cluster.ledgers.of_uid(&intent.uid).is_empty());
        }
        prop_assert_eq!(cluster.plan(&universe.intents()), plan);
    }

    #[test]
    fn both_families_of_a_rail_or_nothing_and_never_what_is_excluded(
        universe in universe(),
        six in 0u8..4,
        excluded in proptest::collection::vec((0usize..3, 1u8..4), 0..3),
    ) {
        let mut cluster = universe.cluster_without(&excluded);
        let ips = if six == 0 { vec![] } else { vec![format!("fd00::1-fd00::{six}")] };
        cluster = cluster.pool("six", json!({ "subnet": "fd00::/64", "ips": ips }));
        let intents: Vec<Intent> = universe.dual_intents();
        let (plan, pools) = (cluster.commit(&intents), cluster.pools());
        let mut given = BTreeSet::new();
        for (pool, changes) in &plan.changes {
            let Some(Ok(pool)) = pools.get(pool) else { panic!() };
            for change in changes {
                prop_assert!(pool.allocatable.contains(change.address));
                prop_assert!(given.insert(change.address), "{} twice", change.address);
                let out = excluded.iter().any(|(pool, host)| change.address.to_string() == address(*pool, *host));
                prop_assert!(!out, "{} is excluded", change.address);
            }
        }
        for (outcome, rails) in plan.outcomes.iter().zip(&universe.pods) {
            let Outcome::Planned(allocation) = outcome else { continue };
            let both = allocation.details.iter().filter(|detail| detail.ipv4.is_some() && detail.ipv6.is_some());
            prop_assert_eq!(both.count(), rails.len());
        }
        let planned: usize = plan.outcomes.iter().zip(&universe.pods)
            .filter(|(outcome, _)| matches!(outcome, Outcome::Planned(_)))
            .map(|(_, rails)| 2 * rails.len())
            .sum();
        prop_assert_eq!(given.len(), planned, "who fails leaves nothing");
        let again = cluster.plan(&intents.iter().zip(&plan.outcomes)
            .filter(|(_, outcome)| matches!(outcome, Outcome::Planned(_)))
            .map(|(intent, _)| intent.clone())
            .collect::<Vec<_>>());
        prop_assert_eq!(again.changes.len(), 0);
    }

    #[test]
    fn the_next_pod_of_a_name_that_keeps_its_addresses_gets_those_and_no_record_is_added(universe in universe()) {
        let mut cluster = universe.cluster();
        let sticky = |intent: Intent, uid: &str| {
            let holder = Holder { sticky: true, ..intent.holder.clone() };
            Intent { uid: format!("{}-{uid}", intent.name).into(), holder, ..intent }
        };
        let first: Vec<Intent> = universe.intents().into_iter().map(|intent| sticky(intent, "1")).collect();
        let plan = cluster.commit(&first);
        let before: usize = written(&cluster).values().map(Ledger::len).sum();
        for (intent, outcome) in first.into_iter().zip(plan.outcomes) {
            let Outcome::Planned(allocation) = outcome else { continue };
            let next = cluster.commit(&[sticky(intent, "2")]);
            let Outcome::Planned(again) = &next.outcomes[0] else { panic!("{next:?}") };
            prop_assert_eq!(&again.details, &allocation.details);
        }
        prop_assert_eq!(written(&cluster).values().map(Ledger::len).sum::<usize>(), before);
    }

    #[test]
    fn no_pool_holds_more_records_than_it_may(universe in universe(), most in 1usize..4) {
        let mut cluster = universe.cluster();
        cluster.cap.records = Some(most);
        let before = written(&cluster);
        cluster.commit(&universe.intents());
        for (pool, ledger) in written(&cluster) {
            let had = before.get(&pool).map_or(0, Ledger::len);
            prop_assert!(ledger.len() <= most.max(had), "{pool} has {}", ledger.len());
        }
    }
}

/// The ledgers that have records.
fn written(cluster: &Cluster) -> BTreeMap<String, Ledger> {
    let ledgers =
        cluster.ledgers.iter().filter_map(|(pool, ledger)| Some((pool.to_owned(), ledger.clone().ok()?)));
    ledgers.filter(|(_, ledger)| !ledger.is_empty()).collect()
}
