//! Failure at every step, and the end of the process at every step.

use super::*;
use crate::kernel::Change;
use crate::netlink::VfSetting;

/// How many changes this makes when nothing goes wrong.
fn steps(work: impl Fn(&mut Recorder)) -> usize {
    let mut node = Recorder::new();
    work(&mut node);
    node.made.len()
}

fn attached() -> usize {
    steps(|node| {
        attach(node, &add_a(&everything())).unwrap();
    })
}

#[test]
fn an_add_that_fails_at_any_step_leaves_no_trace() {
    for errno in [libc::EBUSY, libc::EPERM, libc::EEXIST, libc::EADDRNOTAVAIL] {
        for step in 0..attached() {
            let mut node = Recorder::new();
            let before = node.snapshot();
            node.refused.insert(step, errno);
            if attach(&mut node, &add_a(&everything())).is_ok() {
                // Settings of the pod are no reason to fail, and an address is tried again.
                detach(&mut node, &del_a(&everything())).unwrap();
            }
            assert_eq!(node.snapshot(), before, "errno {errno} at step {step}: {:?}", node.made[step]);
            assert_eq!(kept(&node), Vec::<String>::new(), "errno {errno} at step {step}");
        }
    }
}

#[test]
fn only_settings_of_the_pod_and_its_address_may_be_refused() {
    let forgiven: Vec<String> = (0..attached())
        .filter_map(|step| {
            let mut node = Recorder::new();
            node.refused.insert(step, libc::EBUSY);
            attach(&mut node, &add_a(&everything())).is_ok().then(|| Recorder::name_of(&node.made[step]))
        })
        .collect();
    assert_eq!(forgiven, ["Sysctl", "HardwareAddress"]);
}

#[test]
fn a_del_that_fails_at_any_step_goes_on_and_the_second_one_finishes() {
    let mut smooth = Recorder::new();
    attach(&mut smooth, &add_a(&everything())).unwrap();
    let attached = smooth.made.len();
    detach(&mut smooth, &del_a(&everything())).unwrap();
    for errno in [libc::EBUSY, libc::EPERM, libc::EADDRNOTAVAIL] {
        for (step, refused) in smooth.made.iter().enumerate().skip(attached) {
            let mut node = Recorder::new();
            let before = node.snapshot();
            attach(&mut node, &add_a(&everything())).unwrap();
            node.refused.insert(step, errno);
            let first = detach(&mut node, &del_a(&everything()));
            if matches!(refused, Change::Move { .. }) {
                assert_eq!(first.unwrap_err().code, CniError::TRY_AGAIN, "the pod holds it");
            } else {
                first.unwrap();
                let left_out = smooth.made[attached..].iter().find(|change| !node.made.contains(change));
                assert_eq!(left_out, None, "after errno {errno} of {refused:?}");
            }
            detach(&mut node, &del_a(&everything())).unwrap();
            if is_for_good(refused, errno) {
                node.function_mut(VF).mac = [0; 6];
            }
            assert_eq!(node.snapshot(), before, "errno {errno} of {refused:?}");
            assert_eq!(kept(&node), Vec::<String>::new());
        }
    }
}

/// A port that does not know how to let a function go without an address leaves it the pod's.
fn is_for_good(refused: &Change, errno: i32) -> bool {
    let without = matches!(refused, Change::Function { setting: VfSetting::Mac(mac), .. } if *mac == [0; 6]);
    without && errno == libc::EADDRNOTAVAIL
}

/// Who comes after the process that was killed.
#[derive(Clone, Copy, Debug)]
enum Next {
    Del,
    Gc,
    Add,
    DelAfterTheSandbox,
}

