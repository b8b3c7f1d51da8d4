//! Reviews and catalogs that benchmarks and the allocation gate share.

use railweave::api::settings::Settings;
use railweave::catalog::{Catalog, Identity, Objects};
use serde_json::{Value, json};

/// The guide's eight rails, group `rdma-network`, injection on.
pub(crate) fn catalog() -> Catalog {
    let mut objects = Objects::default();
    for rail in 1..=8 {
        let network = json!({
            "kind": "SpiderMultusConfig",
            "metadata": {"name": format!("gpu{rail}-sriov"), "namespace": "spiderpool",
                "annotations": {"cni.spidernet.io/rdma-resource-inject": "rdma-network"}},
            "spec": {"cniType": "sriov", "sriov": {"resourceName": format!("spidernet.io/gpu{rail}sriov"),
                "ippools": {"ipv4": [format!("gpu{rail}-net1{rail}")]}}}
        });
        assert!(objects.apply(&network).is_ok());
    }
    let mut settings = Settings::default();
    settings.inject.enabled = true;
    Catalog::compile(&objects, settings, &Identity::default())
}

/// A review of a training pod as the API server sends it: three containers, volumes, managed fields, and
/// `variables` environment variables in each container.
pub(crate) fn review(opted_in: bool, variables: usize) -> Vec<u8> {
    let env: Vec<Value> = (0..variables)
        .map(|n| json!({"name": format!("NCCL_SETTING_{n}"), "value": format!("value-{n}")}))
        .collect();
    let container = |name: &str| {
        json!({
            "name": name, "image": "registry.example/train:1", "imagePullPolicy": "IfNotPresent", "env": env,
            "command": ["torchrun", "--nproc-per-node=8", "train.py"],
            "resources": {"limits": {"cpu": "32", "memory": "256Gi"}, "requests": {"cpu": "32", "memory": "256Gi"}},
            "volumeMounts": [{"name": "data", "mountPath": "/data"},
                {"name": "kube-api-access-x2x4x", "readOnly": true, "mountPath": "/var/run/secrets/token"}],
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"
        })
    };
    let mut annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": "{\"kind\":\"Job\"}\n"});
    if opted_in {
        annotations["cni.spidernet.io/rdma-resource-inject"] = "rdma-network".into();
    }
    let pod = json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "generateName": "train-7d9f8c-", "namespace": "ml", "annotations": annotations,
            "labels": {"app": "train", "job-name": "train", "pod-template-hash": "7d9f8c"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "train-7d9f8c",
                "uid": "6b2d0c1e-0000-4000-8000-000000000001", "controller": true}],
            "managedFields": [{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app": {}}}}}]
        },
        "spec": {
            "containers": [container("train"), container("log"), container("metrics")],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            "restartPolicy": "Always", "schedulerName": "default-scheduler", "serviceAccountName": "default"
        }
    });
    let review = json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "ml", "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller",
                "groups": ["system:serviceaccounts", "system:authenticated"]},
            "object": pod, "oldObject": null, "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}
        }
    });
    review.to_string().into_bytes()
}
