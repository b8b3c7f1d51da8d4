use std::io;
use std::sync::{Arc, Mutex};

use super::fixture::{Fixture, PODS, create, pod};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything that is logged at the finest level while a good, a bad and a broken pod are answered. The runtime
/// of this test has one thread, so the subscriber of that thread hears the server as well.
#[tokio::test]
async fn a_denial_is_found_by_its_id_and_no_level_shows_what_is_in_a_pod() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let listening = tracing::subscriber::set_default(subscriber);

    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    client.review(PODS, &create("u-1", &pod())).await.unwrap();
    let mut lost = pod();
    lost["metadata"]["annotations"]["cni.spidernet.io/rdma-resource-inject"] = "rdma-netwrok".into();
    let response = client.review(PODS, &create("u-2", &lost)).await.unwrap().response();
    let mut broken = pod();
    broken["spec"]["containers"] = "open-sesame".into();
    client.review(PODS, &create("u-3", &broken)).await.unwrap();
    client.post(PODS, "open-sesame").await.unwrap();
    drop(listening);

    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let message = response["status"]["message"].as_str().unwrap();
    let id = message.rsplit_once("(request ").unwrap().1.trim_end_matches(')');
    let line = logged.lines().find(|line| line.contains(id)).unwrap();
    for part in [
        "INFO",
        "webhook=\"pods\"",
        "namespace=\"team\"",
        "name=\"rdma-tools-7d9c5b8f6c-* of ReplicaSet rdma-tools-7d9c5b8f6c\"",
        "decision=\"deny\"",
        "reason=\"UnknownGroup\"",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    for secret in ["open-sesame", "TOKEN", "rdma-netwrok", "rping-test"] {
        let line = logged.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
