use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::client::{Client, Dial};
use super::fixture::{Fixture, PODS, create, pod};

#[derive(Default)]
struct Tally {
    answered: AtomicU32,
    lost: AtomicU32,
    told_to_close: AtomicU32,
    refusals_are_fine: AtomicBool,
}

/// Sends reviews one after the other, over new connections when told to, until nobody listens any more.
async fn work(dial: Dial, tally: Arc<Tally>) {
    let review = create("u-1", &pod());
    let mut connection: Option<Client> = None;
    loop {
        let mut client = match connection.take() {
            Some(client) => client,
            None => match dial.connect().await {
                Ok(client) => client,
                Err(_) if tally.refusals_are_fine.load(Ordering::SeqCst) => return,
                Err(error) => panic!("refused while endpoints still point here: {error}"),
            },
        };
        match client.review(PODS, &review).await {
            Ok(received) => {
                assert_eq!(received.response()["allowed"], true);
                tally.answered.fetch_add(1, Ordering::SeqCst);
                if received.headers.get("connection").is_some_and(|value| value == "close") {
                    tally.told_to_close.fetch_add(1, Ordering::SeqCst);
                } else {
                    connection = Some(client);
                }
            }
            Err(error) => {
                eprintln!("lost: {error:?}");
                tally.lost.fetch_add(1, Ordering::SeqCst);
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_under_load_loses_no_request() {
    const SHORTLY_BEFORE: Duration = Duration::from_millis(700);
    const KEEP_SERVING: Duration = Duration::from_millis(800);
    let fixture = Fixture::with(|setup| setup.drain.keep_serving = KEEP_SERVING).await;
    let tally = Arc::new(Tally::default());
    let workers: Vec<_> = (0..8).map(|_| tokio::spawn(work(fixture.dial(), tally.clone()))).collect();
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(fixture.health.ready(), "{}", fixture.health.report());
    let health = fixture.health.clone();
    let stopped = fixture.stop();
    tokio::time::sleep(SHORTLY_BEFORE).await;
    assert!(!health.ready() && health.draining());
    tally.refusals_are_fine.store(true, Ordering::SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    stopped.await.unwrap();
    let count = |counter: &AtomicU32| counter.load(Ordering::SeqCst);
    assert_eq!(count(&tally.lost), 0, "of {}", count(&tally.answered));
    assert!(count(&tally.answered) > 50, "{}", count(&tally.answered));
    assert!(count(&tally.told_to_close) > 8, "{}", count(&tally.told_to_close));
}

#[tokio::test]
async fn a_request_in_flight_is_finished() {
    let fixture = Fixture::start().await;
    let body = create("u-1", &pod()).to_string();
    let head = format!(
        "POST {PODS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = fixture.dial().stream().await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    while fixture.metrics.in_flight.get() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let stopped = fixture.stop();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!stopped.is_finished());
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The end of the stream may come without TLS's own farewell.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    stopped.await.unwrap();
}

#[tokio::test]
async fn a_client_that_never_finishes_does_not_keep_the_process() {
    let fixture = Fixture::with(|setup| setup.drain.deadline = Duration::from_millis(300)).await;
    let mut stream = fixture.dial().stream().await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    fixture.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
