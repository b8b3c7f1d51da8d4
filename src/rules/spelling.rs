//! Brings the address fields of pools, subnets and reserved ranges into canonical form.
//!
//! Only what has one meaning is mended, and each change is said. The user's lists are never sorted, merged or
//! rewritten otherwise: what is stored is what stands in the user's repository.

use serde_json::{Map, Value};

use super::Notice;
use super::coordinator::rename;
use crate::net::{Address, Family, Range, RangeError, Subnet};

/// Every address field of a pool or subnet; returns the subnet when it can be read.
pub(super) fn addresses(
    spec: &mut Map<String, Value>,
    old: Option<&Value>,
    notices: &mut Vec<Notice>,
) -> Option<Subnet> {
    let subnet = subnet(spec, old, notices);
    ip_version(spec, subnet.map(Subnet::family), notices);
    ranges(spec, subnet, notices);
    routes(spec, notices);
    subnet
}

/// `spec.ipVersion`: `ipv4` and the like become numbers; absent, it is `inferred`.
pub(super) fn ip_version(spec: &mut Map<String, Value>, inferred: Option<Family>, notices: &mut Vec<Notice>) {
    match spec.get("ipVersion") {
        None | Some(Value::Null) => {
            if let Some(family) = inferred {
                spec.insert("ipVersion".to_owned(), family.number().into());
            }
        }
        Some(Value::String(text)) => {
            let Some(family) = loose_family(text) else { return };
            let number = family.number();
            let message = format!("{text:?} is a deprecated spelling, stored as the number {number}");
            notices.push(Notice::mended("spec.ipVersion", message));
            spec.insert("ipVersion".to_owned(), number.into());
        }
        Some(_) => {}
    }
}

fn loose_family(text: &str) -> Option<Family> {
    let lower = text.trim().to_ascii_lowercase();
    match lower.trim_start_matches("ip").trim_start_matches('v') {
        "4" => Some(Family::V4),
        "6" => Some(Family::V6),
        _ => None,
    }
}

/// `spec.subnet`, without host bits; returns it when it can be read.
///
/// A stored subnet never changes, not even its spelling: older versions stored some with host bits. So on
/// update another spelling of the stored subnet is turned back, and applying a manifest twice works.
fn subnet(spec: &mut Map<String, Value>, old: Option<&Value>, notices: &mut Vec<Notice>) -> Option<Subnet> {
    let text = spec.get("subnet")?.as_str()?;
    let subnet: Subnet = text.parse().ok()?;
    let canonical = match old.and_then(|old| old["spec"]["subnet"].as_str()) {
        Some(stored) if stored.parse() == Ok(subnet) => stored.to_owned(),
        Some(_) => return Some(subnet),
        None => subnet.to_string(),
    };
    if text != canonical {
        let address = text.split('/').next().and_then(|address| address.parse::<Address>().ok());
        let why = if address == Some(subnet.range().first()) {
            "is not the canonical spelling"
        } else {
            "has host bits set"
        };
        notices.push(Notice::mended("spec.subnet", format!("{text:?} {why}, stored as {canonical}")));
        spec.insert("subnet".to_owned(), canonical.into());
    }
    Some(subnet)
}

/// `spec.ips` and `spec.excludeIPs`: ranges that run backwards are turned, ends beyond the subnet clamped.
pub(super) fn ranges(spec: &mut Map<String, Value>, subnet: Option<Subnet>, notices: &mut Vec<Notice>) {
    // The last address that `ips` can mean is that of a host. An excluded range goes on to the very end,
    // or clamping it would give the broadcast address back to a pool that has it in `ips`.
    for (field, limit) in
        [("ips", subnet.map(|net| net.hosts().last())), ("excludeIPs", subnet.map(|net| net.range().last()))]
    {
        let Some(items) = spec.get_mut(field).and_then(Value::as_array_mut) else { continue };
        for (index, item) in items.iter_mut().enumerate() {
            let Value::String(text) = item else { continue };
            let read = text.parse::<Range>();
            let fine = |range: &Range| subnet.is_none_or(|subnet| subnet.covers(*range));
            if read.as_ref().is_ok_and(fine) {
                continue;
            }
            let mut say = |message| notices.push(Notice::mended(format!("spec.{field}[{index}]"), message));
            if let Err(RangeError::Reversed(range)) = read {
                say(format!("{text:?} runs backwards, stored as {range}"));
                *text = range.to_string();
            }
            let clamped = subnet.zip(limit).and_then(|(subnet, limit)| clamp(text, subnet, limit));
            if let Some((range, message)) = clamped {
                say(message);
                *text = range.to_string();
            }
        }
    }
}

/// The part of a range up to `limit`, if it starts at or below that and ends beyond the subnet.
fn clamp(text: &str, subnet: Subnet, limit: Address) -> Option<(Range, String)> {
    let (first, end) = text.split_once('-')?;
    let first: Address = first.parse().ok()?;
    let (family, value) = match end.parse::<Address>() {
        Ok(end) => (end.family(), end.value()),
        Err(_) => (Family::V4, beyond_octet(end)?),
    };
    let last = subnet.range().last();
    if family != subnet.family() || value <= last.value() || !subnet.contains(first) {
        return None;
    }
    let range = Range::new(first, limit)?;
    let dropped = match Address::new(family, limit.value() + 1) {
        Some(next) if next.to_string() != end => format!("{next}-{end}"),
        _ => end.to_owned(),
    };
    let broadcast = (limit < last).then(|| format!("{last} is the broadcast address"));
    let outside = match end.parse::<Address>() {
        Ok(_) => format!("{end} lies outside"),
        Err(_) => format!("{end} is no address"),
    };
    let reasons: Vec<String> = broadcast.into_iter().chain([outside]).collect();
    Some((
        range,
        format!(
            "{text:?} overshoots subnet {subnet}, clamped to {range}; dropped {dropped} ({})",
            reasons.join(", ")
        ),
    ))
}

/// What `a.b.c.256` to `a.b.c.999` would be if octets carried over.
fn beyond_octet(text: &str) -> Option<u128> {
    let (head, last) = text.rsplit_once('.')?;
    let last: u128 = last.parse::<u16>().ok().filter(|last| (256..1000).contains(last))?.into();
    let base: Address = format!("{head}.0").parse().ok()?;
    Some(base.value() + last)
}

/// `spec.routes`: `to` and `via` move to `dst` and `gw`, unless those say something else.
fn routes(spec: &mut Map<String, Value>, notices: &mut Vec<Notice>) {
    let routes = spec.get_mut("routes").and_then(Value::as_array_mut).into_iter().flatten();
    for (index, route) in routes.enumerate() {
        let Some(route) = route.as_object_mut() else { continue };
        let path = format!("spec.routes[{index}]");
        rename(route, &path, "to", "dst", notices);
        rename(route, &path, "via", "gw", notices);
    }
}

#[cfg(test)]
mod tests;
