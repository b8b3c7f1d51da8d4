use crate::kernel::{Kernel, Place};
use crate::spec::{Call, CniError};

/// The namespace of the pod that a CHECK is about.
pub fn pod_of(kernel: &mut dyn Kernel, call: &Call) -> Result<Place, CniError> {
    let path = call.netns.clone().unwrap_or_default();
    let opened = kernel.open(&path)?;
    opened.map(|(pod, _)| pod).ok_or_else(|| {
        let gone = format!("the pod's network namespace {} is gone", path.display());
        CniError::new(CniError::CHANGED, gone)
    })
}

/// The pod must not have an interface of the name that the new one is to have.
pub fn refuse_taken_name(kernel: &mut dyn Kernel, pod: Place, call: &Call) -> Result<(), CniError> {
    if kernel.link_named(pod, &call.ifname)?.is_none() {
        return Ok(());
    }
    Err(CniError::new(
        CniError::ENVIRONMENT,
        format!("the pod has an interface {} already, so CNI_IFNAME must be another name", call.ifname),
    ))
}
