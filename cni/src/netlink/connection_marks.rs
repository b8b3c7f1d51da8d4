//! Replies to what came in by an interface are told from other packets by a mark, with `nf_tables`.

use super::codec::{Message, NLM_F_APPEND, NLM_F_CREATE};
use super::{NetlinkError, Socket};

/// `NFNL_SUBSYS_NFTABLES`, in the upper byte of a message's type.
const NFTABLES: u16 = 10 << 8;
const NFT_MSG_NEWTABLE: u16 = NFTABLES;
const NFT_MSG_GETTABLE: u16 = NFTABLES | 1;
const NFT_MSG_DELTABLE: u16 = NFTABLES | 2;
const NFT_MSG_NEWCHAIN: u16 = NFTABLES | 3;
const NFT_MSG_NEWRULE: u16 = NFTABLES | 6;
const NFNL_MSG_BATCH_BEGIN: u16 = 16;
const NFNL_MSG_BATCH_END: u16 = 17;

/// Tables, chains and rules name the table by the same attribute.
const NFTA_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NLA_F_NESTED: u16 = 0x8000;
/// Where `iptables` has its table `mangle`.
const NF_IP_PRI_MANGLE: i32 = -150;
const NF_INET_PRE_ROUTING: u32 = 0;
const NF_INET_LOCAL_OUT: u32 = 3;

const NFT_REG_1: u32 = 1;
const NFT_META_MARK: u32 = 3;
const NFT_META_IIFNAME: u32 = 6;
const NFT_CT_STATE: u32 = 0;
const NFT_CT_MARK: u32 = 3;
const NFT_CMP_EQ: u32 = 0;
const NFT_CMP_NEQ: u32 = 1;
/// `NF_CT_STATE_BIT(IP_CT_NEW)`
const STATE_NEW: u32 = 8;

/// The table that all of it is in.
const TABLE: &str = "railweave";

impl Socket {
    /// Marks connections that come in by the link of this name, and each packet that is sent on them. What was set
    /// before is replaced, in one step.
    ///
    /// For a socket of [`Protocol::Netfilter`](super::Protocol::Netfilter).
    pub fn mark_replies(&mut self, family: u8, name: &str, mark: u32) -> Result<(), NetlinkError> {
        let doing =
            format_args!("mark replies to what comes in by {name} (kernel modules nf_tables and nft_ct)");
        self.act_together(&mark_replies(family, name, mark), doing)
    }

    /// Forgets the marks.
    pub fn unmark_replies(&mut self, family: u8) -> Result<(), NetlinkError> {
        let gone = [batch(NFNL_MSG_BATCH_BEGIN), table(family, NFT_MSG_DELTABLE), batch(NFNL_MSG_BATCH_END)];
        match self.act_together(&gone, "remove the marks of replies") {
            Err(error) if error.is_absent() => Ok(()),
            done => done,
        }
    }

