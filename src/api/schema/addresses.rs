//! CEL rules about addresses: pools, subnets, reserved addresses, routes.
//!
//! CEL knows addresses as texts and can ask whether a CIDR contains one, but cannot compare two. Order is
//! therefore decided on numbers made of the octets (IPv4) or on the last group when all others are alike
//! (IPv6). What costs too much here is left to [`crate::rules`]: ranges that meet inside one object, the
//! order of other IPv6 ranges, and an IPv6 gateway in the middle of a range.

use schemars::Schema;

use super::{ADDRESS, CIDR, FEW, RANGE, RANGES, Rule, add_rules, each, strings};

/// The family, 4 or 6.
pub(super) const FAMILY: &[Rule] = &[
    Rule::new(
        "self == 4 || self == 6",
        "ipVersion is the number 4 or 6; only the webhook mends the older spellings ipv4 and ipv6",
    ),
    Rule::new("self == oldSelf", "ipVersion may not change; make a new object").forbidden(),
];

const SUBNET: &[Rule] = &[
    Rule::new("isCIDR(self)", "subnet must be in CIDR notation, like 172.16.0.0/16 or fd00:16::/64"),
    Rule::new(
        "!isCIDR(self) || string(cidr(self).masked()) == self",
        "subnet must be canonical: no bits set behind the prefix, IPv6 in lower case and shortest form",
    ),
    Rule::new("self == oldSelf", "subnet may not change; make a new object").forbidden(),
];

const BACKWARDS: &str = "a range ends before it begins; swap its ends";

const RANGE_ITEM: &[Rule] = &[Rule::new(
    is_range!("self"),
    "must be an address or a range like 172.16.1.2-172.16.1.30, without blanks; a CIDR is no range",
)];

const IN_ORDER: &[Rule] = &[
    Rule::new(
        each_range!(concat!(
            "!r.contains('-') || !",
            is_range!("r"),
            " || [",
            first!("r"),
            ".split('.', 4)].all(a, [",
            last!("r"),
            ".split('.', 4)].all(b, a.size() < 4 || b.size() < 4 || ",
            number!("a"),
            " <= ",
            number!("b"),
            "))"
        )),
        BACKWARDS,
    )
    .with_old(),
    Rule::new(
        each_range!(concat!(
            unlike_heads!(),
            first_group!(),
            ".size() != ",
            last_group!(),
            ".size() || ",
            first_group!(),
            ".lowerAscii() <= ",
            last_group!(),
            ".lowerAscii()"
        )),
        BACKWARDS,
    )
    .with_old(),
    Rule::new(
        each_range!(concat!(
            unlike_heads!(),
            first_group!(),
            ".size() <= ",
            last_group!(),
            ".size() || ",
            first_group!(),
            ".startsWith('0')"
        )),
        BACKWARDS,
    )
    .with_old(),
];

/// Rules of pools and subnets, which share their address fields.
pub(in crate::api) const POOL: &[Rule] = &[
    Rule::new(
        concat!(
            kept!("subnet", "ipVersion"),
            "!has(self.ipVersion) || !(self.ipVersion in [4, 6]) || !isCIDR(self.subnet)",
            " || cidr(self.subnet).ip().family() == self.ipVersion"
        ),
        "ipVersion and subnet are of different families",
    )
    .with_old()
    .at(".ipVersion"),
    Rule::new(inside!("ips"), "every range must lie inside the subnet").with_old().at(".ips"),
    Rule::new(inside!("excludeIPs"), "every range must lie inside the subnet").with_old().at(".excludeIPs"),
    Rule::new(
        concat!(
            kept!("subnet", "gateway"),
            "!has(self.gateway) || !isIP(self.gateway) || !isCIDR(self.subnet)",
            " || cidr(self.subnet).containsIP(self.gateway)"
        ),
        "gateway must lie inside the subnet",
    )
    .with_old()
    .at(".gateway"),
    Rule::new(
        concat!(
            kept!("gateway", "ips", "excludeIPs"),
            "!has(self.gateway) || !has(self.ips) || !self.gateway.contains(':')",
            " || (has(self.excludeIPs) && self.gateway in self.excludeIPs) || !(self.gateway in self.ips)"
        ),
        "gateway is among the ips; take it out there, or list it in excludeIPs",
    )
    .with_old()
    .at(".gateway"),
    Rule::new(
        concat!(
            kept!("gateway", "ips", "excludeIPs"),
            "!has(self.gateway) || !has(self.ips) || self.gateway.contains(':') || !isIP(self.gateway)",
            " || ",
            few!("self.ips"),
            "(has(self.excludeIPs) && self.excludeIPs.size() > 1000)",
            " || [self.gateway.split('.', 4)].all(g, [",
            number!("g"),
            "].all(n, !",
            holds!("ips", concat!(is_range!("r"), " && ")),
            " || (has(self.excludeIPs) && ",
            holds!("excludeIPs", ""),
            ")))"
        ),
        "gateway lies in one of the ips; take it out there, or list it in excludeIPs",
    )
    .with_old()
    .at(".gateway"),
    Rule::new(
        concat!(
            kept!("subnet", "routes"),
            "!has(self.routes) || !isCIDR(self.subnet) || self.routes.all(r, !isCIDR(r.dst)",
            " || cidr(r.dst).ip().family() == cidr(self.subnet).ip().family())"
        ),
        "dst of a route must be of the family of the subnet",
    )
    .with_old()
    .at(".routes"),
    Rule::new(
        concat!(
            kept!("subnet", "routes"),
            "!has(self.routes) || !isCIDR(self.subnet) || self.routes.all(r, !isIP(r.gw)",
            " || cidr(self.subnet).containsIP(r.gw))"
        ),
        "gw of a route must lie inside the subnet",
    )
    .with_old()
    .at(".routes"),
];

