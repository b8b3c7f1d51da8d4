//! What was done on the host for an attachment, so that it can be undone without the pod, its configuration and the agent.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::config::Settings;
use crate::spec::{Call, CniError};
use crate::state::{self, Netns, Owner, State, StateError};

/// One interface of one pod. It stands for no device, so its name is that of the attachment.
pub(super) type Record = state::Record<Made>;

/// Nothing has to be restored; this has to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Made {
    /// The configuration that was in force: a pod that runs is not changed when it changes.
    pub(super) settings: Settings,
    pub(super) underlay: bool,
    /// Name and number of the link on the host that leads to the pod, once known.
    pub(super) host_link: Option<(String, u32)>,
    /// What the host reaches over it.
    pub(super) addresses: Vec<IpAddr>,
}

/// All records of a node.
#[derive(Clone, Debug)]
pub(super) struct Records(state::Records<Made>);

impl Records {
    pub(super) fn of_node() -> Self {
        Self(State::default().records("coordinator"))
    }

    /// The record of the attachment that is called for; none if there is none, or one that cannot be read: no pod may be
    /// kept by it.
    pub(super) fn of(&self, call: &Call) -> Option<Record> {
        self.0.of_device(&name(&call.container_id, &call.ifname)).unwrap_or_else(|error| {
            log::warn!("{}", failed(&error));
            None
        })
    }

    pub(super) fn all(&self) -> Result<Vec<Record>, CniError> {
        self.0.all().map_err(|error| failed(&error))
    }

    pub(super) fn write(&self, record: &Record) -> Result<(), CniError> {
        self.0.write(record).map_err(|error| failed(&error))
    }

    /// No error if there is none.
    pub(super) fn remove(&self, owner: &Owner) -> Result<(), CniError> {
        self.0.remove(&name(&owner.container, &owner.interface)).map_err(|error| failed(&error))
    }
}

/// Whose the attachment is that is called for, without its namespace.
pub(super) fn owner(call: &Call) -> Owner {
    Owner {
        network: call.network().to_owned(),
        container: call.container_id.clone(),
        interface: call.ifname.clone(),
        netns: None,
    }
}

/// A record of an attachment for which nothing was done yet.
pub(super) fn begin(call: &Call, settings: &Settings, underlay: bool, pod: u64) -> Record {
    let made = Made { settings: settings.clone(), underlay, host_link: None, addresses: Vec::new() };
    let netns = call.netns.clone().map(|path| Netns { path, number: Some(pod) });
    Record {
        device: name(&call.container_id, &call.ifname),
        owner: Owner { netns, ..owner(call) },
        attached: true,
        before: made,
    }
}

/// Neither may have a colon in it.
fn name(container: &str, interface: &str) -> String {
    format!("{container}:{interface}")
}

fn failed(error: &StateError) -> CniError {
    CniError::of(CniError::IO, error)
}
