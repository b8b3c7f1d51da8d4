//! Two pools with the same addresses that admission could not know of: nothing is allocated from the younger one.

use std::time::Duration;

use kube::api::PostParams;
use serde_json::Value;
use tokio::time::sleep;

use crate::allocation::{bound_pod, create_nodes, endpoints};
use crate::installation::{Installation, Options};
use crate::objects::rails;

const OLDER: &str = "\
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: {name: older}
spec:
  subnet: 172.16.11.0/24
  ips: [172.16.11.190-172.16.11.220]
";
const YOUNGER: &str = "gpu1-net11";

fn overlap(installation: &Installation, pool: &str) -> Value {
    let status = installation.cluster.get(&["spiderippool", pool])["status"].take();
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    conditions.into_iter().find(|condition| condition["type"] == "Overlap").unwrap_or_default()
}

fn events_of(installation: &Installation, object: &str) -> Vec<Value> {
    let events = installation.cluster.get(&["events.events.k8s.io", "--all-namespaces"]);
    let events = events["items"].as_array().cloned().unwrap_or_default();
    events.into_iter().filter(|event| event["regarding"]["name"] == object).collect()
}

pub(crate) async fn of_pools_that_nobody_saw_at_once_close_the_younger_one() {
    // No replica yet, so no webhook: as when two are created at the same moment.
    let mut installation =
        Installation::start("overlaps", Options { replicas: 0, ..Options::default() }).await;
    installation.cluster.apply(OLDER);
    // Times of creation have whole seconds.
    sleep(Duration::from_millis(1100)).await;
    installation.cluster.apply(&rails(1));
    create_nodes(&installation, 1);
    installation.add_replica().await;
    installation.registered().await;
    installation.knows_rails(1).await;

    installation
        .wait_for("the condition", || async { overlap(&installation, YOUNGER)["status"] == "True" })
        .await;
    let condition = overlap(&installation, YOUNGER);
    let message = "the older pool older also has 172.16.11.190-172.16.11.200; nothing is allocated from this pool \
                   until that is changed";
    assert_eq!((&condition["reason"], &condition["message"]), (&"AddressesInUse".into(), &message.into()));
    assert_eq!(overlap(&installation, "older"), Value::Null, "the older one is used");
    installation
        .wait_for("the Event", || async {
            events_of(&installation, YOUNGER).iter().any(|event| {
                event["type"] == "Warning" && event["reason"] == "Overlap" && event["note"] == message
            })
        })
        .await;

    installation.pods("default").create(&PostParams::default(), &bound_pod("train", 0)).await.unwrap();
    let refused = format!("{YOUNGER}: it overlaps the older pool older");
    installation
        .wait_for("the pod to be told", || async {
            let told = |event: &Value| {
                event["reason"] == "NoEligiblePool"
                    && event["note"].as_str().is_some_and(|note| note.contains(&refused))
            };
            events_of(&installation, "train").iter().any(told)
        })
        .await;
    assert!(endpoints(&installation).await.is_empty(), "nothing is allocated");
    let status = installation.cluster.get(&["spiderippool", YOUNGER])["status"].take();
    assert_eq!(status["allocatedIPCount"], 0, "{status}");

    // The older pool goes: the condition says so, and the pod that waits gets its address.
    installation.cluster.kubectl_ok(&["delete", "spiderippool", "older"], "");
    installation
        .wait_for("the pod to get its address", || async { endpoints(&installation).await.len() == 1 })
        .await;
    installation
        .wait_for("the end of the overlap", || async {
            let condition = overlap(&installation, YOUNGER);
            condition["status"] == "False" && condition["reason"] == "NoOverlap"
        })
        .await;
}
