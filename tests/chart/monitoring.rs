//! Alerts and dashboard speak of metrics that exist, and each alert has a runbook.

use crate::helm::{Helm, chart_dir, pick};
use railweave::reason::Reason;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

fn rules() -> Vec<Value> {
    let alerts: Value =
        serde_saphyr::from_str(&fs::read_to_string(chart_dir().join("files/alerts.yaml")).unwrap()).unwrap();
    alerts["groups"][0]["rules"].as_array().unwrap().clone()
}

/// Names of the dashboards' files, without their endings.
const DASHBOARDS: [&str; 2] = ["admission", "addresses"];

fn dashboard(name: &str) -> String {
    fs::read_to_string(chart_dir().join(format!("files/dashboards/{name}.json"))).unwrap()
}

fn expressions() -> Vec<String> {
    let dashboards = DASHBOARDS.map(|name| serde_json::from_str::<Value>(&dashboard(name)).unwrap());
    let panels = dashboards.iter().flat_map(|dashboard| dashboard["panels"].as_array().unwrap());
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    let of_rules = rules().into_iter().map(|rule| rule["expr"].as_str().unwrap().to_owned());
    of_rules.chain(targets.map(|target| target["expr"].as_str().unwrap().to_owned())).collect()
}

/// The words of an expression that have the form of one of our metrics, without the suffixes of a histogram.
fn metrics(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let prefixes = ["railweave_", "spiderpool_", "process_"];
    let ours = words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)));
    ours.map(|word| {
        let series = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| word.strip_suffix(suffix));
        series.filter(|series| series.ends_with("_seconds")).unwrap_or(word)
    })
    .collect()
}

pub(crate) fn every_metric_is_documented() {
    let documented = document("metrics.md");
    for expression in expressions() {
        let named = metrics(&expression);
        assert!(!named.is_empty(), "{expression} is about nothing of ours");
        for metric in named {
            assert!(documented.contains(&format!("| `{metric}` |")), "{metric} in {expression}");
        }
    }
}

/// A row of `docs/metrics.md`, which is generated from the registry.
struct Documented {
    labels: BTreeSet<String>,
    meaning: String,
}

fn documented(metric: &str) -> Documented {
    let page = document("metrics.md");
    let row = page.lines().find(|line| line.starts_with(&format!("| `{metric}` |"))).expect(metric);
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let labels = cells[3].split(',').map(|label| label.trim().trim_matches('`').to_owned());
    Documented { labels: labels.collect(), meaning: cells[4].to_owned() }
}

/// What Prometheus adds to every series, and the one of a histogram's buckets.
const ADDED: [&str; 5] = ["instance", "job", "namespace", "pod", "le"];

/// A selector on a label, or with a value, that a metric does not have selects nothing, and an alert on it never fires.
pub(crate) fn every_selector_is_one_that_the_metric_has() {
    for expression in expressions() {
        for (before, rest) in expression.match_indices('{').map(|(at, _)| expression.split_at(at)) {
            let name =
                metrics(before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap());
            let metric = documented(name.first().expect("a selector belongs to a metric"));
            let selectors = rest[1..].split('}').next().unwrap();
            for selector in selectors.split(',') {
                let (label, value) = selector.split_once('=').unwrap();
                let value = value.trim_start_matches('~').trim_matches('"');
                assert!(metric.labels.contains(label), "{label} in {expression}");
                // Of a reason all codes are listed on the same page.
                let known = label == "reason" || metric.meaning.contains(value);
                assert!(known, "{value} of {label} in {expression}: {}", metric.meaning);
            }
        }
        for (at, _) in expression.match_indices("by (") {
            let labels = expression[at + 4..].split(')').next().unwrap();
            for label in labels.split(',').map(str::trim).filter(|label| !ADDED.contains(label)) {
                let named = metrics(&expression);
                let has = |metric: &&str| documented(metric).labels.contains(label);
                assert!(named.iter().any(has), "{label} in {expression}");
            }
        }
    }
}

pub(crate) fn every_reason_is_a_reason() {
    let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    for expression in expressions() {
        for part in expression.split("reason=\"").skip(1) {
            let code = part.split('"').next().unwrap();
            assert!(codes.contains(code), "{code} in {expression}");
        }
    }
}

/// Every program has `railweave_build_info`: whoever counts replicas by it says which program is meant.
pub(crate) fn agents_are_not_counted_as_replicas() {
    let by_build = expressions().into_iter().filter(|expression| expression.contains("railweave_build_info"));
    let named = by_build.inspect(|expression| {
        let of_controllers = expression.matches("railweave_build_info{component=\"controller\"}").count();
        assert_eq!(of_controllers, expression.matches("railweave_build_info").count(), "{expression}");
    });
    assert!(named.count() >= 3, "RailweaveDown, RailweaveSingleReplica and the dashboard's replicas");
}

pub(crate) fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let operations = document("operations.md");
    let (_, runbook) = operations.split_once("\n## Runbook\n").unwrap();
    let runbook = runbook.split("\n## ").next().unwrap();
    let sections: BTreeSet<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect();
    let alerts: BTreeSet<String> =
        rules().iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    assert_eq!(alerts, sections);
}

pub(crate) fn the_operators_objects_hold_the_files_as_they_are(helm: &Helm) {
    let objects = helm.render(&[
        "--set",
        "spiderpoolController.prometheus.prometheusRule.install=true,grafanaDashboard.install=true,grafanaDashboard.namespace=monitoring",
    ]);
    let rule = pick(&objects, "PrometheusRule/spiderpool-controller");
    assert_eq!(rule["spec"]["groups"][0]["rules"], Value::Array(rules()));
    let object = pick(&objects, "ConfigMap/spiderpool-controller-dashboard");
    assert_eq!(object["metadata"]["namespace"], "monitoring");
    assert_eq!(object["metadata"]["labels"]["grafana_dashboard"], "1");
    for name in DASHBOARDS {
        let text = object["data"][format!("railweave-{name}.json")].as_str().unwrap();
        assert_eq!(text.trim(), dashboard(name).trim());
    }
}
