//! ADD: first the links, then what leads over them; whatever fails takes everything back.

use std::time::Duration;

use super::config::{Mode, Settings, Written};
use super::difference::{Change, difference};
use super::hands::{Hands, Place};
use super::journal::Journal;
use super::plan::{self, EndState, Given, POD_VETH, Side, Wire};
use super::record::{self, Records};
use super::view::{Family, View};
use crate::netlink::VethPair;
use crate::packet::hardware_text;
use crate::plugins::ipam;
use crate::spec::{Answer, Call, CniError};
use crate::wire::{Client, ClientError, CoordinatorArgs};

/// The agent answers from memory.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn add(call: &Call, records: &Records) -> Result<Answer, CniError> {
    let previous = call.required_previous()?;
    let Some(settings) = settings(call)? else { return Ok(previous) };
    let netns = call.netns.as_deref().unwrap_or_else(|| std::path::Path::new(""));
    let mut hands = Hands::open(netns, &call.ifname, &settings.first)?;
    let earlier = records.of(call);
    let mut journal = Journal::default();
    let attachment =
        Attachment { call, records, settings, previous, hands: &mut hands, journal: &mut journal };
    attachment.attach().inspect_err(|_| {
        journal.undo(&mut hands);
        let restored = match earlier {
            Some(record) => records.write(&record),
            None => records.remove(&record::owner(call)),
        };
        if let Err(error) = restored {
            log::warn!("{error}");
        }
    })
}

/// The configuration in force; none where nothing is to be done. What the network does not say is asked of the agent, as
/// is the pod's annotation, so without it there is no ADD: a guess would be found out only when a Service does not answer.
pub(super) fn settings(call: &Call) -> Result<Option<Settings>, CniError> {
    let written = Written::of(call)?;
    if written.is_off() {
        return Ok(None);
    }
    let args = CoordinatorArgs {
        pod_namespace: call.args.pod_namespace().to_owned(),
        pod_name: call.args.pod_name().to_owned(),
    };
    let client = Client::new(written.socket(), PATIENCE);
    let cluster = client.coordinator_config(&args).map_err(|error| unanswered(&error))?;
    let settings = written.over(&cluster, call.network())?;
    Ok(Some(settings).filter(|settings| settings.mode != Mode::Off))
}

pub(super) fn unanswered(error: &ClientError) -> CniError {
    match error {
        ClientError::Refused { message, .. } => CniError::new(
            CniError::AGENT_REFUSED,
            format!("the node agent has no coordinator configuration for this pod: {message}"),
        ),
        ClientError::Unreadable { .. } => CniError::of(CniError::DECODE, error),
        ClientError::Connect { .. } | ClientError::Talk { .. } | ClientError::TimedOut { .. } => {
            let CniError { code, msg, details } = CniError::of(CniError::TRY_AGAIN, error);
            let next = "the runtime tries again; see `kubectl get pods -o wide` for the agent of this node";
            CniError { code, msg: format!("{msg}; {next}"), details }
        }
    }
}

/// An ADD under way.
struct Attachment<'a> {
    call: &'a Call,
    records: &'a Records,
    settings: Settings,
    previous: Answer,
    hands: &'a mut Hands,
    journal: &'a mut Journal,
}

