//! Before a pod uses an address: does somebody else, and does the gateway answer?
//!
//! All addresses of an interface are looked after at once, each question is put three times, and it is over after 200 ms.
//! Whether anything is looked for is said by the agent with each address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::packet::{Arp, Packet, Port, PortError, Solicitation};
use crate::wire::IpConfig;

/// Nobody has said by then that the address is theirs.
const CONFLICTS_WITHIN: Duration = Duration::from_millis(100);
/// Everything is known by then.
const WITHIN: Duration = Duration::from_millis(200);
/// Between attempts: packets get lost, above all right after a link came up.
const AGAIN: Duration = Duration::from_millis(30);
const ATTEMPTS: u32 = 3;

/// What is to be known of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) address: IpAddr,
    pub(super) pool: String,
    pub(super) conflict: bool,
    /// The gateway, if it must answer.
    pub(super) gateway: Option<IpAddr>,
}

/// Why a pod should not use an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Somebody has it; the hardware address is empty where `InfiniBand` does not tell it.
    Conflict { address: IpAddr, pool: String, holder: Vec<u8> },
    /// The gateway does not answer.
    Unreachable { address: IpAddr, pool: String, gateway: IpAddr },
}

/// What the agent wants to be known of these addresses.
pub(super) fn wanted<'a>(ips: impl Iterator<Item = &'a IpConfig>) -> Vec<Wanted> {
    let wanted = ips.filter_map(|ip| {
        let address = ip.address.split('/').next()?.parse().ok()?;
        let gateway = ip.gateway.parse().ok().filter(|_| ip.enable_gateway_detection);
        Some(Wanted { address, pool: ip.pool.clone(), conflict: ip.enable_ip_conflict_detection, gateway })
    });
    wanted.filter(|wanted| wanted.conflict || wanted.gateway.is_some()).collect()
}

/// Looks. Gateways are asked only when nobody else was found: the question tells them whose the address is.
pub(super) fn look(port: &Port, wanted: &[Wanted]) -> Result<Vec<Trouble>, PortError> {
    let started = Instant::now();
    let conflicts = wanted.iter().filter(|wanted| wanted.conflict);
    let mut conflicts: Vec<Search> = conflicts.map(|wanted| Search::holder(port, wanted)).collect();
    listen(port, &mut conflicts, started + CONFLICTS_WITHIN)?;
    let troubles: Vec<Trouble> = conflicts.into_iter().filter_map(Search::conflict).collect();
    if !troubles.is_empty() {
        return Ok(troubles);
    }
    let mut gateways: Vec<Search> =
        wanted.iter().filter_map(|wanted| Search::gateway(port, wanted, wanted.gateway?)).collect();
    listen(port, &mut gateways, started + WITHIN)?;
    Ok(gateways.into_iter().filter_map(Search::unreachable).collect())
}

/// Asks and listens until everyone has answered, or the time is over.
fn listen(port: &Port, searches: &mut [Search<'_>], until: Instant) -> Result<(), PortError> {
    let (mut next, mut attempts) = (Instant::now(), 0);
    while searches.iter().any(|search| search.answered.is_none()) {
        if attempts < ATTEMPTS && Instant::now() >= next {
            for search in searches.iter().filter(|search| search.answered.is_none()) {
                search.ask(port)?;
            }
            attempts += 1;
            next += AGAIN;
        }
        let wait = if attempts < ATTEMPTS { next.min(until) } else { until };
        match port.receive(wait)? {
            Some(packet) => searches.iter_mut().for_each(|search| search.hear(&packet)),
            None if Instant::now() >= until => break,
            None => {}
        }
    }
    Ok(())
}

/// One question that is put and one answer that is waited for.
struct Search<'a> {
    wanted: &'a Wanted,
    own: &'a [u8],
    sought: IpAddr,
    /// Hardware address of who answered, empty if it is not known.
    answered: Option<Vec<u8>>,
}

impl<'a> Search<'a> {
    /// Who else has the address.
    fn holder(port: &'a Port, wanted: &'a Wanted) -> Self {
        Self { wanted, own: &port.link().address, sought: wanted.address, answered: None }
    }

    fn gateway(port: &'a Port, wanted: &'a Wanted, gateway: IpAddr) -> Option<Self> {
        let same_family = gateway.is_ipv4() == wanted.address.is_ipv4();
        same_family.then(|| Self { wanted, own: &port.link().address, sought: gateway, answered: None })
    }

    fn ask(&self, port: &Port) -> Result<(), PortError> {
        let is_probe = self.sought == self.wanted.address;
        match (self.wanted.address, self.sought) {
            (IpAddr::V4(own), IpAddr::V4(sought)) => {
                let source = if is_probe { Ipv4Addr::UNSPECIFIED } else { own };
                port.send_arp(&Arp::ask(self.own, source, sought))
            }
            (IpAddr::V6(own), IpAddr::V6(target)) => {
                let source = if is_probe { Ipv6Addr::UNSPECIFIED } else { own };
                port.send_solicitation(&Solicitation { source, target, own: self.own })
            }
            // Never made.
            _ => Ok(()),
        }
    }

    /// Requests count as well: who asks as the holder of an address has it (RFC 5227, 2.1.1). Probes of others do not:
    /// switches send them to find out who is there.
    fn hear(&mut self, packet: &Packet) {
        let (address, hardware) = match packet {
            Packet::Arp(arp) => (IpAddr::V4(arp.sender.1), Some(&arp.sender.0)),
            Packet::Advertisement(told) => (IpAddr::V6(told.target), told.hardware.as_ref()),
        };
        if address == self.sought && hardware.is_none_or(|hardware| hardware != self.own) {
            self.answered.get_or_insert_with(|| hardware.cloned().unwrap_or_default());
        }
    }

    fn conflict(self) -> Option<Trouble> {
        let Wanted { address, pool, .. } = self.wanted.clone();
        self.answered.map(|holder| Trouble::Conflict { address, pool, holder })
    }

    fn unreachable(self) -> Option<Trouble> {
        let Wanted { address, pool, .. } = self.wanted.clone();
        self.answered.is_none().then_some(Trouble::Unreachable { address, pool, gateway: self.sought })
    }
}
