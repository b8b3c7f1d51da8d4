use serde_json::json;

use super::{advice, annotated, errors, mend, network, sriov};

#[test]
fn members_of_groups_need_what_their_pods_need() {
    let rdma = "cni.spidernet.io/rdma-resource-inject";
    let general = "cni.spidernet.io/network-resource-inject";
    let need = |field: &str, key: &str| {
        format!("{field}: Required value: {key} makes the network a member of a group, whose pods need it")
    };
    let complete = || json!({ "cniType": "sriov", "sriov": { "resourceName": "a.io/b", "ippools": { "ipv4": ["gpu1-net11"] } } });
    assert_eq!(errors(&annotated(complete(), rdma, "rdma-network")), [""; 0]);
    assert_eq!(errors(&annotated(complete(), general, "a, b")), [""; 0]);
    assert_eq!(errors(&annotated(sriov(), rdma, "g")), [need("spec.sriov.ippools", rdma)]);
    assert_eq!(errors(&annotated(sriov(), general, "g")), [need("spec.sriov.ippools", general)]);
    let shared = json!({ "cniType": "macvlan", "macvlan": { "master": ["eth0"] } });
    assert_eq!(errors(&annotated(shared.clone(), general, "g")), [""; 0]);
    assert_eq!(errors(&annotated(shared.clone(), rdma, "g")), [need("spec.macvlan.rdmaResourceName", rdma)]);
    // A label alone counts like the annotation.
    let mut labelled = network(shared);
    labelled["metadata"]["labels"] = json!({ rdma: "g" });
    assert_eq!(errors(&labelled), [need("spec.macvlan.rdmaResourceName", rdma)]);

    for (kind, spec) in [
        ("ovs", json!({ "cniType": "ovs", "ovs": { "bridge": "br0" } })),
        ("custom", json!({ "cniType": "custom" })),
    ] {
        for key in [rdma, general] {
            assert_eq!(
                errors(&annotated(spec.clone(), key, "g")),
                [format!(
                    "metadata.annotations[{key}]: Forbidden: networks of cniType {kind} cannot be members of a \
                     group; remove the key"
                )]
            );
        }
    }
    let field = format!("metadata.annotations[{rdma}]");
    let form =
        "must be the name of a group, or several separated by commas; to leave all groups, remove the key";
    for value in ["", " ", "a,,b", "a,"] {
        assert_eq!(
            errors(&annotated(complete(), rdma, value)),
            [format!("{field}: Invalid value: {value:?}: {form}")]
        );
    }
    for value in ["none", "disabled", "a,none"] {
        let name = value.trim_start_matches("a,");
        assert_eq!(
            errors(&annotated(complete(), rdma, value)),
            [format!(
                "{field}: Invalid value: {value:?}: {name:?} is what pods write to opt out; to leave all \
                 groups, remove the key"
            )]
        );
    }
    let mut both = annotated(complete(), rdma, "new");
    both["metadata"]["labels"] = json!({ rdma: "old" });
    assert_eq!(
        advice(&both),
        [format!(
            "metadata.labels[{rdma}]: is not looked at, because the annotation of the same name says \"new\""
        )]
    );
}

#[test]
fn the_copy_of_an_annotation_goes_with_the_annotation() {
    let key = "cni.spidernet.io/rdma-resource-inject";
    let mut old = annotated(sriov(), key, "g");
    old["metadata"]["labels"] = json!({ key: "g", "mine": "1" });
    let mut new = old.clone();
    new["metadata"]["annotations"] = json!({});
    let notices = mend(&mut new, Some(&old));
    assert_eq!(new["metadata"]["labels"], json!({ "mine": "1" }));
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].field, format!("metadata.labels[{key}]"));
    // A label that says something else is the user's own.
    let mut own = old.clone();
    own["metadata"]["annotations"] = json!({});
    own["metadata"]["labels"][key] = json!("h");
    assert_eq!(mend(&mut own, Some(&old)), []);
}

#[test]
fn two_networks_of_one_group_should_not_share_a_resource() {
    let key = "cni.spidernet.io/rdma-resource-inject";
    let spec = json!({
        "cniType": "sriov",
        "sriov": { "resourceName": "spidernet.io/gpu9sriov", "ippools": { "ipv4": ["gpu1-net11"] } }
    });
    assert_eq!(
        advice(&annotated(spec.clone(), key, "f,g")),
        ["spec.sriov.resourceName: network spiderpool/gpu9-sriov of the same group uses \
          spidernet.io/gpu9sriov, too, so pods get two VFs of one rail; give each rail a resource of its own"]
    );
    assert_eq!(advice(&annotated(spec.clone(), key, "f")), [""; 0]);
    assert_eq!(advice(&annotated(spec.clone(), "cni.spidernet.io/network-resource-inject", "g")), [""; 0]);
    let mut itself = annotated(spec, key, "g");
    itself["metadata"]["name"] = json!("gpu9-sriov");
    assert_eq!(advice(&itself), [""; 0]);
}
