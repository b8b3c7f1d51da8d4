//! Who goes first where there is more than one round can write.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Nodes `a` to `d`, each with a pool for each of two rails.
fn nodes() -> Cluster {
    let mut cluster = Cluster::default();
    for (number, node) in (0u8..).zip(["a", "b", "c", "d"]) {
        for rail in 0..2 {
            cluster = cluster.pool(&format!("{node}{rail}"), small(number * 2 + rail, 1, 100));
        }
    }
    cluster
}

/// A pod with both rails of its node, which is the first letter of its name.
fn of_node(name: &str) -> Intent {
    let node = &name[..1];
    pod(name).rail(&[&format!("{node}0")]).rail(&[&format!("{node}1")])
}

/// Nobody waits for company.
fn at_most(most: usize) -> Limits {
    Limits { most, patience: Duration::ZERO }
}

/// Who goes, of pods that have waited for so many seconds.
fn turn(pods: &[(&'static str, u64)], written: &[&str], most: usize) -> Vec<&'static str> {
    turn_with(pods, written, at_most(most))
}

fn turn_with(pods: &[(&'static str, u64)], written: &[&str], limits: Limits) -> Vec<&'static str> {
    let intents: Vec<Intent> = pods.iter().map(|(name, _)| of_node(name)).collect();
    let waited: Vec<Duration> = pods.iter().map(|(_, seconds)| Duration::from_secs(*seconds)).collect();
    let turn = nodes().plan(&intents).turn(&waited, &written.iter().copied().collect(), limits);
    pods.iter().zip(turn).filter_map(|((name, _), now)| now.then_some(*name)).collect()
}

#[test]
fn all_go_whose_pools_can_be_written_together() {
    assert_eq!(turn(&[("a1", 0), ("b1", 0), ("a2", 9), ("c1", 0)], &[], 6), ["a1", "b1", "a2", "c1"]);
}

#[test]
fn many_that_share_pools_go_before_few() {
    assert_eq!(turn(&[("a1", 1), ("b1", 1), ("b2", 1), ("b3", 1), ("c1", 1)], &[], 2), ["b1", "b2", "b3"]);
    assert_eq!(turn(&[("a1", 1), ("b1", 1), ("b2", 1), ("c1", 1)], &[], 4), ["a1", "b1", "b2"]);
}

#[test]
fn who_has_waited_longer_than_many_together_goes_before_them() {
    assert_eq!(turn(&[("b1", 1), ("b2", 1), ("b3", 1), ("a1", 4)], &[], 2), ["a1"]);
}

#[test]
fn who_needs_only_what_is_written_anyway_goes_too() {
    assert_eq!(turn(&[("a1", 9), ("b1", 0), ("c1", 5)], &["b0", "b1", "d0"], 2), ["a1", "b1"]);
    // One of its pools is not enough, and a pod has all of its rails or none.
    assert_eq!(turn(&[("a1", 9), ("b1", 0)], &["b0"], 2), ["a1"]);
    let cluster = nodes();
    let intents = [of_node("a1"), of_node("c1"), pod("x").rail(&["a0"])];
    let second = Duration::from_secs(1);
    assert_eq!(
        cluster.plan(&intents).turn(&[second, second, Duration::ZERO], &BTreeSet::new(), at_most(2)),
        [true, false, true]
    );
}

#[test]
fn the_first_goes_however_many_pools_it_needs() {
    assert_eq!(turn(&[("a1", 2), ("b1", 1)], &[], 1), ["a1"]);
    assert_eq!(turn(&[("a1", 2), ("b1", 1)], &["c0", "c1", "d0"], 1), ["a1"], "releases do not count");
}

#[test]
fn where_not_all_can_go_those_wait_for_company_who_have_not_waited_long() {
    let limits = |most: usize| Limits { most, patience: Duration::from_secs(6) };
    let pods = [("a1", 3), ("a2", 3), ("b1", 5), ("c1", 5), ("d1", 7)];
    assert_eq!(turn_with(&pods, &[], limits(6)), ["a1", "a2", "d1"], "of node a, both together");
    assert_eq!(turn_with(&pods, &["b0", "b1"], limits(6)), ["a1", "a2", "b1", "d1"]);
    assert_eq!(turn_with(&pods, &[], limits(8)), ["a1", "a2", "b1", "c1", "d1"], "there is room for all");
    assert!(turn_with(&pods[2..4], &[], limits(2)).is_empty());
}

#[test]
fn a_pod_that_shares_with_nobody_is_not_kept_waiting_by_a_stream_of_those_who_do() {
    // Every second three pods come to each of three nodes, and one node is written.
    let cluster = nodes();
    let mut waiting: Vec<(String, u64)> = vec![("d-alone".to_owned(), 0)];
    for second in 0.. {
        assert!(second < 30, "it waited 30 s");
        let fresh = ["a", "b", "c"]
            .iter()
            .flat_map(|node| (0..3).map(move |n| (format!("{node}{second}-{n}"), second)));
        waiting.extend(fresh);
        let intents: Vec<Intent> = waiting.iter().map(|(name, _)| of_node(name)).collect();
        let waited: Vec<Duration> =
            waiting.iter().map(|(_, since)| Duration::from_secs(second + 1 - since)).collect();
        let mut turn = cluster.plan(&intents).turn(&waited, &BTreeSet::new(), at_most(2)).into_iter();
        waiting.retain(|_| !turn.next().unwrap());
        if waiting[0].0 != "d-alone" {
            break;
        }
    }
}

proptest! {
    /// Round after round, the pods are served that one batch would serve, with no more writes than were allowed.
    #[test]
    fn rounds_serve_whom_one_batch_would(
        sizes in proptest::collection::vec(1u8..4, 4),
        pods in proptest::collection::vec((proptest::sample::subsequence(vec![0usize, 1, 2, 3], 1..=3), 0u64..5), 1..8),
        most in 1usize..5,
    ) {
        let mut cluster = Cluster::default();
        for (number, size) in (0u8..).zip(&sizes) {
            cluster = cluster.pool(&format!("p{number}"), small(number, 1, *size));
        }
        let intent = |(number, (rails, _)): (usize, &(Vec<usize>, u64))| {
            rails.iter().fold(pod(&format!("pod{number}")), |intent, rail| intent.rail(&[&format!("p{rail}")]))
        };
        let mut waiting: Vec<Intent> = pods.iter().enumerate().map(intent).collect();
        let mut waited: Vec<Duration> = pods.iter().map(|(_, seconds)| Duration::from_secs(*seconds)).collect();
        let whole = cluster.plan(&waiting);
        let served = |plan: &BatchPlan, place: usize| matches!(plan.outcomes[place], Outcome::Planned(_));
        let expected: BTreeSet<Arc<str>> = (0..waiting.len())
            .filter(|place| served(&whole, *place))
            .map(|place| waiting[place].uid.clone())
            .collect();
        let mut got = BTreeSet::new();
        while got != expected {
            let plan = cluster.plan(&waiting);
            let turn = plan.turn(&waited, &BTreeSet::new(), at_most(most));
            let mut written = BTreeSet::new();
            for (pool, changes) in &plan.changes {
                for change in changes.iter().filter(|change| turn[change.intent]) {
                    written.insert(pool);
                    cluster.ledgers.set(pool, change.address, change.record.clone());
                }
            }
            let going: Vec<usize> = (0..waiting.len()).filter(|place| turn[*place] && served(&plan, *place)).collect();
            prop_assert!(!going.is_empty(), "somebody goes in each round");
            let widest = going.iter().map(|place| waiting[*place].attachments.len()).max().unwrap();
            prop_assert!(written.len() <= most.max(widest));
            for place in going.into_iter().rev() {
                got.insert(waiting.remove(place).uid);
                waited.remove(place);
            }
        }
        prop_assert!(cluster.plan(&waiting).outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(_))));
    }
}
