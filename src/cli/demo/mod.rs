//! `railweave demo`: the guide's webhook section end to end, over real HTTPS, in one process.

mod client;
mod guide;
mod stage;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, process};

use clap::Args;
use serde_json::Value;

use self::client::{Client, Reply};
use self::stage::Stage;
use super::console::{Console, Ink};
use super::diff::{Line, lines};
use super::failure::{Exit, Failure};
use super::judge::apply;
use super::local::{LocalOptions, LocalServer, ca_file};
use super::runtime::runtime;
use super::template::{places, pod_of};
use crate::api::keys;
use crate::yaml;

pub use client::ClientError;

/// Shows the guide end to end: from its manifests to a pod with eight rails, over real HTTPS
#[derive(Debug, Args)]
#[command(
    long_about = "Shows the guide end to end: from its manifests to a pod with eight rails, over real HTTPS.

Starts the admission server inside this process, on a free port of the loopback address and with a CA made for the \
        occasion, and then asks it what an API server would ask: it sends the guide's pools and networks through the \
        mutating and validating webhooks, and the pod of the guide's Deployment through injection. Nothing is installed, \
        no cluster is touched, and nothing is left behind.",
    after_help = "Examples:
  railweave demo
  railweave demo | less -R"
)]
pub(super) struct Demo {}

/// How often the pod is sent to find the time it usually takes.
const ROUNDS: usize = 300;

/// Times of a build without optimisation say little about the one that is installed.
const BUILD: &str = if cfg!(debug_assertions) { "; unoptimised build" } else { "" };

impl Demo {
    /// Runs the verb.
    pub(super) fn run(self, console: &mut Console) -> Result<Exit, Failure> {
        let Self {} = self;
        let certs = std::env::temp_dir().join(format!("railweave-demo-{}", process::id()));
        let shown = runtime()?.block_on(show(certs.clone(), console));
        // What stands in a folder for temporary files is cleaned up by others if this fails.
        let _ = fs::remove_dir_all(&certs);
        shown
    }
}

async fn show(certs: PathBuf, console: &mut Console) -> Result<Exit, Failure> {
    let started = Instant::now();
    let mut stage = Stage::new();
    let options = LocalOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        admin: None,
        certs: certs.clone(),
        names: Vec::new(),
        client_ca: None,
        keep_serving: Duration::ZERO,
    };
    let server = LocalServer::bind(options, stage.view()).await?;
    let address = server.address();
    let catalog = server.share();
    let ca = ca_file(&certs);
    let ca_pem =
        fs::read_to_string(&ca).map_err(|source| Failure::Read { path: ca.display().to_string(), source })?;
    let serving = tokio::spawn(server.run(None, std::future::pending()));
    let mut client = Client::connect(address, &ca_pem).await?;
    let ready = started.elapsed();

    console.line("The guide's webhook section, end to end: real HTTPS, no cluster, one process.")?;
    heading(console, "1. The admission server")?;
    console.line(format_args!(
        "   https://{address}, TLS with a CA made just now; ready in {}",
        millis(ready)
    ))?;
    create_networks(&mut client, &mut stage, &catalog, console).await?;
    inject_pod(&mut client, console).await?;
    show_others(&mut client, console).await?;
    next_steps(console)?;
    serving.abort();
    Ok(Exit::Success)
}

