//! The number of an RDMA device's file changes when a lower one is free as the device moves into a pod.

use std::thread::sleep;
use std::time::Duration;

use crate::bed::{Bed, eventually};
use crate::deployment::Deployment;
use crate::guest::Guest;
use crate::pod::RdmaDevice;
use crate::rails::expect_rails;

/// A file without which the device plugin hands devices out by CDI.
const BY_NUMBER: &str = "/run/devices-by-number";

/// A node with a number that is free below all of its functions', until it is dropped.
struct Gap<'a>(&'a Guest);

impl<'a> Gap<'a> {
    fn on(guest: &'a Guest) -> Self {
        // A device that is made takes the lowest free number: the spare one first, whatever an earlier gap has left.
        guest.run(
            "set -e
             functions=$(cd /sys/class/net; for port in rail?v*; do echo $port $(ls $port/device/infiniband); done)
             rdma link delete spare
             while read -r port device; do rdma link delete $device; done <<<\"$functions\"
             rdma link add spare type rxe netdev spare
             while read -r port device; do rdma link add $device type rxe netdev $port; done <<<\"$functions\"
             rdma link delete spare",
        );
        Self(guest)
    }
}

impl Drop for Gap<'_> {
    fn drop(&mut self) {
        // One that is there already is refused.
        self.0.output(&format!("rm -f {BY_NUMBER}; rdma link add spare type rxe netdev spare"));
    }
}

/// PCI address and file of every device of every function, as they are.
fn numbers(guest: &Guest) -> Vec<(String, String)> {
    let listed = guest.run("cd /sys/class/infiniband_verbs; for f in uverbs*; do echo $(basename $(readlink -f $f/device)) $f; done");
    let pair = |line: &str| line.split_once(' ').map(|(pci, file)| (pci.to_owned(), file.to_owned()));
    listed.lines().filter_map(pair).collect()
}

pub(crate) fn follow_their_devices_by_cdi(bed: &Bed) {
    let guest = bed.guest("n1");
    let _gap = Gap::on(guest);
    let before = numbers(guest);
    let deployment = Deployment::on(bed, guest.name);
    let pod = deployment.ready().remove(0);
    // With the files of exactly its devices.
    expect_rails(bed, &pod);
    let sight = pod.look(bed);
    let is_other = |device: &RdmaDevice| !before.contains(&(device.pci.clone(), device.file.clone()));
    assert!(sight.devices.iter().any(is_other), "no number has changed: {before:?} {:?}", sight.devices);
    // They can be opened, each by its own.
    let shown = pod.run(bed, "ibv_devinfo");
    for device in &sight.devices {
        assert!(shown.contains(&device.name), "{shown}");
    }
    deployment.begin_deletion();
    bed.expect_home("after the pod");
}

pub(crate) fn of_another_number_are_refused(bed: &Bed) {
    let guest = bed.guest("n1");
    let _gap = Gap::on(guest);
    guest.run(&format!("touch {BY_NUMBER}"));
    let deployment = Deployment::on(bed, guest.name);
    let mut refusal = String::new();
    eventually("the kubelet tells that ADD was refused", || {
        let refused = "--field-selector=reason=FailedCreatePodSandBox";
        refusal = bed.kubectl(&["get", "events", refused, "-o", "json"]).unwrap_or_default();
        refusal.contains("by its move into the pod")
    });
    for part in ["code 11", "has become /dev/infiniband/uverbs0", "delete the pod"] {
        assert!(refusal.contains(part), "{part} is not in {refusal}");
    }
    // It was not given a foreign device instead.
    sleep(Duration::from_secs(5));
    let waiting = deployment.pods();
    assert!(waiting.iter().all(|pod| pod.container().is_empty()), "{waiting:?}");

    // As the message says, once no number is free that would change those of others.
    guest.run("rdma link add spare type rxe netdev spare");
    let name = waiting[0].name().to_owned();
    bed.kubectl(&["delete", "pod", &name]).expect("it is there");
    let successor = deployment.ready().remove(0);
    assert_ne!(successor.name(), name);
    expect_rails(bed, &successor);
    deployment.begin_deletion();
    bed.expect_home("after the pods");
}
