//! Our own IPAM: the node agent knows the addresses, this asks it.

use std::time::Duration;

use ipnet::IpNet;

use super::announce::{CARRIER_WITHIN, announce};
use super::config::{Config, Ipam};
use super::detect::{Trouble, Wanted};
use super::{agent, detect, trouble};
use crate::netlink::Namespace;
use crate::packet::{Port, PortError};
use crate::spec::{Answer, Call, CniError, Dns, Ip, Route};
use crate::wire::{AddArgs, AddReply, Client, DeleteArgs, IpConfig, WorkloadEndpoint};

/// As long as Spiderpool's plugin waits. The agent gives up after a minute.
const ADD_WITHIN: Duration = Duration::from_secs(100);
/// A release is only queued by the agent.
const DEL_WITHIN: Duration = Duration::from_secs(10);
const QUESTION_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn add(call: &Call) -> Result<Answer, CniError> {
    let config: Config = call.config()?;
    let args = add_args(call, &config)?;
    let reply = agent::ask(&config.ipam.socket, ADD_WITHIN, |client| client.add(&args))?;
    let wanted = detect::wanted(reply.ips.iter().filter(|ip| ip.nic == call.ifname));
    let answer = answer(&call.ifname, reply)?;
    refuse_troubles(call, &config, &wanted)?;
    for ip in &answer.ips {
        log::info!("{} of pod {}/{}", ip.address, args.pod_namespace, args.pod_name);
    }
    Ok(answer)
}

/// ADD for a main plugin of others, which does not tell anybody whose the addresses are now.
pub(super) fn add_and_announce(call: &Call) -> Result<Answer, CniError> {
    let answer = add(call)?;
    announce(call, &answer);
    Ok(answer)
}

/// Looks whether the addresses can be used. Those that somebody else uses are given back, so that the next attempt gets
/// others.
fn refuse_troubles(call: &Call, config: &Config, wanted: &[Wanted]) -> Result<(), CniError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let troubles = match looked(call, wanted) {
        Ok(troubles) => troubles,
        Err(error @ (PortError::NoInterface(_) | PortError::Layer(_))) => {
            log::warn!("addresses and gateways are not looked for: {error}");
            return Ok(());
        }
        Err(error) => {
            return Err(
                CniError::kernel(&error).while_doing("failed to look for other holders of the addresses")
            );
        }
    };
    if troubles.is_empty() {
        return Ok(());
    }
    let mut error = trouble::told(call, &troubles);
    error.details = trouble::released(call, &config.ipam.socket, &troubles);
    Err(error)
}

fn looked(call: &Call, wanted: &[Wanted]) -> Result<Vec<Trouble>, PortError> {
    let namespace = Namespace::open(call.netns.clone().unwrap_or_default())?;
    let mut port = Port::open(&namespace, &call.ifname)?;
    if !port.wait_for_carrier(CARRIER_WITHIN)? {
        log::warn!("{} has no carrier after {} ms", call.ifname, CARRIER_WITHIN.as_millis());
    }
    detect::look(&port, wanted)
}

/// The leader finds out by itself that a pod is gone; telling the agent is only quicker. So nothing here may keep a pod.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every plugin's commands")]
pub(super) fn del(call: &Call) -> Result<(), CniError> {
    let socket = call.config::<Config>().map_or_else(|_| Ipam::default().socket, |config| config.ipam.socket);
    if call.args.pod_name().is_empty() {
        return Ok(());
    }
    let args = DeleteArgs {
        container_id: call.container_id.clone(),
        if_name: call.ifname.clone(),
        net_namespace: netns(call),
        pod_namespace: call.args.pod_namespace().to_owned(),
        pod_name: call.args.pod_name().to_owned(),
        pod_uid: call.args.pod_uid().to_owned(),
    };
    if let Err(error) = Client::new(socket, DEL_WITHIN).delete(&args) {
        log::warn!("the release is left to the leader: {}", CniError::of(0, &error));
    }
    Ok(())
}

/// Compares the addresses of `prevResult` with those that the pod is recorded with.
pub(super) fn check(call: &Call) -> Result<(), CniError> {
    let config: Config = call.config()?;
    let (namespace, name) = pod(call)?;
    let given = call.required_previous()?;
    let endpoint =
        agent::ask(&config.ipam.socket, QUESTION_WITHIN, |client| client.workload_endpoint(namespace, name))?;
    let position = given.position_in_pod(&call.ifname);
    let held = given.ips.iter().filter(|ip| ip.interface.is_none() || ip.interface == position);
    compare(call, held.map(|ip| ip.address).collect(), &endpoint)
}

pub(super) fn status(call: &Call) -> Result<(), CniError> {
    let config: Config = call.config()?;
    agent::ask(&config.ipam.socket, QUESTION_WITHIN, Client::healthy)
        .map_err(|error| CniError { code: CniError::UNAVAILABLE, ..error })
}

