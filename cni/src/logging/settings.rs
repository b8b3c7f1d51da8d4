use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;
use serde_json::Value;

use super::LogFile;

/// What a configuration says of the log.
#[derive(Debug)]
pub struct Settings {
    /// What is logged.
    pub level: LevelFilter,
    /// None means standard error.
    pub file: Option<LogFile>,
}

/// Where a plugin's configuration has its keys, and their names there: level, file, and its limits.
struct Keys {
    folder: Option<&'static str>,
    level: &'static str,
    file: &'static str,
    /// Megabytes, days, files.
    limits: Option<[&'static str; 3]>,
    default_file: Option<&'static str>,
}

const SPIDERPOOL: Keys = Keys {
    folder: Some("ipam"),
    level: "log_level",
    file: "log_file_path",
    limits: Some(["log_file_max_size", "log_file_max_age", "log_file_max_count"]),
    default_file: Some("/var/log/spidernet/spiderpool.log"),
};

const LOG_OPTIONS: Keys = Keys {
    folder: Some("logOptions"),
    level: "logLevel",
    file: "logFile",
    limits: Some(["logMaxSize", "logMaxAge", "logMaxCount"]),
    default_file: None,
};

const COORDINATOR: Keys = Keys { default_file: Some("/var/log/spidernet/coordinator.log"), ..LOG_OPTIONS };

const SRIOV: Keys =
    Keys { folder: None, level: "logLevel", file: "logFile", limits: None, default_file: None };

const MEGABYTES: u64 = 100;
const DAYS: u64 = 30;
const FILES: u64 = 10;

impl Settings {
    /// What the configuration of this plugin says, with the level `info` and limits of 100 MB, 30 days and 10 files where
    /// it says nothing, or nothing that makes sense.
    #[must_use]
    pub fn of(plugin: &str, config: &Value) -> Self {
        let keys = match plugin {
            "spiderpool" => &SPIDERPOOL,
            "coordinator" => &COORDINATOR,
            "ifacer" => &LOG_OPTIONS,
            _ => &SRIOV,
        };
        let folder = keys.folder.map_or(Some(config), |folder| config.get(folder));
        let text = |key: &str| folder.and_then(|folder| folder.get(key)).and_then(Value::as_str);
        let limit = |position: usize, default: u64| {
            let key = keys.limits.map(|limits| limits[position]);
            let number = key.and_then(|key| folder?.get(key)?.as_u64());
            number.filter(|number| *number > 0).unwrap_or(default)
        };
        let path = text(keys.file).filter(|path| !path.is_empty()).or(keys.default_file).map(PathBuf::from);
        let file = path.map(|path| {
            let age = Duration::from_secs(limit(1, DAYS).saturating_mul(86_400));
            LogFile::new(path, limit(0, MEGABYTES).saturating_mul(1_000_000), age, limit(2, FILES))
        });
        // A pod's own wish, which `rdma` takes from the annotation of its networks.
        let asked = plugin == "rdma" && config.pointer("/args/cni/debug") == Some(&Value::Bool(true));
        let level = if asked { LevelFilter::Debug } else { level(text(keys.level).unwrap_or_default()) };
        Self { level, file }
    }
}

/// Names of the levels as the plugins in Go have them.
fn level(text: &str) -> LevelFilter {
    match text.to_ascii_lowercase().as_str() {
        "debug" => LevelFilter::Debug,
        "warn" | "warning" => LevelFilter::Warn,
        "error" | "fatal" | "panic" => LevelFilter::Error,
        _ => LevelFilter::Info,
    }
}
