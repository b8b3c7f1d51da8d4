//! Replicas come and go; pods that opted in are injected or refused, and nobody else notices.

use std::time::Duration;

use tokio::time::sleep;

use crate::installation::{Installation, Options};
use crate::load::Load;
use crate::objects::{GROUP, RDMA_KEY, annotated_pod, assert_injected, bare_pod, is_plain, opted_in_pod};

const CLIENTS: usize = 8;

pub(crate) async fn of_one_replica_when_the_other_is_killed() {
    let options = Options { replicas: 2, ..Options::default() };
    let mut installation = Installation::start("killed", options).await.with_rails(8).await;
    let load = Load::start(&installation.pods("default"), &opted_in_pod(), CLIENTS);
    sleep(Duration::from_secs(3)).await;
    // The first one leads; it ends as a crash would.
    let mut first = installation.replicas.remove(0);
    first.kill();
    installation.service.remove(first.endpoint);
    sleep(Duration::from_secs(3)).await;
    installation.add_replica().await;
    sleep(Duration::from_secs(2)).await;
    let outcome = load.stop().await;
    eprintln!("killed: {} pods, slowest {} ms", outcome.injected, outcome.slowest.as_millis());
    // The API server does not repeat a POST whose connection broke under it: what a crash takes along is the
    // requests that this replica was answering in that moment, one for each client at the very most.
    assert!(outcome.refused.len() <= CLIENTS, "{:?}", outcome.refused);
    assert!(
        outcome.refused.iter().all(|why| why.contains("failed to call webhook")),
        "{:?}",
        outcome.refused
    );
    outcome.assert_none_plain(200);
}

pub(crate) async fn through_a_rolling_restart() {
    let options = Options { replicas: 2, ..Options::default() };
    let mut installation = Installation::start("rolling", options).await.with_rails(8).await;
    let load = Load::start(&installation.pods("default"), &opted_in_pod(), CLIENTS);
    sleep(Duration::from_secs(2)).await;
    for _ in 0..2 {
        // As the chart's Deployment does it: a new one first, then an old one is told to end.
        installation.add_replica().await;
        let mut old = installation.replicas.remove(0);
        let status = old.terminate().await;
        assert!(status.success(), "{status}");
        installation.service.remove(old.endpoint);
    }
    sleep(Duration::from_secs(2)).await;
    let outcome = load.stop().await;
    eprintln!("rolling: {} pods, slowest {} ms", outcome.injected, outcome.slowest.as_millis());
    outcome.assert_all_injected(200);
}

pub(crate) async fn of_plain_pods_without_any_replica() {
    let mut installation = Installation::start("all-down", Options::default()).await.with_rails(2).await;
    let mut replica = installation.replicas.remove(0);
    assert!(replica.terminate().await.success());
    installation.service.remove(replica.endpoint);

    let pods = installation.pods("default");
    let created = pods.create(&kube::api::PostParams::default(), &bare_pod()).await.unwrap();
    assert!(is_plain(&created));
    let refused = installation.try_pod("default", &opted_in_pod()).await.unwrap_err().to_string();
    assert!(refused.contains("failed calling webhook"), "{refused}");
    assert!(refused.contains("spiderpool.spidernet.io"), "it names the webhook: {refused}");

    installation.add_replica().await;
    assert_injected(&installation.try_pod("default", &opted_in_pod()).await.unwrap(), 2, 0);
}

/// With failure policy Ignore the webhook fails open; the policy on the final pod does not.
pub(crate) async fn lets_nothing_slip_through_when_it_fails_open() {
    let values = ["spiderpoolController.admission.failurePolicy=Ignore"];
    let options = Options { values: &values, ..Options::default() };
    let mut installation = Installation::start("fail-open", options).await.with_rails(2).await;
    for (namespace, opt_in) in [("team", true), ("plain", false)] {
        installation.create_namespace(namespace).await;
        if opt_in {
            let opt_in = format!("{RDMA_KEY}={GROUP}");
            installation.cluster.kubectl_ok(&["annotate", "namespace", namespace, &opt_in], "");
        }
    }
    installation.policies_in_force().await;
    let mut replica = installation.replicas.remove(0);
    assert!(replica.terminate().await.success());
    installation.service.remove(replica.endpoint);
    let refused = installation.try_pod("default", &opted_in_pod()).await.unwrap_err().to_string();
    assert!(refused.contains("NotInjected") && refused.contains("train-"), "{refused}");
    let refused = installation.try_pod("team", &bare_pod()).await.unwrap_err().to_string();
    assert!(refused.contains("NotInjected") && refused.contains("team/train-"), "{refused}");
    let opted_out = annotated_pod(&[(RDMA_KEY, "none")]);
    for (namespace, pod) in [("default", bare_pod()), ("plain", bare_pod()), ("team", opted_out)] {
        assert!(is_plain(&installation.try_pod(namespace, &pod).await.unwrap()), "{namespace}");
    }
}

pub(crate) async fn after_the_api_server_restarts() {
    let options = Options { replicas: 2, ..Options::default() };
    let installation = Installation::start("api-restart", options).await.with_rails(2).await;
    installation.cluster.restart_api_server(Duration::from_secs(3));
    // Serving never depended on it, so the first pod gets its rails.
    assert_injected(&installation.try_pod("default", &opted_in_pod()).await.unwrap(), 2, 0);
    // The watches come back: a third rail arrives.
    let installation = installation.with_rails(3).await;
    for replica in &installation.replicas {
        let answer = crate::service::http_get(replica.endpoint.admin, "/readyz").await;
        assert!(matches!(answer, Some((200, _))), "{answer:?}");
    }
}
