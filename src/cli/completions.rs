use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::console::Console;
use super::failure::{Exit, Failure};

/// Prints a script that completes verbs and options in a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  railweave completions bash > /etc/bash_completion.d/railweave
  source <(railweave completions zsh)")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "railweave", &mut script);
        console.print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Success)
    }
}
