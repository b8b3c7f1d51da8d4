use std::sync::Arc;

use super::selector::Labels;
use crate::api::settings::Settings;
use crate::api::{AllocationDetail, TextMap};
use crate::catalog::ObjectKey;
use crate::net::Address;

/// A scheduled pod that needs addresses.
#[derive(Clone, Debug, Default)]
pub struct Intent {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Arc<str>,
    /// Its labels.
    pub labels: Labels,
    /// Its annotations; those about addresses are enough.
    pub annotations: Labels,
    /// Its namespace.
    pub namespace: Arc<NamespaceView>,
    /// The node it is bound to.
    pub node: Arc<NodeView>,
    /// The controller at the top of its owners: the `Deployment`, not the `ReplicaSet`.
    pub owner: Option<Owner>,
    /// Whom its records name, and whether they outlive it.
    pub holder: Holder,
    /// The networks that need addresses of ours, in the order of the interfaces.
    pub attachments: Vec<Attachment>,
    /// What the endpoint of the same holder says, which tells the interfaces of records that name none.
    pub previous: Vec<AllocationDetail>,
}

/// What the plan needs of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceView {
    /// `metadata.name`
    pub name: String,
    /// `metadata.labels`
    pub labels: TextMap,
    /// `metadata.annotations`
    pub annotations: Labels,
}

/// What the plan needs of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeView {
    /// `metadata.name`
    pub name: String,
    /// `metadata.labels`
    pub labels: Labels,
}

/// The controller of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// `apps/v1`, ...
    pub api_version: String,
    /// `StatefulSet`, ...
    pub kind: String,
    /// `metadata.name`
    pub name: String,
}

/// Whom the records of a pod name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// `namespace/name` of the pod, or of its virtual machine; the name is also that of the endpoint.
    pub key: Arc<str>,
    /// Whether the next pod of the same name gets the same addresses.
    pub sticky: bool,
}

/// Which pods keep their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stickiness {
    /// `enableStatefulSet`
    pub stateful_sets: bool,
    /// `enableKubevirtStaticIP`
    pub virtual_machines: bool,
}

/// One interface of a pod that gets addresses from us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// `eth0`, `net1`, ...
    pub interface: Arc<str>,
    /// The `NetworkAttachmentDefinition`.
    pub network: ObjectKey,
    /// IPv4 pools of the network, by name or pattern.
    pub ipv4: Vec<String>,
    /// IPv6 pools of the network, by name or pattern.
    pub ipv6: Vec<String>,
    /// Whether only pools count whose subnet holds an address of the interface's physical function.
    pub match_master: bool,
    /// Whether the network leaves the default route out.
    pub clean_gateway: bool,
    /// The device plugin's resource behind the network.
    pub resource: Option<String>,
    /// Addresses of the physical function, where it is known: at attach time, from the device that was given.
    pub master: Option<Vec<Address>>,
}

impl Stickiness {
    /// As the configuration says.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            stateful_sets: settings.enable_stateful_set,
            virtual_machines: settings.enable_kubevirt_static_ip,
        }
    }
}

impl Holder {
    /// The holder of a pod with this controller: pods of a `StatefulSet` keep their addresses by ordinal, pods of
    /// a virtual machine by the machine.
    #[must_use]
    pub fn of(namespace: &str, pod: &str, owner: Option<&Owner>, stickiness: Stickiness) -> Self {
        let is = |owner: &&Owner, group: &str, kind: &str| {
            owner.kind == kind && owner.api_version.split_once('/').is_some_and(|(theirs, _)| theirs == group)
        };
        let machine = owner.filter(|owner| {
            stickiness.virtual_machines && is(owner, "kubevirt.io", "VirtualMachineInstance")
        });
        if let Some(machine) = machine {
            return Self { key: format!("{namespace}/{}", machine.name).into(), sticky: true };
        }
        let set = owner.filter(|owner| stickiness.stateful_sets && is(owner, "apps", "StatefulSet"));
        let ordinal = set.and_then(|set| pod.strip_prefix(&set.name)?.strip_prefix('-'));
        let sticky = ordinal.is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
        Self { key: format!("{namespace}/{pod}").into(), sticky }
    }

    /// Name of the endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.key.split_once('/').map_or(&*self.key, |(_, name)| name)
    }
}
