use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use railweave::admission::tls;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use serde_json::Value;

use crate::support::{Folder, command, repository};

/// A running `railweave serve`, ended with the test.
struct Server {
    child: Child,
    address: String,
    admin: String,
    ca: String,
    curl: String,
}

impl Server {
    fn start(catalog: &str, certs: &str) -> Self {
        let mut child = command()
            .args(["serve", "--catalog", catalog, "--certs", certs])
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut after = |start: &str| {
            let line = lines.find(|line| line.starts_with(start)).unwrap();
            line[start.len()..].trim().to_owned()
        };
        let address = after("webhooks https://");
        let admin = after("health   http://");
        let admin = admin.split('/').next().unwrap().to_owned();
        let ca = std::fs::read_to_string(after("CA       ")).unwrap();
        let curl = format!("curl {}", after("curl "));
        Self { child, address, admin, ca, curl }
    }

    /// Sends the body of the printed curl line; returns `response`.
    fn ask(&self) -> Value {
        let body = self.curl.split_once(" -d '").unwrap().1.trim_end_matches('\'');
        tls::install_provider();
        let roots = tls::roots(&self.ca).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(&self.address).unwrap());
        let head = format!(
            "POST /mutate--v1-pod HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        serde_json::from_str::<Value>(body).unwrap()["response"].take()
    }

    fn admin(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Waits until the answer is as expected; how long it took.
    fn until(&self, expected: impl Fn(&Value) -> bool) -> Duration {
        let started = Instant::now();
        while !expected(&self.ask()) {
            assert!(started.elapsed() < Duration::from_secs(20), "{}", self.ask());
            std::thread::sleep(Duration::from_millis(50));
        }
        started.elapsed()
    }

    fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already after `terminate`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_printed_request_is_injected_and_an_edit_is_in_force_at_once() {
    let folder = Folder::with(&[("gpu1.yaml", &repository("manifests/guide/webhook/gpu1.yaml"))]);
    let certs = Folder::with(&[]);
    let server = Server::start(folder.path(), certs.path());
    let answer = server.ask();
    assert_eq!((&answer["allowed"], &answer["patchType"]), (&true.into(), &"JSONPatch".into()), "{answer}");
    assert!(server.admin("/readyz?verbose").contains("[+]catalog ok: 1 networks in 1 groups, 1 pools"));
    assert!(server.admin("/metrics").contains("railweave_catalog_networks 1"));

    // The network leaves the group: the same pod is refused; a broken file beside it changes nothing.
    let text = repository("manifests/guide/webhook/gpu1.yaml");
    folder.write("broken.yaml", "a: [");
    folder.write("gpu1.yaml", &text.replace("inject: rdma-network", "inject: other"));
    let took = server.until(|answer| answer["allowed"] == false);
    assert!(took < Duration::from_secs(5), "{took:?}");

    // Injection is switched off, then wrongly configured (the last good one stays), then on again.
    folder.write("gpu1.yaml", &text);
    let config = |inject: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  conf.yml: |\n    podResourceInject: {inject}\n"
        )
    };
    folder.write("config.yaml", &config("{enabled: false}"));
    let switched_off = |answer: &Value| answer["warnings"].to_string().contains("InjectionDisabled");
    server.until(switched_off);
    folder.write("config.yaml", &config("{enabled: perhaps}"));
    let started = Instant::now();
    while !server.admin("/readyz?verbose").contains("[!]configuration warning") {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(switched_off(&server.ask()), "the last good configuration is in force");
    std::fs::remove_file(folder.file("config.yaml")).unwrap();
    server.until(|answer| answer["patchType"] == "JSONPatch" && !switched_off(answer));
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn the_printed_curl_line_works_as_it_is() {
    assert!(Command::new("curl").arg("--version").output().is_ok(), "this test needs curl: install it");
    let certs = Folder::with(&[]);
    let server = Server::start("manifests/examples/injection-8-rails", certs.path());
    let output = Command::new("sh").args(["-c", &format!("{} --silent", server.curl)]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["response"]["patchType"], "JSONPatch", "{}", server.curl);
}

#[test]
fn an_address_in_use_is_told_with_a_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let certs = Folder::with(&[]);
    let run = crate::support::railweave(&[
        "serve",
        "--catalog",
        "manifests/guide/webhook",
        "--certs",
        certs.path(),
        "--listen",
        &address,
    ]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains(&format!("error: failed to listen on {address}: ")), "{}", run.err);
    assert!(run.err.contains("\nhint: choose other ports"), "{}", run.err);
}
