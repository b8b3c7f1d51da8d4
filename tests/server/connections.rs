use std::time::Duration;

use railweave::admission::ConnectionLimits;
use rustls::version::{TLS12, TLS13};

use super::fixture::{Fixture, PODS, create, pod};

/// The API server keeps idle connections for 90 s; the server must not be the one that hangs up first.
#[tokio::test]
async fn idle_connections_outlive_those_of_the_api_server() {
    assert!(ConnectionLimits::default().idle >= Duration::from_secs(100));
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    for _ in 0..3 {
        let received = client.review(PODS, &create("u-1", &pod())).await.unwrap();
        assert_eq!(received.response()["allowed"], true);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(fixture.metrics.connections.get(), 1);
}

#[tokio::test]
async fn the_idle_limit_is_what_ends_an_idle_connection() {
    let fixture = Fixture::with(|setup| setup.connections.idle = Duration::from_millis(300)).await;
    for protocol in ["h2", "http/1.1"] {
        let mut dial = fixture.dial();
        dial.protocols = vec![protocol.as_bytes().to_vec()];
        let mut client = dial.connect().await.unwrap();
        for number in 0..4 {
            let received = client.review(PODS, &create(&format!("u-{number}"), &pod())).await.unwrap();
            assert_eq!(received.response()["allowed"], true, "{protocol}: in use, it stays");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert!(client.review(PODS, &create("u-5", &pod())).await.is_err(), "{protocol}");
        assert_eq!(fixture.metrics.connections.get(), 0, "{protocol}");
    }
}

#[tokio::test]
async fn both_protocols_and_both_versions_of_tls_are_spoken() {
    let fixture = Fixture::start().await;
    for protocol in ["h2", "http/1.1"] {
        for version in [&TLS12, &TLS13] {
            let mut dial = fixture.dial();
            dial.protocols = vec![protocol.as_bytes().to_vec()];
            dial.versions = vec![version];
            let mut client = dial.connect().await.unwrap();
            let received = client.review(PODS, &create("u-1", &pod())).await.unwrap();
            assert_eq!(received.response()["allowed"], true, "{protocol} {version:?}");
        }
    }
}

#[tokio::test]
async fn a_client_without_alpn_gets_http1() {
    let fixture = Fixture::start().await;
    let mut dial = fixture.dial();
    dial.protocols.clear();
    let mut client = dial.connect().await.unwrap();
    let received = client.review(PODS, &create("u-1", &pod())).await.unwrap();
    assert_eq!(received.response()["allowed"], true);
}

#[tokio::test]
async fn many_requests_share_one_http2_connection() {
    let fixture = Fixture::start().await;
    let mut dial = fixture.dial();
    dial.protocols = vec![b"h2".to_vec()];
    let mut client = dial.connect().await.unwrap();
    for number in 0..50 {
        let uid = format!("u-{number}");
        let received = client.review(PODS, &create(&uid, &pod())).await.unwrap();
        assert_eq!(received.response()["uid"], uid);
    }
    assert_eq!(fixture.metrics.connections.get(), 1);
}
