//! An edit of the `ConfigMap` is in force at once: no restart, no failed request.

use std::time::Duration;

use serde_json::json;

use crate::installation::{Installation, NAMESPACE, Options};
use crate::load::Load;
use crate::objects::opted_in_pod;

fn configure(installation: &Installation, exclude: &[&str], include: &[&str]) {
    let configuration = json!({
        "podResourceInject": {"enabled": true, "namespacesExclude": exclude, "namespacesInclude": include},
    });
    installation.configure(&configuration.to_string());
}

pub(crate) async fn of_include_and_exclude_under_load() {
    let options = Options { replicas: 2, ..Options::default() };
    let installation = Installation::start("reload", options).await.with_rails(2).await;
    for namespace in ["team-a", "team-b"] {
        installation.create_namespace(namespace).await;
    }
    let load = Load::start(&installation.pods("team-a"), &opted_in_pod(), 4);
    // The other namespace's pods are injected or plain as the configuration says, but never refused.
    let other = Load::start(&installation.pods("team-b"), &opted_in_pod(), 2);

    let standard = ["kube-system", "spiderpool"];
    let mut slowest = Duration::ZERO;
    for round in 0..2 {
        let edits: [(&[&str], &[&str], bool); 4] = [
            (&["kube-system", "spiderpool", "team-b"], &[], true),
            (&standard, &[], false),
            (&standard, &["team-a"], true),
            (&standard, &["team-*"], false),
        ];
        for (exclude, include, plain) in edits {
            // The moment to lose a pod is when the policies hold it to a scope that is no longer the one.
            installation.policies_in_force().await;
            configure(&installation, exclude, include);
            let what = format!("round {round}, exclude {exclude:?}, include {include:?}");
            let took = installation
                .wait_for(&what, || async { installation.leaves_plain("team-b").await == plain })
                .await;
            slowest = slowest.max(took);
        }
    }
    eprintln!("reload: the slowest of 8 edits was in force after {} ms", slowest.as_millis());
    let outcome = load.stop().await;
    outcome.assert_all_injected(50);
    let other = other.stop().await;
    assert_eq!(other.refused, Vec::<String>::new(), "refused between two configurations");
    assert!(other.plain > 0 && other.injected > 0, "{} plain, {} injected", other.plain, other.injected);
    // One replica may be asked while the other knows already: each within a second, on a machine that has time.
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
}

pub(crate) async fn keeps_the_last_good_configuration() {
    let installation = Installation::start("reload-bad", Options::default()).await.with_rails(2).await;
    let replica = &installation.replicas[0];
    installation.configure("podResourceInject: {enabled: perhaps}");
    installation
        .wait_for("the replica to say so", || async {
            let answer = crate::service::http_get(replica.endpoint.admin, "/readyz?verbose").await;
            answer.is_some_and(|(status, body)| status == 200 && body.contains("podResourceInject.enabled"))
        })
        .await;
    assert!(!installation.leaves_plain("default").await, "the last good configuration injects");
    installation
        .wait_for("an Event that names the field", || async {
            let events = installation.cluster.get(&["events.events.k8s.io", "-n", NAMESPACE]);
            events.to_string().contains("podResourceInject.enabled")
        })
        .await;
    let config_map = ["configmap", "spiderpool-config", "-n", NAMESPACE];
    let without_key = ["--type=merge", "-p", r#"{"data": {"conf.yml": null}}"#];
    let losses = [
        ([&["patch"][..], &config_map, &without_key].concat(), "has no key conf.yml"),
        ([&["delete"][..], &config_map].concat(), "the ConfigMap was deleted"),
    ];
    for (loss, told) in losses {
        installation.cluster.kubectl_ok(&loss, "");
        installation
            .wait_for(told, || async {
                let answer = crate::service::http_get(replica.endpoint.admin, "/readyz?verbose").await;
                answer.is_some_and(|(status, body)| status == 200 && body.contains(told))
            })
            .await;
        assert!(!installation.leaves_plain("default").await, "{told}: the last good configuration injects");
    }
    let off = "--from-literal=conf.yml=podResourceInject: {enabled: false}";
    installation.cluster.kubectl_ok(&[&["create"][..], &config_map, &[off]].concat(), "");
    installation.wait_for("the next good one", || installation.leaves_plain("default")).await;
}
