use crate::functions::{Node, pod_of};
use crate::kernel::Kernel;
use crate::spec::{Call, CniError};
use crate::state::State;

use super::must_be_exclusive;
use super::restore::Before;

/// CHECK: the pod sees its device.
pub(super) fn check(node: &mut Node<'_>, call: &Call) -> Result<(), CniError> {
    call.required_previous()?;
    let changed = |what: String| CniError::new(CniError::CHANGED, what);
    let record = node
        .known::<Before>(call)?
        .ok_or_else(|| changed(format!("{} of this pod has no RDMA device of ours", call.ifname)))?;
    let pod = pod_of(node.kernel, call)?;
    match record.before.in_pod(node.kernel, pod)? {
        Some(_) => Ok(()),
        None => Err(changed(format!(
            "RDMA device {} of {} is not in the pod any more",
            record.before.name, record.device
        ))),
    }
}

/// STATUS.
pub(super) fn is_ready(state: &State, kernel: &mut dyn Kernel) -> Result<(), CniError> {
    let unavailable = |error: CniError| CniError { code: CniError::UNAVAILABLE, ..error };
    state.is_writable().map_err(|error| unavailable(error.into()))?;
    must_be_exclusive(kernel).map_err(unavailable)
}
