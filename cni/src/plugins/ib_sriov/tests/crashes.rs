//! Failure at every step, and the end of the process at every step.

use super::*;
use crate::kernel::Change;

fn all_steps() -> (usize, usize) {
    let mut node = Recorder::new();
    attach(&mut node, &add_a(&everything())).unwrap();
    let attached = node.made.len();
    detach(&mut node, &del_a()).unwrap();
    (attached, node.made.len())
}

#[test]
fn an_add_that_fails_at_any_step_leaves_no_trace() {
    let (attached, _) = all_steps();
    for errno in [libc::EBUSY, libc::EPERM, libc::EEXIST] {
        for step in 0..attached {
            let mut node = Recorder::new();
            let before = node.snapshot();
            node.refused.insert(step, errno);
            if attach(&mut node, &add_a(&everything())).is_ok() {
                assert_eq!(Recorder::name_of(&node.made[step]), "Sysctl");
                detach(&mut node, &del_a()).unwrap();
            }
            assert_eq!(node.snapshot(), before, "errno {errno} at step {step}: {:?}", node.made[step]);
            nothing_is_kept(&node);
        }
    }
}

#[test]
fn a_del_that_fails_at_any_step_goes_on_and_is_finished_by_the_second_one() {
    let mut smooth = Recorder::new();
    attach(&mut smooth, &add_a(&everything())).unwrap();
    let attached = smooth.made.len();
    detach(&mut smooth, &del_a()).unwrap();
    // Interfaces have other numbers when they are made anew; the port's functions do not.
    let of_port = |change: &&Change| matches!(change, Change::Function { .. });
    for errno in [libc::EBUSY, libc::EPERM] {
        for (step, refused) in smooth.made.iter().enumerate().skip(attached) {
            let mut node = Recorder::new();
            let before = node.snapshot();
            attach(&mut node, &add_a(&everything())).unwrap();
            node.refused.insert(step, errno);
            let first = detach(&mut node, &del_a());
            if matches!(refused, Change::Move { .. } | Change::MoveRdma { .. }) {
                assert_eq!(first.unwrap_err().code, CniError::TRY_AGAIN, "the pod holds it");
            } else {
                first.unwrap();
                let mut of_smooth = smooth.made[attached..].iter().filter(of_port);
                let left_out = of_smooth.find(|change| !node.made[attached..].contains(change));
                assert_eq!(left_out, None, "after errno {errno} of {refused:?}");
            }
            detach(&mut node, &del_a()).unwrap();
            assert_eq!(node.snapshot(), before, "errno {errno} at step {step}: {:?}", node.made[step]);
            nothing_is_kept(&node);
        }
    }
}

#[test]
fn whoever_comes_after_a_kill_at_any_step_brings_the_function_home() {
    let (_, all) = all_steps();
    for next in ["DEL", "DEL after the sandbox", "GC", "ADD"] {
        for step in 0..all {
            let mut node = Recorder::new();
            let mut fresh = Recorder::new();
            node.killed_at = Some(step);
            if attach(&mut node, &add_a(&everything())).is_ok() {
                detach(&mut node, &del_a()).ok();
            }
            node.killed_at = None;
            match next {
                "DEL" => detach(&mut node, &del_a()).unwrap(),
                "DEL after the sandbox" => {
                    node.delete_space(POD_A);
                    fresh.delete_space(POD_A);
                    detach(&mut node, &del_a()).unwrap();
                }
                "GC" => {
                    let call = call_as("GC", "", "", &json!({"cni.dev/valid-attachments": []}));
                    let state = state(&node);
                    addressed::collect::<Before>(&mut Node { state, kernel: &mut node }, &call).unwrap();
                }
                _ => {
                    attach(&mut node, &call_as("ADD", "b", POD_B, &json!({"rdmaIsolation": true}))).unwrap();
                    detach(&mut node, &del_a()).unwrap();
                    assert_eq!(records(&node)[0].owner.container, "b");
                    detach(&mut node, &call_as("DEL", "b", POD_B, &json!({}))).unwrap();
                }
            }
            assert_eq!(node.snapshot(), fresh.snapshot(), "{next} after a kill at step {step}");
            nothing_is_kept(&node);
        }
    }
}
