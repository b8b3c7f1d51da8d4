//! Where the plugins' log goes: standard error, or a file that does not outgrow its limits.
//!
//! `main` calls [`start`] once it knows the configuration; everything else logs with the macros of the crate `log`.
//! Nothing is opened before the first line. A log that cannot be written never fails a plugin. Each line names the
//! plugin, the command and the attachment; configurations are not logged, they may hold what others consider secret.

mod clock;
mod file;
mod settings;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::sync::Mutex;

use log::{Log, Metadata, Record};

pub use file::LogFile;
pub use settings::Settings;

use crate::spec::Call;

/// Sends the log where the configuration of this plugin says.
pub fn start(plugin: &str, call: &Call) {
    let Settings { level, file } = Settings::of(plugin, &call.config);
    let about = match call.container_id.as_str() {
        "" => format!("{plugin} {}", call.command.as_str()),
        id => format!("{plugin} {} container={id} ifname={}", call.command.as_str(), call.ifname),
    };
    let logger = Logger { about, file: file.map(Mutex::new) };
    // A second call would be refused; there is none.
    if log::set_boxed_logger(Box::new(logger)).is_ok() {
        log::set_max_level(level);
    }
}

/// One line for each record, which does nothing to the terminal that shows it, whatever others put into their messages.
fn in_one_line(text: &str) -> String {
    text.trim_end().chars().map(|symbol| if symbol.is_control() { ' ' } else { symbol }).collect()
}

struct Logger {
    about: String,
    file: Option<Mutex<LogFile>>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = in_one_line(&record.args().to_string());
        let line = format!("{} {} {}: {text}\n", clock::now(), record.level(), self.about);
        let written = self
            .file
            .as_ref()
            .is_some_and(|file| file.lock().is_ok_and(|mut file| file.append(line.as_bytes()).is_ok()));
        if !written {
            // Nobody is left to be told.
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}
