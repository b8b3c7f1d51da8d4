use proptest::prelude::*;

use super::*;
use crate::net::Family;

fn parse(text: &str) -> Result<Ledger, String> {
    Ledger::parse("a", Some(text)).map_err(|error| error.to_string())
}

#[test]
fn records_of_other_writers_survive_a_rewrite() {
    let text = r#"{"172.16.0.10":{"pod":"ns/b","podUid":"u2"},"172.16.0.9":{"pod":"ns/a","podUid":"u1","interface":"net1","since":{"x":[1,"\""]},"node":"n1"},"fd00::1":{"pod":"","podUid":"","interface":null,"node":null}}"#;
    assert_eq!(
        parse(text).unwrap().write().unwrap().unwrap(),
        r#"{"172.16.0.9":{"pod":"ns/a","podUid":"u1","interface":"net1","node":"n1","since":{"x":[1,"\""]}},"172.16.0.10":{"pod":"ns/b","podUid":"u2"},"fd00::1":{"pod":"","podUid":""}}"#
    );
}

#[test]
fn a_record_tells_which_agent_wrote_it() {
    let text = r#"{"172.16.0.9":{"pod":"ns/a","podUid":"u1","interface":"net1","node":"n1","by":"agent"},"172.16.0.10":{"pod":"ns/b","podUid":"u2","by":["others"]}}"#;
    let ledger = parse(text).unwrap();
    let writers: Vec<Writer> = ledger.iter().map(|(_, record)| record.writer).collect();
    assert_eq!(writers, [Writer::Agent, Writer::Leader]);
    assert_eq!(ledger.write().unwrap().unwrap(), text);
}

#[test]
fn no_records_are_no_text() {
    for text in [None, Some(""), Some("null"), Some("{}")] {
        assert_eq!(Ledger::parse("a", text).unwrap().write().unwrap(), None);
    }
}

#[test]
fn a_text_that_is_no_list_of_records_is_refused_with_its_position() {
    for (text, reason) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("[]", "invalid type: sequence, expected an object of addresses and records at line 1 column 0"),
        (
            r#"{"172.16.0.300":{}}"#,
            "\"172.16.0.300\" is no IP address: octet 300 is greater than 255 at line 1 column 15",
        ),
        (r#"{"172.16.0.1":{"pod":7}}"#, "invalid type: integer `7`, expected a string at line 1 column 22"),
        (r#"{"fd00::1":{},"fd00:0::1":{}}"#, "fd00::1 has two records at line 1 column 29"),
    ] {
        assert_eq!(
            parse(text).unwrap_err(),
            format!(
                "failed to read status.allocatedIPs of pool a: {reason}; nothing is allocated from it until that is \
                 repaired with: kubectl edit spiderippool a --subresource=status"
            )
        );
    }
}

#[test]
fn records_are_found_by_pod_and_by_uid() {
    let record = |pod: &str, uid: &str| Record::new(pod.into(), uid.into(), "net1".into());
    let (one, two): (Address, Address) = ("172.16.0.1".parse().unwrap(), "172.16.0.2".parse().unwrap());
    let mut ledgers = Ledgers::default();
    ledgers.set("a", one, record("ns/p", "u1"));
    ledgers.set("b", two, record("ns/p", "u1"));
    assert_eq!((ledgers.of_pod("ns/p").len(), ledgers.of_uid("u1").len()), (2, 2));
    ledgers.set("a", one, record("ns/p", "u2"));
    assert_eq!(
        (ledgers.of_pod("ns/p").len(), ledgers.of_uid("u1").len(), ledgers.of_uid("u2").len()),
        (2, 1, 1)
    );
    assert_eq!(ledgers.release("a", one).map(|record| record.pod_uid), Some("u2".into()));
    assert_eq!(ledgers.release("a", one), None);
    assert!(ledgers.of_uid("u2").is_empty());
    // What the watch says replaces what was known.
    ledgers.insert("b", Ledger::parse("b", Some(r#"{"172.16.0.9":{"pod":"ns/q","podUid":"u3"}}"#)));
    assert!(ledgers.of_pod("ns/p").is_empty());
    assert_eq!(
        ledgers.of_uid("u3")[0].clone(),
        Held { pool: "b".into(), address: "172.16.0.9".parse().unwrap() }
    );
    ledgers.insert("b", Ledger::parse("b", Some("{")));
    assert!(ledgers.of_uid("u3").is_empty() && ledgers.get("b").unwrap().is_err());
}

#[test]
fn the_cap_is_what_one_object_holds() {
    let label = "x".repeat(63);
    let uid = "8f0f2f7e-5b57-4d39-9d1b-0f8f7a3e2a10";
    let record = Record::new(format!("{label}/{label}").into(), uid.into(), "net8".into());
    assert_eq!((record.size(Family::V4), record.size(Family::V6)), (237, 261));
    let record = record.on(&label);
    assert_eq!((record.size(Family::V4), record.size(Family::V6)), (314, 338));
    let Cap { records, bytes } = Cap::default();
    assert_eq!((records, bytes / 314, bytes / 338), (None, 4_591, 4_265));
    assert!(bytes + 128 * 1024 <= 1_572_864);
}

fn record() -> impl Strategy<Value = (Address, Record)> {
    let text = || "[a-z0-9/-]{0,20}";
    (
        any::<u8>(),
        any::<bool>(),
        text(),
        text(),
        proptest::option::of("net[1-8]"),
        proptest::option::of("n[1-9.]{0,9}"),
    )
        .prop_map(|(value, v4, pod, uid, interface, node)| {
            let family = if v4 { Family::V4 } else { Family::V6 };
            let mut json = json!({"pod": pod, "podUid": uid});
            if let Some(interface) = interface {
                json["interface"] = interface.into();
            } else {
                json["other"] = json!({"\"": [value]});
            }
            if let Some(node) = node {
                json["node"] = node.into();
            }
            (Address::new(family, value.into()).unwrap(), serde_json::from_value(json).unwrap())
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again_and_takes_no_more_bytes_than_counted(
        records in proptest::collection::vec(record(), 1..40),
        removed in proptest::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let mut ledger = Ledger::default();
        for (address, record) in &records {
            ledger.set(*address, record.clone());
        }
        for index in removed {
            ledger.remove(index.get(&records).0);
        }
        for (address, _) in &records {
            prop_assert_eq!(ledger.in_use().contains(*address), ledger.get(*address).is_some());
        }
        let text = ledger.write().unwrap();
        prop_assert_eq!(&Ledger::parse("a", text.as_deref()).unwrap(), &ledger);
        // As it stands in the stored object: a JSON string, braces and commas around it.
        let stored = serde_json::to_string(&text.unwrap_or_default()).unwrap().len();
        prop_assert!(stored <= ledger.bytes() + 4, "{stored} > {}", ledger.bytes());
    }

    #[test]
    fn no_text_panics(text in "[\\[\\]{}\":,a-z0-9. ]{0,40}") {
        let _ = parse(&text);
    }
}
