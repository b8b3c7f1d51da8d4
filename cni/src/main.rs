//! The CNI plugins in one file: it is the plugin that it is called as.

#![no_main]

mod command_line;
mod entry;

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::time::Instant;

use railweave_cni::logging;
use railweave_cni::plugins::{self, Plugin};
use railweave_cni::spec::{Call, CniError, Version};

/// Exit statuses.
const DONE: u8 = 0;
const REFUSED: u8 = 1;
const MISUSED: u8 = 2;

/// The whole program. Its first word is what it was called as. VERSION comes before everything that takes time.
fn run(mut words: impl Iterator<Item = &'static OsStr>) -> u8 {
    let called = words.next().and_then(OsStr::to_str).unwrap_or_default();
    let name = called.rsplit('/').next().unwrap_or_default();
    let plugin = plugins::named(name);
    let command = entry::variable(c"CNI_COMMAND");
    if plugin.is_some() && command == Some(c"VERSION") {
        return print(Version::TOLD);
    }
    entry::prepare();
    match plugin {
        Some(plugin) => serve(plugin),
        None if command.is_some() => {
            let error = format!("there is no plugin {name:?} in this program; call it by one of its names");
            refuse(&CniError::new(CniError::ENVIRONMENT, error), Version::NEWEST)
        }
        None => for_a_person(&words.collect::<Vec<_>>()),
    }
}

fn for_a_person(arguments: &[&OsStr]) -> u8 {
    match command_line::run(arguments) {
        Ok(text) => print(&text),
        Err(reason) => {
            // Nobody is left to be told.
            let _ = writeln!(io::stderr(), "error: {reason}");
            MISUSED
        }
    }
}

fn serve(plugin: &Plugin) -> u8 {
    // The runtime wants an answer even of a program that ends early.
    std::panic::set_hook(Box::new(|defect| {
        let error = CniError::new(CniError::DEFECT, format!("this is a defect, please report it: {defect}"));
        refuse(&error, Version::NEWEST);
    }));
    let started = Instant::now();
    let call = match read_stdin().and_then(|stdin| Call::parse(variable, &stdin)) {
        Ok(call) => call,
        Err(error) => return refuse(&error, Version::NEWEST),
    };
    logging::start(plugin.name, &call);
    let done = plugins::run(plugin, &call);
    match done {
        Ok(answer) => {
            log::info!("done in {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
            answer.map_or(DONE, |answer| print(&(answer.to_json(call.version) + "\n")))
        }
        Err(error) => {
            log::error!("{error} (code {}) {}", error.code, error.details);
            refuse(&error, call.version)
        }
    }
}

fn read_stdin() -> Result<Vec<u8>, CniError> {
    let mut bytes = Vec::new();
    let mut stdin = io::stdin();
    // A person who tries it would wait for it to wait for them.
    if !stdin.is_terminal() {
        stdin.read_to_end(&mut bytes).map_err(|error| {
            CniError::new(CniError::IO, format!("failed to read the network configuration: {error}"))
        })?;
    }
    Ok(bytes)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn refuse(error: &CniError, version: Version) -> u8 {
    print(&(error.to_json(version) + "\n"));
    REFUSED
}

/// A runtime that does not listen has given up; nothing can be told to it.
fn print(text: &str) -> u8 {
    if entry::print(text).is_ok() { DONE } else { REFUSED }
}
