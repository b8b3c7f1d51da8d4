//! The guide's Deployment, as far as small guests without a registry can run it.

use railweave::yaml;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::pod::Pod;

const NAME: &str = "ai-training";

/// A Deployment in the cluster. Dropping it deletes it, so that a test that fails leaves none.
pub(crate) struct Deployment<'a> {
    bed: &'a Bed,
    replicas: usize,
}

impl<'a> Deployment<'a> {
    /// One pod on each node.
    pub(crate) fn on_both_nodes(bed: &'a Bed) -> Self {
        let spread = json!([{
            "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": NAME}},
        }]);
        Self::create(bed, 2, &json!({"topologySpreadConstraints": spread}))
    }

    /// One pod, on this node.
    pub(crate) fn on(bed: &'a Bed, node: &str) -> Self {
        Self::create(bed, 1, &json!({"nodeSelector": {"kubernetes.io/hostname": node}}))
    }

    fn create(bed: &'a Bed, replicas: usize, placement: &Value) -> Self {
        let mut deployment = of_the_guide();
        deployment["spec"]["replicas"] = replicas.into();
        let pod = &mut deployment["spec"]["template"]["spec"];
        let pod = pod.as_object_mut().expect("a Deployment has a template");
        pod.extend(placement.as_object().expect("fields of a pod").clone());
        bed.installation.cluster.apply(&deployment.to_string());
        Self { bed, replicas }
    }

    /// Its pods, once all are ready.
    pub(crate) fn ready(&self) -> Vec<Pod> {
        let wanted = format!("--for=jsonpath={{.status.readyReplicas}}={}", self.replicas);
        let ended = self.bed.kubectl(&["wait", &wanted, "--timeout=600s", "deployment", NAME]);
        assert!(ended.is_ok(), "{ended:?}\n{}", self.bed.kubectl(&["get", "events"]).unwrap_or_default());
        let pods = self.pods();
        assert_eq!(pods.len(), self.replicas);
        pods
    }

    /// Its pods as they are, without those that are being deleted. Those that a kubelet refused, because no device plugin had come to it since it started, stay
    /// as failed and have successors.
    pub(crate) fn pods(&self) -> Vec<Pod> {
        let listed = self.bed.installation.cluster.get(&["pods", "-l", &format!("app={NAME}")]);
        let pods = listed["items"].as_array().expect("a list").iter();
        let lives = |pod: &&Value| {
            pod["status"]["phase"] != "Failed" && pod["metadata"]["deletionTimestamp"].is_null()
        };
        pods.filter(lives).cloned().map(Pod::new).collect()
    }

    /// Asks for its deletion, and does not wait for it.
    pub(crate) fn begin_deletion(&self) {
        self.bed.kubectl(&["delete", "deployment", NAME, "--wait=false"]).expect("it is there");
    }
}

impl Drop for Deployment<'_> {
    fn drop(&mut self) {
        self.bed.kubectl(&["delete", "deployment", NAME, "--ignore-not-found"]).ok();
    }
}

/// As the guide writes it, with an image that is there, the programs of the guest in it, and what fits into the guest.
fn of_the_guide() -> Value {
    let text = include_str!("../../manifests/guide/deployment.yaml");
    let document = yaml::documents(text).into_iter().next().expect("one document");
    let mut deployment = document.content.expect("it can be read").value;
    let pod = &mut deployment["spec"]["template"]["spec"];
    pod["terminationGracePeriodSeconds"] = 1.into();
    pod["automountServiceAccountToken"] = false.into();
    pod["volumes"] = json!([
        {"name": "usr", "hostPath": {"path": "/usr"}},
        {"name": "verbs", "hostPath": {"path": "/etc/libibverbs.d"}},
    ]);
    let container = &mut pod["containers"][0];
    container["image"] = "localhost/rails:1".into();
    container["imagePullPolicy"] = "Never".into();
    container["resources"]["limits"] = json!({"cpu": "100m", "memory": "64Mi"});
    // Verbs pin memory.
    container["securityContext"] = json!({"capabilities": {"add": ["IPC_LOCK"]}});
    container["volumeMounts"] = json!([
        {"name": "usr", "mountPath": "/usr", "readOnly": true},
        {"name": "verbs", "mountPath": "/etc/libibverbs.d", "readOnly": true},
    ]);
    deployment
}
