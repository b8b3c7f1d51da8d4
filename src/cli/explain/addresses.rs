//! Goes on where admission ends: which pools each rail of a bound pod may draw from, and what it gets.

use serde_json::Value;

use super::report::Line;
use crate::allocator::PodFacts;
use crate::api::AllocationDetail;
use crate::cli::scene::Scene;
use crate::ipam::{FamilyTrace, Outcome, RailTrace, plan, trace};

/// What IPAM does for the pod, step by step; nothing for a pod without rails of ours.
pub(super) fn steps(pod: &Value, scene: &Scene) -> Vec<Line> {
    let facts = match serde_json::from_value(pod.clone()) {
        Ok(pod) => PodFacts::of(pod),
        Err(error) => return vec![line("addresses", format!("the pod cannot be read: {error}"))],
    };
    let intent = match scene.intent(&facts) {
        Ok(intent) if intent.attachments.is_empty() => return Vec::new(),
        Ok(intent) => intent,
        Err(failure) => return vec![line("addresses", failure.to_string())],
    };
    let inputs = scene.inputs();
    let mut steps = vec![line("node", intent.node.name.clone())];
    if let Ok(rails) = trace(&inputs, &intent) {
        steps.extend(rails.iter().flat_map(rail));
    }
    for outcome in plan(&inputs, &[intent]).outcomes {
        match outcome {
            Outcome::Failed(failure) => {
                steps.extend(failure.to_string().lines().map(|text| line("no address", text.to_owned())));
            }
            Outcome::Planned(allocation) => {
                steps.extend(allocation.details.iter().map(|detail| line("address", given(detail))));
                let later = allocation.deferred.iter();
                steps.extend(later.map(|rail| line("address", format!("{}: {}", rail.interface, rail.why))));
            }
        }
    }
    steps
}

fn line(subject: &'static str, finding: String) -> Line {
    Line { subject, finding }
}

fn rail(rail: &RailTrace) -> Vec<Line> {
    let RailTrace { interface, network, source, families } = rail;
    let mut lines = vec![line("rail", format!("{interface} ({network}): pools of {source}"))];
    for FamilyTrace { family, later, pools } in families {
        lines
            .extend(later.iter().map(|why| line("pool", format!("{interface}: left to attach time: {why}"))));
        lines.extend(pools.iter().map(|pool| {
            let verdict = match &pool.verdict {
                Ok(free) => format!("{free} free"),
                Err(refusal) => format!("{}: {}", refusal.reason, refusal.detail),
            };
            line("pool", format!("{interface} {family} {}: {verdict}", pool.pool))
        }));
    }
    lines
}

/// `net1: 172.16.1.2/24 of gpu1`
fn given(detail: &AllocationDetail) -> String {
    let of = |address: &Option<String>, pool: &Option<String>| {
        address.as_ref().map(|address| format!("{address} of {}", pool.as_deref().unwrap_or_default()))
    };
    let v4 = of(&detail.ipv4, &detail.ipv4_pool);
    let v6 = of(&detail.ipv6, &detail.ipv6_pool);
    let all: Vec<String> = [v4, v6].into_iter().flatten().collect();
    format!("{}: {}", detail.interface, all.join(", "))
}
