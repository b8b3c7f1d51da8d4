//! The command line: one file for each verb, which parses its arguments, calls the layers below and prints.
//!
//! A verb decides nothing itself: it calls what the server calls, so that an answer at the prompt is the
//! answer in the cluster. Read [`Cli`] first; [`Failure`] and [`Exit`] say how a run can end.

mod completions;
mod console;
mod docs;
mod failure;
mod fix;
mod inject;
mod input;
mod judge;
mod report;
mod template;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use console::Console;
pub use docs::markdown;
pub use failure::{Exit, Failure};

/// RDMA rails for pods on Kubernetes AI clusters: one annotation, all rails or none
#[derive(Debug, Parser)]
#[command(
    name = "railweave",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done; 1 errors found or pod denied; 2 unusable input or arguments.
`railweave VERB --help` has examples."
)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Inject(inject::Inject),
    Validate(validate::Validate),
    Fix(fix::Fix),
    Completions(completions::Completions),
    #[command(hide = true)]
    Docs(docs::Docs),
}

impl Cli {
    /// Runs the verb on the process's own terminal; errors are printed, not returned.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let mut console = Console::standard();
        let done = self.verb.run(&mut console).and_then(|exit| {
            console.flush()?;
            Ok(exit)
        });
        match done {
            Ok(exit) => ExitCode::from(exit.code()),
            Err(failure) if failure.is_closed_output() => ExitCode::SUCCESS,
            Err(failure) => {
                // With standard error gone there is nobody left to tell.
                let _ = report(&failure, &mut console);
                ExitCode::from(2)
            }
        }
    }
}

fn report(failure: &Failure, console: &mut Console) -> std::io::Result<()> {
    console.error(failure.message())?;
    match failure.hint() {
        Some(hint) => console.hint(hint),
        None => Ok(()),
    }
}

impl Verb {
    fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        match self {
            Self::Inject(verb) => verb.run(console),
            Self::Validate(verb) => verb.run(console),
            Self::Fix(verb) => verb.run(console),
            Self::Completions(verb) => verb.run(console),
            Self::Docs(verb) => verb.run(console),
        }
    }
}
