use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;
use serde_json::json;

use super::{LogFile, Settings, clock, in_one_line};

#[test]
fn times_are_those_of_the_calendar() {
    assert_eq!(clock::at(0, 0), "1970-01-01T00:00:00.000Z");
    assert_eq!(clock::at(951_782_399, 999), "2000-02-28T23:59:59.999Z");
    assert_eq!(clock::at(951_782_400, 0), "2000-02-29T00:00:00.000Z");
    assert_eq!(clock::at(1_795_327_480, 123), "2026-11-22T06:04:40.123Z");
    assert_eq!(clock::at(4_107_542_400, 0), "2100-03-01T00:00:00.000Z");
}

/// Plugin, configuration, what it means.
#[test]
fn each_plugin_has_its_own_keys() {
    let file = |path: &str, megabytes: u64, days: u64, count: u64| {
        let age = Duration::from_hours(days * 24);
        Some(LogFile::new(PathBuf::from(path), megabytes * 1_000_000, age, count))
    };
    for (plugin, config, level, expected) in [
        ("sriov", json!({}), LevelFilter::Info, None),
        (
            "sriov",
            json!({"logLevel": "debug", "logFile": "/tmp/a.log", "ipam": {"log_level": "error"}}),
            LevelFilter::Debug,
            file("/tmp/a.log", 100, 30, 10),
        ),
        ("ib-sriov", json!({"logLevel": "panic"}), LevelFilter::Error, None),
        ("rdma", json!({"logLevel": "loud"}), LevelFilter::Info, None),
        ("rdma", json!({"args": {"cni": {"debug": true}}}), LevelFilter::Debug, None),
        ("rdma", json!({"args": {"cni": {"debug": false}}}), LevelFilter::Info, None),
        ("sriov", json!({"args": {"cni": {"debug": true}}}), LevelFilter::Info, None),
        ("spiderpool", json!({}), LevelFilter::Info, file("/var/log/spidernet/spiderpool.log", 100, 30, 10)),
        (
            "spiderpool",
            json!({"ipam": {"log_level": "WARN", "log_file_path": "/tmp/b", "log_file_max_size": 5,
                            "log_file_max_age": 2, "log_file_max_count": 3}}),
            LevelFilter::Warn,
            file("/tmp/b", 5, 2, 3),
        ),
        // Zero and negative numbers mean "unlimited" or the default elsewhere; here always the default.
        (
            "spiderpool",
            json!({"ipam": {"log_file_max_size": 0, "log_file_max_age": -1}}),
            LevelFilter::Info,
            file("/var/log/spidernet/spiderpool.log", 100, 30, 10),
        ),
        (
            "coordinator",
            json!({}),
            LevelFilter::Info,
            file("/var/log/spidernet/coordinator.log", 100, 30, 10),
        ),
        (
            "coordinator",
            json!({"logOptions": {"logLevel": "error", "logFile": "/tmp/c", "logMaxSize": 1, "logMaxAge": 1, "logMaxCount": 1}}),
            LevelFilter::Error,
            file("/tmp/c", 1, 1, 1),
        ),
        ("ifacer", json!({"logOptions": {"logLevel": "warning"}}), LevelFilter::Warn, None),
    ] {
        let settings = Settings::of(plugin, &config);
        assert_eq!(settings.level, level, "{plugin} {config}");
        assert_eq!(format!("{:?}", settings.file), format!("{expected:?}"), "{plugin} {config}");
    }
}

#[test]
fn a_full_file_is_put_aside_and_only_so_many_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/rails.log");
    let mut log = LogFile::new(path.clone(), 20, Duration::from_hours(1), 2);
    for number in 0..5 {
        log.append(format!("line {number} of log\n").as_bytes()).unwrap();
        // Names differ by milliseconds.
        std::thread::sleep(Duration::from_millis(15));
    }
    fs::write(folder.path().join("deep/er/rails-mine.log"), "not ours").unwrap();
    let mut kept: Vec<String> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept, ["line 2 of log\n", "line 3 of log\n", "line 4 of log\n", "not ours"]);
}

#[test]
fn files_that_are_too_old_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rails.log");
    let mut log = LogFile::new(path.clone(), 10, Duration::ZERO, 10);
    for _ in 0..3 {
        log.append(b"ten bytes\n").unwrap();
        std::thread::sleep(Duration::from_millis(15));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Each of them finds the file full; none of their lines is lost.
#[test]
fn processes_that_write_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rails.log");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = path.clone();
            scope.spawn(move || {
                for number in 0..50 {
                    let mut log = LogFile::new(path.clone(), 4_000, Duration::from_hours(1), 100);
                    log.append(format!("writer {writer} line {number}\n").as_bytes()).unwrap();
                }
            });
        }
    });
    let lines: usize = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap().lines().count())
        .sum();
    assert_eq!(lines, 200);
}

#[test]
fn what_others_say_is_one_line_that_moves_no_cursor() {
    assert_eq!(in_one_line("no\nsuch\r\u{1b}[2Jpool \u{fc}\n"), "no such  [2Jpool \u{fc}");
}

#[test]
fn a_file_is_for_root_and_its_group_and_no_link_is_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let log = |path: PathBuf| LogFile::new(path, 1000, Duration::from_hours(24), 3).append(b"x\n");
    let (path, link, elsewhere) =
        (folder.path().join("a.log"), folder.path().join("b.log"), folder.path().join("shadow"));
    log(path.clone()).unwrap();
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o640);
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    log(link).unwrap_err();
    assert!(!elsewhere.exists());
}
