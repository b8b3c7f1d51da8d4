//! Options of a bond as `ip link` and the kernel's `bonding.rst` name them: `miimon=100;xmit_hash_policy=layer3+4`.

use std::net::Ipv4Addr;

use crate::netlink::{BondSetting, BondValue};

/// Settings of a bond. Those that name a member need its number, and are set when it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) settings: Vec<BondSetting>,
    pub(super) of_members: Vec<(u16, String)>,
}

/// How a value is written.
enum Kind {
    U8,
    U16,
    U32,
    /// A number or one of these words, in the order of their numbers; in one byte.
    Word(&'static [&'static str]),
    /// The same in four bytes.
    LongWord(&'static [&'static str]),
    Hardware,
    Addresses,
    Member,
}

/// Name, number (`IFLA_BOND_*`), value. `up_delay` and `lp_interval` are Spiderpool's and the kernel's spellings both.
const KNOWN: [(&str, u16, Kind); 28] = [
    ("active_slave", 2, Kind::Member),
    ("miimon", 3, Kind::U32),
    ("updelay", 4, Kind::U32),
    ("up_delay", 4, Kind::U32),
    ("downdelay", 5, Kind::U32),
    ("down_delay", 5, Kind::U32),
    ("use_carrier", 6, Kind::U8),
    ("arp_interval", 7, Kind::U32),
    ("arp_ip_target", 8, Kind::Addresses),
    (
        "arp_validate",
        9,
        Kind::LongWord(&["none", "active", "backup", "all", "filter", "filter_active", "filter_backup"]),
    ),
    ("arp_all_targets", 10, Kind::LongWord(&["any", "all"])),
    ("primary", 11, Kind::Member),
    ("primary_reselect", 12, Kind::Word(&["always", "better", "failure"])),
    ("fail_over_mac", 13, Kind::Word(&["none", "active", "follow"])),
    (
        "xmit_hash_policy",
        14,
        Kind::Word(&["layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"]),
    ),
    ("resend_igmp", 15, Kind::U32),
    ("num_peer_notif", 16, Kind::U8),
    ("all_slaves_active", 17, Kind::U8),
    ("min_links", 18, Kind::U32),
    ("lp_interval", 19, Kind::U32),
    ("packets_per_slave", 20, Kind::U32),
    ("lacp_rate", 21, Kind::Word(&["slow", "fast"])),
    ("ad_select", 22, Kind::Word(&["stable", "bandwidth", "count"])),
    ("ad_actor_sys_prio", 24, Kind::U16),
    ("ad_user_port_key", 25, Kind::U16),
    ("ad_actor_system", 26, Kind::Hardware),
    ("tlb_dynamic_lb", 27, Kind::U8),
    ("peer_notif_delay", 28, Kind::U32),
];

/// Pairs with `;` between them. What is unknown is logged and left out, as by the plugin in Go.
pub(super) fn parse(text: &str) -> Result<Options, String> {
    let mut options = Options::default();
    for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("bond.options holds {pair:?}; write it like miimon=100"))?;
        let (key, value) = (key.trim(), value.trim());
        let Some((_, number, kind)) = KNOWN.iter().find(|(known, ..)| *known == key) else {
            log::warn!("bond.options holds {key}, which is unknown and left out");
            continue;
        };
        if matches!(kind, Kind::Member) {
            options.of_members.push((*number, value.to_owned()));
            continue;
        }
        let value = read(kind, value)
            .ok_or_else(|| format!("bond.options holds {key}={value}; {}", expected(kind)))?;
        options.settings.push(BondSetting { number: *number, value });
    }
    Ok(options)
}

fn read(kind: &Kind, text: &str) -> Option<BondValue> {
    Some(match kind {
        Kind::U8 => BondValue::U8(text.parse().ok()?),
        Kind::U16 => BondValue::U16(text.parse().ok()?),
        Kind::U32 => BondValue::U32(text.parse().ok()?),
        Kind::Word(words) => BondValue::U8(word(words, text)?),
        Kind::LongWord(words) => BondValue::U32(word(words, text)?.into()),
        Kind::Hardware => {
            let bytes: Option<Vec<u8>> =
                text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
            BondValue::Bytes(bytes.filter(|bytes| bytes.len() == 6)?)
        }
        Kind::Addresses => {
            let list = text.trim_start_matches('[').trim_end_matches(']').split([',', ' ']);
            let addresses: Option<Vec<Ipv4Addr>> =
                list.filter(|address| !address.is_empty()).map(|address| address.parse().ok()).collect();
            BondValue::Addresses(addresses.filter(|addresses| !addresses.is_empty())?)
        }
        Kind::Member => return None,
    })
}

fn word(words: &[&str], text: &str) -> Option<u8> {
    let position = words.iter().position(|word| *word == text);
    let number = position.or_else(|| text.parse().ok()).filter(|number| *number < words.len())?;
    u8::try_from(number).ok()
}

fn expected(kind: &Kind) -> String {
    match kind {
        Kind::U8 => "write a number up to 255".to_owned(),
        Kind::U16 => "write a number up to 65535".to_owned(),
        Kind::U32 => "write a number".to_owned(),
        Kind::Word(words) | Kind::LongWord(words) => format!("write one of {}", words.join(", ")),
        Kind::Hardware => "write a hardware address like 02:00:00:00:00:01".to_owned(),
        Kind::Addresses => "write IPv4 addresses like [10.0.0.1,10.0.0.2]".to_owned(),
        Kind::Member => "write the name of an interface".to_owned(),
    }
}