impl Attachment<'_> {
    fn attach(mut self) -> Result<Answer, CniError> {
        let mut pod = self.hands.look_at_pod()?;
        let underlay = plan::is_underlay(&self.settings, &self.call.ifname, &pod)?;
        let mut record = record::begin(self.call, &self.settings, underlay, self.hands.pod_number()?);
        if underlay && pod.link(POD_VETH).is_none() {
            self.records.write(&record)?;
            let pair = veth(&self.call.container_id, self.settings.veth_mtu);
            self.journal.apply(self.hands, Place::Host, vec![Change::AddVeth(pair)])?;
            pod = self.hands.look_at_pod()?;
        }
        let (pod, wire) = self.prepare_links(underlay, pod)?;
        let end = end_state(self.hands, &self.settings, &self.call.ifname, &self.previous, &pod, &wire)?;
        record.before.host_link = Some((wire.host.name.clone(), wire.host.index));
        record.before.addresses = end.host.routes.iter().map(|route| route.destination.addr()).collect();
        self.records.write(&record)?;
        self.journal.apply(self.hands, Place::Pod, difference(&pod, &end.pod))?;
        let host = self.hands.look_at_host(&wire.host, self.settings.host_table)?;
        if self.journal.apply(self.hands, Place::Host, difference(&host, &end.host))? {
            // A DEL of another pod may have deleted the rule before it saw our route.
            let rules = Side { rules: end.host.rules, ..Side::default() };
            let host = self.hands.look_at_host_rules()?;
            self.journal.apply(self.hands, Place::Host, difference(&host, &rules))?;
        }
        self.answer()
    }

    /// Interfaces as they should be, and what the pod has then: routes come when an interface is turned on.
    fn prepare_links(&mut self, underlay: bool, pod: View) -> Result<(View, Wire), CniError> {
        let wire = self.hands.wire(&self.settings, underlay, &pod)?;
        let (inside, outside) = link_changes(&self.settings, &self.call.ifname, &pod, &wire);
        let changed = !inside.iter().chain(&outside).all(|change| matches!(change, Change::Sysctl { .. }));
        self.journal.apply(self.hands, Place::Pod, inside)?;
        self.journal.apply(self.hands, Place::Host, outside)?;
        let first = pod.link(&self.settings.first).map(|link| link.index);
        if first.is_some_and(|first| pod.first_address(first, Family::V6).is_some()) {
            self.hands.wait_for_addresses(&self.settings.first)?;
        }
        if !changed {
            return Ok((pod, wire));
        }
        let pod = self.hands.look_at_pod()?;
        let wire = self.hands.wire(&self.settings, underlay, &pod)?;
        Ok((pod, wire))
    }

    /// The result of the plugins before. If the interface has another hardware address now, the result says so, and
    /// everybody on its network is told.
    fn answer(mut self) -> Result<Answer, CniError> {
        if self.settings.mac_prefix.is_some()
            && let Some(position) = self.previous.position_in_pod(&self.call.ifname)
        {
            let pod = self.hands.look_at_pod()?;
            let link = pod.link(&self.call.ifname).ok_or_else(|| plan::went_away(&self.call.ifname))?;
            self.previous.interfaces[position].mac = hardware_text(&link.address);
            ipam::announce(self.call, &self.previous);
        }
        Ok(self.previous)
    }
}

/// What is to be done so that links are as they should be, in the pod and on the host.
pub(super) fn link_changes(
    settings: &Settings,
    nic: &str,
    pod: &View,
    wire: &Wire,
) -> (Vec<Change>, Vec<Change>) {
    let ends = wire.underlay.then_some((&wire.pod, &wire.host));
    let state = plan::links(settings, nic, pod, ends);
    let host = View { links: vec![wire.host.clone()], ..View::default() };
    (difference(pod, &state.pod), difference(&host, &state.host))
}

/// What should lead where.
pub(super) fn end_state(
    hands: &mut Hands,
    settings: &Settings,
    nic: &str,
    previous: &Answer,
    pod: &View,
    wire: &Wire,
) -> Result<EndState, CniError> {
    let node = hands.node_addresses(pod, &settings.first, nic)?;
    plan::routes(&Given { settings, nic, previous, pod, wire, node: &node })
}

/// Named after the container, so that a DEL finds it by that alone; hardware addresses alike.
fn veth(container_id: &str, mtu: u32) -> VethPair {
    let hash = container_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let end = |first: u8| {
        let mut address = [first; 6];
        address[1..].copy_from_slice(&hash.to_be_bytes()[3..]);
        address
    };
    VethPair {
        here: super::host_veth(container_id),
        // Both are of the locally administered ones, and differ.
        here_address: end(0x02),
        there: POD_VETH.to_owned(),
        there_address: end(0x06),
        mtu,
    }
}
