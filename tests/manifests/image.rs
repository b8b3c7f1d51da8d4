//! The Dockerfile: what it copies is what the build needs, and what `.dockerignore` lets through.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn lines(file: &str) -> Vec<String> {
    fs::read_to_string(Path::new(ROOT).join(file)).unwrap().lines().map(str::to_owned).collect()
}

/// Files and folders that the first stage copies out of the repository.
fn copied() -> Vec<String> {
    let lines = lines("Dockerfile");
    let copies = lines.iter().filter_map(|line| line.strip_prefix("COPY "));
    copies
        .filter(|copy| !copy.starts_with("--from="))
        .flat_map(|copy| {
            let mut names: Vec<String> = copy.split(' ').map(str::to_owned).collect();
            names.pop();
            names
        })
        .collect()
}

#[test]
fn everything_it_copies_is_let_through() {
    let ignored = lines(".dockerignore");
    assert_eq!(ignored[0], "*", "nothing reaches the engine unless it is named");
    let let_through: Vec<&str> = ignored.iter().filter_map(|line| line.strip_prefix('!')).collect();
    for name in copied() {
        assert!(let_through.contains(&name.as_str()), "COPY {name}: .dockerignore has no !{name}");
    }
}

#[test]
fn what_it_copies_is_a_whole_workspace() {
    let folder = tempfile::tempdir().unwrap();
    for name in copied() {
        let place = folder.path().join(&name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        symlink(Path::new(ROOT).join(&name), place).unwrap();
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--locked", "--format-version=1"]);
    let output = cargo.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
