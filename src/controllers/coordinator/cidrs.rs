use std::collections::BTreeMap;

use crate::api::SpiderCoordinatorStatus;
use crate::net::Subnet;
use crate::yaml;

/// What a cluster tells about its addresses; any of it may be absent.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    /// `ClusterConfiguration` of kubeadm, YAML.
    pub(super) kubeadm: Option<String>,
    /// Command and arguments of a controller manager.
    pub(super) controller_manager: Vec<String>,
    /// CIDRs of Calico's pools, oldest first; none without Calico.
    pub(super) calico: Option<Vec<String>>,
    /// `data` of Cilium's configuration; none without Cilium.
    pub(super) cilium: Option<BTreeMap<String, String>>,
    /// CIDRs of Cilium's own pools, oldest first.
    pub(super) cilium_pools: Vec<String>,
    /// Whether there is Flannel.
    pub(super) flannel: bool,
    /// CIDRs of the `ServiceCIDR` objects, oldest first.
    pub(super) service_cidrs: Vec<String>,
}

/// `status.phase` when both lists are what the cluster says.
const SYNCED: &str = "Synced";
/// `status.phase` when one of them could not be found; what was known of it before stays.
const NOT_READY: &str = "NotReady";

impl Sources {
    /// The status of a coordinator that asks for pod CIDRs of this kind.
    ///
    /// What cannot be found keeps its last value: attaching a pod with yesterday's CIDRs beats not attaching it.
    pub(super) fn status(&self, kind: &str, before: &SpiderCoordinatorStatus) -> SpiderCoordinatorStatus {
        let mut reasons = Vec::new();
        let mut found = |cidrs: Result<Vec<String>, String>, before: &Option<Vec<String>>| match cidrs {
            Ok(cidrs) => Some(canonical(&cidrs)),
            Err(reason) => {
                reasons.push(reason);
                before.clone()
            }
        };
        let overlay_pod_cidr = found(self.pod_cidrs(kind), &before.overlay_pod_cidr);
        let service_cidr = found(self.services(), &before.service_cidr);
        let phase = if reasons.is_empty() { SYNCED } else { NOT_READY };
        let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
        SpiderCoordinatorStatus { phase: phase.to_owned(), reason, overlay_pod_cidr, service_cidr }
    }

    fn pod_cidrs(&self, kind: &str) -> Result<Vec<String>, String> {
        match if kind == "auto" { self.detected() } else { kind } {
            "cluster" => self.cluster_cidrs(),
            "calico" => self.calico_cidrs(),
            "cilium" => self.cilium_cidrs(),
            "none" => Ok(Vec::new()),
            other => Err(format!(
                "podCIDRType {other} is none of auto, cluster, calico, cilium, none; use one of them"
            )),
        }
    }

