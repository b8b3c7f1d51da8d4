//! A node agent that gives the same addresses every time: pod `pod-7` has 172.16.13.7/24 on `net3`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use railweave_cni::wire::{
    self, AddArgs, AddReply, CoordinatorConfig, IpConfig, Route, WorkloadEndpoint, WorkloadInterface,
};

/// Ends when dropped, and then nobody answers on the socket.
pub(crate) struct Agent(());

impl Agent {
    pub(crate) fn start() -> Self {
        fs::create_dir_all(Path::new(wire::DEFAULT_SOCKET).parent().unwrap()).unwrap();
        let listener = UnixListener::bind(wire::DEFAULT_SOCKET).unwrap();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || answer(&connection));
            }
        });
        Self(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        fs::remove_file(wire::DEFAULT_SOCKET).unwrap();
    }
}

/// The address of a pod on one of its rails, and the gateway there.
pub(crate) fn address(pod: &str, interface: &str) -> (String, String) {
    let number = |text: &str| text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u8>().unwrap();
    let rail = 10 + number(interface);
    (format!("172.16.{rail}.{}", number(pod)), format!("172.16.{rail}.254"))
}

fn answer(connection: &UnixStream) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.to_ascii_lowercase());
    }
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let request = lines.first()?;
    let reply = if request.starts_with(&format!("post {} ", wire::IP)) {
        serde_json::to_string(&addresses(&serde_json::from_slice(&body).unwrap())).unwrap()
    } else if request.starts_with(&format!("get {} ", wire::COORDINATOR_CONFIG)) {
        serde_json::to_string(&coordinator()).unwrap()
    } else if request.starts_with(&format!("get {}?", wire::WORKLOAD_ENDPOINT)) {
        serde_json::to_string(&endpoint(
            request.split(['=', '&', ' ']).find(|word| word.starts_with("pod-"))?,
        ))
        .unwrap()
    } else {
        String::new()
    };
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", reply.len());
    let mut writer = connection;
    writer.write_all(format!("{head}Connection: close\r\n\r\n{reply}").as_bytes()).ok()?;
    connection.shutdown(Shutdown::Write).ok()
}

fn addresses(asked: &AddArgs) -> AddReply {
    let (address, gateway) = address(&asked.pod_name, &asked.if_name);
    let ip = IpConfig {
        version: 4,
        address: format!("{address}/24"),
        nic: asked.if_name.clone(),
        pool: format!("pool-{}", asked.if_name),
        gateway: gateway.clone(),
        ..IpConfig::default()
    };
    let default = Route { if_name: asked.if_name.clone(), dst: "0.0.0.0/0".to_owned(), gw: gateway };
    AddReply { ips: vec![ip], routes: Some(vec![default]), ..AddReply::default() }
}

/// All that a pod may have.
fn endpoint(pod: &str) -> WorkloadEndpoint {
    let interface = |number| {
        let interface = format!("net{number}");
        let (address, _) = address(pod, &interface);
        WorkloadInterface { interface, ipv4: format!("{address}/24"), ..WorkloadInterface::default() }
    };
    WorkloadEndpoint {
        pod_namespace: "default".to_owned(),
        pod_name: pod.to_owned(),
        pod_uid: format!("uid-of-{pod}"),
        interfaces: (1..=8).map(interface).collect(),
        ..WorkloadEndpoint::default()
    }
}

fn coordinator() -> CoordinatorConfig {
    CoordinatorConfig {
        mode: "auto".to_owned(),
        overlay_pod_cidr: vec!["10.244.0.0/16".to_owned()],
        service_cidr: vec!["10.96.0.0/16".to_owned()],
        tune_pod_routes: true,
        ..CoordinatorConfig::default()
    }
}
