use serde_json::json;

use super::*;

/// `net1 of the network: a 8 free; b PoolOtherNode: ...`
fn said(cluster: &Cluster, intent: &Intent) -> Vec<String> {
    let pools = cluster.pools();
    let Cluster { ledgers, nodes, quarantine, families, cap, .. } = cluster;
    let (families, cap, writer) = (*families, *cap, Writer::Leader);
    let inputs = Inputs { pools: &pools, ledgers, nodes, quarantine, families, cap, writer };
    let rails = match trace(&inputs, intent) {
        Ok(rails) => rails,
        Err(failure) => return vec![failure.to_string()],
    };
    let mut lines = Vec::new();
    for rail in rails {
        for family in rail.families {
            let pools: Vec<String> = family
                .pools
                .iter()
                .map(|PoolTrace { pool, verdict }| match verdict {
                    Ok(free) => format!("{pool} {free} free"),
                    Err(refusal) => format!("{pool} {}: {}", refusal.reason, refusal.detail),
                })
                .collect();
            let later = family.later.map(|why| format!(" later: {why}")).unwrap_or_default();
            lines.push(format!("{} of {}: {}{later}", rail.interface, rail.source, pools.join("; ")));
        }
    }
    lines
}

#[test]
fn every_candidate_stands_there_with_the_first_condition_it_does_not_fulfil() {
    let mut elsewhere = small(2, 1, 9);
    elsewhere["nodeName"] = json!(["n9"]);
    let mut off = small(3, 1, 9);
    off["disable"] = true.into();
    let cluster = Cluster::default()
        .pool("a", small(1, 1, 9))
        .pool("b", elsewhere)
        .pool("c", off)
        .pool("full", small(4, 1, 1))
        .records("full", json!({"172.16.4.1": {"pod": "x/y", "podUid": "u"}}))
        .records("a", json!({"172.16.1.1": {"pod": "x/y", "podUid": "u"}}));
    assert_eq!(
        said(&cluster, &pod("p").rail(&["a", "b", "c", "full", "none-*"]).rail(&["full"])),
        [
            "net1 of the network: b PoolOtherNode: nodeName is n9, not node n1; a 8 free; c PoolDisabled: it is disabled; \
             set disable: false to use it; full PoolExhausted: all of its 1 addresses are in use; none-* PoolUnknown: no \
             pool matches",
            "net2 of the network: full PoolExhausted: all of its 1 addresses are in use",
        ]
    );
}

#[test]
fn a_choice_that_is_left_to_attach_time_says_why() {
    let cluster = Cluster::default().pool("a", small(1, 1, 9));
    let pod = pod("p").rail(&["a"]).rail_with(|rail| rail.match_master = true);
    assert_eq!(
        said(&cluster, &pod),
        [
            "net1 of the network: a 9 free later: node n1 has no RailNode yet, so its physical functions are not known"
        ]
    );
}

#[test]
fn what_does_not_come_to_candidates_is_the_failure_of_the_plan() {
    let cluster = Cluster::default();
    let pod = pod("p").rail(&[]);
    assert_eq!(said(&cluster, &pod), [cluster.outcome(pod.clone())]);
}