    /// What `auto` means here. A cluster that moves from one plugin to the other runs both; the one whose file comes
    /// first on the nodes is in force.
    fn detected(&self) -> &'static str {
        match self {
            Self { cilium: Some(_), .. } => "cilium",
            Self { calico: Some(_), .. } => "calico",
            Self { flannel: true, .. } => "cluster",
            _ => "none",
        }
    }

    fn cluster_cidrs(&self) -> Result<Vec<String>, String> {
        self.of_cluster("podSubnet", "--cluster-cidr").ok_or_else(|| {
            "found no pod CIDR: neither ConfigMap kube-system/kubeadm-config nor a kube-controller-manager pod names \
             one; set podCIDRType to none and list the CIDRs in hijackCIDR"
                .to_owned()
        })
    }

    fn calico_cidrs(&self) -> Result<Vec<String>, String> {
        self.calico.clone().ok_or_else(|| {
            "found no IPPool of Calico; install Calico, or set podCIDRType to another type".to_owned()
        })
    }

    fn cilium_cidrs(&self) -> Result<Vec<String>, String> {
        let Some(data) = &self.cilium else {
            let missing = "found no ConfigMap kube-system/cilium-config; install Cilium, or set podCIDRType to another type";
            return Err(missing.to_owned());
        };
        match data.get("ipam").map_or("cluster-pool", String::as_str) {
            "cluster-pool" | "cluster-pool-v2beta" => {
                let keys = ["cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr"];
                Ok(keys.iter().filter_map(|key| data.get(*key)).flat_map(|cidrs| list(cidrs)).collect())
            }
            "multi-pool" => Ok(self.cilium_pools.clone()),
            "kubernetes" => self.cluster_cidrs(),
            other => Err(format!(
                "the ipam mode {other} of kube-system/cilium-config has no CIDRs to read; set podCIDRType to none and \
                 list the CIDRs in hijackCIDR"
            )),
        }
    }

    fn services(&self) -> Result<Vec<String>, String> {
        if !self.service_cidrs.is_empty() {
            return Ok(self.service_cidrs.clone());
        }
        self.of_cluster("serviceSubnet", "--service-cluster-ip-range").ok_or_else(|| {
            "found no CIDR of Services: no ServiceCIDR object, and neither ConfigMap kube-system/kubeadm-config nor a \
             kube-controller-manager pod names one; list it in hijackCIDR"
                .to_owned()
        })
    }

    /// A list that kubeadm was given, or else the controller manager.
    fn of_cluster(&self, field: &str, flag: &str) -> Option<Vec<String>> {
        let kubeadm = self.kubeadm.as_deref().and_then(|text| {
            let documents = yaml::documents(text);
            let content = documents.into_iter().find_map(|document| document.content.ok())?;
            Some(list(content.value["networking"][field].as_str()?).collect::<Vec<_>>())
        });
        let cidrs = kubeadm.filter(|cidrs| !cidrs.is_empty()).or_else(|| {
            let value = self.flag(flag)?;
            Some(list(value).collect())
        })?;
        (!cidrs.is_empty()).then_some(cidrs)
    }

    /// The value of a flag, written as `--flag=value` or as two arguments.
    fn flag(&self, flag: &str) -> Option<&str> {
        let arguments = &self.controller_manager;
        let joined = arguments.iter().find_map(|argument| argument.strip_prefix(flag)?.strip_prefix('='));
        joined.or_else(|| {
            let at = arguments.iter().position(|argument| argument == flag)?;
            arguments.get(at + 1).map(String::as_str)
        })
    }
}

fn list(text: &str) -> impl Iterator<Item = String> {
    text.split([',', ' ']).map(str::trim).filter(|cidr| !cidr.is_empty()).map(str::to_owned)
}

