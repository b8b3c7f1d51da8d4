//! Routes, rules and neighbours of a namespace as `ip` shows them, in short lines that can be compared with a file.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::lab::{Lab, Place};
use crate::namespace::ip;

/// Rules; routes by table; permanent neighbours. What the kernel has by itself is left out.
pub(crate) fn of(place: &Place) -> Value {
    place.run(|| json!({ "rules": rules(), "routes": routes(), "neighbours": neighbours() }))
}

fn listed(arguments: &str) -> Vec<Value> {
    let text = ip(arguments);
    if text.trim().is_empty() { Vec::new() } else { serde_json::from_str(&text).unwrap() }
}

fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object[key].as_str()
}

fn rules() -> Vec<String> {
    let mut lines = Vec::new();
    for family in ["-4", "-6"] {
        for rule in listed(&format!("-j {family} rule show")) {
            let table = text(&rule, "table").unwrap();
            if matches!(table, "local" | "main" | "default") {
                continue;
            }
            let (src, mark) = (text(&rule, "src").unwrap(), text(&rule, "fwmark"));
            let mark = mark.map(|mark| format!(" fwmark {mark}")).unwrap_or_default();
            let version = if src == "all" { format!("{family} ") } else { String::new() };
            let protocol = text(&rule, "protocol").unwrap_or("unspec");
            lines.push(format!(
                "{version}{}: from {src}{mark} lookup {table} proto {protocol}",
                rule["priority"]
            ));
        }
    }
    lines.sort();
    lines
}

fn routes() -> BTreeMap<String, Vec<String>> {
    let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for family in ["-4", "-6"] {
        for route in listed(&format!("-j {family} route show table all")) {
            let to = text(&route, "dst").unwrap();
            let of_kernel =
                matches!(text(&route, "type"), Some("local" | "broadcast" | "multicast" | "anycast"));
            if of_kernel
                || to.starts_with("fe80:")
                || to.starts_with("ff00:")
                || text(&route, "dev") == Some("lo")
            {
                continue;
            }
            let table = text(&route, "table").unwrap_or("main").to_owned();
            let hops = route["nexthops"].as_array().cloned().unwrap_or_else(|| vec![route.clone()]);
            let everything = if family == "-4" { "default" } else { "default6" };
            let to = if to == "default" { everything } else { to };
            for hop in hops {
                let is_of_ipv4 = family == "-4";
                tables.entry(table.clone()).or_default().push(line(to, is_of_ipv4, &route, &hop));
            }
        }
    }
    for lines in tables.values_mut() {
        lines.sort();
    }
    tables
}

/// What is as usual is left out: the metric 1024 and any scope of IPv6, and of IPv4 the scope that fits the gateway.
fn line(to: &str, is_of_ipv4: bool, route: &Value, hop: &Value) -> String {
    let mut line = to.to_owned();
    for (word, value) in
        [("via", text(hop, "gateway")), ("dev", text(hop, "dev")), ("src", text(route, "prefsrc"))]
    {
        if let Some(value) = value {
            line = format!("{line} {word} {value}");
        }
    }
    if let Some(metric) = route["metric"].as_u64().filter(|metric| is_of_ipv4 || *metric != 1024) {
        line = format!("{line} metric {metric}");
    }
    // `ip` leaves out the scope of what goes far.
    let scope = text(route, "scope").unwrap_or("global");
    if is_of_ipv4 && (scope == "link") != text(hop, "gateway").is_none() {
        line = format!("{line} scope {scope}");
    }
    if hop["flags"].as_array().is_some_and(|flags| flags.contains(&"onlink".into())) {
        line = format!("{line} onlink");
    }
    for metric in ["mtu", "advmss"] {
        let told =
            route["metrics"].as_array().into_iter().flatten().find_map(|metrics| metrics[metric].as_u64());
        line = told.map_or_else(|| line.clone(), |value| format!("{line} {metric} {value}"));
    }
    let protocol = text(route, "protocol").unwrap_or_default();
    if protocol == "84" { format!("{line} ours") } else { line }
}

fn neighbours() -> Vec<String> {
    let mut lines: Vec<String> = listed("-j neighbour show nud permanent")
        .iter()
        .map(|it| {
            let (to, dev, at) =
                (text(it, "dst").unwrap(), text(it, "dev").unwrap(), text(it, "lladdr").unwrap());
            format!("{to} dev {dev} lladdr {at}")
        })
        .filter(|line| !line.starts_with("ff02:") && !line.contains("dev lo "))
        .collect();
    lines.sort();
    lines
}

/// Compares pod and node with a file of `tests/coordinator`. `UPDATE_GENERATED=1` writes what there is, for a person to
/// judge.
#[track_caller]
pub(crate) fn is(lab: &Lab, file: &str) {
    let found = json!({ "pod": of(&lab.pod), "node": of(&lab.host) });
    let path = format!("{}/tests/coordinator/{file}.json", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, format!("{found:#}\n")).unwrap();
    }
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert!(found == expected, "{file}.json expects {expected:#}\nfound {found:#}");
}
