//! One `railweave controller`, as a process beside the control plane.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::service::{Endpoint, http_get};

/// A running replica. Dropping it kills it.
pub(crate) struct Replica {
    name: String,
    child: Child,
    log: PathBuf,
    pub(crate) endpoint: Endpoint,
}

impl Replica {
    /// Starts a replica that says `name` in its log file's name and as holder of the lease.
    pub(crate) fn start(
        name: &str,
        kubeconfig: &Path,
        logs: &Path,
        webhook_url: &str,
        flags: &[&str],
    ) -> Self {
        let endpoint = Endpoint { webhook: free_port(), admin: free_port() };
        let log = logs.join(format!("{name}.log"));
        let output = File::create(&log).expect("the log folder exists");
        let child = Command::new(program())
            .arg("controller")
            .args(["--webhook-url", webhook_url])
            .args(["--listen", &format!("0.0.0.0:{}", endpoint.webhook)])
            .args(["--admin-listen", &format!("127.0.0.1:{}", endpoint.admin)])
            .args(flags)
            .env("KUBECONFIG", kubeconfig)
            .env("POD_NAMESPACE", "spiderpool")
            .env("POD_NAME", name)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .spawn()
            .expect("cargo built it");
        Self { name: name.to_owned(), child, log, endpoint }
    }

    /// Waits until `/readyz` says so.
    pub(crate) async fn ready(&mut self) {
        let begun = Instant::now();
        loop {
            let answer = http_get(self.endpoint.admin, "/readyz?verbose").await;
            if matches!(answer, Some((200, _))) {
                return;
            }
            let ended = self.child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "{} ended: {ended:?}\n{}", self.name, self.log_tail());
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "{} is not ready: {answer:?}\n{}",
                self.name,
                self.log_tail()
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many reviews of pods it has answered.
    pub(crate) async fn reviewed_pods(&self) -> f64 {
        self.sum_of("railweave_admission_requests_total", r#"webhook="pods""#).await
    }

    /// The sum of a metric's series with this label.
    pub(crate) async fn sum_of(&self, name: &str, label: &str) -> f64 {
        self.sum(|series| {
            series.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')) && series.contains(label)
        })
        .await
    }

    /// The value of a series. One without labels is there from the start; one with labels may come with its first event.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let is_its = |series: &str| series.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '));
        let exposed = self.exposed().await;
        let line = exposed.lines().find(|line| is_its(line));
        assert!(line.is_some() || name.contains('{'), "{} has no metric {name}", self.name);
        line.and_then(value).unwrap_or_default()
    }

    /// The sum of the series whose line is wanted.
    async fn sum(&self, wanted: impl Fn(&str) -> bool) -> f64 {
        self.exposed().await.lines().filter(|line| wanted(line)).filter_map(value).sum()
    }

    async fn exposed(&self) -> String {
        http_get(self.endpoint.admin, "/metrics").await.expect("it serves metrics").1
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end in order, and waits until it did.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "{} does not end\n{}",
                self.name,
                self.log_tail()
            );
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let signalled =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(signalled.is_ok_and(|status| status.success()), "{} is not there", self.name);
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The value at the end of a series' line.
fn value(line: &str) -> Option<f64> {
    line.rsplit(' ').next()?.parse().ok()
}

/// What cargo built, or another build of it: measurements take the one of the image, too.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("RAILWEAVE_PROGRAM")
        .map_or_else(|| env!("CARGO_BIN_EXE_railweave").into(), PathBuf::from)
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
