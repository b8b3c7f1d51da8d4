use serde_json::json;

use super::{advice, errors, network, sriov_with};

#[test]
fn plugins_written_by_hand_are_checked() {
    let chain = |text: &str| {
        let mut object = sriov_with(json!({}));
        object["spec"]["chainCNIJsonData"] = json!([r#"{"type":"tuning"}"#, text]);
        errors(&object)
    };
    for text in ["", "1", "[]", "{", "{} x"] {
        let errors = chain(text);
        assert_eq!(errors.len(), 1, "{text}");
        let start = format!("spec.chainCNIJsonData[1]: Invalid value: {text:?}: must be a JSON object: ");
        assert!(errors[0].starts_with(&start), "{errors:?}");
    }
    for text in ["{}", r#"{"type":""}"#, r#"{"type":1}"#] {
        assert_eq!(
            chain(text),
            [format!(
                "spec.chainCNIJsonData[1]: Invalid value: {text:?}: must name its plugin, as \"type\": \"tuning\""
            )]
        );
    }
    let custom = |text: &str| errors(&network(json!({ "cniType": "custom", "customCNI": text })));
    let table = [
        (r#"{"name":"x"}"#, "must have a \"type\", or a list \"plugins\" of objects that have one"),
        (r#"{"plugins":[]}"#, "\"plugins\" must not be empty"),
        (r#"{"plugins":{}}"#, "\"plugins\" must be a list of JSON objects"),
        (r#"{"plugins":[{"type":"a"},{}]}"#, "plugins[1] must name its plugin, as \"type\": \"tuning\""),
    ];
    for (text, detail) in table {
        assert_eq!(custom(text), [format!("spec.customCNI: Invalid value: {text:?}: {detail}")]);
    }
    assert!(custom("\"macvlan\"")[0].contains("must be a JSON object"));
    let ignored = network(
        json!({ "cniType": "custom", "enableCoordinator": true, "coordinator": { "hijackCIDR": ["x"] } }),
    );
    assert_eq!(errors(&ignored), [""; 0]);
    let message = "has no effect: cniType custom uses customCNI as it is";
    assert_eq!(
        advice(&ignored),
        [format!("spec.coordinator: {message}"), format!("spec.enableCoordinator: {message}")]
    );
}
