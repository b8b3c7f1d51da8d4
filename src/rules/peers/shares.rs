use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Peers;
use crate::net::Range;

/// How the addresses of one subnet are shared out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// `status.controlledIPPools`: `{"pool":{"ips":["a-b"]}}`; none without pools.
    pub controlled: Option<String>,
    /// Addresses of the subnet.
    pub total: u128,
    /// Those of them that pools have.
    pub allocated: u128,
    /// Names of live pools that the subnet controls.
    pub pools: Vec<String>,
    /// Names of pools that have its addresses, and that nobody controls yet.
    pub orphans: Vec<String>,
}

impl Peers {
    /// How a subnet's addresses are shared out; none if there is no such subnet or its addresses cannot be read.
    #[must_use]
    pub fn shares(&self, subnet: &str) -> Option<Shares> {
        let owner = self.indexed_subnet(subnet)?;
        let now = recorded(owner.facts.controlled.as_deref());
        let mut shares = Shares { total: owner.effective.count(), ..Shares::default() };
        let mut controlled = BTreeMap::new();
        // All of these pools have the addresses of this subnet, so that one answer serves for all.
        let controls = self.controlling_subnet(owner.subnet).is_some_and(|found| found.facts.name == subnet);
        for pool in self.pools_of(owner.subnet) {
            let name = pool.facts.name.clone();
            match pool.facts.controller.as_deref() {
                Some(owner_name) if owner_name == subnet => {
                    let held = pool.effective.intersect(&owner.effective);
                    shares.allocated += held.count();
                    controlled.insert(name.clone(), entry(held.ranges(), now.get(&name)));
                    if !pool.facts.terminating {
                        shares.pools.push(name);
                    }
                }
                None if controls && !pool.facts.terminating && owner.effective.includes(&pool.effective) => {
                    shares.orphans.push(name);
                }
                _ => {}
            }
        }
        shares.controlled = (!controlled.is_empty()).then(|| json!(controlled).to_string());
        Some(shares)
    }
}

/// What the status says now; nothing if it cannot be read.
fn recorded(text: Option<&str>) -> Map<String, Value> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The entry of one pool. What else stands in the old one, such as the application it was made for, stays.
fn entry(ranges: &[Range], old: Option<&Value>) -> Value {
    let mut entry = old.and_then(Value::as_object).cloned().unwrap_or_default();
    let texts: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    entry.insert("ips".to_owned(), json!(texts));
    Value::Object(entry)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rules::{PoolFacts, SubnetFacts};

    fn subnet(controlled: Option<&str>) -> Arc<SubnetFacts> {
        let spec = json!({ "subnet": "10.0.0.0/24", "ips": ["10.0.0.10-10.0.0.99"] });
        Arc::new(SubnetFacts {
            name: "s".into(),
            spec: serde_json::from_value(spec).unwrap(),
            controlled: controlled.map(str::to_owned),
            ..SubnetFacts::default()
        })
    }

    fn pool(name: &str, controller: Option<&str>, ips: &str) -> Arc<PoolFacts> {
        let spec = json!({ "subnet": "10.0.0.0/24", "ips": [ips] });
        Arc::new(PoolFacts {
            name: name.into(),
            controller: controller.map(str::to_owned),
            spec: serde_json::from_value(spec).unwrap(),
            ..PoolFacts::default()
        })
    }

    fn shares(controlled: Option<&str>, pools: &[Arc<PoolFacts>]) -> Shares {
        Peers::build(pools.iter(), [subnet(controlled)].iter(), [].iter()).shares("s").unwrap()
    }

    #[test]
    fn a_subnet_without_pools_has_shared_out_nothing() {
        assert_eq!(shares(None, &[]), Shares { total: 90, ..Shares::default() });
        assert_eq!(Peers::default().shares("s"), None);
    }

    #[test]
    fn controlled_pools_hold_what_they_have_of_the_subnet() {
        let pools =
            [pool("a", Some("s"), "10.0.0.10-10.0.0.19"), pool("b", Some("s"), "10.0.0.90-10.0.0.110")];
        assert_eq!(
            shares(Some(r#"{"a":{"ips":["10.0.0.1"],"application":"x"},"gone":{"ips":[]}}"#), &pools),
            Shares {
                controlled: Some(
                    r#"{"a":{"ips":["10.0.0.10-10.0.0.19"],"application":"x"},"b":{"ips":["10.0.0.90-10.0.0.99"]}}"#
                        .to_owned()
                ),
                total: 90,
                allocated: 20,
                pools: vec!["a".into(), "b".into()],
                orphans: vec![],
            }
        );
    }

    #[test]
    fn pools_without_owner_are_orphans_if_their_addresses_are_the_subnet_s() {
        let mut leaving = PoolFacts::clone(&pool("leaving", None, "10.0.0.15"));
        leaving.terminating = true;
        let pools = [
            pool("inside", None, "10.0.0.10-10.0.0.19"),
            pool("outside", None, "10.0.0.1-10.0.0.10"),
            pool("other", Some("t"), "10.0.0.20"),
            Arc::new(leaving),
        ];
        let shares = shares(None, &pools);
        assert_eq!((shares.orphans, shares.allocated), (vec!["inside".to_owned()], 0));
    }
}
