use crate::functions::{Function, Interface, Node, Settings, check_addresses, check_interface, pod_of};
use crate::kernel::Kernel;
use crate::plugins::rdma::must_be_exclusive;
use crate::spec::{Call, CniError};
use crate::state::State;

use super::add::is_port_of_user_space;
use super::config::{Config, is_isolated};
use super::guid::Guid;
use super::restore::Before;

/// CHECK: the pod has its interface and its RDMA device as ADD left them.
pub(super) fn check(node: &mut Node<'_>, call: &Call) -> Result<(), CniError> {
    let config = Config::of(call)?;
    let answer = call.required_previous()?;
    let changed = |what: String| CniError::new(CniError::CHANGED, what);
    // A port that is given to a virtual machine has nothing to be compared.
    if is_port_of_user_space(node.kernel, &config)? {
        return Ok(());
    }
    let known = node.known::<Before>(call)?;
    let kernel = &mut *node.kernel;
    let function = Function::find(kernel, config.device)?
        .ok_or_else(|| changed(format!("virtual function {} is not on this node any more", config.device)))?;
    let seen = function.seen(kernel)?;
    let settings = Settings { link_state: config.link_state, ..Settings::default() };
    if seen.is_some() && settings.missing(seen.as_ref()) != Settings::default() {
        return Err(changed(format!(
            "link_state of virtual function {} is not what the network says",
            function.describe()
        )));
    }
    if function.is_of_user_space() {
        return Ok(());
    }
    let pod = pod_of(kernel, call)?;
    let name = &call.ifname;
    let link = Interface::in_pod(kernel, pod, config.device, name)?.filter(|link| link.name == *name);
    let link = link.ok_or_else(|| {
        changed(format!("virtual function {} is not in the pod as {name} any more", function.describe()))
    })?;
    if let Some(guid) = config.guid.filter(|guid| Guid::of_interface(&link.address) != Some(*guid)) {
        return Err(changed(format!("interface {name} of the pod has not the GUID {guid} any more")));
    }
    check_interface(&link, &answer)?;
    if config.isolated {
        // Of a pod with several rails, the device of this one.
        let rdma = known.and_then(|record| record.before.rdma);
        if rdma.map(|rdma| rdma.in_pod(kernel, pod)).transpose()?.flatten().is_none() {
            return Err(changed(format!(
                "the RDMA device of virtual function {} is not in the pod any more",
                function.describe()
            )));
        }
    }
    check_addresses(kernel, pod, &link, &answer)
}

/// STATUS.
pub(super) fn is_ready(state: &State, kernel: &mut dyn Kernel, call: &Call) -> Result<(), CniError> {
    let unavailable = |error: CniError| CniError { code: CniError::UNAVAILABLE, ..error };
    state.is_writable().map_err(|error| unavailable(error.into()))?;
    if is_isolated(call)? { must_be_exclusive(kernel).map_err(unavailable) } else { Ok(()) }
}
