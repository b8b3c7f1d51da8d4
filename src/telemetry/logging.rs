//! Logs on stderr, as lines for people or as JSON.
//!
//! No level shows a pod's contents, environment values or secrets: what is logged of a request is its
//! webhook, namespace, name, decision and reason code. The panic hook follows the same rule: a panic's text
//! may quote what was being parsed, so only its place is logged.

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object for each line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is no list of `target=level`.
    #[error(
        "failed to read the log filter {filter:?}: write a level (info) or a list (info,railweave=debug)"
    )]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// It was set up before.
    #[error("failed to set up logging: the process has a subscriber already")]
    AlreadySet,
}

/// Sets up logging and the panic hook of the process; called once, by `main`.
pub fn init(format: Format, filter: &str) -> Result<(), LoggingError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| LoggingError::Filter { filter: filter.to_owned(), source })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let set = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    set.map_err(|_| LoggingError::AlreadySet)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(place, thread = thread.name().unwrap_or_default(), "panicked");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_with_an_example() {
        let error = init(Format::Text, "railweave=loud").unwrap_err();
        assert_eq!(
            error.to_string(),
            "failed to read the log filter \"railweave=loud\": write a level (info) or a list \
             (info,railweave=debug)"
        );
    }
}
