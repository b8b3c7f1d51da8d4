//! The plugins in a plugin folder, and what was there before.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Output};

use railweave_cni::plugins::PLUGINS;

const PROGRAM: &str = env!("CARGO_BIN_EXE_railweave-cni");

fn run(verb: &str, folder: &Path) -> String {
    let output = output(&[verb, "--dir", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn output(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).env_clear().output().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn expected(more: &[&str]) -> Vec<String> {
    let own = PLUGINS.iter().map(|plugin| plugin.name).chain(["railweave-cni"]);
    let mut names: Vec<String> = own.chain(more.iter().copied()).map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn one_file_stands_under_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run("install", folder.path());
    assert_eq!(names(folder.path()), expected(&[]));
    let program = fs::metadata(folder.path().join("railweave-cni")).unwrap();
    for name in names(folder.path()) {
        let path = folder.path().join(&name);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.ino(), metadata.permissions().mode() & 0o777), (program.ino(), 0o755), "{name}");
        assert!(printed.contains(&format!("{}: installed\n", path.display())), "{printed}");
    }
    assert_eq!(program.size(), fs::metadata(PROGRAM).unwrap().size());
}

#[test]
fn what_was_there_is_kept_once_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let name = PLUGINS[0].name;
    let (path, old) = (folder.path().join(name), folder.path().join(format!("{name}.old")));
    fs::write(&path, "a plugin of others").unwrap();
    fs::write(folder.path().join("tuning"), "of others, too").unwrap();
    for _ in 0..3 {
        run("install", folder.path());
        assert_eq!(fs::read(&old).unwrap(), b"a plugin of others");
        assert_eq!(names(folder.path()), expected(&[&format!("{name}.old"), "tuning"]));
    }
    run("uninstall", folder.path());
    assert_eq!(names(folder.path()), {
        let mut names = [name, "tuning"].map(str::to_owned);
        names.sort();
        names
    });
    assert_eq!(fs::read(&path).unwrap(), b"a plugin of others");
}

/// A daemon of others that installs its own plugin again: that one is the one to be kept now.
#[test]
fn what_others_put_there_later_is_kept_instead() {
    let folder = tempfile::tempdir().unwrap();
    let name = PLUGINS[0].name;
    let path = folder.path().join(name);
    fs::write(&path, "version 1").unwrap();
    run("install", folder.path());
    fs::remove_file(&path).unwrap();
    fs::write(&path, "version 2").unwrap();
    run("install", folder.path());
    assert_eq!(fs::read(folder.path().join(format!("{name}.old"))).unwrap(), b"version 2");
}

#[test]
fn an_uninstall_touches_nothing_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let name = PLUGINS[0].name;
    fs::write(folder.path().join(name), "of others").unwrap();
    fs::write(folder.path().join(format!("{name}.old")), "of others").unwrap();
    let printed = run("uninstall", folder.path());
    assert_eq!(names(folder.path()), [name.to_owned(), format!("{name}.old")]);
    assert!(printed.contains(&format!("{name}: left alone: it is not there, or not ours")), "{printed}");
    run("install", folder.path());
    run("uninstall", folder.path());
    run("uninstall", folder.path());
    assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"of others");
}

/// Another build of ours differs in every byte but the mark; a copy is ours as much as a link.
#[test]
fn another_version_of_ours_is_replaced_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(PLUGINS[0].name);
    let mut bytes = fs::read(PROGRAM).unwrap();
    bytes.extend_from_slice(b"another build");
    fs::write(&path, &bytes).unwrap();
    run("install", folder.path());
    assert_eq!(names(folder.path()), expected(&[]));
    assert_eq!(fs::metadata(&path).unwrap().size(), fs::metadata(PROGRAM).unwrap().size());
}

/// A runtime that starts a plugin meanwhile always finds a whole one.
#[test]
fn the_name_is_never_without_a_program() {
    let folder = tempfile::tempdir().unwrap();
    run("install", folder.path());
    let plugin = folder.path().join(PLUGINS[0].name);
    std::thread::scope(|scope| {
        let installs = scope.spawn(|| (0..5).for_each(|_| drop(run("install", folder.path()))));
        while !installs.is_finished() {
            let output = Command::new(&plugin).env("CNI_COMMAND", "VERSION").output().unwrap();
            assert!(output.status.success());
        }
    });
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let output = output(&["install", "--dir", "/proc/nowhere"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.starts_with("error: failed to write /proc/nowhere/.railweave-cni."), "{text}");
}

#[test]
fn a_person_is_told_what_there_is() {
    let text = |arguments: &[&str]| String::from_utf8(output(arguments).stdout).unwrap();
    assert!(text(&[]).contains("railweave-cni install --dir DIR"));
    assert_eq!(text(&[]), text(&["help"]));
    let version = text(&["version"]);
    let lines: Vec<&str> = version.lines().collect();
    assert_eq!(lines[0], format!("railweave-cni {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(lines[1], "CNI specification 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0");
    for wrong in [&["install"][..], &["install", "--dir"], &["uninstall", "x"], &["remove"]] {
        assert_eq!(output(wrong).status.code(), Some(2), "{wrong:?}");
    }
}
