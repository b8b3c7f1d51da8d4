use crate::functions::Node;
use crate::kernel::{Change, Place};
use crate::rdma::RdmaDevice;
use crate::spec::{Answer, Call, CniError};
use crate::state::Record;
use crate::state::caches::{Ours, RdmaCache};

use super::restore::Before;
use super::{Device, Nodes, must_be_exclusive, only_one};

/// ADD: moves the device, sees to its files, and answers what came.
pub(super) fn attach(node: &mut Node<'_>, call: &Call) -> Result<Answer, CniError> {
    let previous = call.required_previous()?;
    must_be_exclusive(node.kernel)?;
    let device = Device::of(node, call, &previous)?;
    let (pod, owner) = node.open_pod(call)?;
    let name = device.to_string();
    let _lock = node.lock(&name)?;
    node.claim::<Before>(&name, &owner)?;
    let found = only_one(node.kernel, &device)?;
    let record = Record { owner, device: name, attached: false, before: Before::from(&found) };
    node.records().write(&record)?;
    let carried_out = carry_out(node, call, &device, &found, pod, &record);
    node.finish(record, carried_out).map(|()| previous)
}

fn carry_out(
    node: &mut Node<'_>,
    call: &Call,
    device: &Device,
    found: &RdmaDevice,
    pod: Place,
    record: &Record<Before>,
) -> Result<(), CniError> {
    move_in(node, call, device, found, pod)?;
    let cache = RdmaCache {
        ours: Ours { railweave: true },
        version: "1.0".to_owned(),
        device: record.device.clone(),
        sandbox_rdma_dev_name: found.name.clone(),
        container_rdma_dev_name: found.name.clone(),
    };
    Ok(node.state.write_cache(&record.owner, &cache, &serde_json::Value::Null)?)
}

/// Moves an RDMA device into a pod whose containers will find it.
pub(in crate::plugins) fn move_in(
    node: &mut Node<'_>,
    call: &Call,
    device: &Device,
    found: &RdmaDevice,
    pod: Place,
) -> Result<(), CniError> {
    let nodes = Nodes::of(device);
    let _lock = nodes.lock(&node.state)?;
    node.kernel.make(Change::MoveRdma { from: Place::HOST, to: pod, device: found.index }).map_err(
        |error| {
            let hint = match error.errno() {
                Some(libc::EOPNOTSUPP) => {
                    ": its driver cannot, or the node is not in exclusive mode any more"
                }
                _ => "",
            };
            CniError::kernel(&error).while_doing(&format!(
                "failed to move RDMA device {} of {device} into the pod{hint}",
                found.name
            ))
        },
    )?;
    nodes.follow(node, call, pod, found)
}
