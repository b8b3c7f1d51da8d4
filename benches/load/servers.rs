//! The servers, each in a process of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use arc_swap::ArcSwap;
use axum::http::StatusCode;
use railweave::admission::certificates::{LEAF_VALIDITY, issue_leaf, make_authority};
use railweave::admission::tls::{LiveCertificate, roots};
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
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support;

const ROLE: &str = "RAILWEAVE_LOAD_ROLE";
/// Names of the servers in the table; the first two are also roles of child processes.
pub(crate) const CONSTANT: &str = "constant";
const ADMISSION: &str = "admission";
const IMAGE: &str = "admission, program of the image";
pub(crate) const GO: &str = "a minimal Go webhook";

/// A server to measure.
pub(crate) enum Kind {
    /// This program in a role.
    Role(&'static str),
    /// The image's program.
    Image(PathBuf),
    /// The webhook of `e2e/go-webhook`, built into a directory that goes with this value.
    Go(TempDir),
}

impl Kind {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Role(role) => role,
            Self::Image(_) => IMAGE,
            Self::Go(_) => GO,
        }
    }
}

/// The servers that there are on this machine, and why others are left out.
pub(crate) fn kinds() -> Result<(Vec<Kind>, Vec<String>)> {
    let mut kinds = vec![Kind::Role(CONSTANT), Kind::Role(ADMISSION)];
    let mut left_out = Vec::new();
    match std::env::var_os("RAILWEAVE_PROGRAM").map(PathBuf::from) {
        Some(program) if program.exists() => kinds.push(Kind::Image(program)),
        Some(program) => left_out.push(format!("{IMAGE}: {} does not exist", program.display())),
        None => left_out.push(format!("{IMAGE}: RAILWEAVE_PROGRAM is not set")),
    }
    let folder = tempfile::tempdir()?;
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/go-webhook");
    let build =
        Command::new("go").current_dir(source).args(["build", "-o"]).arg(folder.path()).arg(".").status();
    match build {
        Ok(status) if status.success() => kinds.push(Kind::Go(folder)),
        Ok(status) => left_out.push(format!("{GO}: go build: {status}")),
        Err(error) => left_out.push(format!("{GO}: go: {error}")),
    }
    Ok((kinds, left_out))
}

/// Serves if this process is the child for one of the roles; returns whether it was.
pub(crate) async fn serve_if_child() -> Result<bool> {
    let Ok(role) = std::env::var(ROLE) else { return Ok(false) };
    serve(&role).await?;
    Ok(true)
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
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
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

/// A server in a child process, which ends when this is dropped.
pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
    connector: TlsConnector,
    path: String,
    /// Its certificates.
    _folder: Option<TempDir>,
}

impl Running {
    pub(crate) fn start(kind: &Kind) -> Result<Self> {
        match kind {
            Kind::Role(role) => Self::role(role),
            Kind::Image(program) => Self::image(program),
            Kind::Go(folder) => Self::go(folder),
        }
    }

    fn role(role: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.env(ROLE, role).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line)?;
        let address = told["address"].as_str().context("no address")?.parse()?;
        Self::known(child, address, told["ca"].as_str().context("no CA")?, Webhook::Pods.path(), None)
    }

    /// On the networks of an example, as many as this program's own catalog has.
    fn image(program: &PathBuf) -> Result<Self> {
        let (folder, address) = (tempfile::tempdir()?, free_address()?);
        let catalog = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/examples/injection-8-rails");
        let child = Command::new(program)
            .args(["serve", "--log", "error", "--catalog", catalog, "--admin-listen", "127.0.0.1:0"])
            .args(["--listen", &address.to_string()])
            .arg("--certs")
            .arg(folder.path())
            // As the image does.
            .env("MIMALLOC_PURGE_DELAY", "10")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        wait_for(address)?;
        let ca = fs::read_to_string(folder.path().join("ca.crt"))?;
        Self::known(child, address, &ca, Webhook::Pods.path(), Some(folder))
    }

    fn go(program: &TempDir) -> Result<Self> {
        let (folder, address) = (tempfile::tempdir()?, free_address()?);
        let authority = make_authority("load", SystemTime::now(), LEAF_VALIDITY)?;
        let leaf = issue_leaf(&authority, &["localhost".to_owned()], SystemTime::now(), LEAF_VALIDITY)?;
        let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
        fs::write(&certificate, &leaf.cert_pem)?;
        fs::write(&key, &leaf.key_pem)?;
        let child = Command::new(program.path().join("go-webhook"))
            .args(["-listen", &address.to_string(), "-cert"])
            .arg(certificate)
            .arg("-key")
            .arg(key)
            .stdin(Stdio::null())
            // It speaks of each connection that only asks whether it listens.
            .stderr(Stdio::null())
            .spawn()?;
        wait_for(address)?;
        Self::known(child, address, &authority.cert_pem, "/mutate".to_owned(), Some(folder))
    }

    fn known(
        child: Child,
        address: SocketAddr,
        ca: &str,
        path: String,
        folder: Option<TempDir>,
    ) -> Result<Self> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { child, address, connector: TlsConnector::from(Arc::new(config)), path, _folder: folder })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it takes reviews of pods.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(self.connector.connect("localhost".try_into()?, stream).await?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The roles end with their standard input, and would be in the middle of a write otherwise.
        if self.child.stdin.take().is_none() {
            self.child.kill().ok();
        }
        let _ = self.child.wait();
        let _ = std::io::stdout().flush();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits until somebody listens.
fn wait_for(address: SocketAddr) -> Result<()> {
    let begun = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        ensure!(begun.elapsed() < Duration::from_secs(10), "nobody listens on {address} after 10 s");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// CPU time of a process so far.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) kernel: Duration,
}

impl Cpu {
    pub(crate) fn all(self) -> Duration {
        self.user + self.kernel
    }
}

/// Fields 14 and 15 of `/proc/PID/stat` (proc(5)), in hundredths of a second on every Linux.
pub(crate) fn cpu_of(process: u32) -> Result<Cpu> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("an unexpected /proc/PID/stat")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let time = |index: usize| -> Result<Duration> {
        Ok(Duration::from_millis(10 * fields.get(index).context("too short")?.parse::<u64>()?))
    };
    Ok(Cpu { user: time(11)?, kernel: time(12)? })
}