/// Records belong to pods, not to attachments; the leader collects them when it has proof that a pod is gone.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every plugin's commands")]
pub(super) fn gc(_: &Call) -> Result<(), CniError> {
    Ok(())
}

/// Namespace and name of the pod.
fn pod(call: &Call) -> Result<(&str, &str), CniError> {
    for key in ["K8S_POD_NAMESPACE", "K8S_POD_NAME"] {
        if call.args.get(key).is_none() {
            let msg =
                format!("CNI_ARGS has no {key}, and addresses belong to pods; the runtime must tell the pod");
            return Err(CniError::new(CniError::ENVIRONMENT, msg));
        }
    }
    Ok((call.args.pod_namespace(), call.args.pod_name()))
}

fn netns(call: &Call) -> String {
    call.netns.as_ref().map(|path| path.display().to_string()).unwrap_or_default()
}

pub(super) fn add_args(call: &Call, config: &Config) -> Result<AddArgs, CniError> {
    let (pod_namespace, pod_name) = pod(call)?;
    let ipam = &config.ipam;
    Ok(AddArgs {
        container_id: call.container_id.clone(),
        if_name: call.ifname.clone(),
        net_namespace: netns(call),
        pod_namespace: pod_namespace.to_owned(),
        pod_name: pod_name.to_owned(),
        pod_uid: call.args.pod_uid().to_owned(),
        default_ipv4_pools: ipam.default_ipv4_ippool.clone(),
        default_ipv6_pools: ipam.default_ipv6_ippool.clone(),
        clean_gateway: ipam.clean_gateway,
        match_master_subnet: ipam.match_master_subnet,
        device_id: config.device_id.clone(),
    })
}

/// What of the agent's answer is about this interface; it tells those of all interfaces of the pod.
pub(super) fn answer(ifname: &str, reply: AddReply) -> Result<Answer, CniError> {
    let AddReply { ips, routes, dns } = reply;
    let mut answer = Answer::default();
    for ip in ips.iter().filter(|ip| ip.nic == ifname) {
        answer.ips.push(read_ip(ip)?);
    }
    if answer.ips.is_empty() {
        let known: Vec<&str> = ips.iter().map(|ip| ip.nic.as_str()).collect();
        let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
        return Err(CniError::new(
            CniError::AGENT_REFUSED,
            format!(
                "the node agent has no address for {ifname}, only for {known}; see the pod's SpiderEndpoint and the network's pools"
            ),
        ));
    }
    for route in routes.unwrap_or_default().iter().filter(|route| route.if_name == ifname) {
        let dst = route.dst.parse().map_err(|_| unreadable("a route to", &route.dst))?;
        let gw = route.gw.parse().map_err(|_| unreadable("a route by", &route.gw))?;
        answer.routes.push(Route::via(dst, Some(gw)));
    }
    answer.dns = dns.map(|dns| {
        let crate::wire::Dns { domain, nameservers, options, search } = dns;
        Dns { nameservers, domain, search, options }
    });
    Ok(answer)
}

fn read_ip(ip: &IpConfig) -> Result<Ip, CniError> {
    let address = ip.address.parse().map_err(|_| unreadable("the address", &ip.address))?;
    let gateway = Some(ip.gateway.as_str()).filter(|gateway| !gateway.is_empty());
    let gateway = gateway.map(|gateway| gateway.parse().map_err(|_| unreadable("the gateway", gateway)));
    Ok(Ip { address, gateway: gateway.transpose()?, interface: None })
}

fn unreadable(what: &str, value: &str) -> CniError {
    CniError::new(
        CniError::DECODE,
        format!("the node agent answered with {what} {value:?}, which cannot be read"),
    )
}

pub(super) fn compare(
    call: &Call,
    mut held: Vec<IpNet>,
    endpoint: &WorkloadEndpoint,
) -> Result<(), CniError> {
    let changed = |text: String| Err(CniError::new(CniError::CHANGED, text));
    let pod = format!("pod {}/{}", endpoint.pod_namespace, endpoint.pod_name);
    let (uid, known) = (call.args.pod_uid(), endpoint.pod_uid.as_str());
    if !uid.is_empty() && uid != known {
        return changed(format!(
            "the addresses of {pod} are recorded for UID {known}, the sandbox is of UID {uid}"
        ));
    }
    let interface = endpoint.interfaces.iter().find(|interface| interface.interface == call.ifname);
    let addresses = interface.map(|interface| [&interface.ipv4, &interface.ipv6]).into_iter().flatten();
    let mut recorded: Vec<IpNet> = addresses.filter_map(|address| address.parse().ok()).collect();
    held.sort_unstable();
    recorded.sort_unstable();
    if held == recorded {
        return Ok(());
    }
    changed(format!(
        "{} of {pod} has {}, but {} is recorded for it; delete the pod so that it is attached again",
        call.ifname,
        listed(&held),
        listed(&recorded)
    ))
}

fn listed(addresses: &[IpNet]) -> String {
    match addresses {
        [] => "no address".to_owned(),
        _ => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
