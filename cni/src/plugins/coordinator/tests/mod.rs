//! The pure part, against the same files that the tests on the kernel compare with.

mod configuration;
mod order;
mod steps;
mod world;

use super::tables;

#[test]
fn tables_follow_from_names() {
    assert_eq!(
        [1, 2, 8, 100].map(|number| tables::of_further(&format!("net{number}"))),
        [101, 102, 108, 200]
    );
    assert_eq!((tables::of_first(false), tables::of_first(true)), (100, 99));
    // Numbers that could be misread, and names of people's own choice, have tables far from everybody else's.
    let named = ["net101", "net0", "net01", "net", "net+1", "rail0", "rail1", "eth1"].map(tables::of_further);
    assert!(named.iter().all(|table| (0x1000_0000..0x2000_0000).contains(table)), "{named:?}");
    assert_eq!(std::collections::BTreeSet::from(named).len(), 8);
    assert_eq!(tables::of_further("rail0"), named[5], "always the same");
}
