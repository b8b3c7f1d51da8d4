//! Manifests and configurations as people write them, and anything else.

use std::time::{Duration, Instant};

use railweave::api::settings::Settings;
use railweave::catalog::{Assembler, Identity};
use railweave::yaml;

use crate::files::files;
use crate::random::{change, damage, run};

/// What stands behind each of the guide's manifests: the other objects that a catalog is made of.
const OTHERS: &str = "\
---
apiVersion: v1
kind: ConfigMap
metadata: {name: spiderpool-config, namespace: spiderpool}
data:
  conf.yml: |
    enableIPv4: true
    podResourceInject: {enabled: true, namespacesExclude: [kube-system, 'team-*'], conflicts: clear}
---
apiVersion: v1
kind: Namespace
metadata: &m
  name: team
  annotations: {cni.spidernet.io/network-resource-inject: 'a,b'}
";

#[test]
fn every_manifest_is_read_or_refused() {
    let guide: Vec<String> =
        files("manifests/guide").into_iter().map(|(_, text)| format!("{text}{OTHERS}")).collect();
    run("manifests", |random| {
        let mut text = random.pick(&guide).clone();
        if random.below(2) == 0 {
            let mut bytes = text.into_bytes();
            damage(&mut bytes, random);
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        let begun = Instant::now();
        let mut assembler = Assembler::new(Identity::default(), Settings::default());
        for document in yaml::documents(&text) {
            let Ok(content) = document.content else { continue };
            let mut value = content.value;
            if random.below(2) == 0 {
                change(&mut value, random);
            }
            // What was read can be written, and means the same when it is read again.
            let written = yaml::write(&value).unwrap();
            let again = yaml::parse(&written, 1).unwrap_or_else(|error| panic!("{error} in {written}"));
            assert_eq!(again.map(|content| content.value).unwrap_or_default(), value, "{written}");
            // Neither an object nor a configuration may stop the catalog; errors are what it keeps of them.
            assembler.objects.apply(&value).ok();
        }
        let catalog = assembler.assemble();
        assert!(catalog.counts().networks <= 1, "no manifest of the guide has more than one: {text}");
        assert!(begun.elapsed() < Duration::from_secs(2), "takes too long: {text}");
    });
}
