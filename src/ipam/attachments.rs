use std::collections::HashSet;

use super::failure::{Failure, RailFailure};
use super::intent::Attachment;
use super::selector::Labels;
use crate::api::{CniType, keys, networks};
use crate::catalog::{Catalog, Network, ObjectKey};
use crate::reason::Reason;

/// What stands for the default network where pods do not name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DefaultNetwork<'a> {
    /// Namespace of a default network that is named without one: railweave's own.
    pub namespace: &'a str,
    /// `namespace/name` of the cluster's default network (`MULTUS_CLUSTER_NETWORK`).
    pub network: Option<&'a str>,
}

impl Attachment {
    /// The interfaces of a pod that get addresses from us, by its annotations: `eth0` if the default network is one of
    /// ours, then those of `k8s.v1.cni.cncf.io/networks`. Networks that are not ours are passed over, and count when
    /// interfaces are numbered.
    pub fn of_pod(
        annotations: &Labels,
        namespace: &str,
        catalog: &Catalog,
        default: DefaultNetwork<'_>,
    ) -> Result<Vec<Self>, Failure> {
        let selected = Self::selected(annotations, namespace, default)?;
        let ours = selected.into_iter().filter_map(|(nad, interface)| {
            catalog.network_of_nad(&nad).and_then(|network| Self::of_network(network, nad, &interface))
        });
        Ok(ours.collect())
    }

    /// Every network that a pod selects by its annotations, ours or not, with its interface.
    pub fn selected(
        annotations: &Labels,
        namespace: &str,
        default: DefaultNetwork<'_>,
    ) -> Result<Vec<(ObjectKey, String)>, Failure> {
        let list = |key: &str, text: &'_ str, namespace: &'_ str| {
            let read = networks::parse(text, namespace).map(|selected| {
                selected
                    .iter()
                    .map(|entry| (key_of(entry), entry.interface.as_deref().map(str::to_owned)))
                    .collect()
            });
            read.map_err(|reason| malformed(format!("annotation {key} cannot be read: {reason}")))
        };
        let text = |key: &str| annotations.get(key).map(String::as_str);
        let first: Vec<(ObjectKey, Option<String>)> = match text(keys::DEFAULT_NETWORK).or(default.network) {
            Some(text) => list(keys::DEFAULT_NETWORK, text, default.namespace)?,
            None => Vec::new(),
        };
        let others: Vec<(ObjectKey, Option<String>)> = match text(keys::NETWORKS) {
            Some(text) => list(keys::NETWORKS, text, namespace)?,
            None => Vec::new(),
        };
        let first = first.into_iter().take(1).map(|(network, _)| (network, "eth0".to_owned()));
        let others = others.into_iter().zip(1..).map(|((network, interface), number)| {
            (network, interface.unwrap_or_else(|| format!("net{number}")))
        });
        let selected: Vec<(ObjectKey, String)> = first.chain(others).collect();
        let mut seen = HashSet::new();
        match selected.iter().find(|(_, interface)| !seen.insert(interface)) {
            None => Ok(selected),
            Some((_, interface)) => Err(malformed(format!(
                "annotation {}: two networks are attached as {interface}",
                keys::NETWORKS
            ))),
        }
    }

    /// None for a network without addresses of ours, and for one whose configuration was written by hand.
    fn of_network(network: &Network, nad: ObjectKey, interface: &str) -> Option<Self> {
        let spec = &network.spec;
        if spec.cni_type() == CniType::Custom || spec.disable_ipam == Some(true) {
            return None;
        }
        let pools = spec.pools();
        let matching = pools.and_then(|pools| pools.match_master_subnet) == Some(true);
        Some(Self {
            interface: interface.into(),
            network: nad,
            ipv4: pools.and_then(|pools| pools.ipv4.clone()).unwrap_or_default(),
            ipv6: pools.and_then(|pools| pools.ipv6.clone()).unwrap_or_default(),
            match_master: matching && spec.cni_type() == CniType::Sriov,
            clean_gateway: false,
            resource: spec.resource().map(str::to_owned),
            master: None,
        })
    }
}

fn key_of(entry: &networks::Selected<'_>) -> ObjectKey {
    ObjectKey { namespace: entry.namespace.clone().into_owned(), name: entry.name.clone().into_owned() }
}

