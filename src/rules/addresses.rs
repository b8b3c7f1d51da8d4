//! The address fields that pools, subnets and reserved ranges have in common, read and checked once.

use super::{Context, FieldError, FieldErrorKind, Findings, Notice};
use crate::api::{IntOrString, Route, SpiderIPPoolSpec, SpiderReservedIPSpec, SpiderSubnetSpec};
use crate::net::{Address, Family, Range, RangeSet, Subnet};

/// The address fields of a spec, as written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Written<'a> {
    ip_version: Option<&'a IntOrString>,
    pub(super) subnet: Option<&'a str>,
    pub(super) ips: &'a [String],
    pub(super) excluded: &'a [String],
    pub(super) gateway: Option<&'a str>,
    pub(super) routes: &'a [Route],
}

/// Pools and subnets have the same address fields.
macro_rules! written_from {
    ($spec:ty) => {
        impl<'a> From<&'a $spec> for Written<'a> {
            fn from(spec: &'a $spec) -> Self {
                Self {
                    ip_version: spec.ip_version.as_ref(),
                    subnet: spec.subnet.as_deref(),
                    ips: spec.ips.as_deref().unwrap_or_default(),
                    excluded: spec.exclude_ips.as_deref().unwrap_or_default(),
                    gateway: spec.gateway.as_deref(),
                    routes: spec.routes.as_deref().unwrap_or_default(),
                }
            }
        }
    };
}

written_from!(SpiderIPPoolSpec);
written_from!(SpiderSubnetSpec);

impl<'a> From<&'a SpiderReservedIPSpec> for Written<'a> {
    fn from(spec: &'a SpiderReservedIPSpec) -> Self {
        Self {
            ip_version: spec.ip_version.as_ref(),
            subnet: None,
            ips: spec.ips.as_deref().unwrap_or_default(),
            excluded: &[],
            gateway: None,
            routes: &[],
        }
    }
}

impl Written<'_> {
    /// Whether the addresses are those of `stored`, in the same words. Then they are not judged again: an
    /// object stays editable in every other respect, even if a rule or a setting became stricter since.
    pub(super) fn unchanged(&self, stored: &Self) -> bool {
        let inferred = stored.ip_version.is_none()
            && self.inferred().map(|family| IntOrString::Int(family.number())).as_ref() == self.ip_version;
        Self { ip_version: None, ..*self } == Self { ip_version: None, ..*stored }
            && (inferred || self.ip_version == stored.ip_version)
    }

    /// The family of the subnet, or else of the first range.
    fn inferred(&self) -> Option<Family> {
        let subnet = self.subnet.and_then(|text| text.parse::<Subnet>().ok()).map(Subnet::family);
        subnet.or_else(|| Some(self.ips.first()?.parse::<Range>().ok()?.family()))
    }
}

/// What could be read of the address fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses {
    /// Of `ipVersion`, or else of `subnet`.
    pub(super) family: Option<Family>,
    /// `subnet`, if it is of the family.
    pub(super) subnet: Option<Subnet>,
    /// Readable items of `ips`, each with its index.
    pub(super) ips: Vec<(usize, Range)>,
    /// Readable items of `excludeIPs`.
    pub(super) excluded: Vec<(usize, Range)>,
    /// The addresses of `ips`.
    pub(super) offered: RangeSet,
    /// `ips` without `excludeIPs`; none if any of it is wrong.
    pub(super) effective: Option<RangeSet>,
}

/// `spec.ipVersion`: 4 or 6.
pub(super) fn family(written: &Written<'_>, errors: &mut Vec<FieldError>) -> Option<Family> {
    const PATH: &str = "spec.ipVersion";
    let Some(value) = written.ip_version else {
        let detail = "cannot be inferred from the addresses; correct them, or write 4 or 6";
        errors.push(FieldError::required(PATH, detail));
        return None;
    };
    let family = match value {
        IntOrString::Int(number) => Family::from_number(*number),
        IntOrString::String(_) => None,
    };
    if family.is_none() {
        errors.push(FieldError::new(FieldErrorKind::NotSupported, PATH, value, "use 4 or 6"));
    }
    family
}

/// A new object of a family that the configuration turned off. Stored ones stay as they are.
pub(super) fn enabled(family: Family, context: &Context<'_>, errors: &mut Vec<FieldError>) {
    let (enabled, key) = match family {
        Family::V4 => (context.settings.enable_ipv4, "enableIPv4"),
        Family::V6 => (context.settings.enable_ipv6, "enableIPv6"),
    };
    if !enabled {
        let detail = format!("{family} is turned off; set {key}: true in the configuration to use it");
        errors.push(FieldError::forbidden("spec.ipVersion", detail));
    }
}

