//! One pod: what the API server says of it, and what it sees itself.

use serde::Deserialize;
use serde_json::Value;

use crate::bed::Bed;

/// Prints what a pod sees, as JSON. By `ip` and sysfs, not by the library under test.
const LOOK: &str = r#"
devices() {
  for device in /sys/class/infiniband/*; do
    function=$(readlink -f "$device/device")
    for file in "$function"/infiniband_verbs/*; do
      printf '{"name": "%s", "pci": "%s", "link": "%s", "file": "%s", "number": "%s"},' \
        "${device##*/}" "${function##*/}" "$(ls "$function/net")" "${file##*/}" "$(cat "$file/dev")"
    done
  done
}
files() { for file in /dev/infiniband/*; do printf '["%s", "%s"],' "${file##*/}" "$(stat -c %Hr:%Lr "$file")"; done; }
list() { printf '[%s]' "${1%,}"; }
cat <<JSON
{"addresses": $(ip -json -4 address), "rules": $(ip -4 -json rule), "routes": $(ip -4 -json route show table all),
 "devices": $(list "$(devices)"), "files": $(list "$(files)")}
JSON
"#;

/// A pod as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) object: Value,
}

/// What a pod sees.
#[derive(Debug, Deserialize)]
pub(crate) struct Sight {
    /// `ip address`, IPv4.
    pub(crate) addresses: Vec<Value>,
    pub(crate) rules: Vec<Value>,
    pub(crate) routes: Vec<Value>,
    pub(crate) devices: Vec<RdmaDevice>,
    /// Name and numbers of each file of `/dev/infiniband`.
    pub(crate) files: Vec<(String, String)>,
}

/// An RDMA device that a pod sees.
#[derive(Debug, Deserialize)]
pub(crate) struct RdmaDevice {
    pub(crate) name: String,
    /// Function that it belongs to, and that function's link.
    pub(crate) pci: String,
    pub(crate) link: String,
    /// Name and numbers of the file that the kernel has for it.
    pub(crate) file: String,
    pub(crate) number: String,
}

impl Pod {
    pub(crate) fn new(object: Value) -> Self {
        Self { object }
    }

    pub(crate) fn name(&self) -> &str {
        self.text(&["metadata", "name"])
    }

    pub(crate) fn node(&self) -> &str {
        self.text(&["spec", "nodeName"])
    }

    pub(crate) fn uid(&self) -> &str {
        self.text(&["metadata", "uid"])
    }

    /// Id of its container.
    pub(crate) fn container(&self) -> &str {
        self.object["status"]["containerStatuses"][0]["containerID"].as_str().unwrap_or_default()
    }

    /// An annotation that is JSON.
    pub(crate) fn annotation(&self, key: &str) -> Value {
        serde_json::from_str(self.text(&["metadata", "annotations", key])).expect("it is JSON")
    }

    fn text(&self, path: &[&str]) -> &str {
        let value = path.iter().fold(&self.object, |value, key| &value[*key]);
        value.as_str().unwrap_or_default()
    }

    /// Runs a script in the pod's container: in its namespaces and its cgroup, so that it may open what the pod may. Not by
    /// `kubectl exec`, after which containerd's shim, under emulation, at times does not see the container end.
    pub(crate) fn run(&self, bed: &Bed, script: &str) -> String {
        let container = self.container();
        let id = container.strip_prefix("containerd://").unwrap_or(container);
        bed.guest(self.node()).run(&format!(
            "set -e
             process=$(ctr -n k8s.io task ls | awk '$1 == \"{id}\" {{ print $2 }}')
             script=$(cat <<'SCRIPT'\n{script}\nSCRIPT\n)
             cgroup=$(cut -d : -f 3 /proc/$process/cgroup)
             echo $$ >/sys/fs/cgroup$cgroup/cgroup.procs
             exec nsenter --target $process --all --wdns=/ bash -c \"$script\""
        ))
    }

    pub(crate) fn look(&self, bed: &Bed) -> Sight {
        let printed = self.run(bed, LOOK);
        let sight = serde_json::from_str(&printed);
        assert!(sight.is_ok(), "{sight:?}: {printed}");
        sight.expect("just looked at")
    }
}

impl Sight {
    /// The one IPv4 address of a link that is up, with its prefix length.
    pub(crate) fn address(&self, link: &str) -> String {
        let shown = self.addresses.iter().find(|shown| shown["ifname"] == link);
        let shown = shown.unwrap_or(&Value::Null);
        let up = shown["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == "UP"));
        let addresses = shown["addr_info"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(up && addresses.len() == 1, "{link}: {:?}", self.addresses);
        let (local, length) = (&addresses[0]["local"], &addresses[0]["prefixlen"]);
        format!("{}/{length}", local.as_str().unwrap_or_default())
    }

    /// Destination, gateway (or nothing) and link of every unicast IPv4 route in a table.
    pub(crate) fn table(&self, table: &str) -> Vec<[String; 3]> {
        let of_table = |route: &&Value| route["table"].as_str().unwrap_or("main") == table;
        let text = |route: &Value, key: &str| route[key].as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> = self
            .routes
            .iter()
            .filter(of_table)
            .map(|route| ["dst", "gateway", "dev"].map(|key| text(route, key)))
            .collect();
        found.sort();
        found
    }

    /// Source and table of every rule that goes by source.
    pub(crate) fn sources(&self) -> Vec<[String; 2]> {
        let by_source = self.rules.iter().filter(|rule| rule["src"] != "all");
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> = by_source.map(|rule| ["src", "table"].map(|key| text(rule, key))).collect();
        found.sort();
        found
    }
}
