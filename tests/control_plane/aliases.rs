//! Objects of the guide, as it writes them, through the real API server: each older or loose spelling is stored in
//! its canonical form, with a warning that names both, and refused with the same text in strict mode.

use serde_json::Value;

use crate::installation::{Installation, NAMESPACE, Options};

/// One spelling of the guide.
struct Alias {
    what: &'static str,
    resource: &'static str,
    manifest: &'static str,
    /// Where the canonical value is read, and what it is there, as JSON.
    canonical: (&'static str, &'static str),
    /// A place that is empty afterwards.
    gone: Option<&'static str>,
    /// What the warning names: the old place or value, the new one.
    warning: [&'static str; 2],
}

const ALIASES: [Alias; 9] = [
    Alias {
        what: "host bits in subnet",
        resource: "spiderippool/gpu1-net11",
        manifest: "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: gpu1-net11
spec:
  gateway: 172.16.11.254
  subnet: 172.16.11.0/16
  ips:
  - 172.16.11.1-172.16.11.200
",
        canonical: ("/spec/subnet", r#""172.16.0.0/16""#),
        gone: None,
        warning: ["172.16.11.0/16", "172.16.0.0/16"],
    },
    Alias {
        what: "ipVersion as a word",
        resource: "spiderippool/eno3np1-rail1-node1",
        manifest: "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: eno3np1-rail1-node1
spec:
  ipVersion: ipv4
  subnet: 172.17.1.0/27
  gateway: 172.17.1.1
  ips:
  - 172.17.1.2-172.17.1.30
",
        canonical: ("/spec/ipVersion", "4"),
        gone: None,
        warning: ["ipv4", "4"],
    },
    Alias {
        what: "routes with to and via",
        resource: "spiderippool/eno3np2-rail2-node1",
        manifest: "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: eno3np2-rail2-node1
spec:
  subnet: 172.17.2.0/27
  gateway: 172.17.2.1
  ips:
  - 172.17.2.2-172.17.2.30
  routes:
  - to: 172.17.0.0/16
    via: 172.17.2.1
",
        canonical: ("/spec/routes", r#"[{"dst": "172.17.0.0/16", "gw": "172.17.2.1"}]"#),
        gone: None,
        warning: ["to", "dst"],
    },
    Alias {
        what: "a range that ends behind its subnet",
        resource: "spiderippool/eno3np3-rail3-node1",
        manifest: "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: eno3np3-rail3-node1
spec:
  subnet: 172.17.3.0/27
  gateway: 172.17.3.1
  ips:
  - 172.17.3.2-172.17.3.32
",
        canonical: ("/spec/ips", r#"["172.17.3.2-172.17.3.30"]"#),
        gone: None,
        warning: ["172.17.3.2-172.17.3.32", "172.17.3.30"],
    },
    Alias {
        what: "a range that ends behind the last octet",
        resource: "spiderippool/eno3np8-rail8-node1",
        manifest: "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: eno3np8-rail8-node1
spec:
  subnet: 172.17.1.224/27
  gateway: 172.17.1.225
  ips:
  - 172.17.1.226-172.17.1.256
",
        canonical: ("/spec/ips", r#"["172.17.1.226-172.17.1.254"]"#),
        gone: None,
        warning: ["172.17.1.226-172.17.1.256", "172.17.1.254"],
    },
    Alias {
        what: "enableRdma, and ippools beside sriov",
        resource: "spidermultusconfig/gpu1-sriov",
        manifest: "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: gpu1-sriov
  namespace: spiderpool
  annotations:
    cni.spidernet.io/rdma-resource-inject: rdma-network
spec:
  cniType: sriov
  sriov:
    resourceName: spidernet.io/gpu1sriov
    enableRdma: true
  ippools:
    ipv4: [\"gpu1-net11\"]
",
        canonical: ("/spec/sriov/ippools/ipv4", r#"["gpu1-net11"]"#),
        gone: Some("/spec/ippools"),
        warning: ["spec.ippools", "spec.sriov.ippools"],
    },
    Alias {
        what: "enableRdma",
        resource: "spidermultusconfig/sriov-mtu",
        manifest: "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: sriov-mtu
  namespace: spiderpool
spec:
  cniType: sriov
  sriov:
    resourceName: spidernet.io/gpu2sriov
    enableRdma: true
    mtu: 8000
    ippools:
      ipv4: [\"gpu1-net11\"]
",
        canonical: ("/spec/sriov/rdmaIsolation", "true"),
        gone: Some("/spec/sriov/enableRdma"),
        warning: ["enableRdma", "rdmaIsolation"],
    },
    Alias {
        what: "matchMasterSubnet beside ippools",
        resource: "spidermultusconfig/sriov-eno3np1",
        manifest: "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: sriov-eno3np1
  namespace: spiderpool
spec:
  cniType: sriov
  sriov:
    resourceName: \"spidernet.io/eno3np1\"
    rdmaIsolation: true
    mtu: 4200
    ippools:
      ipv4:
      - eno3np1-rail1*
    matchMasterSubnet: true
",
        canonical: ("/spec/sriov/ippools/matchMasterSubnet", "true"),
        gone: Some("/spec/sriov/matchMasterSubnet"),
        warning: ["spec.sriov.matchMasterSubnet", "spec.sriov.ippools.matchMasterSubnet"],
    },
    Alias {
        what: "pkey as a number",
        resource: "spidermultusconfig/ib-sriov",
        manifest: "
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderMultusConfig
metadata:
  name: ib-sriov
  namespace: spiderpool
spec:
  cniType: ib-sriov
  ibsriov:
    pkey: 1000
    resourceName: spidernet.io/mellanoxrdma
    ippools:
      ipv4: [\"gpu1-net11\"]
",
        canonical: ("/spec/ibsriov/pkey", r#""0x03E8""#),
        gone: None,
        warning: ["1000", "0x03E8"],
    },
];

fn read(installation: &Installation, alias: &Alias) -> Value {
    installation.cluster.get(&["--namespace", NAMESPACE, alias.resource])
}

fn warning_of(printed: &str, alias: &Alias) -> Option<String> {
    let named = |line: &&str| alias.warning.iter().all(|part| line.contains(part));
    printed.lines().find(named).map(str::to_owned)
}

pub(crate) async fn of_the_guide_become_canonical() {
    let installation = Installation::start("aliases", Options::default()).await;
    for alias in &ALIASES {
        // Client-side and server-side apply take different ways through the schema.
        for way in [&["apply", "-f", "-"][..], &["apply", "--server-side", "--force-conflicts", "-f", "-"]] {
            let printed = installation.cluster.kubectl(way, alias.manifest);
            assert!(printed.ok, "{}: {}", alias.what, printed.err);
            assert!(warning_of(&printed.err, alias).is_some(), "{}: {:?}", alias.what, printed.err);
            let stored = read(&installation, alias);
            let canonical: Value = serde_json::from_str(alias.canonical.1).unwrap();
            assert_eq!(stored.pointer(alias.canonical.0), Some(&canonical), "{}", alias.what);
            if let Some(gone) = alias.gone {
                assert_eq!(stored.pointer(gone), None, "{}", alias.what);
            }
            installation.cluster.kubectl_ok(&["delete", "--wait=false", "-f", "-"], alias.manifest);
            remove_finalizers(&installation, alias);
        }
    }
}

/// Nothing takes the finalizers of pools off yet.
fn remove_finalizers(installation: &Installation, alias: &Alias) {
    let patch = r#"{"metadata":{"finalizers":null}}"#;
    let arguments = ["patch", "-n", NAMESPACE, alias.resource, "--type=merge", "-p", patch];
    installation.cluster.kubectl(&arguments, "");
}

pub(crate) async fn are_refused_in_strict_mode() {
    let values = ["spiderpoolController.admission.strict=true"];
    let options = Options { values: &values, ..Options::default() };
    let installation = Installation::start("aliases-strict", options).await;
    for alias in &ALIASES {
        let printed = installation.cluster.kubectl(&["create", "-f", "-"], alias.manifest);
        assert!(!printed.ok, "{} is accepted", alias.what);
        assert!(
            alias.warning.iter().all(|part| printed.err.contains(part)),
            "{}: {}",
            alias.what,
            printed.err
        );
    }
}
