//! The whole chain on real nodes: a control plane and `railweave controller` on this machine, two QEMU guests as nodes, each
//! with a kubelet, containerd, virtual functions, RDMA devices, `railweave agent` and our CNI plugins.
//!
//! `make e2e-nodes` builds what that takes and runs it; everywhere else the tests are skipped. They share one cluster,
//! [`bed::Bed`], because it takes a minute to stand; every test begins and ends with all devices home.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test says what it waits for, and ends at the first surprise"
)]

mod bed;
#[path = "../shared/cluster.rs"]
#[expect(dead_code, reason = "the tests of the control plane use all of it")]
mod cluster;
mod deployment;
mod facts;
mod files;
mod guest;
#[path = "../shared/installation.rs"]
#[expect(dead_code, reason = "the tests of the control plane use all of it")]
mod installation;
#[path = "../shared/objects.rs"]
#[expect(dead_code, reason = "the tests of the control plane use all of it")]
mod objects;
mod pod;
mod rails;
#[path = "../shared/replica.rs"]
#[expect(dead_code, reason = "the tests of the control plane use all of it")]
mod replica;
mod rounds;
#[path = "../shared/service.rs"]
#[expect(dead_code, reason = "the tests of the control plane use all of it")]
mod service;

use std::sync::{Mutex, PoisonError};

use libtest_mimic::{Arguments, Completion, Trial};

use bed::Bed;

macro_rules! trials {
    ($($file:ident :: $test:ident,)*) => {
        vec![$(trial(concat!(stringify!($file), "::", stringify!($test)), $file::$test)),*]
    };
}

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("no provider is installed yet");
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let trials = trials![
        facts::of_the_kubelet_are_published,
        rails::of_the_guide_s_deployment,
        rounds::of_pods_while_agent_and_kubelet_restart,
        files::follow_their_devices_by_cdi,
        files::of_another_number_are_refused,
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(mut bed) = BED.lock().unwrap_or_else(PoisonError::into_inner).take()
        && conclusion.has_failed()
    {
        bed.installation.cluster.keep_logs();
    }
    conclusion.exit();
}

/// Stands from the first test on.
static BED: Mutex<Option<Bed>> = Mutex::new(None);

fn trial(name: &'static str, test: fn(&Bed)) -> Trial {
    Trial::ignorable_test(name, move || {
        let Some(share) = std::env::var_os("RAILWEAVE_NODES") else {
            return Ok(Completion::ignored_with("it needs two guests as nodes: make e2e-nodes"));
        };
        let mut bed = match BED.lock() {
            Ok(bed) => bed,
            // A test that failed; the next begins with what is home again.
            Err(failed) if failed.get_ref().is_some() => failed.into_inner(),
            Err(_) => return Err("the nodes did not come up".into()),
        };
        let bed = bed.get_or_insert_with(|| Bed::start(share.as_ref()));
        eprintln!("{name}: begins");
        bed.expect_home("before the test");
        test(bed);
        bed.expect_home("after the test");
        Ok(Completion::Completed)
    })
}
