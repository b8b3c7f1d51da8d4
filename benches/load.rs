//! Load on the real server: HTTPS over HTTP/1.1 keep-alive, as the API server speaks it.
//!
//! Two servers take turns in child processes of this program, so that the client's CPU time is not counted:
//! one decides, the other answers a constant after reading the same body. What the decision costs is the
//! difference. Client and server share the machine's cores, so compare within one run only.
//!
//! `cargo bench --bench load`, or `make bench-load`; `RAILWEAVE_LOAD_SECONDS` (default 2) is the time of each row.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use arc_swap::ArcSwap;
use axum::http::StatusCode;
use railweave::admission::certificates::{LEAF_VALIDITY, issue_leaf, make_authority};
use railweave::admission::tls::{LiveCertificate, install_provider, roots};
use railweave::admission::{
    Answer, ConnectionLimits, Drain, Options, RequestId, Server, State, Verdict, Webhook, router,
};
use railweave::catalog::Catalog;
use railweave::reason::Reason;
use railweave::telemetry::health::Health;
use railweave::telemetry::metrics::Metrics;
use rustls::ClientConfig;
use rustls::crypto::ring;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

// As the image does: `--features mimalloc`.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROLE: &str = "RAILWEAVE_LOAD_ROLE";
const CONSTANT: &str = "constant";
const ADMISSION: &str = "admission";

fn main() -> Result<()> {
    install_provider();
    let runtime = tokio::runtime::Runtime::new()?;
    match std::env::var(ROLE) {
        Ok(role) => runtime.block_on(serve(&role)),
        Err(_) => runtime.block_on(measure()),
    }
}

/// The child: serves until its standard input ends, after telling the parent where and with which CA.
async fn serve(role: &str) -> Result<()> {
    let authority = make_authority("load", SystemTime::now(), LEAF_VALIDITY)?;
    let leaf = issue_leaf(&authority, &["localhost".to_owned()], SystemTime::now(), LEAF_VALIDITY)?;
    let certificate = Arc::new(LiveCertificate::default());
    certificate.set(&leaf.cert_pem, &leaf.key_pem)?;
    let metrics = Metrics::new()?;
    let mut state = State::new(Arc::new(ArcSwap::from_pointee(support::catalog())), metrics.clone());
    if role == CONSTANT {
        state.decide = constant;
    }
    let server = Server::bind(Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        router: router(state),
        certificate,
        client_ca: None,
        limits: ConnectionLimits::default(),
        drain: Drain { keep_serving: Duration::ZERO, deadline: Duration::from_secs(1) },
        health: Health::default(),
        metrics,
    })
    .await?;
    println!("{}", json!({"address": server.local_addr(), "ca": authority.cert_pem}));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(stop);
    });
    server
        .run(async {
            let _ = stopped.await;
        })
        .await;
    Ok(())
}

/// What ours is measured against: the same server, body and protocol, and nothing decided.
fn constant(_: Webhook, _: &[u8], _: &Catalog, _: RequestId) -> Answer {
    const REVIEW: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true}}"#;
    Answer {
        status: StatusCode::OK,
        body: REVIEW.as_bytes().to_vec(),
        verdict: Verdict::Allow,
        reason: Reason::NotOptedIn,
        dry_run: false,
        namespace: String::new(),
        name: String::new(),
    }
}