fn malformed(detail: String) -> Failure {
    Failure { rails: vec![RailFailure::whole(Reason::MalformedNetworks, detail)] }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::settings::Settings;
    use crate::catalog::{Identity, Objects};

    fn catalog() -> Catalog {
        let network = |name: &str, spec: Value| json!({"kind": "SpiderMultusConfig", "metadata": {"name": name, "namespace": "spiderpool"}, "spec": spec});
        let mut renamed = network("gpu2", json!({"cniType": "macvlan", "macvlan": {"master": ["eth1"]}}));
        renamed["metadata"]["annotations"] = json!({"multus.spidernet.io/cr-name": "gpu2-nad"});
        let mut objects = Objects::default();
        for object in [
            network(
                "gpu1",
                json!({"cniType": "sriov", "sriov": {"resourceName": "spidernet.io/gpu1",
                "ippools": {"ipv4": ["rail1-*"], "ipv6": ["six"], "matchMasterSubnet": true}}}),
            ),
            renamed,
            network(
                "ib",
                json!({"cniType": "ib-sriov", "ibsriov": {"resourceName": "spidernet.io/ib",
                "ippools": {"ipv4": ["ib"], "matchMasterSubnet": true}}}),
            ),
            network("by-hand", json!({"cniType": "custom", "customCNI": "{}"})),
            network("bare", json!({"cniType": "sriov", "sriov": {"resourceName": "r"}, "disableIPAM": true})),
        ] {
            objects.apply(&object).unwrap();
        }
        Catalog::compile(&objects, Settings::default(), &Identity::default())
    }

    fn attachments(annotations: &[(&str, &str)], network: Option<&str>) -> Result<Vec<Attachment>, Failure> {
        let annotations =
            annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Attachment::of_pod(
            &annotations,
            "team",
            &catalog(),
            DefaultNetwork { namespace: "spiderpool", network },
        )
    }

    fn said(annotations: &[(&str, &str)], network: Option<&str>) -> Vec<String> {
        let attachments = attachments(annotations, network).unwrap();
        attachments
            .iter()
            .map(|attachment| format!("{} {}", attachment.interface, attachment.network))
            .collect()
    }

    #[test]
    fn networks_of_ours_become_interfaces_by_their_place_in_the_list() {
        let list = r#"[{"name":"gpu1","namespace":"spiderpool"},{"name":"foreign"},
            {"name":"gpu2-nad","namespace":"spiderpool"},{"name":"ib","namespace":"spiderpool","interface":"ib0"}]"#;
        assert_eq!(
            said(&[(keys::NETWORKS, list)], None),
            ["net1 spiderpool/gpu1", "net3 spiderpool/gpu2-nad", "ib0 spiderpool/ib"]
        );
        let short = "spiderpool/by-hand, spiderpool/bare, gpu1, spiderpool/gpu1@rail1";
        assert_eq!(said(&[(keys::NETWORKS, short)], None), ["rail1 spiderpool/gpu1"]);
        assert!(said(&[], None).is_empty());
    }

    #[test]
    fn the_default_network_becomes_eth0_if_it_is_ours() {
        let networks = (keys::NETWORKS, "spiderpool/gpu1");
        assert_eq!(
            said(&[networks, (keys::DEFAULT_NETWORK, "gpu2-nad")], Some("spiderpool/ib")),
            ["eth0 spiderpool/gpu2-nad", "net1 spiderpool/gpu1"]
        );
        assert_eq!(said(&[networks], Some("spiderpool/ib")), ["eth0 spiderpool/ib", "net1 spiderpool/gpu1"]);
        assert_eq!(
            said(&[networks, (keys::DEFAULT_NETWORK, "kube-system/calico")], None),
            ["net1 spiderpool/gpu1"]
        );
    }

    #[test]
    fn an_interface_carries_what_its_network_says() {
        let network = attachments(&[(keys::NETWORKS, "spiderpool/gpu1,spiderpool/ib")], None).unwrap();
        let sriov = Attachment {
            interface: "net1".into(),
            network: ObjectKey { namespace: "spiderpool".into(), name: "gpu1".into() },
            ipv4: vec!["rail1-*".into()],
            ipv6: vec!["six".into()],
            match_master: true,
            resource: Some("spidernet.io/gpu1".into()),
            ..Attachment::default()
        };
        assert_eq!(network[0], sriov);
        // Only sriov asks for the PF's subnet; elsewhere the field has no effect.
        assert!(!network[1].match_master);
    }

    #[test]
    fn a_list_that_multus_would_refuse_fails_the_pod() {
        let refused = |list: &str| attachments(&[(keys::NETWORKS, list)], None).unwrap_err().to_string();
        assert_eq!(
            refused("[{"),
            "MalformedNetworks: annotation k8s.v1.cni.cncf.io/networks cannot be read: not a JSON list: EOF while parsing \
             an object at line 1 column 2"
        );
        assert_eq!(
            refused("spiderpool/ib@net2,spiderpool/gpu1"),
            "MalformedNetworks: annotation k8s.v1.cni.cncf.io/networks: two networks are attached as net2"
        );
    }
}
