//! Load on the real server: HTTPS over HTTP/1.1 keep-alive, as the API server speaks it.
//!
//! The servers take turns in child processes, so that the client's CPU time is not counted: one answers a constant
//! after reading the same body, so that the difference is what deciding costs; one decides; one is the image's
//! program, built as it is shipped; and one is a webhook as small as Go allows, the yardstick that says what the
//! machine's microseconds are worth today. Client and server share the machine's cores, so compare within one run
//! only.
//!
//! `make bench-load`; `RAILWEAVE_LOAD_SECONDS` (default 2) is the time of each measurement, `RAILWEAVE_LOAD_ROUNDS`
//! (default 3) how often each is made.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod client;
mod servers;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use railweave::admission::tls::install_provider;

use client::drive;
use servers::{Kind, Running, serve_if_child};

// As the image does: `--features mimalloc`.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: [usize; 3] = [1, 16, 64];

fn main() -> Result<()> {
    install_provider();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async { if serve_if_child().await? { Ok(()) } else { measure().await } })
}

async fn measure() -> Result<()> {
    let duration = Duration::from_secs(number("RAILWEAVE_LOAD_SECONDS", 2)?);
    let rounds = number("RAILWEAVE_LOAD_ROUNDS", 3)?;
    let (kinds, left_out) = servers::kinds()?;
    let body = support::review(true, 40);
    println!(
        "{} bytes a review, 8 rails; medians of {rounds} rounds of {} s each, in turns; latencies as the client sees them\n",
        body.len(),
        duration.as_secs()
    );
    for reason in left_out {
        println!("left out: {reason}\n");
    }
    println!(
        "| connections | server | requests/s | p50 us | p99 us | server CPU us/request | of that, kernel | client's | \
         throughput of constant | CPU of Go |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for connections in CONNECTIONS {
        let mut rows: Vec<Vec<Row>> = kinds.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (kind, rows) in kinds.iter().zip(&mut rows) {
                rows.push(row(kind, connections, duration, &body).await?);
            }
        }
        let medians: Vec<Row> = rows.iter().map(|rows| Row::median(rows)).collect();
        let of = |wanted: &str| kinds.iter().position(|kind| kind.name() == wanted).map(|at| &medians[at]);
        for (kind, row) in kinds.iter().zip(&medians) {
            row.print(kind.name(), connections, of(servers::CONSTANT), of(servers::GO));
        }
    }
    Ok(())
}

fn number(variable: &str, default: u64) -> Result<u64> {
    Ok(std::env::var(variable).ok().map(|value| value.parse()).transpose()?.unwrap_or(default))
}

/// What one server did with so many connections.
#[derive(Clone, Copy)]
struct Row {
    per_second: f64,
    /// Latencies in microseconds.
    p50: f64,
    p99: f64,
    /// CPU time for each request, in microseconds: of the server, of that in the kernel, and of the client, which
    /// shares the cores.
    server: f64,
    kernel: f64,
    client: f64,
}

impl Row {
    /// Each figure's own median.
    fn median(rows: &[Self]) -> Self {
        let median = |of: fn(&Self) -> f64| {
            let mut values: Vec<f64> = rows.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            per_second: median(|row| row.per_second),
            p50: median(|row| row.p50),
            p99: median(|row| row.p99),
            server: median(|row| row.server),
            kernel: median(|row| row.kernel),
            client: median(|row| row.client),
        }
    }

    fn print(&self, name: &str, connections: usize, constant: Option<&Self>, go: Option<&Self>) {
        let Self { per_second, p50, p99, server, kernel, client } = self;
        let percent =
            |share: Option<f64>| share.map_or_else(String::new, |share| format!("{:.0} %", 100.0 * share));
        let throughput = percent(constant.map(|constant| per_second / constant.per_second));
        let cpu = percent(go.map(|go| server / go.server));
        println!(
            "| {connections} | {name} | {per_second:.0} | {p50:.0} | {p99:.0} | {server:.1} | {kernel:.1} | \
             {client:.1} | {throughput} | {cpu} |"
        );
    }
}

/// One server, so many connections, so long.
async fn row(kind: &Kind, connections: usize, duration: Duration, body: &[u8]) -> Result<Row> {
    let server = Running::start(kind)?;
    let request: Arc<[u8]> = client::request(server.path(), body).into();
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(server.connect().await?);
    }
    drive(&mut streams, Duration::from_millis(300), &request).await?;
    let cpu = || anyhow::Ok((servers::cpu_of(server.pid())?, servers::cpu_of(std::process::id())?));
    let (server_before, client_before) = cpu()?;
    let begun = Instant::now();
    let mut latencies = drive(&mut streams, duration, &request).await?;
    let took = begun.elapsed();
    let (server_after, client_after) = cpu()?;
    latencies.sort_unstable();
    let at = |percent: usize| {
        latencies.get(latencies.len() * percent / 100).map_or(0.0, |took| took.as_secs_f64() * 1e6)
    };
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let count = latencies.len() as f64;
    let each = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / count;
    Ok(Row {
        per_second: count / took.as_secs_f64(),
        p50: at(50),
        p99: at(99),
        server: each(server_before.all(), server_after.all()),
        kernel: each(server_before.kernel, server_after.kernel),
        client: each(client_before.all(), client_after.all()),
    })
}