/// Without what is no CIDR, without host bits, each once.
fn canonical(cidrs: &[String]) -> Vec<String> {
    let mut known = Vec::new();
    for cidr in cidrs.iter().filter_map(|cidr| cidr.parse::<Subnet>().ok()) {
        let cidr = cidr.to_string();
        if !known.contains(&cidr) {
            known.push(cidr);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBEADM: &str = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking:\n  \
                           dnsDomain: cluster.local\n  podSubnet: 10.233.64.0/18,fd85::/112\n  serviceSubnet: 10.233.0.0/18\n";

    fn texts(cidrs: &[&str]) -> Vec<String> {
        cidrs.iter().map(|cidr| (*cidr).to_owned()).collect()
    }

    fn status(sources: &Sources, kind: &str) -> SpiderCoordinatorStatus {
        sources.status(kind, &SpiderCoordinatorStatus::default())
    }

    fn synced(pods: &[&str], services: &[&str]) -> SpiderCoordinatorStatus {
        SpiderCoordinatorStatus {
            phase: "Synced".to_owned(),
            reason: None,
            overlay_pod_cidr: Some(texts(pods)),
            service_cidr: Some(texts(services)),
        }
    }

    #[test]
    fn a_cluster_s_own_cidrs_come_from_kubeadm_or_the_controller_manager() {
        let kubeadm = Sources { kubeadm: Some(KUBEADM.to_owned()), ..Sources::default() };
        let expected = synced(&["10.233.64.0/18", "fd85::/112"], &["10.233.0.0/18"]);
        assert_eq!(status(&kubeadm, "cluster"), expected);
        let joined = ["--cluster-cidr=10.1.0.0/16", "--service-cluster-ip-range=10.2.0.0/16"];
        let apart = ["--cluster-cidr", "10.1.0.0/16", "--service-cluster-ip-range", "10.2.0.0/16"];
        for arguments in [&joined[..], &apart[..]] {
            let sources = Sources { controller_manager: texts(arguments), ..Sources::default() };
            assert_eq!(status(&sources, "cluster"), synced(&["10.1.0.0/16"], &["10.2.0.0/16"]));
        }
        let unreadable = Sources {
            kubeadm: Some("networking: [".to_owned()),
            controller_manager: texts(&joined),
            ..Sources::default()
        };
        assert_eq!(status(&unreadable, "cluster"), synced(&["10.1.0.0/16"], &["10.2.0.0/16"]));
    }

    #[test]
    fn service_cidr_objects_beat_what_the_cluster_was_begun_with() {
        let sources = Sources {
            kubeadm: Some(KUBEADM.to_owned()),
            service_cidrs: texts(&["10.96.0.0/12", "10.240.0.0/16"]),
            ..Sources::default()
        };
        assert_eq!(status(&sources, "none"), synced(&[], &["10.96.0.0/12", "10.240.0.0/16"]));
    }

    #[test]
    fn calico_and_cilium_need_no_kubeadm() {
        let services = texts(&["10.96.0.0/12"]);
        let calico = Sources {
            calico: Some(texts(&["10.244.0.0/16", "10.244.0.0/16", "none"])),
            service_cidrs: services.clone(),
            ..Sources::default()
        };
        for kind in ["auto", "calico"] {
            assert_eq!(status(&calico, kind), synced(&["10.244.0.0/16"], &["10.96.0.0/12"]));
        }
        let data = |pairs: &[(&str, &str)]| {
            Some(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        let pool = [
            ("ipam", "cluster-pool"),
            ("cluster-pool-ipv4-cidr", "10.0.0.0/8"),
            ("cluster-pool-ipv6-cidr", "fd00::/104"),
        ];
        let cilium = Sources { cilium: data(&pool), service_cidrs: services, ..Sources::default() };
        for kind in ["auto", "cilium"] {
            assert_eq!(status(&cilium, kind), synced(&["10.0.0.0/8", "fd00::/104"], &["10.96.0.0/12"]));
        }
        let multi = Sources {
            cilium: data(&[("ipam", "multi-pool")]),
            cilium_pools: texts(&["10.5.0.0/16"]),
            ..cilium.clone()
        };
        assert_eq!(status(&multi, "auto"), synced(&["10.5.0.0/16"], &["10.96.0.0/12"]));
        let kubernetes =
            Sources { cilium: data(&[("ipam", "kubernetes")]), kubeadm: Some(KUBEADM.to_owned()), ..cilium };
        let expected = synced(&["10.233.64.0/18", "fd85::/112"], &["10.96.0.0/12"]);
        assert_eq!(status(&kubernetes, "cilium"), expected);
    }

    #[test]
    fn auto_without_a_known_plugin_is_none_and_flannel_s_is_the_cluster_s() {
        let sources = Sources { kubeadm: Some(KUBEADM.to_owned()), flannel: true, ..Sources::default() };
        assert_eq!(status(&sources, "auto"), synced(&["10.233.64.0/18", "fd85::/112"], &["10.233.0.0/18"]));
        let sources = Sources { flannel: false, ..sources };
        assert_eq!(status(&sources, "auto"), synced(&[], &["10.233.0.0/18"]));
    }

    #[test]
    fn what_is_missing_is_said_and_keeps_its_last_value() {
        let before = synced(&["10.1.0.0/16"], &["10.2.0.0/16"]);
        let sources = Sources { service_cidrs: texts(&["10.3.0.0/16"]), ..Sources::default() };
        let after = sources.status("calico", &before);
        assert_eq!(after.phase, "NotReady");
        assert_eq!(
            after.reason.as_deref(),
            Some("found no IPPool of Calico; install Calico, or set podCIDRType to another type")
        );
        assert_eq!(after.overlay_pod_cidr, Some(texts(&["10.1.0.0/16"])));
        assert_eq!(after.service_cidr, Some(texts(&["10.3.0.0/16"])));
        let nothing = Sources::default().status("cluster", &SpiderCoordinatorStatus::default());
        assert_eq!((nothing.overlay_pod_cidr, nothing.service_cidr), (None, None));
        assert_eq!(nothing.reason.unwrap().matches("hijackCIDR").count(), 2);
    }
}
