//! The Deployment and what stands around it: hardening, availability, addresses.

use crate::helm::{Helm, assert_the_program_takes, pick, titles};
use serde_json::{Value, json};

const DEPLOYMENT: &str = "Deployment/spiderpool-controller";

fn pod_spec(objects: &[Value]) -> &Value {
    &pick(objects, DEPLOYMENT)["spec"]["template"]["spec"]
}

pub(crate) fn objects_are_named_by_the_release(helm: &Helm) {
    let expected = |release: &str| {
        let (controller, agent) = (format!("{release}-controller"), format!("{release}-agent"));
        vec![
            format!("ClusterRole/{agent}"),
            format!("ClusterRole/{controller}"),
            format!("ClusterRoleBinding/{agent}"),
            format!("ClusterRoleBinding/{controller}"),
            "ConfigMap/spiderpool-config".to_owned(),
            format!("DaemonSet/{agent}"),
            format!("Deployment/{controller}"),
            format!("PodDisruptionBudget/{controller}"),
            format!("Role/{agent}"),
            format!("Role/{controller}"),
            format!("Role/{controller}-cidrs"),
            format!("RoleBinding/{agent}"),
            format!("RoleBinding/{controller}"),
            format!("RoleBinding/{controller}-cidrs"),
            format!("Service/{controller}"),
            format!("ServiceAccount/{agent}"),
            format!("ServiceAccount/{controller}"),
        ]
    };
    assert_eq!(titles(&helm.render(&[])), expected("spiderpool"));
    let other = helm.render_as("rails", "networking");
    assert_eq!(titles(&other), expected("rails"));
    let subject = &pick(&other, "ClusterRoleBinding/rails-controller")["subjects"][0];
    assert_eq!(
        subject,
        &json!({"kind": "ServiceAccount", "name": "rails-controller", "namespace": "networking"})
    );
}

pub(crate) fn the_pod_runs_with_the_least_it_needs(helm: &Helm) {
    let objects = helm.render(&[]);
    let pod = pod_spec(&objects);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}));
    assert_eq!(
        pod["containers"][0]["securityContext"],
        json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
    );
    for absent in ["hostNetwork", "hostPID", "hostIPC", "volumes"] {
        assert!(pod.get(absent).is_none(), "{absent}");
    }
    assert_eq!(
        pod["containers"][0]["resources"],
        json!({"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}})
    );
}

pub(crate) fn two_replicas_survive_drains_and_roll_outs(helm: &Helm) {
    let objects = helm.render(&[]);
    let spec = &pick(&objects, DEPLOYMENT)["spec"];
    assert_eq!(spec["replicas"], 2);
    assert_eq!(
        spec["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}})
    );
    let pod = pod_spec(&objects);
    assert_eq!(pod["priorityClassName"], "system-cluster-critical");
    assert_eq!(pod["terminationGracePeriodSeconds"], 30);
    let spread = pod["topologySpreadConstraints"].as_array().unwrap();
    let keys: Vec<&Value> = spread.iter().map(|constraint| &constraint["topologyKey"]).collect();
    assert_eq!(keys, ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]);
    let budget = &pick(&objects, "PodDisruptionBudget/spiderpool-controller")["spec"];
    assert_eq!(budget["maxUnavailable"], 1);
    assert_eq!(budget["selector"], spec["selector"]);
    let anti = &pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(anti["podAffinityTerm"]["labelSelector"], spec["selector"]);
}

pub(crate) fn the_process_is_told_its_names(helm: &Helm) {
    let told = |flags: &str| pod_spec(&helm.render(&["--set", flags]))["containers"][0]["args"].clone();
    let usual = [
        "controller",
        "--name=spiderpool-controller",
        "--config-map=spiderpool-config",
        "--service-port=443",
        "--cluster-domain=cluster.local",
        "--log=info",
        "--log-format=json",
    ];
    assert_eq!(told("spiderpoolController.replicas=2"), json!(usual));
    let with = |more: &[&str]| json!([&usual[..], more].concat());
    assert_eq!(told("spiderpoolController.tls.method=provided"), with(&["--tls-dir=/etc/railweave/tls"]));
    assert_eq!(
        told("spiderpoolController.tls.method=certmanager"),
        with(&["--tls-dir=/etc/railweave/tls", "--cert-manager-inject=spiderpool/spiderpool-controller"])
    );
    assert_eq!(told("spiderpoolController.extraArgs={--drain-seconds=9}"), with(&["--drain-seconds=9"]));
}

pub(crate) fn the_program_takes_every_argument(helm: &Helm) {
    for method in ["auto", "provided", "certmanager"] {
        let method = format!("spiderpoolController.tls.method={method}");
        let metrics = "spiderpoolController.prometheus.enabledDebugMetric=true";
        let objects = helm.render(&["--set", &method, "--set", metrics]);
        assert_the_program_takes(&pod_spec(&objects)["containers"][0]);
    }
}

/// The configuration is read live: a checksum of it on the pods would restart them on every edit.
pub(crate) fn no_annotation_restarts_the_pods(helm: &Helm) {
    let objects = helm.render(&[]);
    assert!(pick(&objects, DEPLOYMENT)["spec"]["template"]["metadata"].get("annotations").is_none());
}

pub(crate) fn the_service_leads_to_the_webhook_port(helm: &Helm) {
    let objects = helm.render(&["--set", "spiderpoolController.webhookPort=9443"]);
    let service = &pick(&objects, "Service/spiderpool-controller")["spec"];
    assert_eq!(
        service["ports"][0],
        json!({"name": "webhook", "port": 443, "targetPort": "webhook", "protocol": "TCP"})
    );
    let deployment = &pick(&objects, DEPLOYMENT)["spec"];
    assert_eq!(service["selector"], deployment["selector"]["matchLabels"]);
    let port = &deployment["template"]["spec"]["containers"][0]["ports"][0];
    assert_eq!(port, &json!({"name": "webhook", "containerPort": 9443, "protocol": "TCP"}));
}

pub(crate) fn probes_ask_the_admin_port(helm: &Helm) {
    let objects = helm.render(&[]);
    let container = &pod_spec(&objects)["containers"][0];
    for (probe, path) in
        [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
    {
        assert_eq!(container[probe]["httpGet"], json!({"path": path, "port": "admin"}), "{probe}");
    }
    assert_eq!(container["ports"][1], json!({"name": "admin", "containerPort": 5720, "protocol": "TCP"}));
}

pub(crate) fn values_ha_never_put_two_replicas_on_one_node(helm: &Helm) {
    let objects = helm.render(&["-f", "charts/railweave/values-ha.yaml"]);
    let spec = &pick(&objects, DEPLOYMENT)["spec"];
    assert_eq!(spec["replicas"], 3);
    let per_node = &spec["template"]["spec"]["topologySpreadConstraints"][0];
    assert_eq!(per_node["whenUnsatisfiable"], "DoNotSchedule");
    // Without it, the surge pod of a roll-out would count the old pods and might find no node.
    assert_eq!(per_node["matchLabelKeys"], json!(["pod-template-hash"]));
}

/// Two pods cannot listen on the same port of one node, so no surge pod may be needed.
pub(crate) fn with_the_hosts_network_a_roll_out_needs_no_free_node(helm: &Helm) {
    let objects = helm.render(&["--set", "spiderpoolController.hostnetwork=true"]);
    let spec = &pick(&objects, DEPLOYMENT)["spec"];
    assert_eq!(spec["strategy"]["rollingUpdate"], json!({"maxUnavailable": 1, "maxSurge": 0}));
    assert_eq!(spec["template"]["spec"]["hostNetwork"], true);
    assert_eq!(spec["template"]["spec"]["dnsPolicy"], "ClusterFirstWithHostNet");
}

pub(crate) fn the_network_policy_opens_the_two_ports_and_nothing_else(helm: &Helm) {
    let objects = helm.render(&[
        "--set",
        "spiderpoolController.networkPolicy.enabled=true,spiderpoolController.networkPolicy.apiServerCIDRs={10.0.0.0/28}",
    ]);
    assert_eq!(
        pick(&objects, "NetworkPolicy/spiderpool-controller")["spec"],
        json!({
            "podSelector": {"matchLabels": pick(&objects, DEPLOYMENT)["spec"]["selector"]["matchLabels"]},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"ports": [{"port": "webhook", "protocol": "TCP"}], "from": [{"ipBlock": {"cidr": "10.0.0.0/28"}}]},
                {"ports": [{"port": "admin", "protocol": "TCP"}]},
            ],
        })
    );
}

