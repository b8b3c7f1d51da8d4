//! The node agent, as far as the coordinator asks it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Answers on a socket as long as this is there.
pub(crate) struct Agent {
    pub(crate) socket: PathBuf,
    /// What it answers, and with which status.
    pub(crate) answer: Arc<Mutex<(u16, Value)>>,
    /// Bodies of what it was asked.
    pub(crate) asked: Arc<Mutex<Vec<Value>>>,
}

impl Agent {
    /// Begins with the cluster-wide configuration of the guide's cluster, in dual stack.
    pub(crate) fn start(socket: PathBuf) -> Self {
        let config = json!({
            "mode": "auto", "overlayPodCIDR": ["10.233.64.0/18", "fd85::/64"],
            "serviceCIDR": ["10.233.0.0/18", "fd86::/108"], "hijackCIDR": ["169.254.0.0/16"],
            "tunePodRoutes": true, "hostRuleTable": 500, "podRPFilter": 0, "txQueueLen": 0, "vethMTU": 1500,
        });
        let (answer, asked) = (Arc::new(Mutex::new((200, config))), Arc::new(Mutex::default()));
        let agent = Self { socket, answer, asked };
        let listener = UnixListener::bind(&agent.socket).unwrap();
        let (answer, asked) = (agent.answer.clone(), agent.asked.clone());
        // It ends with the process.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                serve(&connection.unwrap(), &answer, &asked);
            }
        });
        agent
    }

    /// Sets a field of the cluster-wide configuration.
    pub(crate) fn set(&self, field: &str, value: Value) {
        self.answer.lock().unwrap().1[field] = value;
    }
}

fn serve(mut connection: &UnixStream, answer: &Mutex<(u16, Value)>, asked: &Mutex<Vec<Value>>) {
    let mut reader = BufReader::new(connection);
    let (mut line, mut length) = (String::new(), 0);
    // Whoever asks may be killed at any moment.
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    if !body.is_empty() {
        asked.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    }
    let (status, value) = answer.lock().unwrap().clone();
    let body = value.to_string();
    let length = body.len();
    // One that hung up does not matter.
    drop(write!(
        connection,
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
}
