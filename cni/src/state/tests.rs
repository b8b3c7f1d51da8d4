use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::caches::{IbSriovCache, Ours, RdmaCache, SriovCache};
use super::*;
use crate::sysfs::PciAddress;

type Before = Value;

fn state() -> (tempfile::TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    let state = State::at(folder.path());
    (folder, state)
}

fn function() -> PciAddress {
    "0000:86:00.2".parse().unwrap()
}

fn owner(container: &str) -> Owner {
    Owner {
        network: "rail0".into(),
        container: container.into(),
        interface: "net1".into(),
        netns: Some(Netns { path: "/run/netns/pod-a".into(), number: Some(4_026_532_001) }),
    }
}

fn record(device: &str, container: &str) -> Record<Before> {
    Record { owner: owner(container), device: device.into(), attached: true, before: json!({"name": "eth2"}) }
}

#[test]
fn a_record_is_a_readable_file_for_root_alone() {
    let (folder, state) = state();
    let records = state.records::<Before>("sriov");
    records.write(&record("0000:86:00.2", "a")).unwrap();
    let path = folder.path().join("run/railweave/cni/sriov/0000:86:00.2");
    let written: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(
        written,
        json!({
            "owner": {"network": "rail0", "container": "a", "interface": "net1",
                      "netns": {"path": "/run/netns/pod-a", "number": 4_026_532_001_u64}},
            "device": "0000:86:00.2",
            "attached": true,
            "before": {"name": "eth2"},
        })
    );
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let names = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(names, 1, "no draft is left");
}

#[test]
fn what_is_left_of_a_write_that_was_killed_goes_with_the_file() {
    let (folder, state) = state();
    let records = state.records::<Before>("sriov");
    let path = folder.path().join("run/railweave/cni/sriov");
    std::fs::create_dir_all(&path).unwrap();
    let draft = path.join(".0000:86:00.2.new");
    std::fs::write(&draft, r#"{"owner": {"network": "rail0", "container": "much longer than"#).unwrap();
    records.write(&record("0000:86:00.2", "a")).unwrap();
    assert!(!draft.exists());
    assert_eq!(records.of_device("0000:86:00.2").unwrap(), Some(record("0000:86:00.2", "a")));
    std::fs::write(&draft, "{").unwrap();
    records.remove("0000:86:00.2").unwrap();
    assert_eq!(std::fs::read_dir(path).unwrap().count(), 0);
}

#[test]
fn a_record_is_found_by_its_device_and_by_its_attachment() {
    let (_folder, state) = state();
    let records = state.records::<Before>("sriov");
    assert_eq!(records.of_device("0000:86:00.2").unwrap(), None);
    assert_eq!(records.of_attachment("a", "net1", None).unwrap(), None);
    let (a, b) = (record("0000:86:00.2", "a"), record("0000:86:00.3", "b"));
    records.write(&a).unwrap();
    records.write(&b).unwrap();
    assert_eq!(records.of_device("0000:86:00.2").unwrap(), Some(a.clone()));
    for hint in [None, Some("0000:86:00.2"), Some("0000:86:00.3"), Some("0000:86:00.4")] {
        assert_eq!(records.of_attachment("a", "net1", hint).unwrap(), Some(a.clone()), "{hint:?}");
    }
    assert_eq!(records.of_attachment("a", "net2", Some("0000:86:00.2")).unwrap(), None);
    assert_eq!(state.records::<Before>("rdma").all().unwrap(), [], "plugins have records of their own");
    records.remove("0000:86:00.2").unwrap();
    records.remove("0000:86:00.2").unwrap();
    assert_eq!(records.all().unwrap(), [b]);
}

#[test]
fn a_record_that_cannot_be_read_is_in_the_way_of_its_own_device_alone() {
    let (folder, state) = state();
    let records = state.records::<Before>("sriov");
    records.write(&record("0000:86:00.3", "b")).unwrap();
    let path = folder.path().join("run/railweave/cni/sriov/0000:86:00.2");
    std::fs::write(&path, "{").unwrap();
    assert_eq!(records.all().unwrap().len(), 1);
    let of_b = records.of_attachment("b", "net1", Some("0000:86:00.2")).unwrap();
    assert_eq!(of_b, Some(record("0000:86:00.3", "b")), "whoever asks there first");
    assert_eq!(records.of_attachment("a", "net1", Some("0000:86:00.2")).unwrap(), None);
    assert!(records.has("0000:86:00.2").unwrap() && !records.has("0000:86:00.4").unwrap());
    let error = records.of_device("0000:86:00.2").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} does not hold what it should; look at the device that it names, then remove the file",
            path.display()
        )
    );
}

