use std::net::IpAddr;

use ipnet::IpNet;

use super::addresses::{address, family, octets, unless_absent};
use super::codec::{Attributes, Message, NLM_F_CREATE, NLM_F_EXCL, u32_at};
use super::{NetlinkError, Socket};

const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;
const RTM_GETRULE: u16 = 34;
/// Length of `struct fib_rule_hdr`.
const HEADER: usize = 12;
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TABLE: u16 = 15;
const FRA_PROTOCOL: u16 = 21;
const FR_ACT_TO_TBL: u8 = 1;

/// A rule that sends packets to a table of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The sender; of length 0, and only of its family, for every one.
    pub from: IpNet,
    /// The destination.
    pub to: Option<IpNet>,
    /// The mark that packets must have.
    pub mark: Option<u32>,
    /// Which table is asked.
    pub table: u32,
    /// Rules are asked from low to high.
    pub priority: u32,
    /// Who made it, as for routes; kernels before 4.17 do not keep it.
    pub protocol: u8,
}

impl Socket {
    /// All rules of the namespace that lead to a table, of both families. What else a rule may select by is left out.
    pub fn rules(&mut self) -> Result<Vec<Rule>, NetlinkError> {
        self.ask(&list_rules(), "list rules", read)
    }

    /// Adds a rule. One that is there already stays as it is.
    pub fn add_rule(&mut self, rule: &Rule) -> Result<(), NetlinkError> {
        let doing = format_args!("add the rule from {} to table {}", rule.from, rule.table);
        match self.act(add_rule(rule), doing) {
            Err(error) if error.is_present() => Ok(()),
            added => added,
        }
    }

    /// Deletes a rule; true if there was one.
    pub fn delete_rule(&mut self, rule: &Rule) -> Result<bool, NetlinkError> {
        let doing = format_args!("delete the rule from {} to table {}", rule.from, rule.table);
        unless_absent(self.act(change(RTM_DELRULE, 0, rule), doing))
    }
}

/// Of every family.
pub(super) fn list_rules() -> Message {
    Message::dump(RTM_GETRULE).raw(&[0; HEADER])
}

pub(super) fn add_rule(rule: &Rule) -> Message {
    change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule)
}

fn change(kind: u16, flags: u16, rule: &Rule) -> Message {
    let Rule { from, to, mark, table, priority, protocol } = *rule;
    let to_length = to.map_or(0, |to| to.prefix_len());
    // Family, lengths, type of service, table (in its attribute instead), reserved, action, flags.
    let header = [family(from.addr()), to_length, from.prefix_len(), 0, 0, 0, 0, FR_ACT_TO_TBL, 0, 0, 0, 0];
    let mut message = Message::act(kind, flags).raw(&header);
    for (attribute, prefix) in [(FRA_SRC, Some(from)), (FRA_DST, to)] {
        if let Some(prefix) = prefix.filter(|prefix| prefix.prefix_len() > 0) {
            message = message.bytes(attribute, &octets(prefix.network()));
        }
    }
    if let Some(mark) = mark {
        message = message.u32(FRA_FWMARK, mark);
    }
    message.u32(FRA_PRIORITY, priority).u32(FRA_TABLE, table).u8(FRA_PROTOCOL, protocol)
}

pub(super) fn read(body: &[u8]) -> Option<Rule> {
    let [family, to_length, from_length, _, table, _, _, action] = *body.get(..8)?.first_chunk()?;
    if action != FR_ACT_TO_TBL {
        return None;
    }
    let everything: IpAddr = match family {
        2 => [0; 4].into(),
        10 => [0; 16].into(),
        // Routing of multicast has rules as well.
        _ => return None,
    };
    let mut rule = Rule {
        from: IpNet::new(everything, from_length).ok()?,
        to: None,
        mark: None,
        table: table.into(),
        priority: 0,
        protocol: 0,
    };
    for (number, payload) in Attributes::after(HEADER, body) {
        match number {
            FRA_SRC => rule.from = IpNet::new(address(payload)?, from_length).ok()?,
            FRA_DST => rule.to = IpNet::new(address(payload)?, to_length).ok(),
            FRA_PRIORITY => rule.priority = u32_at(payload, 0)?,
            FRA_FWMARK => rule.mark = u32_at(payload, 0),
            FRA_TABLE => rule.table = u32_at(payload, 0)?,
            FRA_PROTOCOL => rule.protocol = *payload.first()?,
            _ => {}
        }
    }
    Some(rule)
}
