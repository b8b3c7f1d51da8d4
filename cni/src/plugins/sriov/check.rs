use crate::functions::{Function, Interface, check_addresses, check_interface, pod_of};
use crate::kernel::Kernel;
use crate::spec::{Call, CniError};

use super::config::Config;

/// CHECK: the pod has its interface as `prevResult` says, and its port what the configuration says.
pub(super) fn check(kernel: &mut dyn Kernel, call: &Call) -> Result<(), CniError> {
    let config = Config::of(call)?;
    let answer = call.required_previous()?;
    let changed = |what: String| CniError::new(CniError::CHANGED, what);
    let function = Function::find(kernel, config.device)?
        .ok_or_else(|| changed(format!("virtual function {} is not on this node any more", config.device)))?;
    let seen = function.seen(kernel)?;
    if let Some(seen) = seen {
        let missing = config.settings.missing(Some(&seen));
        if let Some((key, _)) = missing.in_order_of_attach().first() {
            return Err(changed(format!(
                "{key} of virtual function {} is not what the network says",
                function.describe()
            )));
        }
    }
    if function.is_of_user_space() {
        return Ok(());
    }
    let pod = pod_of(kernel, call)?;
    let name = &call.ifname;
    let link = Interface::in_pod(kernel, pod, config.device, name)?.ok_or_else(|| {
        changed(format!("virtual function {} is not in the pod any more", function.describe()))
    })?;
    if link.name != *name {
        return Err(changed(format!("interface {name} of the pod is called {} now", link.name)));
    }
    check_interface(&link, &answer)?;
    check_addresses(kernel, pod, &link, &answer)
}
