//! The command line: one file for each verb, which parses its arguments, calls the layers below and prints.
//!
//! A verb decides nothing itself: it calls what the server calls, so that an answer at the prompt is the
//! answer in the cluster. Read [`Cli`] first; [`Failure`] and [`Exit`] say how a run can end.

mod agent;
mod capacity;
mod cluster;
mod completions;
mod connection;
mod console;
mod controller;
mod demo;
mod diff;
mod docs;
mod envelope;
mod explain;
mod failure;
mod fix;
mod inject;
mod input;
mod ipam;
mod judge;
mod local;
mod manifests;
mod plan;
mod pools;
mod process;
mod render;
mod report;
mod review;
mod runtime;
mod scene;
mod serve;
mod template;
mod validate;
mod variables;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::telemetry::logging;

pub use cluster::ClusterError;
pub use console::Console;
pub use demo::ClientError;
pub use docs::markdown;
pub use failure::{Exit, Failure};
pub use process::ProcessError;

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
    Serve(serve::Serve),
    Demo(demo::Demo),
    Review(review::Review),
    Inject(inject::Inject),
    Validate(validate::Validate),
    Fix(fix::Fix),
    Render(render::Render),
    Explain(explain::Explain),
    Manifests(manifests::Manifests),
    Plan(plan::Plan),
    Pools(pools::PoolsVerb),
    Capacity(capacity::CapacityVerb),
    Ipam(ipam::Ipam),
    Controller(Box<controller::ControllerArgs>),
    Agent(Box<agent::AgentArgs>),
    Completions(completions::Completions),
    #[command(hide = true)]
    Docs(docs::Docs),
}

impl Cli {
    /// Sets up logging, for verbs that log.
    pub fn start_logging(&self) -> Result<(), Failure> {
        match &self.verb {
            Verb::Serve(verb) => Ok(logging::init(verb.logging.format, verb.logging.filter())?),
            Verb::Controller(verb) => Ok(logging::init(verb.logging.format, verb.logging.filter())?),
            Verb::Agent(verb) => Ok(logging::init(verb.logging.format, verb.logging.filter())?),
            _ => Ok(()),
        }
    }

    /// Runs the verb on the process's own terminal.
    pub fn run(self) -> Result<Exit, Failure> {
        let mut console = Console::standard();
        let exit = self.verb.run(&mut console)?;
        console.flush()?;
        Ok(exit)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Failure {
    /// Prints the failure as every verb does, and gives the process's exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        // A reader that went away (`railweave inject ... | head`) is no error.
        if self.is_closed_output() {
            return ExitCode::SUCCESS;
        }
        let mut console = Console::standard();
        // With standard error gone there is nobody left to tell.
        let _ = console.error(self.message());
        if let Some(hint) = self.hint() {
            let _ = console.hint(hint);
        }
        ExitCode::from(2)
    }
}

impl Verb {
    fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        match self {
            Self::Serve(verb) => verb.run(console),
            Self::Demo(verb) => verb.run(console),
            Self::Review(verb) => verb.run(console),
            Self::Inject(verb) => verb.run(console),
            Self::Validate(verb) => verb.run(console),
            Self::Fix(verb) => verb.run(console),
            Self::Render(verb) => verb.run(console),
            Self::Explain(verb) => verb.run(console),
            Self::Manifests(verb) => verb.run(console),
            Self::Plan(verb) => verb.run(console),
            Self::Pools(verb) => verb.run(console),
            Self::Capacity(verb) => verb.run(console),
            Self::Ipam(verb) => verb.run(console),
            Self::Controller(verb) => verb.run(),
            Self::Agent(verb) => verb.run(),
            Self::Completions(verb) => verb.run(console),
            Self::Docs(verb) => verb.run(console),
        }
    }
}
