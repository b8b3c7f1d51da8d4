use serde_json::{Value, json};

use super::{advice, annotated, check, errors, network, sriov};
use crate::rules::Operation;

#[test]
fn a_new_name_of_the_definition_is_said_and_has_to_be_free() {
    let name = "metadata.annotations[multus.spidernet.io/cr-name]";
    let with = |value: &str| annotated(sriov(), "multus.spidernet.io/cr-name", value);
    let changed = |from: &str, to: &str| {
        format!(
            "{name}: the NetworkAttachmentDefinition {from} is replaced by {to}; pods that name {from} themselves do \
             not start any more"
        )
    };
    let update = |new: &Value, old: &Value| -> Vec<String> {
        let findings = check(Operation::Update, new, Some(old));
        assert_eq!(findings.errors, []);
        findings.notices.iter().map(ToString::to_string).collect()
    };
    assert_eq!(update(&with("b"), &with("a")), [changed("a", "b")]);
    assert_eq!(update(&with("a"), &network(sriov())), [changed("gpu1-sriov", "a")]);
    assert_eq!(update(&network(sriov()), &with("a")), [changed("a", "gpu1-sriov")]);
    assert_eq!(update(&with("gpu1-sriov"), &network(sriov())), [""; 0]);
    assert_eq!(update(&with("a"), &with("a")), [""; 0]);

    let form = "must be lower-case letters, digits, '-' and '.', with a letter or digit at both ends of each \
                part, at most 253 characters";
    assert_eq!(errors(&with("")), [format!("{name}: Invalid value: \"\": {form}")]);
    assert_eq!(errors(&with("A")), [format!("{name}: Invalid value: \"A\": {form}")]);
    assert_eq!(
        errors(&with("taken")),
        [format!(
            "{name}: Invalid value: \"taken\": the NetworkAttachmentDefinition spiderpool/taken belongs to \
             SpiderMultusConfig other; choose another name with the annotation multus.spidernet.io/cr-name"
        )]
    );
    let mut same_name = network(sriov());
    same_name["metadata"]["name"] = json!("taken");
    assert!(errors(&same_name)[0].starts_with("metadata.name: Invalid value: \"taken\": "));
    assert_eq!(errors(&with("free")), [""; 0]);
    assert_eq!(
        advice(&with("free")),
        [format!(
            "{name}: the NetworkAttachmentDefinition spiderpool/free exists without a SpiderMultusConfig: it is taken \
             over if it has the label app.kubernetes.io/managed-by=railweave, and left as it is otherwise"
        )]
    );
}

#[test]
fn annotations_that_shape_the_configuration_are_checked() {
    for version in ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
        assert_eq!(errors(&annotated(sriov(), "multus.spidernet.io/cni-version", version)), [""; 0]);
    }
    assert_eq!(
        errors(&annotated(sriov(), "multus.spidernet.io/cni-version", "0.2.0")),
        ["metadata.annotations[multus.spidernet.io/cni-version]: Unsupported value: \"0.2.0\": use one of \
          0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0; did you mean \"0.3.0\"?"]
    );
    assert_eq!(
        errors(&annotated(sriov(), "cni.spidernet.io/cniconfig-name", "a b")),
        ["metadata.annotations[cni.spidernet.io/cniconfig-name]: Invalid value: \"a b\": must be letters, \
          digits, '_', '.' and '-', the first one a letter or digit"]
    );
}
