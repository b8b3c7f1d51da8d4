//! An endpoint as the answers of the REST API.

use railweave_cni::wire::{
    AddReply, IpConfig, Route as WireRoute, WorkloadEndpoint, WorkloadInterface, WorkloadRoute,
};

use crate::allocator::EndpointFacts;
use crate::api::AllocationDetail;
use crate::api::settings::Settings;

/// The addresses of all interfaces, with the default route of each that has a gateway and does not leave it out.
pub(super) fn reply(details: &[AllocationDetail], settings: &Settings) -> AddReply {
    let named = details.iter().filter(|detail| !detail.interface.is_empty());
    let mut reply = AddReply::default();
    let routes = reply.routes.get_or_insert_default();
    for detail in named {
        for (version, address, pool, gateway, everywhere) in [
            (4, &detail.ipv4, &detail.ipv4_pool, &detail.ipv4_gateway, "0.0.0.0/0"),
            (6, &detail.ipv6, &detail.ipv6_pool, &detail.ipv6_gateway, "::/0"),
        ] {
            let Some(address) = address.as_ref().filter(|address| !address.is_empty()) else { continue };
            let gateway = gateway.clone().unwrap_or_default();
            if !gateway.is_empty() && detail.clean_gateway != Some(true) {
                let if_name = detail.interface.clone();
                routes.push(WireRoute { if_name, dst: everywhere.to_owned(), gw: gateway.clone() });
            }
            reply.ips.push(IpConfig {
                version,
                address: address.clone(),
                nic: detail.interface.clone(),
                pool: pool.clone().unwrap_or_default(),
                gateway,
                vlan: detail.vlan,
                mac: detail.mac.clone().unwrap_or_default(),
                enable_gateway_detection: settings.detect_gateways,
                enable_ip_conflict_detection: settings.detect_ip_conflicts,
            });
        }
        routes.extend(pairs(detail).map(|(dst, gw)| WireRoute {
            if_name: detail.interface.clone(),
            dst,
            gw,
        }));
    }
    reply
}

/// What the pod was given.
pub(super) fn workload(namespace: &str, name: &str, endpoint: &EndpointFacts) -> WorkloadEndpoint {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let interfaces = endpoint.details.iter().map(|detail| WorkloadInterface {
        interface: detail.interface.clone(),
        ipv4: text(&detail.ipv4),
        ipv6: text(&detail.ipv6),
        mac: detail.mac.clone(),
        vlan: Some(detail.vlan),
        ipv4_pool: text(&detail.ipv4_pool),
        ipv6_pool: text(&detail.ipv6_pool),
        ipv4_gateway: text(&detail.ipv4_gateway),
        ipv6_gateway: text(&detail.ipv6_gateway),
        routes: pairs(detail).map(|(dst, gw)| WorkloadRoute { dst, gw }).collect(),
    });
    WorkloadEndpoint {
        pod_namespace: namespace.to_owned(),
        pod_name: name.to_owned(),
        pod_uid: endpoint.uid.clone(),
        node: endpoint.node.clone(),
        interfaces: interfaces.collect(),
    }
}

fn pairs(detail: &AllocationDetail) -> impl Iterator<Item = (String, String)> {
    detail.routes.iter().flatten().filter_map(|route| Some((route.dst.clone()?, route.gw.clone()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    fn details(value: serde_json::Value) -> Vec<AllocationDetail> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_interface_is_told_with_its_gateway_its_default_route_and_its_own_routes() {
        let details = details(json!([
            { "interface": "net1", "ipv4": "10.1.0.2/16", "ipv4Pool": "rail-1", "ipv4Gateway": "10.1.255.254",
              "cleanGateway": false, "ipv6": "fd00:1::2/64", "ipv6Pool": "six-1",
              "routes": [{ "dst": "10.0.0.0/8", "gw": "10.1.255.254" }] },
            { "interface": "net2", "ipv4": "10.2.0.2/16", "ipv4Pool": "rail-2", "ipv4Gateway": "10.2.255.254",
              "cleanGateway": true, "vlan": 7, "mac": "0a:58:0a:02:00:02" },
            { "interface": "", "ipv4": "10.3.0.2/16" },
        ]));
        let settings = Settings { detect_gateways: true, ..Settings::default() };
        assert_eq!(
            to_value(reply(&details, &settings)).unwrap(),
            json!({
                "ips": [
                    { "version": 4, "address": "10.1.0.2/16", "nic": "net1", "ipPool": "rail-1",
                      "gateway": "10.1.255.254", "enableGatewayDetection": true },
                    { "version": 6, "address": "fd00:1::2/64", "nic": "net1", "ipPool": "six-1",
                      "enableGatewayDetection": true },
                    { "version": 4, "address": "10.2.0.2/16", "nic": "net2", "ipPool": "rail-2",
                      "gateway": "10.2.255.254", "vlan": 7, "mac": "0a:58:0a:02:00:02",
                      "enableGatewayDetection": true },
                ],
                "routes": [
                    { "ifName": "net1", "dst": "0.0.0.0/0", "gw": "10.1.255.254" },
                    { "ifName": "net1", "dst": "10.0.0.0/8", "gw": "10.1.255.254" },
                ],
            })
        );
    }

    #[test]
    fn what_a_pod_was_given_is_told_in_full() {
        let endpoint = EndpointFacts {
            uid: "u".into(),
            node: "gpu-1".into(),
            details: details(json!([{ "interface": "net1", "ipv4": "10.1.0.2/16", "ipv4Pool": "rail-1",
                "routes": [{ "dst": "10.0.0.0/8", "gw": "10.1.0.1" }] }])),
            ..EndpointFacts::default()
        };
        assert_eq!(
            to_value(workload("team", "worker-0", &endpoint)).unwrap(),
            json!({
                "podNamespace": "team", "podName": "worker-0", "podUID": "u", "node": "gpu-1",
                "interfaces": [{ "interface": "net1", "ipv4": "10.1.0.2/16", "ipv6": "", "vlan": 0,
                    "ipv4Pool": "rail-1", "ipv6Pool": "", "ipv4Gateway": "", "ipv6Gateway": "",
                    "routes": [{ "dst": "10.0.0.0/8", "gw": "10.1.0.1" }] }],
            })
        );
    }
}