#[test]
fn whoever_comes_after_a_kill_at_any_step_brings_the_function_home() {
    let all = steps(|node| {
        attach(node, &add_a(&everything())).unwrap();
        detach(node, &del_a(&everything())).unwrap();
    });
    for next in [Next::Del, Next::Gc, Next::Add, Next::DelAfterTheSandbox] {
        for step in 0..all {
            let mut node = Recorder::new();
            let fresh = {
                let mut fresh = Recorder::new();
                if matches!(next, Next::DelAfterTheSandbox) {
                    fresh.delete_space(POD_A);
                }
                fresh.snapshot()
            };
            node.killed_at = Some(step);
            if attach(&mut node, &add_a(&everything())).is_ok() {
                // What was killed is the DEL.
                detach(&mut node, &del_a(&everything())).ok();
            }
            node.killed_at = None;
            match next {
                Next::Del => detach(&mut node, &del_a(&everything())).unwrap(),
                Next::Gc => collect(&mut node, &[]).unwrap(),
                Next::Add => {
                    let keys = json!({});
                    attach(&mut node, &call_as("ADD", "b", POD_B, &keys)).unwrap();
                    assert_eq!(records(&node)[0].owner.container, "b");
                    detach(&mut node, &call_as("DEL", "b", POD_B, &keys)).unwrap();
                    // The old DEL comes in the end.
                    detach(&mut node, &del_a(&everything())).unwrap();
                }
                Next::DelAfterTheSandbox => {
                    node.delete_space(POD_A);
                    detach(&mut node, &del_a(&everything())).unwrap();
                }
            }
            assert_eq!(node.snapshot(), fresh, "{next:?} after a kill at step {step}");
            assert_eq!(kept(&node), Vec::<String>::new(), "{next:?} after a kill at step {step}");
        }
    }
}

/// Another pod may get an address at once that is given back, so by then nobody has it any more.
#[test]
fn addresses_are_given_back_when_the_function_is_home() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    let root = node.root().display().to_string();
    let plugin = node.root().join("host-local");
    let result = r#"{"cniVersion": "1.1.0", "ips": [{"address": "172.16.1.2/24"}]}"#;
    let text = format!(
        "#!/bin/sh\ncat >/dev/null\ntest $CNI_COMMAND = DEL && ls {root}/run/railweave/cni/sriov >{root}/at-del\necho '{result}'\n"
    );
    std::fs::write(&plugin, text).unwrap();
    std::fs::set_permissions(&plugin, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let call = add_a(&json!({"ipam": {"type": "host-local"}}));
    let call = Call { path: vec![node.root().to_owned()], ..call };
    node.never = [("Address", libc::EINVAL)].into();
    assert_eq!(attach(&mut node, &call).unwrap_err().code, CniError::KERNEL);
    assert_eq!(
        std::fs::read_to_string(node.root().join("at-del")).unwrap(),
        "",
        "its record is gone by then"
    );
    assert_eq!(node.snapshot(), before);
}

#[test]
fn ipam_that_fails_takes_everything_back() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    let mut keys = everything();
    keys["ipam"] = json!({"type": "no-such-plugin"});
    attach(&mut node, &add_a(&keys)).unwrap_err();
    assert_eq!(node.snapshot(), before);
    assert_eq!(kept(&node), Vec::<String>::new());
}

/// A disk that is full after the kernel did everything: each file that an ADD writes, the record of its end too.
#[test]
fn a_file_that_cannot_be_written_in_the_end_takes_everything_back() {
    for file in [
        "var/lib/cni/sriov/.a-net1.new",
        "var/lib/cni/sriov/pci/.0000:86:00.2.new",
        "run/railweave/cni/sriov/.0000:86:00.2.new",
    ] {
        let mut node = Recorder::new();
        let before = node.snapshot();
        node.full = Some((attached() - 1, file.into()));
        let error = attach(&mut node, &add_a(&everything())).unwrap_err();
        assert_eq!(error.code, CniError::IO, "{file}");
        assert_eq!(node.snapshot(), before, "{file}");
        assert_eq!(kept(&node), Vec::<String>::new(), "{file}");
    }
}

#[test]
fn a_cache_that_cannot_be_written_takes_everything_back() {
    let mut node = Recorder::new();
    let before = node.snapshot();
    std::fs::create_dir_all(node.root().join("var/lib/cni/sriov/a-net1")).unwrap();
    let error = attach(&mut node, &add_a(&everything())).unwrap_err();
    assert_eq!(error.code, CniError::IO);
    std::fs::remove_dir_all(node.root().join("var/lib/cni/sriov/a-net1")).unwrap();
    detach(&mut node, &del_a(&everything())).unwrap();
    assert_eq!(node.snapshot(), before);
    assert_eq!(kept(&node), Vec::<String>::new());
}
