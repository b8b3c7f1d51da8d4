//! The control plane itself: the tests below mean nothing if it is not the Kubernetes it says it is.

use std::time::Duration;

use crate::cluster::{Cluster, Components};

pub(crate) async fn serves_its_version_also_after_a_restart() {
    let cluster = Cluster::start("control-plane", Components::All).await;
    let minor = std::env::var("KUBERNETES_MINOR").unwrap_or_else(|_| "1.36".to_owned());
    let version = cluster.client.apiserver_version().await.unwrap().git_version;
    assert!(version.starts_with(&format!("v{minor}.")), "{version}");

    cluster.restart_api_server(Duration::from_millis(500));
    assert_eq!(cluster.client.apiserver_version().await.unwrap().git_version, version);
    cluster.kubectl_ok(&["get", "serviceaccount", "default"], "");
}