#[test]
fn a_lock_is_waited_for_and_released_by_its_end() {
    let (folder, state) = state();
    let held = state.lock_function(function()).unwrap();
    let path = folder.path().join("var/lib/cni/sriov/pci/vf_lock/0000:86:00.2.lock");
    assert!(path.is_file(), "it is the file that sriov in Go locks");
    let file = "var/lib/cni/sriov/pci/vf_lock/0000:86:00.2.lock".to_owned();
    let started = Instant::now();
    let error = state.take(file.clone(), Duration::from_millis(30)).unwrap_err();
    assert!(started.elapsed() >= Duration::from_millis(30));
    assert!(matches!(error, StateError::Locked { .. }));
    assert!(error.to_string().ends_with("is locked by another process for more than 0 s; try again"));
    drop(state.lock_function("0000:86:00.3".parse().unwrap()).unwrap());

    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| state.take(file, Duration::from_secs(10)).map(drop));
        std::thread::sleep(Duration::from_millis(20));
        drop(held);
        waiting.join().unwrap().unwrap();
    });
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let (folder, state) = state();
    assert!(state.is_writable().is_ok());
    std::fs::write(folder.path().join("var"), "").unwrap();
    let error = state.lock_function(function()).unwrap_err();
    assert!(error.to_string().starts_with("failed to lock "), "{error}");
    std::fs::remove_dir_all(folder.path().join("run")).unwrap();
    std::fs::write(folder.path().join("run"), "").unwrap();
    assert!(state.is_writable().unwrap_err().to_string().starts_with("failed to write "));
}

/// As `sriov` 2.9 writes it, keys of the standard first.
const SRIOV_IN_GO: &str = r#"{"cniVersion":"0.3.1","name":"rail0","type":"sriov","ipam":{},"dns":{},
    "OrigVfState":{"HostIFName":"eth2","SpoofChk":true,"Trust":false,"AdminMAC":"02:00:00:00:00:01",
        "EffectiveMAC":"02:00:00:00:00:02","Vlan":0,"VlanQoS":0,"VlanProto":33024,"MinTxRate":0,"MaxTxRate":0,
        "LinkState":1,"MTU":1500},
    "Master":"eno3np2","MAC":"02:00:00:00:00:2a","MTU":1500,"vlan":100,"vlanQoS":0,"vlanProto":"802.1q",
    "deviceID":"0000:86:00.2","VFID":3,"min_tx_rate":null,"max_tx_rate":null,"spoofchk":"off",
    "runtimeConfig":{}}"#;

