use crate::functions::{Function, Interface, check_addresses, pod_of};
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
    if !link.up {
        return Err(changed(format!("interface {name} of the pod is off")));
    }
    let told = answer.position_in_pod(name).map(|position| (position, &answer.interfaces[position]));
    let Some((position, told)) = told else {
        return Err(changed(format!("prevResult has no interface {name}")));
    };
    let address = crate::functions::HardwareAddress(link.address.clone()).to_string();
    if !told.mac.is_empty() && !told.mac.eq_ignore_ascii_case(&address) {
        return Err(changed(format!(
            "interface {name} of the pod has the hardware address {address}, ADD gave it {}",
            told.mac
        )));
    }
    if let Some(mtu) = told.mtu.filter(|mtu| *mtu != link.mtu) {
        return Err(changed(format!("interface {name} of the pod has the MTU {}, ADD left {mtu}", link.mtu)));
    }
    let ips: Vec<_> = answer.ips_of(position).copied().collect();
    check_addresses(kernel, pod, link.index, name, &ips)
}
