use crate::functions::{Function, Interface, Settings, check_addresses, pod_of};
use crate::kernel::Kernel;
use crate::plugins::rdma::must_be_exclusive;
use crate::spec::{Call, CniError};
use crate::state::State;

use super::config::Config;
use super::guid::Guid;

/// CHECK: the pod has its interface and its RDMA device as ADD left them.
pub(super) fn check(kernel: &mut dyn Kernel, call: &Call) -> Result<(), CniError> {
    let config = Config::of(call)?;
    let answer = call.required_previous()?;
    let changed = |what: String| CniError::new(CniError::CHANGED, what);
    // A port that is given to a virtual machine has nothing to be compared.
    let Some(function) = Function::find(kernel, config.device)? else { return Ok(()) };
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
    if !link.up {
        return Err(changed(format!("interface {name} of the pod is off")));
    }
    if let Some(guid) = config.guid.filter(|guid| Guid::of_interface(&link.address) != Some(*guid)) {
        return Err(changed(format!("interface {name} of the pod has not the GUID {guid} any more")));
    }
    if config.isolated && kernel.rdma_devices(pod)?.is_empty() {
        return Err(changed(format!(
            "the RDMA device of virtual function {} is not in the pod any more",
            function.describe()
        )));
    }
    let position = answer.position_in_pod(name).unwrap_or_default();
    let ips: Vec<_> = answer.ips_of(position).copied().collect();
    check_addresses(kernel, pod, link.index, name, &ips)
}

/// STATUS.
pub(super) fn is_ready(state: &State, kernel: &mut dyn Kernel, call: &Call) -> Result<(), CniError> {
    let unavailable = |error: CniError| CniError { code: CniError::UNAVAILABLE, ..error };
    state.is_writable().map_err(|error| unavailable(error.into()))?;
    let isolated = call.config.get("rdmaIsolation").and_then(serde_json::Value::as_bool);
    if isolated == Some(true) { must_be_exclusive(kernel).map_err(unavailable) } else { Ok(()) }
}
