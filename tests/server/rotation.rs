use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use railweave::admission::certificates::{Authority, issue_leaf, make_authority};
use railweave::admission::files::watch;
use railweave::admission::tls::LiveCertificate;
use railweave::telemetry::metrics::Metrics;

use super::fixture::{Fixture, HOUR, PODS, create, pod, serve_leaf_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_change_under_load_without_a_failure() {
    let fixture = Fixture::start().await;
    let next = make_authority("next CA", SystemTime::now(), HOUR).unwrap();
    let bundle = format!("{}{}", fixture.authority.cert_pem, next.cert_pem);
    let stop = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..4)
        .map(|number| {
            let (dial, stop) = (fixture.dial().trusting(&bundle), stop.clone());
            tokio::spawn(async move {
                let review = create("u-1", &pod());
                let mut kept = dial.connect().await.unwrap();
                let mut answered = 0_u32;
                while !stop.load(Ordering::SeqCst) {
                    // Half of them make a new connection for each request, the others keep theirs.
                    if number % 2 == 0 {
                        kept = dial.connect().await.unwrap();
                    }
                    assert_eq!(kept.review(PODS, &review).await.unwrap().response()["allowed"], true);
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    for turn in 0..20 {
        serve_leaf_of(if turn % 2 == 0 { &next } else { &fixture.authority }, &fixture.certificate);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    stop.store(true, Ordering::SeqCst);
    for worker in workers {
        assert!(worker.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_new_certificate_is_reported() {
    let fixture = Fixture::start().await;
    let ready = async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        fixture.health.report()
    };
    assert!(
        ready().await.contains("[+]certificate ok: valid for 0 more days"),
        "{}",
        fixture.health.report()
    );
    let then = SystemTime::now() + HOUR;
    let shown = fixture.metrics.certificate_expiry.get();
    let expected = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((shown - expected).abs() < 60.0, "{shown} {expected}");

    let past = SystemTime::now() - Duration::from_hours(50);
    let leaf = issue_leaf(&fixture.authority, &["localhost".into()], past, HOUR).unwrap();
    fixture.certificate.set(&leaf.cert_pem, &leaf.key_pem).unwrap();
    assert!(
        ready().await.contains("[-]certificate failed: expired 2 days ago"),
        "{}",
        fixture.health.report()
    );
    assert!(!fixture.health.ready());
}

/// As the kubelet updates a mounted Secret: a new folder, and a link that is renamed over the old one.
fn mount(dir: &Path, version: &str, authority: &Authority) {
    let folder = dir.join(version);
    fs::create_dir(&folder).unwrap();
    let leaf = issue_leaf(authority, &["localhost".into()], SystemTime::now(), HOUR).unwrap();
    fs::write(folder.join("tls.crt"), leaf.cert_pem).unwrap();
    fs::write(folder.join("tls.key"), leaf.key_pem).unwrap();
    let link = dir.join("..data_tmp");
    symlink(version, &link).unwrap();
    fs::rename(&link, dir.join("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        if !dir.join(name).exists() {
            symlink(Path::new("..data").join(name), dir.join(name)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_mounted_secret_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let authority = make_authority("CA", SystemTime::now(), HOUR).unwrap();
    let live = Arc::new(LiveCertificate::default());
    let metrics = Metrics::new().unwrap();
    let watching = {
        let (dir, live, metrics) = (dir.path().to_owned(), live.clone(), metrics.clone());
        tokio::spawn(async move { watch(&dir, None, &live, &metrics).await })
    };
    let step = Duration::from_millis(3500);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((live.expiry(), metrics.certificate_reload_failed.get()), (None, 1));

    mount(dir.path(), "v1", &authority);
    tokio::time::sleep(step).await;
    let first = live.expiry().unwrap();
    assert_eq!(metrics.certificate_reload_failed.get(), 0);

    mount(dir.path(), "v2", &authority);
    tokio::time::sleep(step).await;
    assert!(live.expiry().unwrap() > first);

    fs::write(dir.path().join("v2/tls.key"), "damaged").unwrap();
    tokio::time::sleep(step).await;
    assert_eq!(metrics.certificate_reload_failed.get(), 1);
    assert!(live.expiry().unwrap() > first, "the pair before stays");
    watching.abort();
}