/// `spec.ipVersion` and `spec.subnet` never change.
pub(super) fn immutable(new: &Written<'_>, stored: &Written<'_>, errors: &mut Vec<FieldError>) {
    if let (Some(new), Some(stored)) = (new.ip_version, stored.ip_version)
        && new.to_string() != stored.to_string()
    {
        let detail = format!("is {stored} and cannot become {new}; create a new object instead");
        errors.push(FieldError::forbidden("spec.ipVersion", detail));
    }
    if let (Some(new), Some(stored)) = (new.subnet, stored.subnet)
        && new != stored
    {
        let detail = format!("is {stored} and cannot become {new}; create a new object instead");
        errors.push(FieldError::forbidden("spec.subnet", detail));
    }
}

/// Reads subnet and ranges. `create` also asks for the canonical spelling of the subnet.
pub(super) fn read(
    written: &Written<'_>,
    family: Option<Family>,
    create: bool,
    findings: &mut Findings,
) -> Addresses {
    let before = findings.errors.len();
    let subnet = subnet(written, family, create, &mut findings.errors);
    let family = family.or_else(|| subnet.map(Subnet::family));
    let ips = ranges(written.ips, "ips", family, subnet, &mut findings.errors);
    let excluded = ranges(written.excluded, "excludeIPs", family, subnet, &mut findings.errors);
    let readable = findings.errors.len() == before;
    let mut sorted: Vec<(Range, usize)> = ips.iter().map(|(index, range)| (*range, *index)).collect();
    sorted.sort_unstable();
    findings.notices.extend(repeated(&sorted));
    let offered: RangeSet = sorted.into_iter().map(|(range, _)| range).collect();
    let effective = readable.then(|| offered.subtract(&excluded.iter().map(|(_, range)| *range).collect()));
    Addresses { family, subnet, ips, excluded, offered, effective }
}

/// Reads ranges that belong to no subnet.
pub(super) fn read_ranges(
    written: &Written<'_>,
    family: Option<Family>,
    errors: &mut Vec<FieldError>,
) -> Vec<(usize, Range)> {
    ranges(written.ips, "ips", family, None, errors)
}

fn subnet(
    written: &Written<'_>,
    family: Option<Family>,
    create: bool,
    errors: &mut Vec<FieldError>,
) -> Option<Subnet> {
    const PATH: &str = "spec.subnet";
    let Some(text) = written.subnet else {
        errors.push(FieldError::required(PATH, "write the subnet of the addresses, e.g. 172.16.0.0/16"));
        return None;
    };
    let subnet: Subnet = match text.parse() {
        Ok(subnet) => subnet,
        Err(error) => {
            let error: crate::net::SubnetError = error;
            errors.push(FieldError::invalid(PATH, text, error.to_string()));
            return None;
        }
    };
    if let Some(family) = family.filter(|family| *family != subnet.family()) {
        let detail = format!("is {}, but spec.ipVersion is {}", subnet.family(), family.number());
        errors.push(FieldError::invalid(PATH, text, detail));
        return None;
    }
    if create && text != subnet.to_string() {
        errors.push(FieldError::invalid(PATH, text, format!("is not canonical; write {subnet}")));
    }
    Some(subnet)
}

fn ranges(
    texts: &[String],
    field: &str,
    family: Option<Family>,
    subnet: Option<Subnet>,
    errors: &mut Vec<FieldError>,
) -> Vec<(usize, Range)> {
    let mut ranges = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match range(text, family, subnet) {
            Ok(range) => ranges.push((index, range)),
            Err(detail) => errors.push(FieldError::invalid(format!("spec.{field}[{index}]"), text, detail)),
        }
    }
    ranges
}

fn range(text: &str, family: Option<Family>, subnet: Option<Subnet>) -> Result<Range, String> {
    let range: Range = text.parse().map_err(|error: crate::net::RangeError| error.to_string())?;
    if let Some(family) = family.filter(|family| *family != range.family()) {
        return Err(format!("is {}, but spec.ipVersion is {}", range.family(), family.number()));
    }
    let Some(subnet) = subnet.filter(|subnet| !subnet.covers(range)) else { return Ok(range) };
    let place = format!("subnet {subnet} ({})", subnet.range());
    Err(match subnet.range().intersect(range) {
        None => format!("lies outside {place}"),
        Some(inside) => format!("lies only in part in {place}; the part inside is {inside}"),
    })
}