    /// Whether marks were set.
    pub fn marks_replies(&mut self, family: u8) -> Result<bool, NetlinkError> {
        match self.act(table(family, NFT_MSG_GETTABLE), "find the marks of replies") {
            Ok(()) => Ok(true),
            Err(error) if error.is_absent() || error.is_unsupported() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Which netfilter family is meant, and the table.
fn table(family: u8, kind: u16) -> Message {
    Message::act(kind, 0).raw(&[family, 0, 0, 0]).text(NFTA_TABLE, TABLE)
}

fn part(family: u8, kind: u16, flags: u16) -> Message {
    Message::part(kind, flags).raw(&[family, 0, 0, 0]).text(NFTA_TABLE, TABLE)
}

/// The begin or end of messages that are carried out together.
fn batch(kind: u16) -> Message {
    // `struct nfgenmsg`: no family, version 0, the subsystem.
    Message::part(kind, 0).raw(&[0, 0, 0, 10])
}

pub(super) fn mark_replies(family: u8, name: &str, mark: u32) -> Vec<Message> {
    let mut padded = [0; 16];
    padded.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    let mark = mark.to_ne_bytes();
    let incoming = rule(Message::part, family, "incoming", |rule| {
        let rule = expression(rule, "meta", |meta| get(meta, NFT_META_IIFNAME));
        let rule = expression(rule, "cmp", |cmp| compare(cmp, NFT_CMP_EQ, &padded));
        let rule = expression(rule, "ct", |ct| get(ct, NFT_CT_STATE));
        let rule = expression(rule, "bitwise", |mask| keep(mask, STATE_NEW));
        let rule = expression(rule, "cmp", |cmp| compare(cmp, NFT_CMP_NEQ, &[0; 4]));
        let rule = expression(rule, "immediate", |value| data(value.big_endian(1, NFT_REG_1), 2, &mark));
        expression(rule, "ct", |ct| ct.big_endian(2, NFT_CT_MARK).big_endian(4, NFT_REG_1))
    });
    let outgoing = rule(Message::act, family, "outgoing", |rule| {
        let rule = expression(rule, "ct", |ct| get(ct, NFT_CT_MARK));
        let rule = expression(rule, "cmp", |cmp| compare(cmp, NFT_CMP_EQ, &mark));
        expression(rule, "meta", |meta| meta.big_endian(2, NFT_META_MARK).big_endian(3, NFT_REG_1))
    });
    vec![
        batch(NFNL_MSG_BATCH_BEGIN),
        // Made, so that there is one to be deleted; deleted with what is in it; made anew.
        part(family, NFT_MSG_NEWTABLE, NLM_F_CREATE),
        part(family, NFT_MSG_DELTABLE, 0),
        part(family, NFT_MSG_NEWTABLE, NLM_F_CREATE),
        chain(family, "incoming", "filter", NF_INET_PRE_ROUTING),
        // A chain of this type has the route looked up again once the mark changed.
        chain(family, "outgoing", "route", NF_INET_LOCAL_OUT),
        incoming,
        outgoing,
        batch(NFNL_MSG_BATCH_END),
    ]
}

fn chain(family: u8, name: &str, kind: &str, hook: u32) -> Message {
    part(family, NFT_MSG_NEWCHAIN, NLM_F_CREATE)
        .text(NFTA_CHAIN_NAME, name)
        .nested(NFTA_CHAIN_HOOK | NLA_F_NESTED, |to| {
            to.big_endian(1, hook).big_endian(2, NF_IP_PRI_MANGLE.cast_unsigned())
        })
        .text(NFTA_CHAIN_TYPE, kind)
}

/// A rule of a chain, of what `expressions` adds.
fn rule(
    start: fn(u16, u16) -> Message,
    family: u8,
    chain: &str,
    expressions: impl FnOnce(Message) -> Message,
) -> Message {
    start(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND)
        .raw(&[family, 0, 0, 0])
        .text(NFTA_TABLE, TABLE)
        .text(NFTA_RULE_CHAIN, chain)
        .nested(NFTA_RULE_EXPRESSIONS | NLA_F_NESTED, expressions)
}

fn expression(list: Message, name: &str, settings: impl FnOnce(Message) -> Message) -> Message {
    const NFTA_LIST_ELEM: u16 = 1;
    list.nested(NFTA_LIST_ELEM | NLA_F_NESTED, |element| {
        element.text(1, name).nested(2 | NLA_F_NESTED, settings)
    })
}

/// `meta` and `ct`: what `key` says goes into the register.
fn get(settings: Message, key: u32) -> Message {
    settings.big_endian(1, NFT_REG_1).big_endian(2, key)
}

fn compare(settings: Message, how: u32, with: &[u8]) -> Message {
    data(settings.big_endian(1, NFT_REG_1).big_endian(2, how), 3, with)
}

/// `bitwise`: of four bytes in the register, only these bits stay.
fn keep(settings: Message, bits: u32) -> Message {
    let settings = settings.big_endian(1, NFT_REG_1).big_endian(2, NFT_REG_1).big_endian(3, 4);
    data(data(settings, 4, &bits.to_ne_bytes()), 5, &[0; 4])
}

fn data(settings: Message, number: u16, value: &[u8]) -> Message {
    settings.nested(number | NLA_F_NESTED, |data| data.bytes(1, value))
}
