//! Each file of `golden/` is a network and, in full, the definition that it becomes.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Definition, RenderError, definition};
use crate::api::settings::Settings;
use crate::api::{CniType, Kind, SpiderMultusConfigSpec};
use crate::rules::{self, Context, Operation, Peers};
use crate::yaml;

fn golden_files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/render/golden");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn documents(text: &str) -> Vec<Value> {
    yaml::documents(text).into_iter().map(|document| document.content.unwrap().value).collect()
}

fn render(network: &Value) -> Result<Definition, RenderError> {
    let metadata = serde_json::from_value(network["metadata"].clone()).unwrap();
    let spec: SpiderMultusConfigSpec = serde_json::from_value(network["spec"].clone()).unwrap();
    definition(&metadata, &spec)
}

fn network(spec: &Value) -> Value {
    json!({ "metadata": { "name": "net", "namespace": "rails" }, "spec": spec })
}

#[test]
fn every_network_becomes_the_definition_beside_it() {
    for file in golden_files() {
        let [network, mut expected] = documents(&fs::read_to_string(&file).unwrap()).try_into().unwrap();
        // In the files the configuration has line breaks; the order of its fields counts.
        if let Some(config) = expected["spec"]["config"].as_str().filter(|text| !text.is_empty()) {
            let config: Value = serde_json::from_str(config).unwrap();
            expected["spec"]["config"] = config.to_string().into();
        }
        let rendered = render(&network).unwrap().manifest();
        assert_eq!(rendered, expected, "{}:\n{rendered:#}", file.display());
    }
}

#[test]
fn the_files_cover_every_type_and_hold_nothing_that_admission_would_refuse() {
    let (settings, peers) = (Settings::default(), Peers::default());
    let context = Context { settings: &settings, peers: &peers };
    let mut types = Vec::new();
    for file in golden_files() {
        let network = documents(&fs::read_to_string(&file).unwrap()).swap_remove(0);
        let findings = rules::validate(Kind::MultusConfig, Operation::Create, &network, None, &context);
        assert_eq!(findings.errors, [], "{}", file.display());
        types.push(network["spec"]["cniType"].as_str().unwrap_or("custom").to_owned());
    }
    for kind in CniType::ALL {
        assert!(types.iter().any(|known| known == kind.name()), "{kind}");
    }
}

/// A decoder that knows 64-bit floats only would change the numbers.
#[test]
fn text_of_the_user_is_passed_on_as_it_was_written() {
    let chained = r#"{"type":"x", "big":18446744073709551617, "exact":1.10, "html":"<&>"}"#;
    let spec = json!({ "cniType": "ipoib", "ipoib": { "master": "ib0" }, "disableIPAM": true,
        "chainCNIJsonData": [chained] });
    assert_eq!(
        render(&network(&spec)).unwrap().config,
        format!(
            r#"{{"cniVersion":"0.3.1","name":"net","plugins":[{{"type":"ipoib","master":"ib0"}},{chained},{{"type":"coordinator"}}]}}"#
        )
    );
    let own = "{ \"type\": \"bridge\",\n  \"n\": 1.0 }";
    let spec = json!({ "cniType": "custom", "customCNI": own });
    assert_eq!(render(&network(&spec)).unwrap().config, own);
}

#[test]
fn what_cannot_be_rendered_is_named() {
    let two = json!(["a", "b"]);
    let table = [
        (json!({ "cniType": "sriov" }), "spec.sriov: must be there: it configures this cniType"),
        (json!({ "cniType": "ib-sriov" }), "spec.ibsriov: must be there: it configures this cniType"),
        (
            json!({ "cniType": "sriov", "sriov": { "resourceName": "" } }),
            "spec.sriov.resourceName: must name the resource under which the device plugin offers the VFs",
        ),
        (
            json!({ "cniType": "macvlan", "macvlan": { "master": [] } }),
            "spec.macvlan.master: must name a host interface",
        ),
        (
            json!({ "cniType": "ipvlan", "ipvlan": { "master": two } }),
            "spec.ipvlan.bond: must be there: master names several interfaces",
        ),
        (
            json!({ "cniType": "vlan", "vlan": { "master": two, "bond": { "name": "", "mode": 1 } } }),
            "spec.vlan.bond.name: must name the bond",
        ),
        (
            json!({ "cniType": "vlan", "vlan": { "master": two, "bond": { "name": "bond0" } } }),
            "spec.vlan.bond.mode: must be the bonding mode, 0 to 6",
        ),
        (
            json!({ "cniType": "ib-sriov", "ibsriov": { "resourceName": "a/b", "pkey": 1000 } }),
            "spec.ibsriov.pkey: must be text in hexadecimal, as \"0x03E8\"",
        ),
        (
            json!({ "cniType": "ipoib", "ipoib": {} }),
            "spec.ipoib.master: must name the IPoIB interface of the host",
        ),
        (json!({ "cniType": "ovs", "ovs": {} }), "spec.ovs.bridge: must name the bridge"),
        (json!({ "cniType": "custom", "customCNI": "[]" }), "spec.customCNI: must be a JSON object"),
        (
            json!({ "cniType": "ovs", "ovs": { "bridge": "br" }, "chainCNIJsonData": ["{}", "{"] }),
            "spec.chainCNIJsonData[1]: must be a JSON object",
        ),
    ];
    for (spec, expected) in table {
        assert_eq!(render(&network(&spec)).unwrap_err().to_string(), expected, "{spec}");
    }
    let unnamed = json!({ "metadata": { "generateName": "net-" }, "spec": {} });
    assert_eq!(
        render(&unnamed).unwrap_err().to_string(),
        "metadata.name: must be there: the definition is named by it"
    );
}
