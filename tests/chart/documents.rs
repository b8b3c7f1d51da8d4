//! The values that the documents show are values the chart takes, and do what the text says.

use crate::helm::{Helm, titles};
use std::fs;
use std::path::Path;

/// Bodies of the blocks with this info string.
fn blocks(document: &str, info: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document);
    let text = fs::read_to_string(path).unwrap();
    let opening = format!("\n```{info}\n");
    text.split(&opening).skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

pub(crate) fn every_values_file_renders(helm: &Helm) {
    let folder = tempfile::tempdir().unwrap();
    for (document, at_least) in [("operations.md", 3), ("security.md", 2)] {
        let shown = blocks(document, "yaml values");
        assert!(shown.len() >= at_least, "{document}");
        for values in shown {
            let file = folder.path().join("values.yaml");
            fs::write(&file, &values).unwrap();
            let rendered = helm.try_render(&["-f", file.to_str().unwrap()]);
            rendered.unwrap_or_else(|complaint| panic!("{document}: {complaint}\n{values}"));
        }
    }
}

pub(crate) fn the_values_for_monitoring_add_what_they_say(helm: &Helm) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    fs::write(&file, &blocks("operations.md", "yaml values")[2]).unwrap();
    let added = titles(&helm.render(&["-f", file.to_str().unwrap()]));
    for title in [
        "ServiceMonitor/spiderpool-controller",
        "ServiceMonitor/spiderpool-agent",
        "PrometheusRule/spiderpool-controller",
        "ConfigMap/spiderpool-controller-dashboard",
    ] {
        assert!(added.iter().any(|present| present == title), "{title}");
    }
}