pub(crate) fn a_certificate_from_outside_is_mounted_and_the_chart_holds_no_key(helm: &Helm) {
    let objects = helm.render(&[
        "--set",
        "spiderpoolController.tls.method=provided,spiderpoolController.tls.secretName=mine",
    ]);
    let pod = pod_spec(&objects);
    assert_eq!(
        pod["volumes"],
        json!([{"name": "certificate", "secret": {"secretName": "mine", "defaultMode": 288}}])
    );
    assert_eq!(
        pod["containers"][0]["volumeMounts"],
        json!([{"name": "certificate", "mountPath": "/etc/railweave/tls", "readOnly": true}])
    );
}

pub(crate) fn cert_manager_signs_for_the_name_the_api_server_calls(helm: &Helm) {
    let objects = helm.render(&["--set", "spiderpoolController.tls.method=certmanager"]);
    let leaf = &pick(&objects, "Certificate/spiderpool-controller")["spec"];
    assert_eq!(
        leaf["dnsNames"],
        json!(["spiderpool-controller.spiderpool.svc", "spiderpool-controller.spiderpool.svc.cluster.local"])
    );
    assert_eq!((&leaf["duration"], &leaf["renewBefore"]), (&json!("2160h"), &json!("720h")));
    assert_eq!(leaf["issuerRef"], json!({"kind": "Issuer", "name": "spiderpool-controller-ca"}));
    let mounted = &pod_spec(&objects)["volumes"][0]["secret"]["secretName"];
    assert_eq!(mounted, &leaf["secretName"]);

    let own = helm.render(&[
        "--set",
        "spiderpoolController.tls.method=certmanager,spiderpoolController.tls.certmanager.issuerName=corp",
    ]);
    assert_eq!(pick(&own, "Certificate/spiderpool-controller")["spec"]["issuerRef"]["name"], "corp");
    assert!(!titles(&own).iter().any(|title| title.starts_with("Issuer/")));
}
