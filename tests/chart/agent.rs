//! The `DaemonSet` of the agent.

use crate::helm::{Helm, assert_the_program_takes, pick, titles};
use serde_json::{Value, json};

const DAEMON_SET: &str = "DaemonSet/spiderpool-agent";

fn pod_spec(objects: &[Value]) -> &Value {
    &pick(objects, DAEMON_SET)["spec"]["template"]["spec"]
}

pub(crate) fn it_has_privileges_only_to_set_what_belongs_to_the_host(helm: &Helm) {
    let usual = helm.render(&[]);
    assert_eq!(
        pod_spec(&usual)["containers"][0]["securityContext"],
        json!({"runAsUser": 0, "readOnlyRootFilesystem": true, "privileged": true})
    );
    let untuned = helm.render(&["--set", "spiderpoolAgent.tuneSysctlConfig=false"]);
    assert_eq!(
        pod_spec(&untuned)["containers"][0]["securityContext"],
        json!({
            "runAsUser": 0, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
        })
    );
    let conf = pick(&untuned, "ConfigMap/spiderpool-config")["data"]["conf.yml"].as_str().unwrap();
    assert!(conf.contains("tuneSysctlConfig: false"), "{conf}");
    for absent in ["hostPID", "hostIPC"] {
        assert!(pod_spec(&usual).get(absent).is_none(), "{absent}");
    }
}

pub(crate) fn it_runs_on_every_node_and_is_never_slowed_down(helm: &Helm) {
    let objects = helm.render(&[]);
    let pod = pod_spec(&objects);
    assert_eq!(pod["hostNetwork"], true, "it must not wait for the pod network");
    assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
    assert_eq!(pod["priorityClassName"], "system-node-critical");
    assert_eq!(
        pod["containers"][0]["resources"],
        json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}})
    );
    let spec = &pick(&objects, DAEMON_SET)["spec"];
    assert_eq!(
        spec["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}})
    );
    let controller = &pick(&objects, "Deployment/spiderpool-controller")["spec"]["selector"];
    assert_ne!(&spec["selector"], controller, "the controller's Service must not lead here");
}

pub(crate) fn the_plugins_find_its_socket_on_the_host(helm: &Helm) {
    let objects = helm.render(&["--set", "global.ipamUNIXSocketHostPath=/run/rails/agent.sock"]);
    let pod = pod_spec(&objects);
    let args = pod["containers"][0]["args"].as_array().unwrap();
    assert!(args.contains(&json!("--socket=/run/rails/agent.sock")), "{args:?}");
    assert_eq!(pod["containers"][0]["volumeMounts"][0], json!({"name": "socket", "mountPath": "/run/rails"}));
    assert_eq!(
        pod["volumes"][0],
        json!({"name": "socket", "hostPath": {"path": "/run/rails", "type": "DirectoryOrCreate"}})
    );
}

pub(crate) fn it_finds_the_kubelet_s_folder(helm: &Helm) {
    let objects = helm.render(&["--set", "spiderpoolAgent.kubeletRootDir=/data/kubelet"]);
    let pod = pod_spec(&objects);
    let args = pod["containers"][0]["args"].as_array().unwrap();
    assert!(args.contains(&json!("--pod-resources=/data/kubelet/pod-resources/kubelet.sock")), "{args:?}");
    assert_eq!(
        pod["containers"][0]["volumeMounts"][1],
        json!({"name": "pod-resources", "mountPath": "/data/kubelet/pod-resources", "readOnly": true})
    );
    assert_eq!(
        pod["volumes"][1],
        json!({"name": "pod-resources", "hostPath": {"path": "/data/kubelet/pod-resources", "type": "DirectoryOrCreate"}})
    );
}

pub(crate) fn the_program_takes_every_argument(helm: &Helm) {
    assert_the_program_takes(&pod_spec(&helm.render(&[]))["containers"][0]);
}

pub(crate) fn its_init_container_puts_the_plugins_where_the_runtime_looks(helm: &Helm) {
    let objects = helm.render(&["--set", "global.ipamBinHostPath=/usr/libexec/cni"]);
    let pod = pod_spec(&objects);
    assert_eq!(pod["initContainers"].as_array().map(Vec::len), Some(1));
    let container = &pod["initContainers"][0];
    assert_eq!(container["image"], pod["containers"][0]["image"], "the image holds both programs");
    assert_eq!(container["command"], json!(["/railweave-cni"]));
    assert_eq!(container["args"], json!(["install", "--dir=/host/cni-bin"]));
    assert_eq!(container["volumeMounts"], json!([{"name": "cni-bin", "mountPath": "/host/cni-bin"}]));
    assert_eq!(
        pod["volumes"][2],
        json!({"name": "cni-bin", "hostPath": {"path": "/usr/libexec/cni", "type": "DirectoryOrCreate"}})
    );
    assert_eq!(
        container["securityContext"],
        json!({
            "runAsUser": 0, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"], "add": ["DAC_OVERRIDE", "FOWNER"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }),
        "it writes into one folder of the host, and no more"
    );
}

pub(crate) fn the_plugins_can_be_left_to_others(helm: &Helm) {
    let objects = helm.render(&["--set", "spiderpoolAgent.installPlugins=false"]);
    let pod = pod_spec(&objects);
    assert!(pod.get("initContainers").is_none());
    assert!(pod["volumes"].as_array().unwrap().iter().all(|volume| volume["name"] != "cni-bin"));
}

pub(crate) fn its_metrics_are_found_where_that_is_asked_for(helm: &Helm) {
    let titles_of = |values: &str| titles(&helm.render(&["--set", values]));
    let monitored = "spiderpoolAgent.prometheus.serviceMonitor.install=true";
    let objects = helm.render(&["--set", &format!("{monitored},spiderpoolAgent.prometheus.port=6711")]);
    let service = pick(&objects, "Service/spiderpool-agent");
    let daemon_set = pick(&objects, DAEMON_SET);
    assert_eq!(service["spec"]["selector"], daemon_set["spec"]["selector"]["matchLabels"]);
    assert_eq!(service["spec"]["clusterIP"], "None");
    let port = &service["spec"]["ports"][0];
    assert_eq!((&port["name"], &port["port"]), (&json!("metrics"), &json!(6711)));
    let ports = pod_spec(&objects)["containers"][0]["ports"].as_array().unwrap();
    assert!(
        ports.contains(&json!({"name": "metrics", "containerPort": 6711, "protocol": "TCP"})),
        "{ports:?}"
    );
    let monitor = &pick(&objects, "ServiceMonitor/spiderpool-agent")["spec"];
    for (name, value) in monitor["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&service["metadata"]["labels"][name], value, "{name}");
    }
    assert_eq!(monitor["endpoints"], json!([{"port": "metrics", "path": "/metrics", "interval": "30s"}]));
    assert!(
        !titles_of("global.configName=spiderpool-config").contains(&"Service/spiderpool-agent".to_owned())
    );
    let without = titles_of(&format!("{monitored},spiderpoolAgent.install=false"));
    assert!(!without.iter().any(|title| title.ends_with("-agent")), "{without:?}");
}

pub(crate) fn it_can_be_left_to_another_program(helm: &Helm) {
    let objects = helm.render(&["--set", "spiderpoolAgent.install=false"]);
    assert!(!titles(&objects).iter().any(|title| title.ends_with("-agent")));
}
