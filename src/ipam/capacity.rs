use std::sync::Arc;

use super::failure::Failure;
use super::intent::{Intent, NodeView};
use super::plan::{Inputs, Outcome, plan};

/// A node that may take more pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Its name and labels.
    pub node: Arc<NodeView>,
    /// How many more pods its devices serve, and which resource ends first; none where that is not known.
    pub devices: Option<(usize, String)>,
}

/// How many more pods fit on one node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeCapacity {
    /// Its name.
    pub node: String,
    /// So many.
    pub pods: usize,
    /// What the next one lacks.
    pub end: End,
    /// Interfaces whose pools show only when the device is given; their addresses are not counted.
    pub later: Vec<Arc<str>>,
}

/// What ends the row.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The next pod gets no addresses.
    Addresses(Failure),
    /// The node has no more of this resource.
    Devices(String),
    /// As many as was asked for.
    Asked,
}

/// Pods planned at a time.
const BATCH: usize = 128;

/// How many more pods like this one fit on the nodes, one node after the other: pods are planned and recorded as the
/// leader would, until a node's devices or the addresses for it end. `most` bounds the whole.
///
/// Where pools serve several nodes, later nodes get what earlier ones left, and the sum is what the cluster takes.
#[must_use]
pub fn capacity(inputs: &Inputs<'_>, pod: &Intent, rooms: &[Room], most: usize) -> Vec<NodeCapacity> {
    let mut ledgers = inputs.ledgers.clone();
    let mut left = most;
    let mut found = Vec::with_capacity(rooms.len());
    for (number, room) in rooms.iter().enumerate() {
        let (mut pods, mut end, mut later) = (0, None, Vec::new());
        while end.is_none() {
            let devices =
                room.devices.as_ref().map_or(usize::MAX, |(devices, _)| devices - pods.min(*devices));
            let count = BATCH.min(devices).min(left);
            if count == 0 {
                end = Some(match &room.devices {
                    Some((_, resource)) if devices == 0 => End::Devices(resource.clone()),
                    _ => End::Asked,
                });
                continue;
            }
            let intents: Vec<Intent> =
                (0..count).map(|offset| like(pod, room, &format!("{number}-{}", pods + offset))).collect();
            let planned = plan(&Inputs { ledgers: &ledgers, ..*inputs }, &intents);
            for (pool, changes) in planned.changes {
                for change in changes {
                    ledgers.set(&pool, change.address, change.record);
                }
            }
            for outcome in planned.outcomes {
                match outcome {
                    Outcome::Planned(allocation) => {
                        later = allocation.deferred.into_iter().map(|rail| rail.interface).collect();
                        pods += 1;
                        left -= 1;
                    }
                    Outcome::Failed(failure) => {
                        end.get_or_insert(End::Addresses(failure));
                    }
                }
            }
        }
        let end = end.unwrap_or(End::Asked);
        found.push(NodeCapacity { node: room.node.name.clone(), pods, end, later });
    }
    found
}

/// A pod of the same needs on the node.
fn like(pod: &Intent, room: &Room, mark: &str) -> Intent {
    let mut other = pod.clone();
    other.uid = format!("capacity-{mark}").into();
    other.holder.key = format!("{}-{mark}", pod.holder.key).into();
    other.node = room.node.clone();
    other
}
