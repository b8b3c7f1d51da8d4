use std::collections::BTreeSet;
use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use railweave::telemetry::admin::AdminServer;
use railweave::telemetry::health::{CATALOG, Health};
use railweave::telemetry::metrics::{DESCRIPTORS, Metrics};
use tokio::net::TcpStream;

use super::fixture::{Fixture, PODS, create, pod};

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "localhost").body(Empty::<bytes::Bytes>::new()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn admin(health: &Health, metrics: &Metrics) -> SocketAddr {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = AdminServer::bind(listen, health.clone(), metrics.clone()).await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(server.run(std::future::pending()));
    address
}

#[tokio::test]
async fn readiness_follows_the_conditions_and_liveness_does_not() {
    let health = Health::requiring(&[CATALOG]);
    let address = admin(&health, &Metrics::new().unwrap()).await;
    assert_eq!(
        get(address, "/readyz").await,
        (503, "[-]catalog failed: not yet\nreadyz check failed\n".to_owned())
    );
    assert_eq!(get(address, "/livez").await, (200, "ok\n".to_owned()));
    health.set(CATALOG, true, "");
    assert_eq!(get(address, "/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(
        get(address, "/readyz?verbose").await,
        (200, "[+]catalog ok\nreadyz check passed\n".to_owned())
    );
    health.start_draining();
    assert_eq!(get(address, "/readyz").await.0, 503);
    assert_eq!(get(address, "/livez").await.0, 200);
}

#[tokio::test]
async fn requests_appear_in_the_metrics_under_documented_names() {
    let fixture = Fixture::start().await;
    let address = admin(&fixture.health, &fixture.metrics).await;
    fixture.client().await.review(PODS, &create("u-1", &pod())).await.unwrap();
    let (status, text) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    let line = "railweave_admission_requests_total{decision=\"patch\",dry_run=\"false\",reason=\"Injected\",webhook=\"pods\"} 1";
    assert!(text.lines().any(|l| l == line), "{text}");
    assert!(
        text.contains("railweave_admission_request_duration_seconds_count{webhook=\"pods\"} 1"),
        "{text}"
    );
    let documented: BTreeSet<&str> = DESCRIPTORS.iter().map(|row| row.name).collect();
    let shown = text.lines().filter_map(|line| line.strip_prefix("# TYPE railweave_")?.split(' ').next());
    for name in shown {
        assert!(documented.contains(format!("railweave_{name}").as_str()), "{name}");
    }
}
