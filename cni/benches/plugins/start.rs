use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Spread;

const ROUNDS: usize = 500;

/// VERSION from start to exit, beside a static program in C that prints the same.
pub(crate) fn run(plugin: &Path, folder: &Path) {
    let Some(floor) = compiled(folder) else {
        let times = Spread::of((0..ROUNDS).map(|_| once(plugin)).collect());
        println!(
            "VERSION, start to exit: {times}; no C compiler (musl-gcc or cc), so there is no floor beside it"
        );
        return;
    };
    let (mut ours, mut floors) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floors.push(once(&floor));
        ours.push(once(plugin));
    }
    let (ours, floors) = (Spread::of(ours), Spread::of(floors));
    println!(
        "VERSION, start to exit, {ROUNDS} times each: ours {ours}, in C {floors}, ratio of medians {:.2}",
        ours.median().as_secs_f64() / floors.median().as_secs_f64()
    );
}

fn once(program: &Path) -> Duration {
    let mut command = Command::new(program);
    command.env_clear().env("CNI_COMMAND", "VERSION").stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().unwrap();
    let took = started.elapsed();
    assert!(status.success());
    took
}

fn compiled(folder: &Path) -> Option<PathBuf> {
    let (source, program) = (folder.join("floor.c"), folder.join("floor"));
    let printed = r#"{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}"#;
    std::fs::write(
        &source,
        format!("#include <stdio.h>\nint main(void) {{ return puts(\"{printed}\") < 0; }}\n"),
    )
    .unwrap();
    let works = |compiler: &&&str| {
        let mut command = Command::new(compiler);
        command.args(["-O2", "-static", "-s", "-o"]).arg(&program).arg(&source);
        command.output().is_ok_and(|output| output.status.success())
    };
    ["musl-gcc", "cc"].iter().find(works).map(|_| program)
}
