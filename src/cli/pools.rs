use clap::Args;
use serde_json::json;

use super::console::{Console, Ink};
use super::failure::{Exit, Failure};
use super::input::Format;
use super::scene::Place;
use crate::ipam::{NodeUsage, PoolUsage, node_usage, pool_usage};

/// Shows how full the pools are, in a table with bars, or what each node has
#[derive(Debug, Args)]
#[command(
    long_about = "Shows how full the pools are: addresses in use (#), those of pods that are gone while their node does not \
        answer (~), and free ones (.).

Reads the cluster with your kubeconfig, or files (-f).",
    after_help = "Examples:
  railweave pools
  railweave pools --by-node
  railweave pools -o json | jq '.pools[] | select(.free == 0).pool'"
)]
pub(super) struct PoolsVerb {
    /// One row for each node instead of each pool
    #[arg(long)]
    by_node: bool,
    /// How to print the results
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
    #[command(flatten)]
    place: Place,
}

impl PoolsVerb {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self { by_node, output, place } = self;
        let scene = place.read(console)?;
        if by_node {
            let nodes = scene.observed(node_usage);
            match output {
                Format::Json => console.line(serde_json::to_string_pretty(&json!({ "nodes": nodes }))?)?,
                Format::Text => print_nodes(&nodes, console)?,
            }
        } else {
            let pools = scene.observed(pool_usage);
            match output {
                Format::Json => console.line(serde_json::to_string_pretty(&json!({ "pools": pools }))?)?,
                Format::Text => print_pools(&pools, console)?,
            }
        }
        Ok(Exit::Success)
    }
}

fn print_pools(pools: &[PoolUsage], console: &mut Console) -> Result<(), Failure> {
    if pools.is_empty() {
        return Ok(console.line("there are no pools")?);
    }
    let name = pools.iter().map(|usage| usage.pool.len()).max().unwrap_or(0).max(4);
    let subnet = pools.iter().map(|usage| usage.subnet.len()).max().unwrap_or(0).max(6);
    let heading = format!(
        "{:<name$}  {:<subnet$}  {:<22}  {:>8} {:>8} {:>11} {:>8}",
        "POOL", "SUBNET", "", "USED", "FREE", "QUARANTINED", "TOTAL"
    );
    console.line(console.ink(Ink::Bold, &heading))?;
    for usage in pools {
        let PoolUsage { pool, subnet: of, total, used, quarantined, free, problem } = usage;
        let ink = if *free == 0 { Ink::Red } else { Ink::Green };
        let bar = console.ink(ink, &bar(usage));
        let problem = problem.as_ref().map(|problem| format!("  {problem}")).unwrap_or_default();
        console.line(format_args!(
            "{pool:<name$}  {of:<subnet$}  {bar}  {used:>8} {:>8} {quarantined:>11} {:>8}{problem}",
            short(*free),
            short(*total)
        ))?;
    }
    Ok(())
}

fn print_nodes(nodes: &[NodeUsage], console: &mut Console) -> Result<(), Failure> {
    let name = nodes.iter().map(|usage| usage.node.len()).max().unwrap_or(0).max(4);
    let heading =
        format!("{:<name$}  {:>8} {:>11} {:>8} {:>8}", "NODE", "USED", "QUARANTINED", "PODS", "POOLS");
    console.line(console.ink(Ink::Bold, &heading))?;
    for NodeUsage { node, used, quarantined, pods, pools } in nodes {
        let node = if node.is_empty() { "-" } else { node };
        console.line(format_args!("{node:<name$}  {used:>8} {quarantined:>11} {pods:>8} {pools:>8}"))?;
    }
    Ok(())
}

/// `[####~~..............]`: what is there at all has at least one mark.
fn bar(usage: &PoolUsage) -> String {
    const WIDTH: usize = 20;
    let PoolUsage { used, quarantined, free, .. } = usage;
    let whole = free.saturating_add((used + quarantined) as u128).max(1);
    let marks = |count: u128| {
        let share = count.saturating_mul(WIDTH as u128) / whole;
        usize::try_from(share).unwrap_or(WIDTH).max(usize::from(count > 0))
    };
    let waiting = marks(*quarantined as u128);
    let room = WIDTH - usize::from(*free > 0);
    let taken = marks(*used as u128).min(room.saturating_sub(waiting));
    let waiting = waiting.min(room);
    format!("[{}{}{}]", "#".repeat(taken), "~".repeat(waiting), ".".repeat(WIDTH - taken - waiting))
}

/// Numbers as large as an IPv6 pool's are given as a power of two.
fn short(count: u128) -> String {
    if count < 100_000_000 { count.to_string() } else { format!("~2^{}", count.ilog2()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(used: usize, quarantined: usize, free: u128) -> PoolUsage {
        PoolUsage {
            pool: "a".into(),
            subnet: "10.0.0.0/8".into(),
            total: free,
            used,
            quarantined,
            free,
            problem: None,
        }
    }

    #[test]
    fn a_bar_shows_shares_and_never_hides_what_is_there() {
        for ((used, quarantined, free), expected) in [
            ((0, 0, 0), "[....................]"),
            ((5, 0, 5), "[##########..........]"),
            ((10, 0, 0), "[####################]"),
            ((1, 0, 9_999), "[#...................]"),
            ((9_999, 0, 1), "[###################.]"),
            ((9_998, 1, 1), "[##################~.]"),
            ((4, 4, 8), "[#####~~~~~..........]"),
            ((1, 1, u128::MAX), "[#~..................]"),
        ] {
            assert_eq!(bar(&usage(used, quarantined, free)), expected);
        }
    }

    #[test]
    fn numbers_of_huge_pools_are_short() {
        assert_eq!((short(65_534), short(1 << 64)), ("65534".to_owned(), "~2^64".to_owned()));
    }
}