/// The parent: rows of the table, the two servers side by side.
async fn measure() -> Result<()> {
    let seconds = std::env::var("RAILWEAVE_LOAD_SECONDS").ok().map(|value| value.parse()).transpose()?;
    let duration = Duration::from_secs(seconds.unwrap_or(2));
    let body = support::review(true, 40);
    println!(
        "{} bytes a review, 8 rails, {} s a row; latencies as the client sees them\n",
        body.len(),
        duration.as_secs()
    );
    println!(
        "| connections | server | requests/s | p50 us | p99 us | server CPU us/request | client's | throughput |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let head = format!(
        "POST /mutate--v1-pod HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         user-agent: kube-apiserver-admission\r\naccept-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request: Arc<[u8]> = [head.as_bytes(), &body].concat().into();
    for connections in [1, 16, 64] {
        let baseline = row(CONSTANT, connections, duration, &request).await?;
        baseline.print(CONSTANT, connections, "100 %");
        let ours = row(ADMISSION, connections, duration, &request).await?;
        let share = 100.0 * ours.per_second / baseline.per_second;
        ours.print(ADMISSION, connections, &format!("{share:.0} %"));
    }
    Ok(())
}

struct Row {
    per_second: f64,
    p50: u128,
    p99: u128,
    /// CPU time of the server for each request, in microseconds; and of the client, which shares the cores.
    server: f64,
    client: f64,
}

impl Row {
    fn print(&self, role: &str, connections: usize, share: &str) {
        let Self { per_second, p50, p99, server, client } = self;
        println!(
            "| {connections} | {role} | {per_second:.0} | {p50} | {p99} | {server:.1} | {client:.1} | {share} |"
        );
    }
}

/// One server, so many connections, so long.
async fn row(role: &str, connections: usize, duration: Duration, request: &Arc<[u8]>) -> Result<Row> {
    let server = Running::start(role)?;
    let mut streams = Vec::with_capacity(connections);
    for _ in 0..connections {
        streams.push(server.connect().await?);
    }
    drive(&mut streams, Duration::from_millis(300), request).await?;
    let cpu = || anyhow::Ok((cpu_of(server.child.id())?, cpu_of(std::process::id())?));
    let (server_before, client_before) = cpu()?;
    let begun = Instant::now();
    let mut latencies = drive(&mut streams, duration, request).await?;
    let took = begun.elapsed();
    let (server_after, client_after) = cpu()?;
    latencies.sort_unstable();
    let at = |percent: usize| latencies.get(latencies.len() * percent / 100).map_or(0, Duration::as_micros);
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let count = latencies.len() as f64;
    let each = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64() * 1e6 / count;
    Ok(Row {
        per_second: count / took.as_secs_f64(),
        p50: at(50),
        p99: at(99),
        server: each(server_before, server_after),
        client: each(client_before, client_after),
    })
}

/// Sends requests over all connections, each waiting for its answer before the next; returns the latencies.
async fn drive(
    streams: &mut Vec<TlsStream<TcpStream>>,
    duration: Duration,
    request: &Arc<[u8]>,
) -> Result<Vec<Duration>> {
    let end = Instant::now() + duration;
    let workers: Vec<_> = streams
        .drain(..)
        .map(|mut stream| {
            let request = request.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                let mut buffer = Vec::with_capacity(16 << 10);
                while Instant::now() < end {
                    let begun = Instant::now();
                    exchange(&mut stream, &request, &mut buffer).await?;
                    latencies.push(begun.elapsed());
                }
                anyhow::Ok((stream, latencies))
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        let (stream, latencies) = worker.await??;
        streams.push(stream);
        all.extend(latencies);
    }
    Ok(all)
}

/// One request and its answer; as little HTTP as it takes, to leave the cores to the server.
async fn exchange(stream: &mut TlsStream<TcpStream>, request: &[u8], buffer: &mut Vec<u8>) -> Result<()> {
    stream.write_all(request).await?;
    stream.flush().await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&buffer[..head])?;
        if !text.starts_with("HTTP/1.1 200") {
            bail!("unexpected answer: {text}");
        }
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("an answer without its length")?.parse()?;
        if buffer.len() >= head + 4 + length {
            return Ok(());
        }
    }
}

/// A server in a child process; ends with its standard input, which is closed when this is dropped.
struct Running {
    child: Child,
    address: SocketAddr,
    connector: TlsConnector,
}

impl Running {
    fn start(role: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line)?;
        let ca = told["ca"].as_str().context("no CA")?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let address = told["address"].as_str().context("no address")?.parse()?;
        Ok(Self { child, address, connector: TlsConnector::from(Arc::new(config)) })
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(self.connector.connect("localhost".try_into()?, stream).await?)
    }
}

/// CPU time of a process, user and system: fields 14 and 15 of `/proc/PID/stat` (proc(5)), in hundredths of a second
/// on every Linux.
fn cpu_of(process: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("an unexpected /proc/PID/stat")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |index: usize| -> Result<u64> { Ok(fields.get(index).context("too short")?.parse()?) };
    Ok(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = std::io::stdout().flush();
    }
}
