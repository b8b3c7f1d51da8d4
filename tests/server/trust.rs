use std::io::ErrorKind;
use std::time::{Duration, Instant, SystemTime};

use railweave::admission::certificates::{issue_client, make_authority};

use super::fixture::{Fixture, HOUR, PODS, create, pod, serve_leaf_of};

#[tokio::test]
async fn a_client_that_asks_for_another_name_does_not_trust_us_and_harms_nobody() {
    let fixture = Fixture::start().await;
    let mut dial = fixture.dial();
    dial.name = "kubernetes.default.svc";
    let error = dial.connect().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    let mut client = fixture.client().await;
    assert_eq!(client.review(PODS, &create("u", &pod())).await.unwrap().response()["allowed"], true);
    let refused = fixture.metrics.handshake_failures.with_label_values(&["refused"]);
    for _ in 0..50 {
        if refused.get() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the failed handshake was not counted");
}

#[tokio::test]
async fn with_a_client_ca_only_its_clients_get_an_answer() {
    let now = SystemTime::now();
    let ours = make_authority("clients", now, HOUR).unwrap();
    let theirs = make_authority("clients", now, HOUR).unwrap();
    let client_ca = ours.cert_pem.clone();
    let fixture = Fixture::with(|setup| setup.client_ca = Some(client_ca)).await;
    let review = create("u-1", &pod());

    let mut dial = fixture.dial();
    dial.identity = Some(issue_client(&ours, "kube-apiserver", now, HOUR).unwrap());
    let mut client = dial.connect().await.unwrap();
    assert_eq!(client.review(PODS, &review).await.unwrap().response()["allowed"], true);

    for identity in [None, Some(issue_client(&theirs, "kube-apiserver", now, HOUR).unwrap())] {
        let mut dial = fixture.dial();
        dial.identity = identity;
        // In TLS 1.3 the client may send before the server has looked at its certificate.
        let refused = match dial.connect().await {
            Err(_) => true,
            Ok(mut client) => client.review(PODS, &review).await.is_err(),
        };
        assert!(refused);
    }
}

#[tokio::test]
async fn without_a_certificate_nobody_gets_through_and_the_server_is_not_ready() {
    let fixture = Fixture::with(|setup| setup.certified = false).await;
    assert!(fixture.dial().connect().await.is_err());
    until("it says so", || fixture.health.report().contains("[-]certificate failed: ")).await;
    assert!(!fixture.health.ready());

    serve_leaf_of(&fixture.authority, &fixture.certificate);
    let mut client = fixture.client().await;
    assert_eq!(client.review(PODS, &create("u", &pod())).await.unwrap().response()["allowed"], true);
    until("it is ready", || fixture.health.ready()).await;
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "waited for: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn what_is_no_pair_never_becomes_the_certificate() {
    let empty = railweave::admission::tls::LiveCertificate::default();
    assert_eq!(empty.expiry(), None);
    assert!(empty.set("no PEM", "no PEM").is_err());
    let authority = make_authority("a", SystemTime::now(), HOUR).unwrap();
    let (leaf, other) = {
        let issue = || issue_client(&authority, "a", SystemTime::now(), HOUR).unwrap();
        (issue(), issue())
    };
    assert!(empty.set(&leaf.cert_pem, &other.key_pem).is_err(), "the key belongs to another certificate");
    assert_eq!(empty.expiry(), None);
    assert!(empty.set(&leaf.cert_pem, &leaf.key_pem).is_ok());
    assert!(empty.expiry().is_some());
}
