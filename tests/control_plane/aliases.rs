//! Objects of the guide, as it writes them, through the real API server: each older or loose spelling is stored in
//! its canonical form, with a warning that names both, and refused with the same text in strict mode.

use serde_json::Value;

use crate::installation::{Installation, Options};
use crate::resources::resources;

/// An object of the guide, and the spellings in it.
struct Written {
    /// File below `manifests/guide`.
    file: &'static str,
    kind: &'static str,
    name: &'static str,
    aliases: &'static [Alias],
}

/// One spelling.
struct Alias {
    /// Where the canonical value is read, and what it is there, as JSON.
    canonical: (&'static str, &'static str),
    /// A place that is empty afterwards.
    gone: Option<&'static str>,
    /// What the warning names: the old place or value, the new one.
    warning: [&'static str; 2],
}

const WRITTEN: [Written; 7] = [
    Written {
        file: "per-node-subnet/pool-rail1.yaml",
        kind: "SpiderIPPool",
        name: "eno3np1-rail1-node1",
        aliases: &[
            Alias { canonical: ("/spec/ipVersion", "4"), gone: None, warning: ["\"ipv4\"", "the number 4"] },
            Alias {
                canonical: ("/spec/ips", r#"["172.16.1.2-172.16.1.30"]"#),
                gone: None,
                warning: ["172.16.1.2-172.16.1.32", "172.16.1.30"],
            },
            Alias {
                canonical: ("/spec/routes/0/dst", r#""172.16.0.0/16""#),
                gone: Some("/spec/routes/0/to"),
                warning: ["spec.routes[0].to", "spec.routes[0].dst"],
            },
            Alias {
                canonical: ("/spec/routes/0/gw", r#""172.16.1.1""#),
                gone: Some("/spec/routes/0/via"),
                warning: ["spec.routes[0].via", "spec.routes[0].gw"],
            },
        ],
    },
    Written {
        file: "per-node-subnet/pools-rail2-8.yaml",
        kind: "SpiderIPPool",
        name: "eno3np8-rail8-node1",
        aliases: &[Alias {
            canonical: ("/spec/ips", r#"["172.16.1.226-172.16.1.254"]"#),
            gone: None,
            warning: ["172.16.1.226-172.16.1.256", "172.16.1.254"],
        }],
    },
    Written {
        file: "per-node-subnet/network-rail1.yaml",
        kind: "SpiderMultusConfig",
        name: "sriov-eno3np1",
        aliases: &[Alias {
            canonical: ("/spec/sriov/ippools/matchMasterSubnet", "true"),
            gone: Some("/spec/sriov/matchMasterSubnet"),
            warning: ["spec.sriov.matchMasterSubnet", "spec.sriov.ippools.matchMasterSubnet"],
        }],
    },
    Written {
        file: "ufm-pkey.yaml",
        kind: "SpiderMultusConfig",
        name: "ib-sriov",
        aliases: &[Alias {
            canonical: ("/spec/ibsriov/pkey", r#""0x03E8""#),
            gone: None,
            warning: ["1000", "0x03E8"],
        }],
    },
    Written {
        file: "custom-mtu.yaml",
        kind: "SpiderMultusConfig",
        name: "gpu1-sriov",
        aliases: &[Alias {
            canonical: ("/spec/sriov/rdmaIsolation", "true"),
            gone: Some("/spec/sriov/enableRdma"),
            warning: ["enableRdma", "rdmaIsolation"],
        }],
    },
    Written {
        file: "webhook/gpu1.yaml",
        kind: "SpiderIPPool",
        name: "gpu1-net11",
        aliases: &[Alias {
            canonical: ("/spec/subnet", r#""172.16.0.0/16""#),
            gone: None,
            warning: ["172.16.11.0/16", "172.16.0.0/16"],
        }],
    },
    Written {
        file: "webhook/gpu1.yaml",
        kind: "SpiderMultusConfig",
        name: "gpu1-sriov",
        aliases: &[Alias {
            canonical: ("/spec/sriov/ippools/ipv4", r#"["gpu1-net11"]"#),
            gone: Some("/spec/ippools"),
            warning: ["spec.ippools", "spec.sriov.ippools"],
        }],
    },
];

impl Written {
    /// The object as the guide has it.
    fn object(&self) -> Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/guide");
        let text = std::fs::read_to_string(format!("{folder}/{}", self.file)).unwrap();
        let objects = resources(&text).into_iter().map(|(_, object)| object);
        let mut named =
            objects.filter(|object| object["kind"] == self.kind && object["metadata"]["name"] == self.name);
        named.next().unwrap()
    }
}

impl Alias {
    /// Whether a line names both the old and the new.
    fn is_named_in(&self, printed: &str) -> bool {
        printed.lines().any(|line| self.warning.iter().all(|part| line.contains(part)))
    }
}

pub(crate) async fn of_the_guide_become_canonical() {
    let installation = Installation::start("aliases", Options::default()).await;
    let cluster = &installation.cluster;
    for written in &WRITTEN {
        let object = written.object();
        let manifest = object.to_string();
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
        let place = ["--namespace", namespace, written.kind, written.name];
        // A pool that went a moment ago stands in the way until the replica has heard of it.
        installation
            .wait_for("other pools of these addresses to be forgotten", || async {
                let tried = cluster.kubectl(&["apply", "--dry-run=server", "-f", "-"], &manifest);
                !tried.err.contains("overlaps")
            })
            .await;
        // Client-side and server-side apply take different ways through the schema.
        for way in [&["apply", "-f", "-"][..], &["apply", "--server-side", "--force-conflicts", "-f", "-"]] {
            let printed = cluster.kubectl(way, &manifest);
            assert!(printed.ok, "{}: {}", written.name, printed.err);
            let stored = cluster.get(&place);
            for alias in written.aliases {
                let (pointer, canonical) = alias.canonical;
                assert!(alias.is_named_in(&printed.err), "{pointer}: {}", printed.err);
                let canonical: Value = serde_json::from_str(canonical).unwrap();
                assert_eq!(stored.pointer(pointer), Some(&canonical), "{}", written.name);
                assert_eq!(alias.gone.and_then(|gone| stored.pointer(gone)), None, "{}", written.name);
            }
            cluster.kubectl_ok(&[&["delete", "--timeout=60s"], &place[..]].concat(), "");
        }
    }
}

pub(crate) async fn are_refused_in_strict_mode() {
    let values = ["spiderpoolController.admission.strict=true"];
    let options = Options { values: &values, ..Options::default() };
    let installation = Installation::start("aliases-strict", options).await;
    for written in &WRITTEN {
        let printed = installation.cluster.kubectl(&["create", "-f", "-"], &written.object().to_string());
        assert!(!printed.ok, "{} of {} is accepted", written.name, written.file);
        for alias in written.aliases {
            assert!(alias.is_named_in(&printed.err), "{}: {}", alias.canonical.0, printed.err);
        }
    }
}
