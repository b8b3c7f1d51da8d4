use std::collections::BTreeSet;

use super::*;
use crate::api::settings::Settings;
use crate::catalog::{Assembler, ConfigText, Identity};

/// Gives every series with labels one member, so that it is rendered.
fn with_every_series(metrics: Metrics) -> Metrics {
    metrics.requests.with_label_values(&["pods", "allow", "NotOptedIn", "false"]).inc();
    metrics.request_duration.with_label_values(&["pods"]).observe(0.001);
    metrics.handshake_failures.with_label_values(&["timeout"]).inc();
    metrics.watch_events.with_label_values(&["Namespace"]).inc();
    metrics.watch_restarts.with_label_values(&["Namespace"]).inc();
    metrics.count_reconcile("networks", true, Duration::from_millis(3));
    metrics.ipam_bound_to_endpoint.with_label_values::<&str>(&[]).observe(0.001);
    metrics.ipam_failures.with_label_values(&["NoPool"]).inc();
    metrics.ipam_commits.with_label_values(&["written"]).inc();
    metrics.agent_requests.with_label_values(&["add", "ok"]).inc();
    metrics.agent_request_duration.with_label_values(&["add"]).observe(0.001);
    metrics.agent_attaches.with_label_values(&["endpoint"]).inc();
    metrics.ipam_records.with_label_values(&["held"]).set(1);
    metrics.ipam_pools.with_label_values(&["full"]).set(1);
    metrics.set_pool("rail-1", 8, 3);
    metrics.set_subnet("rail-1", 254, 246, 1);
    metrics.count_delivery(Duration::from_millis(3));
    metrics.count_release(Duration::from_millis(3));
    metrics
}

/// Name and type of what is scraped.
fn scraped(metrics: Metrics) -> BTreeSet<String> {
    let text = with_every_series(metrics).render().unwrap();
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned).collect()
}

#[test]
fn every_series_is_documented_with_its_type_and_nothing_else_is() {
    let mut rendered = scraped(Metrics::new().unwrap());
    rendered.extend(scraped(Metrics::for_agent().unwrap()));
    let documented: BTreeSet<String> =
        DESCRIPTORS.iter().chain(&PROCESS).map(|row| format!("{} {}", row.name, row.kind)).collect();
    assert_eq!(rendered, documented);
}

/// Alerts compare the replicas of the controller with each other, and miss them when they are gone.
#[test]
fn an_agent_is_not_taken_for_a_replica_of_the_controller() {
    let agent = Metrics::for_agent().unwrap();
    let text = agent.render().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let told = format!("railweave_build_info{{component=\"agent\",version=\"{version}\"}} 1");
    assert!(text.contains(&told), "{text}");
    let names = scraped(agent);
    for of_the_controller in [
        "railweave_admission_requests_total counter",
        "railweave_catalog_groups gauge",
        "railweave_config_reload_failed gauge",
        "railweave_certificate_expiry_timestamp_seconds gauge",
        "railweave_ca_bundle_in_sync gauge",
        "railweave_leader gauge",
        "spiderpool_total_ippool_counts gauge",
        "spiderpool_debug_ippool_total_ip_counts gauge",
    ] {
        assert!(!names.contains(of_the_controller), "{of_the_controller}");
    }
    assert!(names.contains("railweave_agent_requests_total counter"));
}

#[test]
fn own_names_have_the_prefix_and_units_of_prometheus() {
    for row in DESCRIPTORS {
        // Those of Spiderpool keep the names by which its dashboards know them.
        assert!(row.name.starts_with("railweave_") || row.name.starts_with("spiderpool_"), "{}", row.name);
        assert_eq!(row.kind == "counter", row.name.ends_with("_total"), "{}", row.name);
        let is_duration = row.name.ends_with("_duration_seconds");
        assert!(row.kind != "histogram" || is_duration, "{}", row.name);
        assert!(
            !row.name.starts_with("railweave_") || row.kind == "histogram" || !is_duration,
            "{}",
            row.name
        );
    }
}

#[test]
fn durations_are_counted_from_a_tenth_of_a_millisecond() {
    let metrics = Metrics::new().unwrap();
    metrics.request_duration.with_label_values(&["pods"]).observe(0.000_09);
    let text = metrics.render().unwrap();
    assert!(
        text.contains(
            "railweave_admission_request_duration_seconds_bucket{webhook=\"pods\",le=\"0.0001\"} 1"
        ),
        "{text}"
    );
}

#[test]
fn durations_have_their_extremes_mean_and_last_value() {
    let metrics = Metrics::new().unwrap();
    for milliseconds in [200, 500, 350, 150] {
        metrics.count_delivery(Duration::from_millis(milliseconds));
    }
    let gauges = [
        &metrics.allocation_max,
        &metrics.allocation_min,
        &metrics.allocation_average,
        &metrics.allocation_latest,
    ];
    for (gauge, expected) in gauges.iter().zip([0.5, 0.15, 0.3, 0.15]) {
        assert!((gauge.get() - expected).abs() < 1e-9, "{} is not {expected}", gauge.get());
    }
    for milliseconds in [30, 10, 20] {
        metrics.count_release(Duration::from_millis(milliseconds));
    }
    let gauges =
        [&metrics.release_max, &metrics.release_min, &metrics.release_average, &metrics.release_latest];
    for (gauge, expected) in gauges.iter().zip([0.03, 0.01, 0.02, 0.02]) {
        assert!((gauge.get() - expected).abs() < 1e-9, "{} is not {expected}", gauge.get());
    }
    for reason in [Reason::NoPool, Reason::PoolExhausted, Reason::PoolFull, Reason::InternalError] {
        metrics.count_refusal(reason);
    }
    let counted = [&metrics.allocation_no_pool, &metrics.allocation_used_out, &metrics.allocation_internal];
    assert_eq!(counted.map(IntCounter::get), [1, 2, 1]);
    assert_eq!(metrics.allocation_failures.get(), 4);
}

#[test]
fn a_catalog_moves_the_reload_time_only_with_its_configuration() {
    let metrics = Metrics::new().unwrap();
    let mut assembler = Assembler::new(Identity::default(), Settings::default());
    assembler.objects.config = ConfigText::Text("enableIPv4: true\n".into());
    metrics.set_catalog(&assembler.assemble(), UNIX_EPOCH + Duration::from_secs(100));
    metrics.set_catalog(&assembler.assemble(), UNIX_EPOCH + Duration::from_secs(200));
    assert_eq!(metrics.config_generation.get(), 1);
    assert!((metrics.config_last_reload.get() - 100.0).abs() < f64::EPSILON);
}

#[test]
fn the_committed_page_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(path, documentation()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), documentation(), "run: make generate");
}
