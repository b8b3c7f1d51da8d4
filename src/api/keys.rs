//! Annotation and label keys, literally as users and other components write them.

/// Group selector, RDMA mode: on networks, pods and namespaces.
pub const RDMA_INJECT: &str = "cni.spidernet.io/rdma-resource-inject";
/// Group selector, general mode: on networks, pods and namespaces.
pub const NETWORK_INJECT: &str = "cni.spidernet.io/network-resource-inject";
/// On a pod: the container that gets the resources, instead of the first regular one.
pub const INJECT_CONTAINER: &str = "cni.spidernet.io/inject-container";
/// On a network: name of the `NetworkAttachmentDefinition`, instead of the network's own.
pub const NAD_NAME: &str = "multus.spidernet.io/cr-name";
/// On a network: CNI version of the rendered configuration.
pub const CNI_VERSION: &str = "multus.spidernet.io/cni-version";
/// On a network: value of `name` inside the rendered configuration list.
pub const CNI_CONFIG_NAME: &str = "cni.spidernet.io/cniconfig-name";
/// On a `NetworkAttachmentDefinition`: the device plugin resource whose device Multus hands to the plugin.
pub const RESOURCE_NAME: &str = "k8s.v1.cni.cncf.io/resourceName";
/// Label on a `NetworkAttachmentDefinition`: who keeps it. Ours say [`MANAGED_BY_US`].
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// See [`MANAGED_BY`].
pub const MANAGED_BY_US: &str = "railweave";
/// On a pod: the networks Multus attaches.
pub const NETWORKS: &str = "k8s.v1.cni.cncf.io/networks";
/// On a pod: the default network; read only.
pub const DEFAULT_NETWORK: &str = "v1.multus-cni.io/default-network";
/// On a pod: pools of every interface, `{"ipv4":["a"],"ipv6":["b"]}`.
pub const POD_POOL: &str = "ipam.spidernet.io/ippool";
/// On a pod: pools of each interface, `[{"interface":"net1","ipv4":["a"],"cleangateway":false}]`.
pub const POD_POOLS: &str = "ipam.spidernet.io/ippools";
/// On a pod: the subnet whose pool is made for the pod's application.
pub const POD_SUBNET: &str = "ipam.spidernet.io/subnet";
/// On a pod: such subnets for each interface.
pub const POD_SUBNETS: &str = "ipam.spidernet.io/subnets";
/// On a pod: extra routes, `[{"dst":"10.0.0.0/8","gw":"172.16.0.1"}]`.
pub const POD_ROUTES: &str = "ipam.spidernet.io/routes";
/// On a namespace: IPv4 pools of its pods, `["a","b"]`.
pub const NAMESPACE_POOLS_V4: &str = "ipam.spidernet.io/default-ipv4-ippool";
/// On a namespace: IPv6 pools of its pods.
pub const NAMESPACE_POOLS_V6: &str = "ipam.spidernet.io/default-ipv6-ippool";
/// On a pod: pools, subnets; removed by injection in conflict mode `clear`.
pub const IPAM_POD_KEYS: [&str; 4] = [POD_POOL, POD_POOLS, POD_SUBNET, POD_SUBNETS];
/// Label on a pool: its subnet with `.`, `:` and `/` replaced by `-`.
pub const POOL_CIDR: &str = "ipam.spidernet.io/ippool-cidr";
/// Label on a subnet: as [`POOL_CIDR`].
pub const SUBNET_CIDR: &str = "ipam.spidernet.io/subnet-cidr";
/// Label on a pool: the subnet that controls it.
pub const OWNER_SUBNET: &str = "ipam.spidernet.io/owner-spider-subnet";
/// Label whose presence marks a pool that was made for one application.
pub const OWNER_APPLICATION_NAME: &str = "ipam.spidernet.io/owner-application-name";
/// The only labels that the affinity of such a pool may name.
pub const APPLICATION_AFFINITY_KEYS: [&str; 5] = [
    "ipam.spidernet.io/app-api-group",
    "ipam.spidernet.io/app-api-version",
    "ipam.spidernet.io/app-kind",
    "ipam.spidernet.io/app-namespace",
    "ipam.spidernet.io/app-name",
];
/// Name of the `SpiderCoordinator` that is in force.
pub const COORDINATOR: &str = "default";
/// Finalizer of pools and subnets.
pub const FINALIZER: &str = "spiderpool.spidernet.io";
/// Label on an injected pod: how many networks it was given.
pub const RAILS: &str = "railweave.io/rails";
/// Annotation on an injected pod: groups and number of networks, e.g. `rdma-network=8`.
pub const INJECTED: &str = "railweave.io/injected";
/// Annotation on a pod that asked for rails, was sent to the webhook and left alone all the same: the reason.
/// Only for reasons of configuration, where an API server may know less than the webhook.
pub const SKIPPED: &str = "railweave.io/skipped";
/// Label that mirrors the opt-in of a namespace, for `namespaceSelector`.
pub const NAMESPACE_OPT_IN: &str = "railweave.io/inject";
/// Label on an endpoint: the node of its pod; see [`node_label`].
pub const NODE: &str = "railweave.io/node";
/// Set by the kubelet on the API server's copy of a static pod.
pub const MIRROR_POD: &str = "kubernetes.io/config.mirror";
/// Annotation of `KubeVirt` on the pod that a running virtual machine is moved to.
pub const MIGRATION: &str = "kubevirt.io/migrationJobName";

/// Values of the two inject keys that opt out.
pub const OPT_OUT: [&str; 2] = ["none", "disabled"];

/// `172.18.40.0/24` as a label value: `172-18-40-0-24`. A label value cannot begin with a hyphen, so `::/64`
/// is written as the equal `0::/64` would be: `0---64`.
#[must_use]
pub fn cidr_label(subnet: &str) -> String {
    let zero = if subnet.starts_with(':') { "0" } else { "" };
    format!("{zero}{}", subnet.replace(['.', ':', '/'], "-"))
}

/// The name of a node as a label value, by which its agent selects: names that are too long for one end in a hash.
#[must_use]
pub fn node_label(node: &str) -> String {
    const LONGEST: usize = 63;
    if node.len() <= LONGEST {
        return node.to_owned();
    }
    // FNV-1a: the same on every machine and in every version. Node names are ASCII.
    let hash = node.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{}-{hash:016x}", node[..LONGEST - 17].trim_end_matches(['.', '-']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_node_names_become_distinct_label_values() {
        assert_eq!(node_label("node-1.example.com"), "node-1.example.com");
        let long = |end: &str| node_label(&format!("{}.example.com.{end}", "n".repeat(60)));
        assert_ne!(long("a"), long("b"));
        for label in [long("a"), node_label(&format!("{}.{}", "n".repeat(45), "m".repeat(60)))] {
            assert!(label.len() <= 63 && !label.contains(".-"), "{label}");
        }
    }
}