/// Rules of reserved addresses.
pub(in crate::api) const RESERVED: &[Rule] = &[
    Rule::new(
        "has(self.ipVersion) || (has(self.ips) && self.ips.size() > 0)",
        "give ipVersion when there are no ips to infer it from",
    )
    .at(".ipVersion")
    .required(),
    Rule::new(
        concat!(
            kept!("ipVersion", "ips"),
            "!has(self.ips) || !has(self.ipVersion) || !(self.ipVersion in [4, 6]) || ",
            few!("self.ips"),
            "self.ips.all(r, !",
            is_range!("r"),
            " || (ip(",
            first!("r"),
            ").family() == self.ipVersion && ip(",
            last!("r"),
            ").family() == self.ipVersion))"
        ),
        "every range must be of the family that ipVersion names",
    )
    .with_old()
    .at(".ips"),
];

const ALIASES: [Rule; 2] = [
    Rule::new("!has(self.to)", "to is an older spelling; write dst").at(".to").forbidden(),
    Rule::new("!has(self.via)", "via is an older spelling; write gw").at(".via").forbidden(),
];

const ROUTE: &[Rule] = &[
    ALIASES[0],
    ALIASES[1],
    Rule::new("isCIDR(self.dst)", "dst must be in CIDR notation, like 172.16.0.0/16").at(".dst"),
    Rule::new(
        "!(self.dst in ['0.0.0.0/0', '::/0'])",
        "dst may not be the default route; give the pool a gateway instead",
    )
    .at(".dst"),
    Rule::new("isIP(self.gw)", "gw must be an address").at(".gw"),
];

const UNIQUE_ROUTES: &[Rule] =
    &[Rule::new("self.all(r, self.exists_one(s, s.dst == r.dst))", "two routes have the same dst")];

const POLICY_ROUTE: &[Rule] = &[
    ALIASES[0],
    ALIASES[1],
    Rule::new("isIP(self.dst) || isCIDR(self.dst)", "dst must be an address or in CIDR notation").at(".dst"),
    Rule::new("isIP(self.gw)", "gw must be an address").at(".gw"),
    Rule::new(
        "!isIP(self.gw) || !(isIP(self.dst) || isCIDR(self.dst)) || ip(self.gw).family() == (isIP(self.dst) ? ip(self.dst) : cidr(self.dst).ip()).family()",
        "dst and gw are of different families",
    ),
];

/// What `subnet` must be.
pub(in crate::api) fn subnet(schema: &mut Schema) {
    text(schema, CIDR, SUBNET);
}

/// What `gateway` must be.
pub(in crate::api) fn gateway(schema: &mut Schema) {
    text(schema, ADDRESS, &[Rule::new("isIP(self)", "gateway must be an address")]);
}

/// What `ips` and `excludeIPs` must be.
pub(in crate::api) fn ranges(schema: &mut Schema) {
    strings(RANGES, RANGE, RANGE_ITEM)(schema);
    add_rules(schema, IN_ORDER);
}

/// What the routes of a pool must be.
pub(in crate::api) fn routes(schema: &mut Schema) {
    each(FEW, ROUTE)(schema);
    add_rules(schema, UNIQUE_ROUTES);
}

/// What the routes of a coordinator must be.
pub(in crate::api) fn policy_routes(schema: &mut Schema) {
    each(FEW, POLICY_ROUTE)(schema);
}

/// Bounds the texts of a route.
pub(in crate::api) fn route_text(schema: &mut Schema) {
    text(schema, CIDR, &[]);
}

fn text(schema: &mut Schema, max_length: u32, rules: &[Rule]) {
    schema.insert("maxLength".to_owned(), max_length.into());
    add_rules(schema, rules);
}
