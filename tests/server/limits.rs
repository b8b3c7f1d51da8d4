use std::time::{Duration, Instant};

use hyper::StatusCode;
use railweave::admission::BODY_LIMIT;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::fixture::{Fixture, PODS, create, pod};

/// A request of which the head has arrived and the body has not.
fn head(length: usize) -> String {
    format!(
        "POST {PODS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

async fn status_line(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut buffer = [0; 512];
    let read = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..read]).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn bodies_up_to_the_limit_are_read() {
    let fixture = Fixture::start().await;
    let mut client = fixture.client().await;
    let mut large = pod();
    large["metadata"]["annotations"]["note"] = "x".repeat(6 << 20).into();
    let response = client.review(PODS, &create("u-1", &large)).await.unwrap().response();
    assert_eq!(response["allowed"], true);
    let too_large = vec![b' '; BODY_LIMIT + 1];
    let received = client.post(PODS, too_large).await.unwrap();
    assert_eq!(received.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(received.text(), "the body is larger than 7340032 bytes\n");
    let mut client = fixture.client().await;
    let response = client.review(PODS, &create("u-2", &pod())).await.unwrap().response();
    assert_eq!(response["allowed"], true, "others are not harmed");
}

#[tokio::test]
async fn what_is_over_the_bound_is_shed_with_503() {
    let fixture = Fixture::with(|setup| setup.state.limits.in_flight = 1).await;
    let body = create("u-1", &pod()).to_string();
    let mut slow = fixture.dial().stream().await.unwrap();
    slow.write_all(head(body.len()).as_bytes()).await.unwrap();
    while fixture.metrics.in_flight.get() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut client = fixture.client().await;
    let received = client.post(PODS, body.clone()).await.unwrap();
    assert_eq!(received.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(received.text(), "too many requests in flight; try again\n");
    assert_eq!(fixture.metrics.shed.get(), 1);

    slow.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(status_line(&mut slow).await, "HTTP/1.1 200 OK");
    let received = client.post(PODS, body).await.unwrap();
    assert_eq!(received.status, StatusCode::OK);
    assert_eq!(fixture.metrics.in_flight.get(), 0);
}

#[tokio::test]
async fn memory_for_bodies_is_shared_out_and_waited_for() {
    let fixture = Fixture::with(|setup| setup.state.limits.buffered_kib = 8).await;
    let mut slow = fixture.dial().stream().await.unwrap();
    let body = create("u-1", &pod()).to_string();
    let padded = format!("{body}{}", " ".repeat(8192 - body.len()));
    slow.write_all(head(padded.len()).as_bytes()).await.unwrap();
    while fixture.metrics.in_flight.get() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut client = fixture.client().await;
    let waiting = tokio::spawn(async move { client.post(PODS, body).await.unwrap().status });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    slow.write_all(padded.as_bytes()).await.unwrap();
    assert_eq!(status_line(&mut slow).await, "HTTP/1.1 200 OK");
    assert_eq!(waiting.await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let fixture = Fixture::with(|setup| setup.state.limits.deadline = Duration::from_millis(200)).await;
    let mut slow = fixture.dial().stream().await.unwrap();
    slow.write_all(head(100).as_bytes()).await.unwrap();
    assert_eq!(status_line(&mut slow).await, "HTTP/1.1 408 Request Timeout");
    assert_eq!(fixture.metrics.in_flight.get(), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_sends_leaves_nothing_behind() {
    let fixture = Fixture::start().await;
    let mut slow = fixture.dial().stream().await.unwrap();
    slow.write_all(head(100).as_bytes()).await.unwrap();
    while fixture.metrics.in_flight.get() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(slow);
    let begun = Instant::now();
    while fixture.metrics.in_flight.get() != 0 {
        assert!(begun.elapsed() < Duration::from_secs(2), "the request is still counted as in flight");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_slow_handshake_is_cut_off() {
    let fixture = Fixture::with(|setup| setup.connections.handshake = Duration::from_millis(200)).await;
    let mut silent = TcpStream::connect(fixture.address).await.unwrap();
    silent.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
    let mut buffer = [0; 16];
    let ended = tokio::time::timeout(Duration::from_secs(2), silent.read(&mut buffer)).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    assert_eq!(fixture.metrics.handshake_failures.with_label_values(&["timeout"]).get(), 1);
}

#[tokio::test]
async fn connections_over_the_cap_wait_for_their_turn() {
    let fixture = Fixture::with(|setup| setup.connections.connections = 1).await;
    let mut first = fixture.client().await;
    first.review(PODS, &create("u-1", &pod())).await.unwrap();
    let dial = fixture.dial();
    let second = tokio::spawn(async move {
        let mut client = dial.connect().await.unwrap();
        client.review(PODS, &create("u-2", &pod())).await.unwrap().status
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.await.unwrap(), StatusCode::OK);
}