fn heading(console: &mut Console, text: &str) -> Result<(), Failure> {
    let text = console.ink(Ink::Bold, text);
    Ok(console.line(format_args!("\n{text}"))?)
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// Step 2: pools and networks, each through both of its webhooks, as on `kubectl apply`.
async fn create_networks(
    client: &mut Client,
    stage: &mut Stage,
    catalog: &arc_swap::ArcSwap<crate::catalog::Catalog>,
    console: &mut Console,
) -> Result<(), Failure> {
    let manifests = guide::networks();
    heading(console, "2. `kubectl apply` of the guide's pools and networks, as the guide writes them")?;
    console.line(
        "   Each object goes through the mutating and then the validating webhook. The guide has older and loose\n   \
         spellings; they are moved to their canonical place, with a warning:",
    )?;
    let (mut mended, mut refused) = (0, 0);
    for (index, manifest) in manifests.iter().enumerate() {
        let created = stage.create(client, manifest).await?;
        mended += created.warnings.len();
        refused += usize::from(created.refusal.is_some());
        // The first rail stands for all: the others read the same.
        if index < 2 || created.refusal.is_some() {
            let place = console.ink(Ink::Dim, &format!("({}:{})", manifest.file, manifest.lines.line()));
            let took = millis(created.took);
            console
                .line(format_args!("\n   {} {place} in {took}", console.ink(Ink::Cyan, &manifest.title())))?;
            for warning in &created.warnings {
                console.line(format_args!("     {} {warning}", console.ink(Ink::Yellow, "warning:")))?;
            }
            if let Some(refusal) = &created.refusal {
                console.line(format_args!("     {} {refusal}", console.ink(Ink::Red, "denied:")))?;
            }
            difference(&manifest.object, &created.object, Some(1), console)?;
        }
    }
    let view = stage.view();
    let counts = view.catalog.counts();
    catalog.store(std::sync::Arc::new(view.catalog));
    console.line(format_args!(
        "\n   All {} objects: {} accepted, {refused} denied, {mended} spellings mended.",
        manifests.len(),
        manifests.len() - refused
    ))?;
    console.line(format_args!(
        "   In force: {} pools and {} networks in {} group.",
        counts.pools, counts.networks, counts.groups
    ))?;
    Ok(())
}

/// Step 3: the pod that the guide's Deployment makes.
async fn inject_pod(client: &mut Client, console: &mut Console) -> Result<(), Failure> {
    let Some((pod, title)) = guide_pod() else { return Ok(()) };
    heading(console, "3. The guide's Deployment creates a pod")?;
    console.line(format_args!(
        "   A plain AI pod; all it says about networks is {}: rdma-network",
        keys::RDMA_INJECT
    ))?;
    let (reply, usual) = ask_often(client, &pod).await?;
    let mut injected = pod.clone();
    if let Some(patch) = reply.patch() {
        apply(&patch, &mut injected)?;
    }
    let annotation = &injected["metadata"]["annotations"][keys::INJECTED];
    let decision = match (reply.allowed(), annotation.as_str()) {
        (true, Some(what)) => console.ink(Ink::Green, &format!("injected: {what} networks")),
        (true, None) => console.ink(Ink::Yellow, "allowed as it is"),
        (false, _) => console.ink(Ink::Red, &format!("denied: {}", reply.message())),
    };
    console.line(format_args!("   decision  {decision}"))?;
    console.line(format_args!(
        "   time      {} over HTTPS (median of {ROUNDS}: {}{BUILD})",
        millis(reply.took),
        millis(usual)
    ))?;
    for warning in reply.warnings() {
        console.line(format_args!("   warning   {warning}"))?;
    }
    console.line(format_args!("\n   {title}, before (-) and after (+):\n"))?;
    difference(&pod, &injected, None, console)
}

/// The pod as the `ReplicaSet` controller would create it.
fn guide_pod() -> Option<(Value, String)> {
    let deployment = guide::deployment()?;
    let place = places(&deployment.object).into_iter().next()?;
    let mut pod = pod_of(&deployment.object, &place)?;
    // The controller's own reference says more than a reader wants to see.
    pod["metadata"].as_object_mut()?.remove("ownerReferences");
    Some((pod, format!("The pod of {}", deployment.title())))
}

/// The first answer, and the median time of many.
async fn ask_often(client: &mut Client, pod: &Value) -> Result<(Reply, Duration), Failure> {
    let first = stage::ask_for_pod(client, pod).await?;
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        times.push(stage::ask_for_pod(client, pod).await?.took);
    }
    times.sort_unstable();
    let median = times[ROUNDS / 2];
    Ok((first, median))
}

/// Step 4: pods that are left alone or refused.
async fn show_others(client: &mut Client, console: &mut Console) -> Result<(), Failure> {
    let Some((pod, _)) = guide_pod() else { return Ok(()) };
    heading(console, "4. Other pods")?;
    let mut silent = pod.clone();
    silent["metadata"]["annotations"] = Value::Object(serde_json::Map::new());
    let reply = stage::ask_for_pod(client, &silent).await?;
    let state = if reply.allowed() && reply.patch().is_none() { "left exactly as it is" } else { "changed" };
    console.line(format_args!("   without the annotation   {state}; in a cluster it is not even sent"))?;
    let mut mistyped = pod;
    mistyped["metadata"]["annotations"][keys::RDMA_INJECT] = "rdma-netwrok".into();
    let reply = stage::ask_for_pod(client, &mistyped).await?;
    let state = if reply.allowed() { "allowed" } else { "denied, and told why:" };
    console.line(format_args!("   with a mistyped group    {state}"))?;
    console.line(format_args!("     {}", console.ink(Ink::Red, reply.message())))?;
    Ok(())
}

fn next_steps(console: &mut Console) -> Result<(), Failure> {
    heading(console, "Next")?;
    for (command, what) in [
        ("railweave serve --catalog manifests/guide/webhook", "this server, to call with curl"),
        (
            "railweave explain -f manifests/guide/deployment.yaml --catalog manifests/guide/webhook",
            "each step of the decision",
        ),
        (
            "railweave inject -f manifests/guide/deployment.yaml --catalog manifests/guide/webhook",
            "the Deployment, injected",
        ),
        ("railweave fix -f manifests/guide/webhook", "the guide's manifests in canonical form"),
    ] {
        console.line(format_args!("   {what}:\n     {command}"))?;
    }
    Ok(())
}

/// Prints what changes between two objects as YAML; with `around`, only so many lines about each change.
fn difference(
    before: &Value,
    after: &Value,
    around: Option<usize>,
    console: &mut Console,
) -> Result<(), Failure> {
    let (before, after) = (yaml::write(before)?, yaml::write(after)?);
    let lines = lines(&before, &after);
    let changed = |index: usize| lines.get(index).is_some_and(|line| !matches!(line, Line::Same(_)));
    for (index, line) in lines.iter().enumerate() {
        let near = around.is_none_or(|around| (index.saturating_sub(around)..=index + around).any(changed));
        if !near {
            continue;
        }
        let text = match line {
            Line::Same(text) => console.ink(Ink::Dim, &format!("  {text}")),
            Line::Removed(text) => console.ink(Ink::Red, &format!("- {text}")),
            Line::Added(text) => console.ink(Ink::Green, &format!("+ {text}")),
        };
        console.line(format_args!("     {text}"))?;
    }
    Ok(())
}
