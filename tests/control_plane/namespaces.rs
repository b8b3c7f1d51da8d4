//! A namespace opts in for all its pods, by annotation or label.

use crate::installation::{Installation, Options};
use crate::objects::{GROUP, RDMA_KEY, annotated_pod, assert_injected, bare_pod, is_plain};

pub(crate) async fn opt_in_for_their_pods() {
    let installation = Installation::start("namespaces", Options::default()).await.with_rails(2).await;
    installation.policies_in_force().await;
    let opt_in = format!("{RDMA_KEY}={GROUP}");
    for verb in ["annotate", "label"] {
        let name = format!("team-{verb}");
        installation.create_namespace(&name).await;
        assert!(is_plain(&installation.try_pod(&name, &bare_pod()).await.unwrap()));

        installation.cluster.kubectl_ok(&[verb, "namespace", &name, &opt_in], "");
        // From here on no pod may be plain: it has its rails or, until the opt-in has arrived everywhere, is refused.
        installation
            .wait_for("the opt-in", || async {
                match installation.try_pod(&name, &bare_pod()).await {
                    Ok(pod) => {
                        assert_injected(&pod, 2, 0);
                        true
                    }
                    Err(error) => {
                        assert!(error.to_string().contains("railweave"), "{error}");
                        false
                    }
                }
            })
            .await;
        // The pod beats the namespace.
        let out = annotated_pod(&[(RDMA_KEY, "none")]);
        assert!(is_plain(&installation.try_pod(&name, &out).await.unwrap()));

        let opt_out = format!("{RDMA_KEY}-");
        installation.cluster.kubectl_ok(&[verb, "namespace", &name, &opt_out], "");
        installation
            .wait_for("the end of the opt-in", || async {
                installation.try_pod(&name, &bare_pod()).await.is_ok_and(|pod| is_plain(&pod))
            })
            .await;
    }
}

/// The opt-in is mirrored to the label that selectors see in the very write that makes it. Without a replica that
/// write is refused, and nothing else is.
pub(crate) async fn have_no_gap_after_opting_in() {
    let mut installation =
        Installation::start("namespaces-gap", Options::default()).await.with_rails(2).await;
    let opt_in = format!("{RDMA_KEY}={GROUP}");
    for name in ["team", "late", "plain"] {
        installation.create_namespace(name).await;
    }
    let annotated =
        installation.cluster.kubectl_ok(&["annotate", "namespace", "team", &opt_in, "-o", "json"], "");
    let annotated: serde_json::Value = serde_json::from_str(&annotated.out).unwrap();
    assert_eq!(annotated["metadata"]["labels"]["railweave.io/inject"], "true");

    for replica in &mut installation.replicas {
        assert!(replica.terminate().await.success());
    }
    let refused = installation.try_pod("team", &bare_pod()).await.unwrap_err().to_string();
    assert!(refused.contains("failed calling webhook"), "{refused}");
    let refused = installation.cluster.kubectl(&["annotate", "namespace", "late", &opt_in], "");
    assert!(!refused.ok && refused.err.contains("namespaces.spiderpool.spidernet.io"), "{}", refused.err);
    for name in ["late", "plain"] {
        assert!(is_plain(&installation.try_pod(name, &bare_pod()).await.unwrap()));
    }
    installation.cluster.kubectl_ok(&["label", "namespace", "plain", "team=a"], "");
    installation.cluster.kubectl_ok(&["create", "namespace", "new"], "");
}
