//! `railweave ipam audit` on a real API server: what it finds, what it mends, and what it leaves alone.

use std::collections::BTreeMap;
use std::process::Command;

use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::allocation::{RAILS, bound_pod, create_pods, installed, records, served};
use crate::installation::Installation;

/// Runs the verb beside the controller; exit code and findings.
fn audit(installation: &Installation, flags: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_railweave"))
        .args(["ipam", "audit", "-o", "json"])
        .args(flags)
        .env("KUBECONFIG", installation.cluster.kubeconfig())
        .output()
        .expect("cargo built it");
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// Writes records into a pool as somebody else would; a value of null takes one out.
fn write_records(installation: &Installation, pool: &str, changes: &[(&str, Value)]) {
    let stored = installation.cluster.get(&["spiderippool", pool]);
    let text = stored["status"]["allocatedIPs"].as_str().unwrap_or("{}");
    let mut records: BTreeMap<String, Value> = serde_json::from_str(text).expect("records are JSON");
    for (address, record) in changes {
        records.insert((*address).to_owned(), record.clone());
    }
    records.retain(|_, record| !record.is_null());
    let count = records.len();
    let text = serde_json::to_string(&records).expect("records can be written");
    let patch = json!({ "status": { "allocatedIPs": text, "allocatedIPCount": count } }).to_string();
    let arguments = ["patch", "spiderippool", pool, "--subresource=status", "--type=merge", "-p", &patch];
    installation.cluster.kubectl_ok(&arguments, "");
}

fn kinds(report: &Value, list: &str) -> Vec<String> {
    let findings = report[list].as_array().expect("a list").iter();
    findings
        .map(|finding| {
            format!("{} {}", finding["kind"].as_str().unwrap(), finding["address"].as_str().unwrap())
        })
        .collect()
}

/// A leak and a lost record are planted while no leader runs: both are found and mended; records of live pods stay.
pub(crate) async fn mends_what_two_reads_prove() {
    let mut installation = installed("audit", 20, 1).await;
    create_pods(&installation, 2, 1).await;
    served(&installation, 2).await;
    assert_eq!(audit(&installation, &[]).0, Some(0));
    // A leader would mend the leak by itself.
    installation.replicas.clear();
    let before = records(&installation).await;
    assert_eq!(before.len(), 2 * RAILS);
    let (lost, (uid, _)) = before.iter().find(|(_, (_, pool))| pool == "rail-2").unwrap();
    let leak =
        json!({ "pod": "default/never", "podUid": "00000000-0000", "interface": "net1", "node": "node-0" });
    write_records(&installation, "rail-1", &[("10.1.0.19", leak)]);
    write_records(&installation, "rail-2", &[(lost, Value::Null)]);

    let (code, report) = audit(&installation, &[]);
    let expected = ["leaked 10.1.0.19".to_owned(), format!("in-use-unrecorded {lost}")];
    assert_eq!((code, kinds(&report, "findings")), (Some(1), expected.to_vec()));
    assert!(records(&installation).await.contains_key("10.1.0.19"), "nothing is mended unasked");

    let (code, report) = audit(&installation, &["--fix"]);
    assert_eq!((code, kinds(&report, "fixed")), (Some(0), expected.to_vec()));
    assert_eq!(
        records(&installation).await,
        before,
        "{uid} has its address again, and the others are as they were"
    );
    assert_eq!(audit(&installation, &["--fix"]).0, Some(0));
}

/// A record is all that a new leader has of a pod that vanished from a node which does not answer: it waits.
pub(crate) async fn a_record_alone_holds_the_address_while_its_node_is_away() {
    let mut installation = installed("away", 20, 2).await;
    let pods = installation.pods("default");
    for node in 0..2 {
        let pod = bound_pod(&format!("train-{node}"), node);
        pods.create(&PostParams::default(), &pod).await.unwrap();
    }
    served(&installation, 2).await;
    installation.replicas.clear();
    let away = json!({ "status": { "conditions": [{ "type": "Ready", "status": "Unknown" }] } }).to_string();
    let node = ["patch", "node", "node-1", "--subresource=status", "--type=merge", "-p", &away];
    installation.cluster.kubectl_ok(&node, "");
    for node in 0..2 {
        let now = DeleteParams::default().grace_period(0);
        pods.delete(&format!("train-{node}"), &now).await.unwrap();
    }
    installation.cluster.kubectl_ok(&["delete", "spiderendpoints", "--all", "-n", "default"], "");
    installation.add_replica().await;
    installation
        .wait_for("the release of the pod whose node answers", || async {
            records(&installation).await.len() == RAILS
        })
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(records(&installation).await.len(), RAILS);
    let (code, report) = audit(&installation, &["--fix"]);
    assert_eq!(code, Some(1));
    assert!(kinds(&report, "findings").iter().all(|finding| finding.starts_with("quarantined ")));
    // Without the node nothing can run there.
    installation.cluster.kubectl_ok(&["delete", "node", "node-1"], "");
    crate::allocation::released(&installation).await;
}
