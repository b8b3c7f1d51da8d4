//! The guide's flags work as it writes them, and what they cannot do yet is said aloud.

use crate::helm::{Helm, chart_dir, pick};
use std::fs;
use std::path::Path;

/// Flags of the guide that the notes must name, with the component that is missing.
const WITHOUT_EFFECT: [(&str, &str); 5] = [
    ("sriov.install=true", "sriov.install: creation of VFs and the SR-IOV device plugin"),
    ("SriovOperator.install=true", "SriovOperator.install: creation of VFs and the SR-IOV device plugin"),
    (
        "sriovDevicePlugin.resourceName=rdma_ib_sriov",
        "sriovDevicePlugin.resourceName=rdma_ib_sriov: the SR-IOV device plugin",
    ),
    (
        "spiderpoolAgent.prometheus.enabled=true",
        "spiderpoolAgent.prometheus.enabled: RDMA metrics of the nodes",
    ),
    (
        "spiderpoolAgent.prometheus.enabledRdmaMetric=true",
        "spiderpoolAgent.prometheus.enabledRdmaMetric: RDMA metrics of the nodes",
    ),
];

pub(crate) fn a_flag_without_its_component_is_named_in_the_notes(helm: &Helm) {
    for (flag, told) in WITHOUT_EFFECT {
        let notes = notes(helm, &["--set", flag]);
        assert!(notes.contains("WITHOUT EFFECT"), "{flag}: {notes}");
        assert!(notes.contains(&format!("  - {told}\n")), "{flag}: {notes}");
    }
    assert!(!notes(helm, &[]).contains("WITHOUT EFFECT"));
}

/// `railweave-cni` is all plugins in one file; the flag asks for what an installation has unless it is switched off.
pub(crate) fn the_plugin_for_infiniband_is_installed_with_the_others(helm: &Helm) {
    let flag = ["--set", "ibSriovCni.install=true"];
    let told = notes(helm, &flag);
    assert!(!told.contains("WITHOUT EFFECT"), "{told}");
    assert!(
        told.contains("The CNI plugins, sriov, ib-sriov, rdma and those of addresses and routes, are put into /opt/cni/bin of every node."),
        "{told}"
    );
    for off in ["spiderpoolAgent.installPlugins=false", "spiderpoolAgent.install=false"] {
        let told = notes(helm, &[&flag[..], &["--set", off]].concat());
        assert!(
            told.contains("  - ibSriovCni.install: the CNI plugin for InfiniBand VFs, as "),
            "{off}: {told}"
        );
        assert!(!told.contains("are put into"), "{off}: {told}");
    }
}

pub(crate) fn a_flag_without_its_component_changes_no_object(helm: &Helm) {
    let usual = helm.render(&[]);
    for (flag, _) in WITHOUT_EFFECT {
        assert_eq!(helm.render(&["--set", flag]), usual, "{flag}");
    }
}

pub(crate) fn the_registry_of_the_guide_stands_before_the_image(helm: &Helm) {
    let objects = helm.render(&["--set", "global.imageRegistryOverride=ghcr.m.daocloud.io"]);
    let container =
        &pick(&objects, "Deployment/spiderpool-controller")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "ghcr.m.daocloud.io/railweave:0.1.0");
}

pub(crate) fn the_notes_tell_how_to_switch_injection_on_until_it_is_on(helm: &Helm) {
    let command = "--reuse-values --set spiderpoolController.podResourceInject.enabled=true";
    assert!(notes(helm, &[]).contains(command));
    let on = notes(helm, &["--set", "spiderpoolController.podResourceInject.enabled=true"]);
    assert!(!on.contains(command), "{on}");
    assert!(on.contains("kubectl -n spiderpool edit configmap spiderpool-config"), "{on}");
}

/// Helm itself refuses a `--set` without `=`, before it reads any chart: the guide's one flag of that form needs `=true`.
pub(crate) fn helm_refuses_a_flag_without_a_value(helm: &Helm) {
    let complaint = helm.try_render(&["--set", "spiderpoolAgent.prometheus.enabled"]).unwrap_err();
    assert!(complaint.contains("has no value"), "{complaint}");
}

/// Renders the notes without a cluster: through a template that prints them as a value.
fn notes(helm: &Helm, flags: &[&str]) -> String {
    let copy = tempfile::tempdir().unwrap();
    copy_dir(&chart_dir(), copy.path());
    let probe = "kind: Notes\nmetadata:\n  name: notes\ntext: {{ include \"railweave.notes\" . | toJson }}\n";
    fs::write(copy.path().join("templates/probe.yaml"), probe).unwrap();
    let objects = helm.with_chart(copy.path()).render(flags);
    format!("{}\n", pick(&objects, "Notes/notes")["text"].as_str().unwrap())
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
