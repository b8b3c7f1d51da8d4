//! The plugins: one folder each, with a function for each command of the CNI specification.
//!
//! [`Plugin`] is what a folder gives, [`PLUGINS`] lists them under the names that runtimes call them by, and [`run`] does
//! what a [`Call`] asks. Called by `main` alone; plugins may call each other only as `sriov` and `ib-sriov` call IPAM.

mod addressed;
pub mod coordinator;
pub mod ib_sriov;
pub mod ifacer;
pub mod ipam;
mod keys;
pub mod rdma;
pub mod sriov;

use crate::netlink::Namespace;
use crate::spec::{Answer, Call, CniError, Command};

/// A plugin.
#[derive(Debug)]
pub struct Plugin {
    /// The `type` in a configuration, and the name of the file in the plugin folder.
    pub name: &'static str,
    /// Attaches an interface.
    pub add: fn(&Call) -> Result<Answer, CniError>,
    /// Detaches it; no error if there is nothing to be detached.
    pub del: fn(&Call) -> Result<(), CniError>,
    /// Compares what there is with `prevResult`.
    pub check: fn(&Call) -> Result<(), CniError>,
    /// Whether an ADD would work.
    pub status: fn(&Call) -> Result<(), CniError>,
    /// Removes what is of no valid attachment.
    pub gc: fn(&Call) -> Result<(), CniError>,
}

/// All plugins.
pub const PLUGINS: &[Plugin] =
    &[coordinator::PLUGIN, ib_sriov::PLUGIN, ifacer::PLUGIN, ipam::PLUGIN, rdma::PLUGIN, sriov::PLUGIN];

/// The plugin of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Plugin> {
    PLUGINS.iter().find(|plugin| plugin.name == name)
}

/// Does what is asked. Only ADD has a result.
pub fn run(plugin: &Plugin, call: &Call) -> Result<Option<Answer>, CniError> {
    let is_of_host = is_own_namespace(call);
    match call.command {
        // The pod's is gone, and what led to it leads here by now. What is kept of the pod knows it by its number.
        Command::Del if is_of_host => {
            log::warn!("{}; the pod is detached without it", of_host(call));
            (plugin.del)(&Call { netns: None, ..call.clone() })?;
        }
        _ if is_of_host => return Err(CniError::new(CniError::ENVIRONMENT, of_host(call))),
        Command::Add => return (plugin.add)(call).map(Some),
        Command::Del => (plugin.del)(call)?,
        Command::Check => (plugin.check)(call)?,
        Command::Status => (plugin.status)(call)?,
        Command::Gc => (plugin.gc)(call)?,
        // Answered before a configuration is read.
        Command::Version => {}
    }
    Ok(None)
}

/// A plugin that took the host for a pod would cut the node off.
fn is_own_namespace(call: &Call) -> bool {
    // One that is gone is no error here: a DEL goes on without it, and an ADD says so itself.
    let Some(Ok(pod)) = call.netns.as_ref().map(Namespace::open) else { return false };
    let own = Namespace::of_this_thread().and_then(|own| own.number());
    matches!((pod.number(), own), (Ok(pod), Ok(own)) if pod == own)
}

fn of_host(call: &Call) -> String {
    let path = call.netns.as_deref().unwrap_or_else(|| std::path::Path::new(""));
    format!("CNI_NETNS {} is the network namespace of the host, which is no pod", path.display())
}
