//! A node agent that answers as it is told and remembers what it was asked.
#![allow(dead_code, reason = "not every program that has one asks everything of it")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A request: `POST /v1/ipam/ip` and its body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) what: String,
    pub(crate) body: Value,
}

/// What comes back: a status and a body.
pub(crate) type Answer = (u16, Value);

#[derive(Debug)]
pub(crate) struct Agent {
    socket: PathBuf,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Agent {
    /// Listens in `folder` until the process ends.
    pub(crate) fn start(folder: &Path, answer: impl Fn(&Asked) -> Answer + Send + 'static) -> Self {
        Self::serve(folder, move |asked, stream| {
            let (status, body) = answer(asked);
            respond(stream, status, &body);
        })
    }

    /// Does with each connection whatever `serve` does, once the request is read.
    pub(crate) fn serve(folder: &Path, serve: impl Fn(&Asked, &mut UnixStream) + Send + 'static) -> Self {
        let socket = folder.join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&stream);
                remembered.lock().unwrap().push(request.clone());
                serve(&request, &mut stream);
            }
        });
        Self { socket, asked }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &UnixStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let mut length = 0;
    loop {
        let header = line();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = if length == 0 { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    Asked { what: first.trim_end_matches(" HTTP/1.1").to_owned(), body }
}

/// The client may be gone.
pub(crate) fn respond(stream: &mut UnixStream, status: u16, body: &Value) {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} told\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}
