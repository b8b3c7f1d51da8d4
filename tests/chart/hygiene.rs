//! What must never be in the chart, and that rendering it is a pure function of its values.

use crate::chart_flags::FLAG_SETS;
use crate::helm::{Helm, pick, title, titles};
use serde_json::Value;

pub(crate) fn two_renders_are_byte_equal(helm: &Helm) {
    for flags in FLAG_SETS {
        assert_eq!(helm.try_render(flags).unwrap(), helm.try_render(flags).unwrap(), "{flags:?}");
    }
}

pub(crate) fn registration_and_keys_belong_to_the_process(helm: &Helm) {
    for flags in FLAG_SETS {
        for object in helm.render(flags) {
            let kind = object["kind"].as_str().unwrap();
            assert!(!kind.ends_with("WebhookConfiguration"), "{flags:?}: {}", title(&object));
            assert!(!kind.starts_with("ValidatingAdmissionPolicy"), "{flags:?}: {}", title(&object));
            assert_ne!(kind, "Secret", "{flags:?}");
        }
        let text = helm.try_render(flags).unwrap();
        for word in ["caBundle:", "PRIVATE KEY", "BEGIN CERTIFICATE"] {
            assert!(!text.contains(word), "{flags:?}: {word}");
        }
    }
}

/// The guide's second command: nothing is restarted, because nothing but the `ConfigMap` changes.
pub(crate) fn switching_injection_on_changes_the_config_map_alone(helm: &Helm) {
    let installed = ["--set", "sriov.install=true"];
    let before = helm.render(&installed);
    let switched =
        [&installed[..], &["--set", "spiderpoolController.podResourceInject.enabled=true"]].concat();
    let after = helm.render(&switched);

    assert_eq!(titles(&before), titles(&after));
    let changed: Vec<String> = after.iter().filter(|object| !before.contains(object)).map(title).collect();
    assert_eq!(changed, ["ConfigMap/spiderpool-config"]);
    let conf = |objects: &[Value]| {
        pick(objects, "ConfigMap/spiderpool-config")["data"]["conf.yml"].as_str().unwrap().to_owned()
    };
    assert_eq!(conf(&after), conf(&before).replace("  enabled: false\n", "  enabled: true\n"));
}

pub(crate) fn helm_lint_has_no_complaint(helm: &Helm) {
    for flags in FLAG_SETS {
        let output = helm
            .run(&[&["lint", "--strict", "charts/railweave", "--kube-version", "1.33.0"], flags].concat());
        assert!(output.status.success(), "{flags:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}
