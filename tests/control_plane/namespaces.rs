//! A namespace opts in for all its pods, by annotation or label.

use crate::installation::{CONTROLLER, Installation, Options};
use crate::objects::{GROUP, RDMA_KEY, annotated_pod, assert_injected, bare_pod, is_plain};

pub(crate) async fn opt_in_for_their_pods() {
    let installation = Installation::start("namespaces", Options::default()).await.with_rails(2).await;
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

/// The moment between annotating a namespace and the label that the webhook's selector sees: held open here by
/// having no replica at all. The policy on the final pod refuses what was not injected.
pub(crate) async fn have_no_gap_after_opting_in() {
    let mut installation =
        Installation::start("namespaces-gap", Options::default()).await.with_rails(2).await;
    installation.create_namespace("team").await;
    for replica in &mut installation.replicas {
        assert!(replica.terminate().await.success());
    }
    installation.cluster.kubectl_ok(&["annotate", "namespace", "team", &format!("{RDMA_KEY}={GROUP}")], "");
    let mut last = String::new();
    let mut refusals = 0;
    while refusals < 20 {
        match installation.try_pod("team", &bare_pod()).await {
            // The API server itself needs a moment to see the annotation.
            Ok(_) => assert_eq!(refusals, 0, "refused once, then created plain"),
            Err(error) => {
                refusals += 1;
                last = error.to_string();
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(last.contains(CONTROLLER) && last.contains("team"), "{last}");
    assert!(is_plain(&installation.try_pod("default", &bare_pod()).await.unwrap()));
}
