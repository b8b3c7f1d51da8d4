//! The CNI plugins in one file: it is the plugin that it is called as.

mod command_line;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use railweave_cni::logging;
use railweave_cni::plugins::{self, Plugin};
use railweave_cni::spec::{Call, CniError, Version};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    let name = called.to_str().and_then(|called| called.rsplit('/').next()).unwrap_or_default();
    let Some(plugin) = plugins::named(name) else {
        return if variable("CNI_COMMAND").is_some() {
            let error = format!("there is no plugin {name:?} in this program; call it by one of its names");
            refuse(&CniError::new(CniError::ENVIRONMENT, error), Version::NEWEST)
        } else {
            for_a_person(&arguments.collect::<Vec<_>>())
        };
    };
    if variable("CNI_COMMAND").as_deref() == Some("VERSION") {
        return print(Version::TOLD);
    }
    // The runtime wants an answer even of a program that ends early.
    std::panic::set_hook(Box::new(|defect| {
        let error = CniError::new(CniError::DEFECT, format!("this is a defect, please report it: {defect}"));
        refuse(&error, Version::NEWEST);
    }));
    serve(plugin)
}

fn for_a_person(arguments: &[OsString]) -> ExitCode {
    match command_line::run(arguments) {
        Ok(text) => print(text.trim_end()),
        Err(reason) => {
            // Nobody is left to be told.
            let _ = writeln!(io::stderr(), "error: {reason}");
            ExitCode::from(2)
        }
    }
}

fn serve(plugin: &Plugin) -> ExitCode {
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
            answer.map_or(ExitCode::SUCCESS, |answer| print(&answer.to_json(call.version)))
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

fn refuse(error: &CniError, version: Version) -> ExitCode {
    print(&error.to_json(version));
    ExitCode::FAILURE
}

/// A runtime that does not listen has given up; nothing can be told to it.
fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
