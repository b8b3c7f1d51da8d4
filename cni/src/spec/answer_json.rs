//! Results as JSON. The versions differ in few fields, so there is one shape, whose fields are left out where a version
//! has none.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{Answer, CniError, Dns, Interface, Ip, Route, Version};

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct ResultJson {
    #[serde(rename = "cniVersion")]
    version: String,
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    interfaces: Vec<InterfaceJson>,
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    ips: Vec<IpJson>,
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    routes: Vec<RouteJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<DnsJson>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct InterfaceJson {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    mac: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    #[serde(skip_serializing_if = "String::is_empty")]
    sandbox: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    socket_path: String,
    #[serde(rename = "pciID", skip_serializing_if = "String::is_empty")]
    pci_id: String,
}

#[derive(Serialize, Deserialize)]
struct IpJson {
    /// `4` or `6`, before 1.0.0; the address says it as well.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interface: Option<i64>,
    address: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "gateway")]
    gateway: Option<IpAddr>,
}

#[derive(Serialize, Deserialize)]
struct RouteJson {
    dst: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "gateway")]
    gw: Option<IpAddr>,
    #[serde(flatten)]
    more: RouteMore,
}

/// What 1.1.0 added to routes.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct RouteMore {
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advmss: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    table: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<u32>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct DnsJson {
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    nameservers: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    domain: String,
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    search: Vec<String>,
    #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
}

/// Programs in Go write an empty list as `null`.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Programs in Go write an address that they do not have as an empty text.
fn gateway<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is no IP address"))))
        .transpose()
}

pub(super) fn read(result: &Value, version: Version) -> Result<Answer, CniError> {
    let json: ResultJson = serde_path_to_error::deserialize(result).map_err(|error| {
        let (path, reason) = (error.path().to_string(), error.into_inner());
        CniError::new(CniError::DECODE, format!("a result of version {version} is wrong at {path}: {reason}"))
    })?;
    let ResultJson { version: _, interfaces, ips, routes, dns } = json;
    let count = interfaces.len();
    let mut answer =
        Answer { dns: dns.map(dns_read).filter(|dns| *dns != Dns::default()), ..Answer::default() };
    answer.interfaces.extend(interfaces.into_iter().map(interface_read));
    answer.routes.extend(routes.iter().map(route_read));
    for ip in ips {
        // Older plugins write -1 for none.
        let interface = ip.interface.and_then(|position| usize::try_from(position).ok());
        if let Some(position) = interface.filter(|position| *position >= count && count > 0) {
            return Err(CniError::new(
                CniError::DECODE,
                format!("a result gives {} to interface {position}, but has only {count}", ip.address),
            ));
        }
        answer.ips.push(Ip { address: ip.address, gateway: ip.gateway, interface });
    }
    Ok(answer)
}

pub(super) fn write(answer: &Answer, version: Version) -> String {
    let Answer { interfaces, ips, routes, dns } = answer;
    let json = ResultJson {
        version: version.to_string(),
        interfaces: interfaces.iter().map(|interface| interface_written(interface, version)).collect(),
        ips: ips.iter().map(|ip| ip_written(ip, version)).collect(),
        routes: routes.iter().map(|route| route_written(route, version)).collect(),
        dns: dns.as_ref().map(dns_written),
    };
    // Texts, numbers and lists of them always have a JSON form.
    serde_json::to_string(&json).unwrap_or_default()
}

fn interface_read(json: InterfaceJson) -> Interface {
    let InterfaceJson { name, mac, mtu, sandbox, socket_path, pci_id } = json;
    Interface { name, mac, mtu, sandbox, socket_path, pci_id }
}

fn interface_written(interface: &Interface, version: Version) -> InterfaceJson {
    let Interface { name, mac, mtu, sandbox, socket_path, pci_id } = interface.clone();
    if version >= Version::V110 {
        InterfaceJson { name, mac, mtu, sandbox, socket_path, pci_id }
    } else {
        InterfaceJson { name, mac, sandbox, ..InterfaceJson::default() }
    }
}

fn ip_written(ip: &Ip, version: Version) -> IpJson {
    let family = if ip.address.addr().is_ipv4() { "4" } else { "6" };
    IpJson {
        version: (version < Version::V100).then_some(family),
        interface: ip.interface.and_then(|position| i64::try_from(position).ok()),
        address: ip.address,
        gateway: ip.gateway,
    }
}

fn route_read(json: &RouteJson) -> Route {
    let RouteJson { dst, gw, more: RouteMore { mtu, advmss, priority, table, scope } } = *json;
    Route { dst, gw, mtu, advmss, priority, table, scope }
}

fn route_written(route: &Route, version: Version) -> RouteJson {
    let Route { dst, gw, mtu, advmss, priority, table, scope } = *route;
    let more = RouteMore { mtu, advmss, priority, table, scope };
    RouteJson { dst, gw, more: if version >= Version::V110 { more } else { RouteMore::default() } }
}

fn dns_read(json: DnsJson) -> Dns {
    let DnsJson { nameservers, domain, search, options } = json;
    Dns { nameservers, domain, search, options }
}

fn dns_written(dns: &Dns) -> DnsJson {
    let Dns { nameservers, domain, search, options } = dns.clone();
    DnsJson { nameservers, domain, search, options }
}
