//! Pods come and go while agent and kubelet are restarted at every moment of theirs.

use std::time::Instant;

use crate::bed::Bed;
use crate::deployment::Deployment;
use crate::pod::Pod;
use crate::rails::{expect_rails, expect_talk};

/// How many, from the environment.
fn rounds() -> usize {
    let told = std::env::var("RAILWEAVE_ROUNDS").ok();
    told.map_or(20, |told| told.parse().expect("RAILWEAVE_ROUNDS is a number"))
}

pub(crate) fn of_pods_while_agent_and_kubelet_restart(bed: &Bed) {
    for round in 1..=rounds() {
        let begun = Instant::now();
        let deployment = Deployment::on_both_nodes(bed);
        let moment = round % 4;
        if moment == 1 {
            restart(bed, "KILL");
        }
        let pods = deployment.ready();
        for pod in &pods {
            expect_rails(bed, pod);
        }
        if moment == 2 {
            restart(bed, "TERM");
            await_nodes(bed);
            // The same containers, in the same order, with everything that they had.
            let identity = |pods: &[Pod]| -> Vec<String> {
                pods.iter().map(|pod| format!("{} {}", pod.uid(), pod.container())).collect()
            };
            let now = deployment.ready();
            assert_eq!(identity(&now), identity(&pods));
            for pod in &now {
                expect_rails(bed, pod);
            }
            expect_talk(bed, &now);
        }
        deployment.begin_deletion();
        if moment == 3 {
            restart(bed, "KILL");
        }
        bed.expect_home(&format!("after round {round}"));
        eprintln!("round {round}: {:.1} s", begun.elapsed().as_secs_f32());
    }
    await_nodes(bed);
}

fn restart(bed: &Bed, signal: &str) {
    for guest in &bed.guests {
        guest.restart("agent", signal);
        guest.restart("kubelet", signal);
    }
}

/// Until both kubelets have told the API server of all devices again.
fn await_nodes(bed: &Bed) {
    for guest in &bed.guests {
        bed.await_ready(guest.name);
    }
}