/// Repeated addresses do no harm, but were hardly meant.
fn repeated(sorted: &[(Range, usize)]) -> Option<Notice> {
    sorted.windows(2).find_map(|pair| {
        let ((before, one), (range, other)) = (pair[0], pair[1]);
        let common = before.intersect(range)?;
        let message = format!("repeats {common} of spec.ips[{}]", one.min(other));
        Some(Notice::advice(format!("spec.ips[{}]", one.max(other)), message))
    })
}

/// `spec.gateway`: inside the subnet, and not handed out.
pub(super) fn gateway(written: &Written<'_>, addresses: &Addresses, errors: &mut Vec<FieldError>) {
    let Some(text) = written.gateway else { return };
    let gateway = match neighbour(text, addresses) {
        Ok(gateway) => gateway,
        Err(detail) => return errors.push(FieldError::invalid("spec.gateway", text, detail)),
    };
    let holder = |items: &[(usize, Range)]| items.iter().find(|(_, range)| range.contains(gateway)).copied();
    if let (Some((index, range)), None) = (holder(&addresses.ips), holder(&addresses.excluded)) {
        let detail = format!(
            "contains the gateway {gateway}, which no pod may have; leave it out, or add it to spec.excludeIPs"
        );
        errors.push(FieldError::invalid(format!("spec.ips[{index}]"), range, detail));
    }
}

/// `spec.routes`: each to another destination, through a neighbour.
pub(super) fn routes(written: &Written<'_>, addresses: &Addresses, errors: &mut Vec<FieldError>) {
    let mut seen: Vec<(Subnet, usize)> = Vec::new();
    for (index, route) in written.routes.iter().enumerate() {
        let path = format!("spec.routes[{index}]");
        contradiction(&path, ("to", &route.to), ("dst", &route.dst), errors);
        contradiction(&path, ("via", &route.via), ("gw", &route.gw), errors);
        if let Some(destination) = destination(route, &path, addresses, errors) {
            match seen.iter().find(|(other, _)| *other == destination) {
                Some((_, first)) => errors.push(FieldError::new(
                    FieldErrorKind::Duplicate,
                    format!("{path}.dst"),
                    destination,
                    format!("spec.routes[{first}] goes there already; keep one of them"),
                )),
                None => seen.push((destination, index)),
            }
        }
        next_hop(route, &path, addresses, errors);
    }
}

/// Host bits are allowed: the kernel masks them.
fn destination(
    route: &Route,
    path: &str,
    addresses: &Addresses,
    errors: &mut Vec<FieldError>,
) -> Option<Subnet> {
    let path = format!("{path}.dst");
    let Some(text) = &route.dst else {
        errors.push(FieldError::required(path, "write the destination, e.g. 172.16.0.0/16"));
        return None;
    };
    let detail = match text.parse::<Subnet>() {
        Err(error) => error.to_string(),
        Ok(subnet) if addresses.family.is_some_and(|family| family != subnet.family()) => {
            format!("is {}, other than spec.subnet", subnet.family())
        }
        Ok(subnet) if subnet.prefix() == 0 => "is the default route; set spec.gateway instead".to_owned(),
        Ok(subnet) => return Some(subnet),
    };
    errors.push(FieldError::invalid(path, text, detail));
    None
}

fn next_hop(route: &Route, path: &str, addresses: &Addresses, errors: &mut Vec<FieldError>) {
    let path = format!("{path}.gw");
    match &route.gw {
        None => errors.push(FieldError::required(path, "write the address of the next hop")),
        Some(text) => {
            if let Err(detail) = neighbour(text, addresses) {
                errors.push(FieldError::invalid(path, text, detail));
            }
        }
    }
}

/// A deprecated spelling that normalising left in place, because its field says something else.
fn contradiction(
    path: &str,
    (alias, value): (&str, &Option<String>),
    (field, other): (&str, &Option<String>),
    errors: &mut Vec<FieldError>,
) {
    if let (Some(value), Some(other)) = (value, other)
        && value != other
    {
        let detail = format!("contradicts {path}.{field}, which is {other}; keep only {field}");
        errors.push(FieldError::invalid(format!("{path}.{alias}"), value, detail));
    }
}

/// An address that pods of the subnet reach without a router.
fn neighbour(text: &str, addresses: &Addresses) -> Result<Address, String> {
    let address: Address = text.parse().map_err(|error: crate::net::AddressError| error.to_string())?;
    if let Some(family) = addresses.family.filter(|family| *family != address.family()) {
        return Err(format!("is {}, but spec.ipVersion is {}", address.family(), family.number()));
    }
    match addresses.subnet {
        Some(subnet) if !subnet.contains(address) => {
            Err(format!("lies outside subnet {subnet} ({})", subnet.range()))
        }
        _ => Ok(address),
    }
}