#[test]
fn caches_of_the_plugins_in_go_are_read() {
    let (folder, state) = state();
    let write = |path: &str, text: &str| {
        let path = folder.path().join("var/lib/cni").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    assert_eq!(state.cache::<SriovCache>(&owner("a")), None);
    write("sriov/a-net1", SRIOV_IN_GO);
    let read = state.cache::<SriovCache>(&owner("a")).unwrap();
    assert_eq!((read.device.as_str(), read.port.as_str(), read.number), ("0000:86:00.2", "eno3np2", 3));
    assert_eq!((read.network.as_str(), read.mac.as_str()), ("rail0", "02:00:00:00:00:2a"));
    assert_eq!((read.vlan, read.spoofchk.as_str(), read.trust.as_str()), (Some(100), "off", ""));
    assert_eq!((read.min_tx_rate, read.max_tx_rate), (None, None));
    let original = &read.original;
    assert_eq!((original.name.as_str(), original.spoof_chk, original.trust), ("eth2", true, false));
    assert_eq!(original.admin_mac, "02:00:00:00:00:01");
    assert_eq!(original.effective_mac, "02:00:00:00:00:02");
    assert_eq!((original.vlan_proto, original.link_state, original.mtu), (33024, 1, 1500));
    assert!(!read.ours.railweave);

    write("sriov/pci/0000:86:00.2", "/run/netns/pod-a\n");
    assert_eq!(state.allocation(function()).unwrap(), Some("/run/netns/pod-a".into()));
    assert_eq!(state.caches::<SriovCache>().unwrap().len(), 1, "the folder `pci` is no cache");

    write(
        "rdma/rail0-a-net1",
        r#"{"version":"1.0","deviceID":"0000:86:00.2","sandboxRdmaDevName":"mlx5_4","containerRdmaDevName":"mlx5_4"}"#,
    );
    let rdma = state.cache::<RdmaCache>(&owner("a")).unwrap();
    assert_eq!((rdma.device.as_str(), rdma.sandbox_rdma_dev_name.as_str()), ("0000:86:00.2", "mlx5_4"));

    write(
        "ib-sriov/a-net1",
        r#"{"name":"ib1","type":"ib-sriov","Master":"ibp175s0","deviceID":"0000:af:00.2","VFID":0,
            "HostIFNames":"ibp175s0v0","HostIFGUID":"0c:42:a1:03:00:a1:b2:c4","ContIFNames":"net1",
            "pkey":"0x7fff","link_state":"enable","rdmaIsolation":true,"vfioPciMode":false,
            "RdmaNetState":{"version":"1.0","deviceID":"0000:af:00.2","sandboxRdmaDevName":"mlx5_4",
                            "containerRdmaDevName":"mlx5_4"}}"#,
    );
    let ib = state.cache::<IbSriovCache>(&owner("a")).unwrap();
    assert_eq!((ib.name.as_str(), ib.guid.as_str()), ("ibp175s0v0", "0c:42:a1:03:00:a1:b2:c4"));
    assert_eq!((ib.link_state.as_str(), ib.isolated, ib.vfio), ("enable", true, false));
    assert_eq!(ib.rdma.sandbox_rdma_dev_name, "mlx5_4");
}

#[test]
fn caches_are_written_over_the_configuration_for_the_plugins_in_go() {
    let (folder, state) = state();
    let config = json!({"cniVersion": "0.3.1", "name": "rail0", "type": "sriov", "vlan": 100, "deviceID": "x",
                        "ipam": {"type": "spiderpool"}, "prevResult": {"ips": []}});
    let cache = SriovCache {
        ours: Ours { railweave: true },
        network: "rail0".into(),
        device: "0000:86:00.2".into(),
        port: "eno3np2".into(),
        number: 3,
        ..SriovCache::default()
    };
    state.write_cache(&owner("a"), &cache, &config).unwrap();
    assert_eq!(state.cache::<SriovCache>(&owner("b")), None);
    let path = folder.path().join("var/lib/cni/sriov/a-net1");
    let written: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(
        written,
        json!({"cniVersion": "0.3.1", "name": "rail0", "type": "sriov", "vlan": 100, "railweave": true,
               "deviceID": "0000:86:00.2", "ipam": {"type": "spiderpool"}, "Master": "eno3np2", "VFID": 3, "MAC": "",
               "OrigVfState": {"HostIFName": "", "SpoofChk": false, "Trust": false, "AdminMAC": "",
                   "EffectiveMAC": "", "Vlan": 0, "VlanQoS": 0, "VlanProto": 0, "MinTxRate": 0, "MaxTxRate": 0,
                   "LinkState": 0, "MTU": 0}})
    );
    let read = state.cache::<SriovCache>(&owner("a")).unwrap();
    assert_eq!((read.vlan, read.ours.railweave), (Some(100), true));
    state.remove_cache::<SriovCache>(&owner("a")).unwrap();
    state.remove_cache::<SriovCache>(&owner("a")).unwrap();
    assert_eq!(state.cache::<SriovCache>(&owner("a")), None);

    state.write_allocation(function(), "/run/netns/pod-a").unwrap();
    assert_eq!(state.allocation(function()).unwrap(), Some("/run/netns/pod-a".into()));
    state.remove_allocation(function()).unwrap();
    state.remove_allocation(function()).unwrap();
    assert_eq!(state.allocation(function()).unwrap(), None);
}
