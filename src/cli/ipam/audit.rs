use clap::Args;
use serde_json::json;

use super::mend::{Mended, mend};
use crate::cli::console::{Console, Ink};
use crate::cli::failure::{Exit, Failure};
use crate::cli::input::Format;
use crate::cli::runtime::runtime;
use crate::cli::scene::Place;
use crate::ipam::audit::{Finding, FindingKind, audit};

/// Compares records, endpoints, pods and nodes, and lists what does not agree
#[derive(Debug, Args)]
#[command(
    long_about = "Compares the records of the pools with endpoints, pods and nodes, and lists what does not agree:

  leaked             a record of a pod that is gone or has ended
  in-use-unrecorded  a pod has an address that no pool records, by its endpoint or by what Multus reports
  duplicate          one address recorded in two pools, or of two pods
  quarantined        a record of a pod that is gone, while its node does not answer; the pod may run on there
  wrong-node         record, pool and pod do not agree on the node
  unreadable         records that cannot be read; nothing is allocated from their pool

Reads the cluster with your kubeconfig, or files (-f). A pod that was deleted a moment ago is listed as leaked until \
        the leader has released its addresses.

--fix reads the cluster twice, two seconds apart, and mends what both reads prove: records of pods that are gone are \
        released, addresses in use are recorded for the one pod that has them, wrong nodes in records are corrected. \
        Each pool is written once, and only if nobody else has written it since it was read. It asks nothing.

Exit code 0: everything agrees, or was mended; 1: there are findings left.",
    after_help = "Examples:
  railweave ipam audit
  railweave ipam audit --fix
  railweave ipam audit -f must-gather/ -o json | jq '.findings[] | select(.kind == \"leaked\")'"
)]
pub(super) struct Audit {
    /// Mend what two reads of the cluster prove
    #[arg(long, conflicts_with = "filename")]
    fix: bool,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    place: Place,
}

impl Audit {
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self { fix, output, place } = self;
        let first = place.read(console)?.observed(audit);
        let mended = if fix && first.iter().any(|finding| finding.repair.is_some()) {
            Some(runtime()?.block_on(mend(&place, first.clone()))?)
        } else {
            None
        };
        let left: Vec<&Finding> = match &mended {
            Some(mended) => mended.left.iter().collect(),
            None => first.iter().collect(),
        };
        match output {
            Format::Json => {
                let fixed = mended.as_ref().map(|mended| &mended.fixed);
                let report =
                    json!({ "findings": left, "fixed": fixed.into_iter().flatten().collect::<Vec<_>>() });
                console.line(serde_json::to_string_pretty(&report)?)?;
            }
            Format::Text => print(&left, mended.as_ref(), console)?,
        }
        Ok(Exit::findings(!left.is_empty()))
    }
}

fn print(left: &[&Finding], mended: Option<&Mended>, console: &mut Console) -> Result<(), Failure> {
    for finding in mended.iter().flat_map(|mended| &mended.fixed) {
        line("fixed", Ink::Green, finding, console)?;
    }
    for finding in left {
        let ink = match finding.kind {
            FindingKind::Quarantined => Ink::Yellow,
            _ => Ink::Red,
        };
        line(finding.kind.name(), ink, finding, console)?;
        console.line(format_args!("{:<17}   next: {}", "", finding.next))?;
    }
    let fixed = mended.map_or(0, |mended| mended.fixed.len());
    match (left.len(), fixed) {
        (0, 0) => console.line("records, endpoints and pods agree")?,
        (left, fixed) => console.line(format_args!("{left} findings, {fixed} mended"))?,
    }
    Ok(())
}

/// `leaked             172.16.1.1       SpiderIPPool a  team/x: why`
fn line(what: &str, ink: Ink, finding: &Finding, console: &mut Console) -> Result<(), Failure> {
    let Finding { object, address, pod, reason, .. } = finding;
    let what = console.ink(ink, &format!("{what:<17}"));
    let (address, pod) = (address.as_deref().unwrap_or("-"), pod.as_deref().unwrap_or("-"));
    console.line(format_args!("{what} {address:<15} {object}  {pod}: {reason}"))?;
    Ok(())
}
