//! What the API server is told, and that the guide's way of switching injection on is all it takes.

use serde_json::Value;

use crate::cluster::Components;
use crate::installation::{CHART, CONTROLLER, Installation, NAMESPACE, Options};
use crate::load::Load;
use crate::objects::{assert_injected, opted_in_pod, rails};

fn entries(installation: &Installation, kind: &str) -> Vec<Value> {
    installation.cluster.get(&[kind, CONTROLLER])["webhooks"].as_array().cloned().unwrap_or_default()
}

fn names(entries: &[Value]) -> Vec<&str> {
    entries.iter().filter_map(|entry| entry["name"].as_str()).collect()
}

const RESOURCES: [&str; 5] =
    ["spiderippool", "spidersubnet", "spiderreservedip", "spidercoordinator", "spidermultusconfig"];

pub(crate) async fn says_what_is_sent_and_what_is_not() {
    // kube-controller-manager checks the types of policies.
    let options = Options { components: Components::All, ..Options::default() };
    let installation = Installation::start("registration", options).await;
    let mutating = entries(&installation, "mutatingwebhookconfiguration");
    let resources = RESOURCES.map(|kind| format!("{kind}.spiderpool.spidernet.io"));
    let mut expected = ["pods", "namespace-pods", "namespaces"]
        .map(|name| format!("{name}.spiderpool.spidernet.io"))
        .to_vec();
    expected.extend(resources.clone());
    assert_eq!(names(&mutating), expected);
    let validating = entries(&installation, "validatingwebhookconfiguration");
    assert_eq!(names(&validating), resources);

    for entry in mutating.iter().chain(&validating) {
        assert_eq!(entry["failurePolicy"], "Fail", "{entry}");
        assert_eq!(entry["timeoutSeconds"], 5, "{entry}");
        assert_eq!(entry["sideEffects"], "None", "{entry}");
        let url = entry["clientConfig"]["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{}/", installation.service.url())), "{url}");
    }
    for entry in &mutating[..3] {
        assert_eq!(entry["reinvocationPolicy"], "IfNeeded");
        assert!(!entry["matchConditions"].as_array().unwrap().is_empty());
        let selector = entry["namespaceSelector"]["matchExpressions"][0].clone();
        assert_eq!(selector["operator"], "NotIn");
        for out in ["kube-system", NAMESPACE] {
            assert!(selector["values"].as_array().unwrap().contains(&out.into()), "{selector}");
        }
    }
    for name in [CONTROLLER.to_owned(), format!("{CONTROLLER}-namespaces")] {
        let policy = || installation.cluster.get(&["validatingadmissionpolicy", &name]);
        installation
            .wait_for("the policy to be checked", || async {
                policy()["status"]["observedGeneration"].is_number()
            })
            .await;
        assert!(policy()["status"]["typeChecking"]["expressionWarnings"].is_null(), "{}", policy()["status"]);
    }
}

/// `helm upgrade --reuse-values --set ...enabled=true`, as the guide says, without a restart of anything, while pods are
/// created all the time.
pub(crate) async fn follows_the_guides_switch() {
    let values = ["spiderpoolController.podResourceInject.enabled=false"];
    let options = Options { values: &values, ..Options::default() };
    let installation = Installation::start("switch", options).await;
    let mutating = entries(&installation, "mutatingwebhookconfiguration");
    assert!(!names(&mutating).iter().any(|name| name.contains("pods")), "{:?}", names(&mutating));
    assert!(installation.leaves_plain("default").await);
    installation.cluster.apply(&rails(2));
    let load = Load::start(&installation.pods("default"), &opted_in_pod(), 4);

    installation.cluster.helm_ok(&[
        "upgrade",
        "--install",
        "spiderpool",
        CHART,
        "--namespace",
        NAMESPACE,
        "--create-namespace",
        "--reuse-values",
        "--set",
        "spiderpoolController.podResourceInject.enabled=true",
    ]);
    installation.knows_rails(2).await;
    installation.policies_in_force().await;
    assert_injected(&installation.try_pod("default", &opted_in_pod()).await.unwrap(), 2, 0);

    installation.cluster.helm_ok(&[
        "upgrade",
        "spiderpool",
        CHART,
        "--namespace",
        NAMESPACE,
        "--reuse-values",
        "--set",
        "spiderpoolController.podResourceInject.enabled=false",
    ]);
    installation.wait_for("injection to be off", || installation.leaves_plain("default")).await;
    installation
        .wait_for("the policy to be removed", || async {
            !installation.cluster.kubectl(&["get", "validatingadmissionpolicy", CONTROLLER], "").ok
        })
        .await;
    let outcome = load.stop().await;
    assert_eq!(outcome.refused, Vec::<String>::new(), "refused while injection was switched on or off");
    assert!(
        outcome.plain > 0 && outcome.injected > 0,
        "{} plain, {} injected",
        outcome.plain,
        outcome.injected
    );
}
