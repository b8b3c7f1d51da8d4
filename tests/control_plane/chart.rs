//! What the chart renders is what an API server takes, for every set of flags: by a server-side dry run, strict about fields.

use crate::chart_flags::FLAG_SETS;
use crate::cluster::{Cluster, Components};

/// Kinds of others that the chart can render, with the API version that it writes.
const OTHERS: [(&str, &str, &str, &str); 4] = [
    ("cert-manager.io", "v1", "Issuer", "issuers"),
    ("cert-manager.io", "v1", "Certificate", "certificates"),
    ("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
    ("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"),
];

/// A definition that takes any object of the kind: what is asked is whether group, version, kind and metadata are right.
fn definition(group: &str, version: &str, kind: &str, plural: &str) -> String {
    let singular = kind.to_lowercase();
    format!(
        "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, plural: {plural}, singular: {singular}, listKind: {kind}List}}
  versions:
  - name: {version}
    served: true
    storage: true
    schema:
      openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}
"
    )
}

pub(crate) async fn objects_pass_the_api_server_s_own_checks() {
    let cluster = Cluster::start("chart", Components::Api).await;
    cluster.kubectl_ok(&["create", "namespace", "spiderpool"], "");
    for (group, version, kind, plural) in OTHERS {
        cluster.apply(&definition(group, version, kind, plural));
    }
    cluster.kubectl_ok(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"], "");
    for flags in FLAG_SETS {
        let flags = flags.join(" ");
        let render =
            format!("helm template spiderpool charts/railweave -n spiderpool --kube-version 1.36.0 {flags}");
        let rendered = cluster.shell(&render);
        assert!(rendered.ok, "{flags}: {}", rendered.err);
        let objects = rendered.out.lines().filter(|line| line.starts_with("kind: ")).count();
        let check = "kubectl apply --server-side --dry-run=server --validate=strict -f -";
        let checked = cluster.shell(&format!("{render} | {check}"));
        assert!(checked.ok, "{flags}: {}", checked.err);
        assert_eq!(checked.err, "", "{flags}: no warning of a deprecated field either");
        assert_eq!(checked.out.lines().count(), objects, "{flags}: {}", checked.out);
    }
}
