//! What the documents say about the command line is what the command line does.

use railweave::reason::Reason;

use crate::support::{railweave, repository};

#[test]
fn the_reference_is_up_to_date() {
    let generated = railweave(&["docs"]).out;
    assert_eq!(repository("docs/cli.md"), generated, "run: make generate");
}

#[test]
fn every_verb_has_help_with_examples() {
    let help = railweave(&["--help"]).out;
    let verbs: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() >= 9, "{help}");
    for verb in verbs {
        let run = railweave(&[verb, "--help"]);
        assert_eq!(run.code, 0, "{verb}");
        assert!(run.out.contains("Examples:\n  railweave "), "{verb}: {}", run.out);
    }
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = railweave(&["completions", shell]);
        assert!(run.code == 0 && run.out.contains("validate"), "{shell}: {run:?}");
    }
    assert_eq!(railweave(&["completions", "tcsh"]).code, 2);
}

#[test]
fn generated_manifests_are_those_of_the_repository() {
    let crds = railweave(&["manifests", "crds"]).objects();
    assert_eq!(crds.len(), 7);
    let registration = railweave(&["manifests", "registration"]).objects();
    let kinds: Vec<&str> = registration.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration"
        ]
    );
    // Five objects each for controller and agent, and the controller's rights in kube-system.
    assert_eq!(railweave(&["manifests", "rbac"]).objects().len(), 12);
}

#[test]
fn every_reason_is_explained_under_troubleshooting() {
    let text = repository("docs/troubleshooting.md");
    for reason in Reason::ALL {
        assert!(text.contains(&format!("`{}`", reason.code())), "docs/troubleshooting.md lacks {reason}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let binary = env!("CARGO_BIN_EXE_railweave");
    let script = format!("set -o pipefail; {binary} manifests crds | head -n 1");
    let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"");
}
