//! Certificates change and registrations are mended while pods keep coming.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::installation::{CONTROLLER, Installation, Options};
use crate::load::Load;
use crate::objects::opted_in_pod;

/// The CA bundles of every entry of both configurations.
fn bundles(installation: &Installation) -> Vec<Value> {
    ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"]
        .into_iter()
        .flat_map(|kind| {
            let object = installation.cluster.get(&[kind, CONTROLLER]);
            object["webhooks"].as_array().cloned().unwrap_or_default()
        })
        .map(|entry| entry["clientConfig"]["caBundle"].clone())
        .collect()
}

pub(crate) async fn rotate_under_load() {
    let options = Options {
        replicas: 2,
        flags: &["--leaf-lifetime", "15s", "--authority-lifetime", "40s", "--authority-settle", "2s"],
        ..Options::default()
    };
    let installation = Installation::start("rotation", options).await.with_rails(2).await;
    let load = Load::start(&installation.pods("default"), &opted_in_pod(), 8);
    let first = bundles(&installation);
    sleep(Duration::from_secs(50)).await;
    let later = bundles(&installation);
    let outcome = load.stop().await;
    eprintln!("rotation: {} pods, slowest {} ms", outcome.injected, outcome.slowest.as_millis());
    assert_ne!(first, later, "the CA was to be replaced within 40 s");
    outcome.assert_all_injected(500);
}

pub(crate) async fn of_the_registration_are_repaired() {
    let installation = Installation::start("tampering", Options::default()).await.with_rails(2).await;
    let good = bundles(&installation);
    for kind in ["mutatingwebhookconfiguration", "validatingwebhookconfiguration"] {
        let patch = r#"[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]"#;
        installation.cluster.kubectl_ok(&["patch", kind, CONTROLLER, "--type=json", "-p", patch], "");
        let took = installation.wait_for("the repair", || async { bundles(&installation) == good }).await;
        eprintln!("tampering: {kind} repaired after {} ms", took.as_millis());

        // So is an entry that somebody removed, and the whole object.
        let patch = r#"[{"op":"remove","path":"/webhooks/0"}]"#;
        installation.cluster.kubectl_ok(&["patch", kind, CONTROLLER, "--type=json", "-p", patch], "");
        installation.wait_for("the entry", || async { bundles(&installation) == good }).await;
        installation.cluster.kubectl_ok(&["delete", kind, CONTROLLER], "");
        installation
            .wait_for("the object", || async {
                installation.cluster.kubectl(&["get", kind, CONTROLLER], "").ok
                    && bundles(&installation) == good
            })
            .await;
    }
}
