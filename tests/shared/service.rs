//! Stands in for the Service, which nothing routes here: one port in front of all replicas that are ready.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// One replica, as the Service sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Port of the webhooks.
    pub(crate) webhook: u16,
    /// Port of the probes.
    pub(crate) admin: u16,
}

#[derive(Default)]
struct Endpoints {
    known: Vec<Endpoint>,
    ready: Vec<Endpoint>,
    turn: usize,
}

/// A port that forwards each new connection to the next ready replica. Connections that exist stay where they are,
/// as behind kube-proxy.
pub(crate) struct Service {
    pub(crate) port: u16,
    endpoints: Arc<Mutex<Endpoints>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Service {
    /// Begins to listen, on every address: the machine's own name may resolve to any of them.
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let endpoints = Arc::<Mutex<Endpoints>>::default();
        let tasks = vec![
            tokio::spawn(accept(listener, Arc::clone(&endpoints))),
            tokio::spawn(probe(Arc::clone(&endpoints))),
        ];
        Self { port, endpoints, tasks }
    }

    /// The base of the webhooks' URLs. By the machine's own name, because the API server speaks HTTP/2 to
    /// loopback addresses and HTTP/1.1 to everything else, Services among it.
    pub(crate) fn url(&self) -> String {
        format!("https://{}:{}", host_name(), self.port)
    }

    /// Adds a replica, and waits until it is ready and gets connections.
    pub(crate) async fn add(&self, endpoint: Endpoint) {
        self.endpoints.lock().unwrap().known.push(endpoint);
        while !self.endpoints.lock().unwrap().ready.contains(&endpoint) {
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Forgets a replica.
    pub(crate) fn remove(&self, endpoint: Endpoint) {
        let mut endpoints = self.endpoints.lock().unwrap();
        endpoints.known.retain(|known| *known != endpoint);
        endpoints.ready.retain(|ready| *ready != endpoint);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// This machine's name, which `serve` and the controller put into their certificates.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").expect("Linux has one").trim().to_owned()
}

async fn accept(listener: TcpListener, endpoints: Arc<Mutex<Endpoints>>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let candidates = {
            let mut endpoints = endpoints.lock().unwrap();
            let mut candidates = endpoints.ready.clone();
            if !candidates.is_empty() {
                endpoints.turn = (endpoints.turn + 1) % candidates.len();
                candidates.rotate_left(endpoints.turn);
            }
            candidates
        };
        tokio::spawn(async move {
            for next in candidates {
                // A replica that is gone refuses; the next one is as good.
                let Ok(mut replica) = TcpStream::connect((Ipv4Addr::LOCALHOST, next.webhook)).await else {
                    continue;
                };
                client.set_nodelay(true).ok();
                replica.set_nodelay(true).ok();
                // Either side may break off: that is what some tests are about.
                copy_bidirectional(&mut client, &mut replica).await.ok();
                return;
            }
            // Without a ready replica the connection closes at once, as kube-proxy rejects it.
        });
    }
}

/// Asks every replica for its readiness, more often than a kubelet does, so that tests need not wait as long.
async fn probe(endpoints: Arc<Mutex<Endpoints>>) {
    loop {
        let known = endpoints.lock().unwrap().known.clone();
        let mut ready = Vec::new();
        for endpoint in known {
            if matches!(http_get(endpoint.admin, "/readyz").await, Some((200, _))) {
                ready.push(endpoint);
            }
        }
        {
            let mut endpoints = endpoints.lock().unwrap();
            ready.retain(|endpoint| endpoints.known.contains(endpoint));
            endpoints.ready = ready;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Status and body of one plain HTTP request to a port of this machine; nothing when it is not answered.
pub(crate) async fn http_get(port: u16, path: &str) -> Option<(u16, String)> {
    let exchange = async {
        let mut stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    };
    timeout(Duration::from_secs(2), exchange).await.ok().flatten()
}
