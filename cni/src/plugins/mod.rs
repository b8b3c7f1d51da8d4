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
    refuse_own_namespace(call)?;
    match call.command {
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
fn refuse_own_namespace(call: &Call) -> Result<(), CniError> {
    let Some(path) = &call.netns else { return Ok(()) };
    // One that is gone is no error here: a DEL goes on without it, and an ADD says so itself.
    let Ok(pod) = Namespace::open(path) else { return Ok(()) };
    let own = Namespace::of_this_thread().and_then(|own| own.number());
    match (pod.number(), own) {
        (Ok(pod), Ok(own)) if pod == own => Err(CniError::new(
            CniError::ENVIRONMENT,
            format!("CNI_NETNS {} is the network namespace of the host, which is no pod", path.display()),
        )),
        _ => Ok(()),
    }
}
