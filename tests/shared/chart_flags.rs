//! Flag sets of `helm` that together reach every template of the chart.

pub(crate) const FLAG_SETS: [&[&str]; 5] = [
    &[],
    &["-f", "charts/railweave/values-ha.yaml", "--set", "spiderpoolController.hostnetwork=true"],
    &[
        "--set",
        "spiderpoolController.tls.method=certmanager,spiderpoolController.networkPolicy.enabled=true,grafanaDashboard.install=true",
        "--set",
        "spiderpoolController.prometheus.serviceMonitor.install=true,spiderpoolController.prometheus.prometheusRule.install=true",
    ],
    &[
        "--set",
        "spiderpoolController.tls.method=provided,spiderpoolController.podResourceInject.enabled=true",
    ],
    &["--set", "spiderpoolAgent.tuneSysctlConfig=false,spiderpoolAgent.installPlugins=false"],
];
