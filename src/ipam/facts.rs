use std::collections::HashMap;
use std::sync::Arc;

use crate::api::RailNodeSpec;
use crate::net::Address;

/// What is known of one node: which physical functions stand behind which resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    resources: HashMap<String, Vec<Arc<Master>>>,
}

/// A physical function, as far as the choice of pools depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Master {
    /// Name of its interface on the host.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

impl NodeFacts {
    /// Reads what the node's agent published. Addresses that cannot be read are passed over.
    #[must_use]
    pub fn compile(spec: &RailNodeSpec) -> Self {
        let address = |text: &String| text.split('/').next().unwrap_or_default().parse().ok();
        let masters: HashMap<&str, Arc<Master>> = spec
            .physical_functions
            .iter()
            .map(|function| {
                let addresses = function.addresses.iter().filter_map(address).collect();
                (
                    function.pci_address.as_str(),
                    Arc::new(Master { name: function.interface.clone(), addresses }),
                )
            })
            .collect();
        let resources = spec.resources.iter().map(|resource| {
            let pci = resource.physical_functions.iter();
            (resource.name.clone(), pci.filter_map(|pci| masters.get(pci.as_str()).cloned()).collect())
        });
        Self { resources: resources.collect() }
    }

    /// The physical functions behind a resource; empty when none is known.
    #[must_use]
    pub fn masters(&self, resource: &str) -> &[Arc<Master>] {
        self.resources.get(resource).map(Vec::as_slice).unwrap_or_default()
    }
}
