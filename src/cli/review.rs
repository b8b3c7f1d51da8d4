use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::Args;

use super::console::Console;
use super::failure::{Exit, Failure};
use super::input::{Release, read_catalog};
use crate::admission::{RequestId, Verdict, Webhook, decide};

/// Answers one `AdmissionReview` from standard input, as the server would
#[derive(Debug, Args)]
#[command(
    long_about = "Answers one `AdmissionReview` from standard input, as the server would.

The review comes in as JSON and the answer goes out as JSON, byte for byte what the server sends. Exit code 0: \
        allowed, with or without a patch; 1: denied; 2: the review cannot be read.",
    after_help = "Examples:
  railweave review --path /mutate--v1-pod --catalog manifests/guide/webhook < review.json
  railweave review --path /validate-spiderpool-spidernet-io-v2beta1-spiderippool --catalog cluster/ < review.json"
)]
pub(super) struct Review {
    /// Path of the webhook
    #[arg(long, value_name = "PATH", value_parser = webhook)]
    path: Webhook,
    /// Directory with manifests of networks, pools, namespaces, nodes and the `ConfigMap`
    #[arg(long, value_name = "DIR")]
    catalog: PathBuf,
    #[command(flatten)]
    release: Release,
}

impl Review {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self { path, catalog, release } = self;
        let mut body = Vec::new();
        let read = io::stdin().lock().read_to_end(&mut body);
        read.map_err(|source| Failure::Read { path: "-".into(), source })?;
        let catalog = read_catalog(&catalog, &release, console)?;
        let answer = decide(path, &body, &catalog, RequestId(0));
        let text = String::from_utf8_lossy(&answer.body);
        match answer.verdict {
            Verdict::Error => Err(Failure::Review(text.trim_end().to_owned())),
            Verdict::Allow | Verdict::Patch | Verdict::Deny => {
                console.line(text)?;
                Ok(Exit::findings(answer.verdict == Verdict::Deny))
            }
        }
    }
}

fn webhook(path: &str) -> Result<Webhook, String> {
    Webhook::from_path(path).ok_or_else(|| {
        let paths: Vec<String> = Webhook::all().map(Webhook::path).collect();
        format!("no webhook has this path; there are\n  {}", paths.join("\n  "))
    })
}
