use serde_json::json;

use super::{check, sriov_with};
use crate::api::Kind;
use crate::api::settings::Settings;
use crate::rules::{Context, Findings, Operation, Peers, validate};

#[test]
fn pools_that_are_not_there_are_advice_with_near_names() {
    let object = sriov_with(json!({ "ippools": { "ipv4": ["gpu1-net91", "rail*", "six", "x[", ""] } }));
    let found = check(Operation::Create, &object, None);
    let notices: Vec<String> = found.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "spec.sriov.ippools.ipv4[0]: there is no pool \"gpu1-net91\" yet; did you mean gpu1-net11, \
             gpu2-net12?",
            "spec.sriov.ippools.ipv4[1]: no pool matches \"rail*\" yet",
            "spec.sriov.ippools.ipv4[2]: pool six has the ipv6 subnet fd00::/64; its place is ippools.ipv6",
        ]
    );
    let fields: Vec<&str> = found.errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["spec.sriov.ippools.ipv4[3]", "spec.sriov.ippools.ipv4[4]"]);
    // Where no pools are known, for example offline, nothing can be said.
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    let object = sriov_with(json!({ "ippools": { "ipv4": ["gpu1-net91"] } }));
    assert_eq!(validate(Kind::MultusConfig, Operation::Create, &object, None, &context), Findings::default());
}
